//! Copies of the database by SQLite's backup API, while other processes use it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::error::{Result, StoreError, StoreFault};
use super::forget::{ForgetSet, forget};
use super::forget_text::{self, TextSet};
use super::forgotten_texts::ForgottenTexts;
use super::lock::{LockWait, StoreLock};
use super::tombstones::{self, Tombstone};
use super::{Locked, Reader, StoreCounts, counts, ensure, file as database, guard, open_ensured};
use crate::paths::Paths;

/// Pages that are copied at once. Between two steps, writers go on.
const PAGES: i32 = 256;

/// Copies the database to a new file and checks the copy. `on_step` learns the copied part in percent.
///
/// # Errors
/// Those of the database, or [`StoreFault::Corrupt`] if the copy is damaged.
pub fn copy_to(reader: &Reader, file: &Path, mut on_step: impl FnMut(i64)) -> Result<StoreCounts> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut copy = Connection::open_with_flags(file, flags)?;
    run(reader.connection(), &mut copy, &mut on_step)?;
    // The copy is one file, which can be moved.
    let _: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    check(&copy)?;
    counts(&copy)
}

fn run(from: &Connection, to: &mut Connection, on_step: &mut impl FnMut(i64)) -> Result<()> {
    let backup = Backup::new(from, to)?;
    loop {
        let step = backup.step(PAGES)?;
        let progress = backup.progress();
        let total = i64::from(progress.pagecount).max(1);
        on_step(100 - i64::from(progress.remaining) * 100 / total);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => wait_for_writer(),
            _ => {}
        }
    }
}

/// SQLite does not say when its lock is free.
#[expect(clippy::disallowed_methods, reason = "between two attempts to read a page")]
fn wait_for_writer() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Checks every page, index and reference.
fn check(conn: &Connection) -> Result<()> {
    let found: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let is_referenced = !conn.prepare("PRAGMA foreign_key_check")?.exists([])?;
    match (found.as_str(), is_referenced) {
        ("ok", true) => Ok(()),
        ("ok", false) => Err(corrupt("a row refers to one that is missing".into())),
        _ => Err(corrupt(found)),
    }
}

fn corrupt(message: String) -> StoreError {
    StoreError::Fault { kind: StoreFault::Corrupt, message }
}

/// What [`replace`] did.
#[derive(Debug)]
pub struct Replaced {
    pub counts: StoreCounts,
    /// Where the earlier database is. `None`: there was none.
    pub kept: Option<PathBuf>,
    /// How many rows of the backup the earlier database had deleted for good. They are not restored.
    pub left_out: u64,
}

/// Checks a backup, moves the database aside and puts a copy of the backup in its place, under the store
/// lock. `busy` is asked under the lock: with an answer, nothing is changed.
///
/// # Errors
/// Those of the databases, [`StoreError::Newer`], or [`StoreError::Busy`] with the answer of `busy`.
pub fn replace(
    paths: &Paths,
    file: &Path,
    wait: LockWait,
    now: i64,
    busy: impl Fn() -> Option<String>,
) -> Result<Replaced> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let backup = Connection::open_with_flags(file, flags)?;
    guard::restrict(&backup)?;
    check(&backup)?;
    ensure::refuse_newer(&backup)?;
    let tables = "SELECT count(*) FROM sqlite_schema
       WHERE name IN ('sessions', 'observations', 'session_summaries', 'meta')";
    if backup.query_row(tables, [], |row| row.get::<_, i64>(0))? != 4 {
        return Err(StoreError::Refused("the file is not a database of memctl".into()));
    }
    let mut lock = StoreLock::default();
    let _lock = lock.acquire(paths, wait)?;
    if let Some(why) = busy() {
        return Err(StoreError::Busy(why));
    }
    // SQLite opens the new file by its path, so the directory must be real.
    let dir = std::fs::canonicalize(paths.data())?;
    let new = paths.data_dir().join(format!("restoring-{now}.db"));
    let mut copy = Connection::open(dir.join(new.file_name()))?;
    let copied = run(&backup, &mut copy, &mut |_| ()).and_then(|()| check(&copy));
    drop(copy);
    if let Err(e) = copied {
        let _ = new.remove_file();
        return Err(e);
    }
    new.restrict()?;
    let deleted = deleted_for_good(paths);
    let kept = super::quarantine::set_aside(paths, "replaced", now)?;
    new.rename(&paths.database())?;
    paths.data_dir().sync_dir()?;
    let (mut conn, _) = open_ensured(paths, wait)?;
    let left_out = delete_again(&mut Locked { conn: &mut conn, file: None }, &deleted, now)?;
    Ok(Replaced { counts: counts(&conn)?, kept, left_out })
}

/// The rows that the present database has deleted and cannot restore. A damaged one has none.
fn deleted_for_good(paths: &Paths) -> Vec<Tombstone> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = || -> Result<Vec<Tombstone>> {
        let conn = database::open(&database::checked_path(paths)?, flags)?;
        guard::restrict(&conn)?;
        tombstones::for_good(&conn)
    };
    match database::exists(paths) {
        Ok(true) => read().unwrap_or_else(|e| {
            tracing::warn!("what was forgotten in the replaced database is not known: {e}");
            Vec::new()
        }),
        _ => Vec::new(),
    }
}

/// Deletes these rows of the restored database, and keeps their tombstones. Returns how many it had.
fn delete_again(locked: &mut Locked, deleted: &[Tombstone], now: i64) -> Result<u64> {
    let mut set = ForgetSet::default();
    for tombstone in deleted {
        let conn = locked.connection();
        let Some((kind, id)) = tombstone.row(conn)? else { continue };
        match kind {
            tombstones::SESSION => set.add_session(conn, id)?,
            tombstones::PROMPT => set.add_prompt(conn, id)?,
            tombstones::SUMMARY => set.add_summary(conn, id)?,
            _ => set.add_observations(conn, &[id])?,
        }
    }
    if !set.is_empty() {
        forget(locked, &set, None, now, &|| ())?;
        locked.remove_purged_remnants()?;
    }
    locked.write(|tx| deleted.iter().try_for_each(|tombstone| tombstone.store(tx)))?;
    let names: Vec<String> = deleted.iter().map(|tombstone| tombstone.uuid().to_owned()).collect();
    let texts = ForgottenTexts::named(&names);
    if !texts.is_empty() {
        let rows = TextSet::find(locked.connection(), &texts, true)?;
        forget_text::replace(locked, &rows, &texts, None, now, &|| ())?;
        locked.remove_purged_remnants()?;
    }
    Ok(set.count().total())
}
