//! Whether the files that memories speak of are still as they were. Everything that shows memories asks
//! here.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use crate::git::{self, FileState, Repository};
use crate::store::observations;

/// The files of some observations or sessions, by their ids: paths relative to the project, and what became
/// of them. Files whose state is unknown are left out.
#[derive(Clone, Debug, Default)]
pub struct Freshness(BTreeMap<i64, Vec<(String, FileState)>>);

/// Compares the files of these observations with the work tree at `root`. A function of the store and the
/// work tree.
pub fn of_rows(
    conn: &Connection,
    root: &Path,
    repository: Option<&Repository>,
    ids: &[i64],
) -> rusqlite::Result<Freshness> {
    Ok(compare(root, repository, &observations::blobs(conn, ids, root)?))
}

/// The same for files that sessions modified: ids of sessions with paths.
pub fn of_sessions(
    conn: &Connection,
    root: &Path,
    repository: Option<&Repository>,
    sessions: &[(i64, Vec<&str>)],
) -> rusqlite::Result<Freshness> {
    let mut known = Vec::new();
    for (id, paths) in sessions {
        let blobs = observations::blobs_of_session(conn, *id, paths)?;
        known.extend(blobs.into_iter().map(|(path, blob)| (*id, path, blob)));
    }
    Ok(compare(root, repository, &known))
}

fn compare(
    root: &Path,
    repository: Option<&Repository>,
    known: &[(i64, String, String)],
) -> Freshness {
    let files: Vec<(&str, &str)> =
        known.iter().map(|(_, path, blob)| (path.as_str(), blob.as_str())).collect();
    let states = git::states(root, repository, &files);
    let mut by_id: BTreeMap<i64, Vec<(String, FileState)>> = BTreeMap::new();
    for ((id, path, _), state) in known.iter().zip(states) {
        if let Some(state) = state {
            by_id.entry(*id).or_default().push((path.clone(), state));
        }
    }
    Freshness(by_id)
}

impl Freshness {
    /// The states of the files of a row or a session, sorted by path.
    pub fn of(&self, id: i64) -> &[(String, FileState)] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Adds what is known of other rows.
    pub fn extend(&mut self, other: Freshness) {
        self.0.extend(other.0);
    }

    pub fn state(&self, id: i64, path: &str) -> Option<&FileState> {
        self.of(id).iter().find(|(known, _)| known == path).map(|(_, state)| state)
    }

    /// Whether no file that the row speaks of is left. Such a row ranks last.
    pub fn is_gone(&self, id: i64) -> bool {
        let files = self.of(id);
        !files.is_empty() && files.iter().all(|(_, state)| *state == FileState::Gone)
    }

    #[cfg(test)]
    pub fn with(files: &[(i64, &str, FileState)]) -> Freshness {
        let mut freshness = Freshness::default();
        for (id, path, state) in files {
            freshness.0.entry(*id).or_default().push(((*path).to_owned(), state.clone()));
        }
        freshness
    }
}
