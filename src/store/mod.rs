//! The store: one SQLite file that many processes share. No other module contains SQL.
//!
//! A writer takes the store lock, then runs `BEGIN IMMEDIATE`. Deferred transactions only read.
//! Before it writes, the lock holder checks that the path still leads to the file it has open,
//! because a damaged database is moved away and replaced. It also refuses a `user_version` of a
//! later release. Accepting an event never checkpoints; see [`wal`].
//!
//! Times are milliseconds since the epoch, passed in by the caller. The store itself reads the
//! clock only to limit a wait. In a process that has the database open, only SQLite may open the
//! database's files: closing any other descriptor of them drops the process's POSIX locks.

pub mod accept;
pub mod agent_limits;
pub mod agent_sessions;
pub mod backup;
mod batch_context;
pub mod claims;
pub mod claude_mem;
pub mod closed_steps;
mod columns;
pub mod commit;
mod copied_requests;
mod dedupe;
pub mod deferrals;
mod directory;
pub mod elsewhere;
pub mod ensure;
pub mod error;
mod file;
pub mod forget;
pub mod forget_text;
mod forgotten;
pub mod forgotten_texts;
mod guard;
pub mod imports;
pub mod known;
pub mod links;
pub mod lock;
pub mod look_alikes;
pub mod marks;
pub mod memory_use;
pub mod notes;
pub mod notices;
pub mod observations;
pub mod places;
pub mod portable;
pub mod private;
pub mod project_changes;
pub mod project_overview;
pub mod project_seen;
pub mod projects;
pub mod provisional;
pub mod quarantine;
pub mod queue;
pub mod queue_admin;
mod reader;
mod references;
pub mod refusals;
pub mod rejected;
pub mod remnants;
pub mod revisions;
pub mod scope;
pub mod seen_text;
pub mod sessions;
pub mod stats;
pub mod summaries;
pub mod timeline;
mod told;
mod told_turns;
mod tombstones;
pub mod turn_evidence;
pub mod turns;
pub mod undo;
pub mod usage;
mod wal;
pub mod words;

use std::io;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use uuid::{NoContext, Timestamp, Uuid};

use ensure::Journal;
pub use error::{Result, StoreError, StoreFault};
pub use lock::LockWait;
use lock::StoreLock;
pub use queue::Fence;
pub use reader::Reader;

use crate::files::FileId;
use crate::paths::Paths;

/// SQLite's busy timeout. It matters only for processes that do not use the store lock.
const BUSY: Duration = Duration::from_secs(5);

/// How long a process with a user waiting may take to open the database and to migrate it, beside
/// its wait for the store lock.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Prepared statements that a connection keeps. A search has 25, the rest of a hook's answer as many.
const STATEMENTS: usize = 96;

/// Key in `meta` of a database that was rewritten since `secure_delete` is set.
const NO_REMNANTS: &str = "no_remnants";

/// A worker that shuts down rewrites a database of up to this many bytes, which takes seconds.
const MAX_AUTOMATIC_VACUUM: i64 = 512 << 20;

/// A read-write connection.
pub struct Store {
    paths: Paths,
    lock: StoreLock,
    wait: LockWait,
    conn: Connection,
    /// The database file that `conn` has open.
    file: FileId,
    /// SQLite's schema counter when the schema was last compared with the migration steps.
    schema: i64,
}

/// A connection whose caller holds the store lock. It runs several transactions under one lock.
pub struct Locked<'a> {
    conn: &'a mut Connection,
    /// The database file that `conn` has open; `None` for a database in memory.
    file: Option<FileId>,
}

impl Store {
    /// Opens the database. Creates it if it is missing, and applies the missing migration steps.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a database of a later release; otherwise any [`StoreError`].
    pub fn open(paths: &Paths) -> Result<Store> {
        Store::open_within(paths, LockWait::Forever)
    }

    /// Like [`Store::open`], but waits for the store lock no longer than `wait`, now and in later
    /// writes.
    pub fn open_within(paths: &Paths, wait: LockWait) -> Result<Store> {
        let mut lock = StoreLock::default();
        let (mut conn, file) = match open_current(paths, wait) {
            Ok(Some(opened)) => opened,
            Err(e) if !e.may_mean_no_wal() => return Err(e),
            Ok(None) | Err(_) => {
                let _lock = lock.acquire(paths, wait)?;
                open_ensured(paths, wait)?
            }
        };
        guard::limit_time(&mut conn, None)?;
        let schema = ensure::counter(&conn)?;
        Ok(Store { paths: paths.clone(), lock, wait, conn, file, schema })
    }

    /// Runs `f` in one transaction. `f` must be short (at most 500 rows) and must not wait for
    /// anything.
    pub fn write<T>(&mut self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        self.locked(|locked| locked.write(f))
    }

    /// Runs `f` in one transaction of a worker, after checking the worker's fencing token.
    ///
    /// `f` gets the session's row id, or `None` while the session has no row.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another worker has taken the session.
    pub fn fenced<T>(
        &mut self,
        fence: &mut Fence,
        now: i64,
        f: impl FnOnce(&Transaction, Option<i64>) -> Result<T>,
    ) -> Result<T> {
        self.locked(|locked| locked.fenced(fence, now, f))
    }

    /// Holds the store lock while `f` runs. If another program has replaced the file or changed the
    /// schema, for example because it restored an old copy, the database is opened again and missing
    /// migration steps are applied.
    pub fn locked<T>(&mut self, f: impl FnOnce(&mut Locked) -> Result<T>) -> Result<T> {
        let Store { paths, lock, wait, conn, file, schema } = self;
        let _lock = lock.acquire(paths, *wait)?;
        if file::id(paths).ok() != Some(*file) || ensure::counter(conn)? != *schema {
            (*conn, *file) = open_ensured(paths, *wait)?;
            guard::limit_time(conn, None)?;
            *schema = ensure::counter(conn)?;
        }
        f(&mut Locked { conn, file: Some(*file) })
    }

    /// The connection, for reading. Each statement sees the latest committed state.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Runs `f`, which reads. Its statements are interrupted after `limit`.
    pub fn read_within<T>(
        &mut self,
        limit: Duration,
        f: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        guard::limit_time(&mut self.conn, Some(limit))?;
        let result = f(&self.conn);
        guard::limit_time(&mut self.conn, None)?;
        result
    }
}

impl Locked<'_> {
    /// The connection, for reading. No other memctl process writes while the lock is held.
    pub fn connection(&self) -> &Connection {
        self.conn
    }

    /// Rewrites the database and empties the WAL, so that deleted text is in neither file. This
    /// takes as long as copying the whole database. Hooks time out meanwhile and spool.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if a reader still needs the WAL.
    fn vacuum(&mut self) -> Result<()> {
        // VACUUM's copy is as large as the database, so it must not be kept in memory.
        self.conn.execute_batch("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY")?;
        let busy: bool =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))?;
        match busy {
            false => Ok(()),
            true => Err(StoreError::Busy("another process is reading the database".into())),
        }
    }

    /// Removes the deleted texts that earlier releases left in the file, which did not set
    /// `secure_delete`. Does this once per database, and not if it is larger than
    /// [`MAX_AUTOMATIC_VACUUM`].
    pub fn remove_old_remnants(&mut self) -> Result<()> {
        let (done, bytes): (bool, i64) = self.conn.query_row(
            "SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1), page_count * page_size
             FROM pragma_page_count, pragma_page_size",
            [NO_REMNANTS],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )?;
        if done || bytes > MAX_AUTOMATIC_VACUUM {
            return Ok(());
        }
        self.vacuum()?;
        self.write(|tx| {
            tx.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?1, '')", [NO_REMNANTS])?;
            Ok(())
        })
    }

    /// Rewrites the database if something was deleted for good since it was last rewritten. SQLite may
    /// have left copies of the deleted rows in the unused parts of pages.
    ///
    /// # Errors
    /// As [`Locked::vacuum`]. A later call rewrites it.
    pub fn remove_purged_remnants(&mut self) -> Result<()> {
        if !forgotten::is_marked_purged(self.conn)? {
            return Ok(());
        }
        self.vacuum()?;
        self.write(forgotten::unmark_purged)
    }

    /// See [`Store::write`].
    pub fn write<T>(&mut self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        let done = self.attempt(f);
        if let Err(error) = &done {
            words::note_damage(self.conn, error);
        }
        done
    }

    fn attempt<T>(&mut self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        ensure::refuse_newer(&tx)?;
        let done = f(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// See [`Store::fenced`].
    pub fn fenced<T>(
        &mut self,
        fence: &mut Fence,
        now: i64,
        f: impl FnOnce(&Transaction, Option<i64>) -> Result<T>,
    ) -> Result<T> {
        fence.bind_to_file(self.file);
        let before = fence.clone();
        let done = self.write(|tx| {
            let session = fence.check(tx, now)?;
            f(tx, session)
        });
        if done.is_err() {
            *fence = before; // If the transaction took the token, that was rolled back.
        }
        done
    }
}

/// Number of rows in the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    pub sessions: u64,
    pub observations: u64,
    pub summaries: u64,
}

pub fn counts(conn: &Connection) -> Result<StoreCounts> {
    // A count of all rows is one instruction of SQLite's virtual machine, which no limit of time
    // interrupts. A condition makes it a loop.
    let counts = conn.query_row(
        "SELECT (SELECT count(id) FILTER (WHERE id > 0) FROM sessions),
           (SELECT count(id) FILTER (WHERE id > 0) FROM observations),
           (SELECT count(*) FROM session_summaries WHERE NOT hidden)",
        [],
        |r| {
            let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
            Ok(StoreCounts { sessions: count(0)?, observations: count(1)?, summaries: count(2)? })
        },
    )?;
    Ok(counts)
}

/// The same as the index of words has them, without reading each row. Rows without words are not in it, nor rows
/// that it lacks while it is built.
pub fn indexed_counts(conn: &Connection) -> Result<StoreCounts> {
    let sessions: i64 = conn.query_row("SELECT count(*) FROM sessions", [], |r| r.get(0))?;
    let totals = words::totals(conn)?;
    let rows = |kind| {
        let of_kind = totals.iter().filter(|total| total.kind == kind);
        of_kind.map(|total| total.rows.unsigned_abs()).sum()
    };
    Ok(StoreCounts {
        sessions: sessions.unsigned_abs(),
        observations: rows(words::RowKind::Observation),
        summaries: rows(words::RowKind::Summary),
    })
}

/// Opens a database whose schema is current. Returns `None` if it must be created or migrated
/// first, which needs the store lock.
fn open_current(paths: &Paths, wait: LockWait) -> Result<Option<(Connection, FileId)>> {
    loop {
        let before = match file::id(paths) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let conn = connect(paths, OpenFlags::empty(), wait)?;
        if !ensure::is_current(&conn)? {
            return Ok(None);
        }
        if file::id(paths).ok() == Some(before) {
            return Ok(Some((conn, before)));
        }
    }
}

/// Opens the database and migrates it. The caller holds the store lock.
fn open_ensured(paths: &Paths, wait: LockWait) -> Result<(Connection, FileId)> {
    let conn = match connect_and_migrate(paths, Journal::Wal, wait) {
        Err(e) if e.may_mean_no_wal() => {
            // This fails if another process has the database open. Report the first error then.
            if ensure::leave_wal(paths).is_err() {
                return Err(e);
            }
            connect_and_migrate(paths, Journal::Truncate, wait)?
        }
        conn => conn?,
    };
    let file = file::id(paths)?;
    Ok((conn, file))
}

fn connect_and_migrate(paths: &Paths, journal: Journal, wait: LockWait) -> Result<Connection> {
    let mut conn = connect(paths, OpenFlags::SQLITE_OPEN_CREATE, wait)?;
    if paths.database().stat()?.mode & 0o077 != 0 {
        paths.database().restrict()?;
    }
    ensure::ensure(&mut conn, journal)?;
    Ok(conn)
}

/// Whether the database is in WAL mode. In other modes readers and writers block each other.
pub fn uses_wal(conn: &Connection) -> Result<bool> {
    ensure::journal_mode(conn).map(|mode| mode == "wal")
}

/// A connection with a limit of time, unless the caller waits forever.
fn connect(paths: &Paths, extra: OpenFlags, wait: LockWait) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | extra;
    let mut conn = file::open(&file::checked_path(paths)?, flags)?;
    conn.busy_timeout(BUSY)?;
    if let LockWait::Within(_) = wait {
        guard::limit_time(&mut conn, Some(OPEN_LIMIT))?;
    }
    configure(&conn)?;
    Ok(conn)
}

/// Sets the options that SQLite does not store in the file. Checkpoints are explicit (see [`wal`]).
/// The page cache is small because a machine may run many workers.
///
/// With `secure_delete`, SQLite overwrites deleted content with zeros. The setting FAST would keep
/// the content of freed pages, and thus of every text that is longer than a page.
fn configure(conn: &Connection) -> Result<()> {
    guard::restrict(conn)?;
    conn.execute_batch(&format!(
        "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {};
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024;",
        wal::MAX_FILE_BYTES
    ))?;
    keep_plans(conn)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Without this, SQLite prepares a statement again whenever a bound value might change its plan: for
/// each `LIMIT ?1`.
fn keep_plans(conn: &Connection) -> Result<()> {
    Ok(conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)?)
}

/// A new UUIDv7 from the caller's time, for rows whose id leaves this database.
pub(crate) fn new_uuid(now: i64) -> String {
    let now = now.max(0) as u64;
    let nanos = (now % 1000) as u32 * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, now / 1000, nanos)).to_string()
}

/// Fixtures for the tests of the store.
#[cfg(test)]
pub(crate) mod testing {
    use std::path::{Path, PathBuf};

    use super::*;
    pub use crate::paths::testing::temp_paths;

    /// A database in memory, with the current schema.
    pub fn in_memory_db() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        configure(&conn).unwrap();
        ensure::ensure(&mut conn, ensure::Journal::Wal).unwrap();
        conn
    }

    /// Path of one of the database's companion files: its path and a suffix such as `-wal`.
    pub fn with_suffix(database: impl AsRef<Path>, suffix: &str) -> PathBuf {
        let mut name = database.as_ref().as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// Runs `f` in a transaction and commits.
    pub fn write<T>(conn: &mut Connection, f: impl FnOnce(&Transaction) -> Result<T>) -> T {
        Locked { conn, file: None }.write(f).unwrap()
    }
}

#[cfg(test)]
mod tests;
