//! `memctl forget --verify`: searches all files of memctl for the deleted texts.

use serde_json::{Value, json};

use super::files::Search;
use crate::config::Settings;
use crate::ctl::format::{self, count};
use crate::failure::{Result, failed};
use crate::files::Place;
use crate::store::{Reader, remnants};
use crate::text::Needle;

/// What was read, and where a text was found.
pub struct Verification {
    search: Search,
    /// The columns of the database that contain a text, as `table.column`.
    columns: Vec<String>,
    database: Place,
    /// What was searched for: "the text" or "a deleted text".
    what: &'static str,
}

/// Searches the rows of the database, and the bytes of all files below the data dir and the fallback
/// directory. A text of which no byte sequence is left, because two pages of the database share it, is
/// found in the rows only.
pub fn search(settings: &Settings, needles: &[Needle], what: &'static str) -> Result<Verification> {
    let paths = &settings.paths;
    let mut columns = Vec::new();
    if let Some(reader) = Reader::open(paths, crate::ctl::READ_TIMEOUT)? {
        let reader = reader.without_time_limit()?;
        columns = remnants::columns_with(reader.connection(), needles)?;
    }
    // The database is closed: only SQLite may open its files while it is open.
    let mut search = Search::default();
    search.add_dir(&paths.data_dir(), needles);
    if paths.fallback_is_ours() {
        search.add_dir(&paths.fallback_dir(), needles);
    }
    let database = paths.database();
    if !columns.is_empty() && !search.found.contains(&database) {
        search.found.push(database.clone());
    }
    Ok(Verification { search, columns, database, what })
}

impl Verification {
    pub fn to_json(&self) -> Value {
        let Search { files, bytes, found, unread } = &self.search;
        let found: Vec<_> = found.iter().map(Place::path).collect();
        let unread: Vec<_> = unread.iter().map(|(place, _)| place.path()).collect();
        json!({ "files": files, "bytes": bytes, "found": found, "unread": unread })
    }

    /// Prints what was read, and a warning for each file with a text.
    pub fn print(&self) -> Result<()> {
        for place in &self.search.found {
            let columns = match place == &self.database && !self.columns.is_empty() {
                true => format!(" ({})", self.columns.join(", ")),
                false => String::new(),
            };
            crate::ctl::warn(&format!("{place}{columns} contains {}", self.what));
        }
        for (place, why) in &self.search.unread {
            crate::ctl::warn(&format!("cannot read {place}: {why}"));
        }
        let Search { files, bytes, found, .. } = &self.search;
        let read = format!("searched {}, {}", count(*files, "file"), format::bytes(*bytes));
        match found.len() {
            0 => crate::ctl::print(&format!("{read}: none contains {}\n", self.what)),
            1 => crate::ctl::print(&format!("{read}: 1 contains {}\n", self.what)),
            n => crate::ctl::print(&format!("{read}: {n} contain {}\n", self.what)),
        }
    }

    /// # Errors
    /// Exit code 1 if a text was found or a file could not be read.
    pub fn into_result(self) -> Result<()> {
        match (self.search.found.len() as u64, self.search.unread.len() as u64) {
            (0, 0) => Ok(()),
            (0, n) => Err(failed(format!("{} could not be read", count(n, "file")))),
            (n, _) => Err(failed(format!("{} is in {}", self.what, count(n, "file")))),
        }
    }
}
