//! The memories that a session's model was given, in a file of the session. A memory is given once per
//! session, also if hooks run in parallel or before the worker has committed.
//!
//! The process that answers takes the file's lock, leaves out what is listed, and lists the rest first. If
//! the file cannot be locked or written, nothing is given. The file has ids and hashes, no texts. The
//! hook of SessionEnd removes it; by then the store has all of it.
//!
//! Each line has the parts `time TAB place TAB subject TAB rows`, with rows as `o412:35,s37:20`: name and
//! tokens. Rows of a start are reported to the worker with the next prompt, because a session without a
//! prompt is not stored. Of a row with the place [`OPEN`], the start told a step only, so it still answers a
//! prompt. A line with the place [`REPORTED`] stands below those that were.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::time::Duration;

use memctl_proto::event::Use;

use crate::files::Place;
use crate::lock::{self, LockGuard};
use crate::paths::Paths;
use crate::store::words::RowId;

/// How long to wait for another process to release the file.
const LOCK_TIMEOUT: Duration = Duration::from_millis(20);

pub const START: &str = "start";
/// A start included open steps of the row, and nothing else of it.
pub const OPEN: &str = "open";
const REPORTED: &str = "reported";

/// A row and the estimated tokens of its lines.
pub type Row = (RowId, u32);

/// The list as it was when it was read.
#[derive(Debug, Default)]
pub struct Given(Vec<Entry>);

#[derive(Debug, PartialEq)]
struct Entry {
    at: i64,
    place: String,
    /// Hash of what the memories are about.
    subject: String,
    rows: Vec<Row>,
}

impl Given {
    /// Reads the list. A file that cannot be read counts as empty.
    pub fn read(paths: &Paths, key: &str) -> Given {
        // A power failure may have left invalid text.
        let text = paths.given_memories(key).read().unwrap_or_default();
        Given(String::from_utf8_lossy(&text).lines().filter_map(Entry::parse).collect())
    }

    /// The rows that were given for this subject.
    pub fn about(&self, place: &str, subject: &str) -> Option<Vec<RowId>> {
        let is_about = |entry: &&Entry| entry.place == place && entry.subject == subject;
        let entry = self.0.iter().find(is_about)?;
        Some(entry.rows.iter().map(|(row, _)| *row).collect())
    }

    /// The rows that were given at the places that count.
    pub fn rows(&self, counts: impl Fn(&str) -> bool) -> BTreeSet<RowId> {
        let entries = self.0.iter().filter(|entry| counts(&entry.place));
        entries.flat_map(|entry| &entry.rows).map(|(row, _)| *row).collect()
    }

    /// The rows of starts that the worker does not know of.
    fn unreported(&self) -> Vec<Use> {
        let from = self.0.iter().rposition(|entry| entry.place == REPORTED).map_or(0, |at| at + 1);
        let starts =
            self.0[from..].iter().filter(|entry| [START, OPEN].contains(&entry.place.as_str()));
        starts.flat_map(|entry| uses(&entry.rows, &entry.place, entry.at)).collect()
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Entry> {
        let mut parts = line.split('\t');
        let (at, place, subject, rows) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let row = |text: &str| {
            let (row, tokens) = text.split_once(':')?;
            Some((RowId::parse(row)?, tokens.parse().ok()?))
        };
        Some(Entry {
            at: at.parse().ok()?,
            place: place.to_owned(),
            subject: subject.to_owned(),
            rows: rows.split(',').filter_map(row).collect(),
        })
    }

    fn line(&self) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|(row, tokens)| format!("{row}:{tokens}")).collect();
        format!("{}\t{}\t{}\t{}\n", self.at, self.place, self.subject, rows.join(","))
    }
}

/// The rows as uses, for the worker.
pub fn uses(rows: &[Row], place: &str, at: i64) -> Vec<Use> {
    let used = |(row, tokens): &Row| Use {
        row: row.to_string(),
        place: place.to_owned(),
        tokens: *tokens,
        at,
    };
    rows.iter().map(used).collect()
}

/// Lists the rows of a start's block, and those of which it has steps only. `reported`: the start's own
/// event reports them.
pub fn add_start(paths: &Paths, key: &str, at: i64, rows: &[Row], steps: &[Row], reported: bool) {
    if rows.is_empty() && steps.is_empty() {
        return;
    }
    let add = || {
        let file = paths.given_memories(key);
        let Some(_lock) = locked(&file)? else { return Ok(()) };
        let mut lines = entry(at, START, "", rows.to_vec()).line();
        if !steps.is_empty() {
            lines.push_str(&entry(at, OPEN, "", steps.to_vec()).line());
        }
        if reported {
            lines.push_str(&entry(at, REPORTED, "", Vec::new()).line());
        }
        file.append(lines.as_bytes())
    };
    // Without the list, a memory may be given twice.
    let _: io::Result<()> = add();
}

/// A permission to give memories.
#[derive(Debug, Default, PartialEq)]
pub struct Claim {
    /// The rows that no hook has given yet.
    pub rows: Vec<Row>,
    /// What is to be reported to the worker.
    pub uses: Vec<Use>,
}

/// Lists those of the rows that were not given yet at the places that count, unless others were given
/// for this subject.
///
/// # Errors
/// If the file cannot be locked in time or written: nothing may be given then.
pub fn claim(
    paths: &Paths,
    key: &str,
    at: i64,
    place: &str,
    subject: &str,
    rows: Vec<Row>,
    counts: impl Fn(&str) -> bool,
) -> io::Result<Claim> {
    let file = paths.given_memories(key);
    let lock = locked(&file)?.ok_or(ErrorKind::TimedOut)?;
    let given = Given::read(paths, key);
    let known = given.rows(counts);
    let rows: Vec<Row> = rows.into_iter().filter(|(row, _)| !known.contains(row)).collect();
    if rows.is_empty() || given.about(place, subject).is_some() {
        return Ok(Claim::default());
    }
    let mut reported = given.unreported();
    let mut lines = String::new();
    if !reported.is_empty() {
        lines = entry(at, REPORTED, "", Vec::new()).line();
    }
    lines.push_str(&entry(at, place, subject, rows.clone()).line());
    file.append(lines.as_bytes())?;
    drop(lock);
    reported.extend(uses(&rows, place, at));
    Ok(Claim { rows, uses: reported })
}

/// Takes the rows of starts that the worker does not know of.
pub fn take_unreported(paths: &Paths, key: &str, at: i64) -> Vec<Use> {
    if Given::read(paths, key).unreported().is_empty() {
        return Vec::new();
    }
    let take = || {
        let file = paths.given_memories(key);
        let Some(_lock) = locked(&file)? else { return Ok(Vec::new()) };
        let unreported = Given::read(paths, key).unreported();
        file.append(entry(at, REPORTED, "", Vec::new()).line().as_bytes())?;
        Ok(unreported)
    };
    let taken: io::Result<Vec<Use>> = take();
    taken.unwrap_or_default()
}

/// Removes the list at the end of the session, when the store has all of it.
pub fn remove(paths: &Paths, key: &str) {
    let _ = paths.given_memories(key).remove_file();
}

fn entry(at: i64, place: &str, subject: &str, rows: Vec<Row>) -> Entry {
    Entry { at, place: place.to_owned(), subject: subject.to_owned(), rows }
}

fn locked(file: &Place) -> io::Result<Option<LockGuard>> {
    match lock::acquire(file, Some(LOCK_TIMEOUT)) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            file.parent().make_dir()?;
            lock::acquire(file, Some(LOCK_TIMEOUT))
        }
        lock => lock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Roots;

    fn with_paths(test: impl FnOnce(&Paths)) {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = Some(dir.path().join("data").into());
        let mut paths = Paths::new(&Roots { data_dir, ..Roots::default() }).unwrap();
        paths.create().unwrap();
        test(&paths);
    }

    fn rows(names: &[&str]) -> Vec<Row> {
        names.iter().map(|name| (RowId::parse(name).unwrap(), 7)).collect()
    }

    #[test]
    fn a_row_is_given_once() {
        with_paths(|paths| {
            let claim = |place: &str, subject: &str, names: &[&str]| {
                let claim =
                    super::claim(paths, "k", 5, place, subject, rows(names), |_| true).unwrap();
                claim.rows.into_iter().map(|(row, _)| row.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(claim("prompt", "a", &["o1", "s2"]), ["o1", "s2"]);
            assert_eq!(claim("file", "f", &["o1", "o3"]), ["o3"]);
            assert!(claim("file", "f", &["o4"]).is_empty(), "a file is told once");
            assert!(claim("file", "g", &["o3"]).is_empty());
            assert_eq!(claim("file", "g", &["o4"]), ["o4"], "nothing was told of it before");
            let given = Given::read(paths, "k");
            assert_eq!(
                given.about("prompt", "a").unwrap(),
                [RowId::observation(1), RowId::summary(2)]
            );
            assert_eq!(given.about("prompt", "b"), None);
            assert_eq!(
                super::claim(paths, "other", 5, "file", "f", rows(&["o1"]), |_| true)
                    .unwrap()
                    .rows
                    .len(),
                1
            );
        });
    }

    #[test]
    fn a_start_is_reported_once_with_what_follows_it() {
        with_paths(|paths| {
            add_start(paths, "k", 1, &rows(&["o1"]), &rows(&["s2"]), false);
            let claimed =
                claim(paths, "k", 2, "prompt", "a", rows(&["o1", "o2"]), |_| true).unwrap();
            let reported: Vec<_> =
                claimed.uses.iter().map(|u| (u.row.as_str(), u.place.as_str(), u.at)).collect();
            assert_eq!(reported, [("o1", "start", 1), ("s2", "open", 1), ("o2", "prompt", 2)]);
            assert!(take_unreported(paths, "k", 3).is_empty());
            add_start(paths, "k", 4, &rows(&["o5"]), &[], true);
            assert!(take_unreported(paths, "k", 4).is_empty());
            add_start(paths, "k", 5, &rows(&["o6"]), &[], false);
            assert_eq!(take_unreported(paths, "k", 6).len(), 1);
            assert!(take_unreported(paths, "k", 7).is_empty());
            remove(paths, "k");
            assert!(Given::read(paths, "k").rows(|_| true).is_empty());
        });
    }

    #[test]
    fn parallel_hooks_give_a_row_once() {
        with_paths(|paths| {
            let given: usize = std::thread::scope(|scope| {
                let claim = |n: usize| {
                    let subject = n.to_string();
                    claim(paths, "k", 1, "file", &subject, rows(&["o1"]), |_| true)
                        .map_or(0, |c| c.rows.len())
                };
                let hooks: Vec<_> = (0..8).map(|n| scope.spawn(move || claim(n))).collect();
                hooks.into_iter().map(|hook| hook.join().unwrap()).sum()
            });
            assert_eq!(given, 1);
        });
    }

    #[test]
    fn nothing_is_given_if_the_list_cannot_be_written() {
        with_paths(|paths| {
            std::fs::create_dir_all(paths.given_memories("k").path()).unwrap();
            assert!(claim(paths, "k", 1, "file", "f", rows(&["o1"]), |_| true).is_err());
            let file = paths.given_memories("l");
            std::fs::write(file.path(), b"\xff\tx\n1\tfile\tf\to1:x,o2:3\nrest").unwrap();
            assert_eq!(
                Given::read(paths, "l").rows(|_| true).into_iter().collect::<Vec<_>>(),
                [RowId::observation(2)]
            );
        });
    }
}
