//! Quarantine of a damaged database: it is moved to a directory of its own and replaced by a new
//! one.

use std::io;
use std::path::PathBuf;

use super::error::Result;
use super::lock::{LockWait, StoreLock};
use super::{Store, notices, open_ensured};
use crate::files::Place;
use crate::paths::Paths;

/// Moves a damaged database to `<data>/corrupt-<now>/`, creates a new one and returns the
/// directory. Returns `None` if the database is not damaged, for example because another process
/// has already replaced it.
///
/// Workers, recovery and `doctor --fix` call this; hooks never do. It holds the store lock: every
/// writer compares the inode of the path with its own under that lock, and reopens if they differ.
/// The WAL is moved before the database, because SQLite would apply it to the new database.
///
/// # Errors
/// An I/O error, or [`super::StoreError::Busy`] after the time limit.
pub fn move_damaged(paths: &Paths, wait: LockWait, now: i64) -> Result<Option<PathBuf>> {
    let mut lock = StoreLock::default();
    let _lock = lock.acquire(paths, wait)?;
    match open_ensured(paths, wait).and_then(|(conn, _)| check_integrity(&conn)) {
        Err(error) if error.is_corruption() => {}
        Err(error) => return Err(error),
        Ok(_) => return Ok(None),
    }
    let dir = set_aside(paths, "corrupt", now)?;
    open_ensured(paths, wait)?;
    Ok(dir)
}

/// Moves the database to `<data>/<name>-<now>/` and returns the directory. `None`: there is no database.
/// The caller holds the store lock.
pub(super) fn set_aside(paths: &Paths, name: &str, now: i64) -> io::Result<Option<PathBuf>> {
    if paths.database_files().iter().all(|file| file.stat().is_err()) {
        return Ok(None);
    }
    let dir = create_dir(paths, name, now)?;
    for file in paths.database_files().iter().rev() {
        match file.rename(&dir.join(file.file_name())) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(Some(dir.path().to_owned()))
}

/// Calls [`move_damaged`] and stores a notice for the user in the new database.
///
/// # Errors
/// As [`move_damaged`].
pub fn replace_damaged(paths: &Paths, wait: LockWait, now: i64) -> Result<Option<PathBuf>> {
    let Some(dir) = move_damaged(paths, wait, now)? else { return Ok(None) };
    let text =
        format!("the damaged database was moved to {}; memctl started a new one", dir.display());
    Store::open_within(paths, wait)?.write(|tx| notices::put(tx, "corrupt", &text))?;
    Ok(Some(dir))
}

/// Reads every page. Returns whether the search index is intact, too: it can be built again.
///
/// # Errors
/// [`super::StoreFault::Corrupt`] with SQLite's description of the damage.
pub fn check_integrity(conn: &rusqlite::Connection) -> Result<bool> {
    let mut is_intact = true;
    let mut results = conn.prepare("PRAGMA quick_check(9)")?;
    for result in results.query_map([], |r| r.get::<_, String>(0))? {
        let message = result?;
        if message.to_ascii_lowercase().contains("fts5") {
            is_intact = false;
        } else if message != "ok" {
            return Err(super::StoreError::Fault { kind: super::StoreFault::Corrupt, message });
        }
    }
    Ok(is_intact)
}

/// Creates a directory for the moved files. If its name is taken, a number is appended.
fn create_dir(paths: &Paths, name: &str, now: i64) -> io::Result<Place> {
    for attempt in 0.. {
        let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let dir = paths.data_dir().join(format!("{name}-{now}{suffix}"));
        match dir.make_new_dir() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| dir),
        }
    }
    unreachable!("an unused number exists")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::testing::temp_paths;

    #[test]
    fn a_damaged_database_is_kept_and_replaced() {
        let (_root, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        store.write(|tx| notices::put(tx, "old", &"x".repeat(100_000))).unwrap();
        store.checkpoint().unwrap();
        assert_eq!(move_damaged(&paths, LockWait::Forever, 7).unwrap(), None, "nothing is wrong");
        // A second quarantine at the same time must not overwrite the first.
        for expected in ["corrupt-7", "corrupt-7-1"] {
            fs::write(paths.database(), "no database ".repeat(999)).unwrap();
            let dir = move_damaged(&paths, LockWait::Forever, 7).unwrap().unwrap();
            assert_eq!(dir.file_name().unwrap(), expected);
            let kept = fs::read_to_string(dir.join("memctl.db")).unwrap();
            assert!(kept.starts_with("no database"));
            assert_eq!(
                move_damaged(&paths, LockWait::Forever, 7).unwrap(),
                None,
                "the new one is intact"
            );
        }
        // A connection to the old file switches to the new one at its next write.
        store.write(|tx| notices::put(tx, "new", "")).unwrap();
        let found = notices::list(Store::open(&paths).unwrap().connection()).unwrap();
        assert_eq!(found, [("new".to_owned(), String::new())]);
    }
}
