//! The memory on disk: one SQLite file, many processes. Nothing else in the program writes SQL.
//!
//! Every write transaction is taken under the store lock, then `BEGIN IMMEDIATE`; never a
//! deferred transaction that writes. Whoever holds the lock compares the database's inode with
//! the one he opened (a damaged file may have been set aside meanwhile) and the schema's version
//! with the one he knows. Acceptance never checkpoints: a worker does, when it is quiet.
//!
//! Times are milliseconds since the epoch and passed in; nothing here reads the clock but to
//! limit a wait. In a process that has the database open nothing but SQLite opens its files:
//! closing any other descriptor would drop the process's locks.

pub mod accept;
pub mod agent_sessions;
mod batch_context;
pub mod commit;
mod dedupe;
pub mod ensure;
pub mod error;
pub mod forget;
pub mod lock;
pub mod notices;
pub mod observations;
pub mod private;
pub mod projects;
pub mod provisional;
pub mod quarantine;
pub mod queue;
pub mod queue_admin;
pub mod refusals;
pub mod sessions;
pub mod stats;
pub mod summaries;
mod tombstones;
pub mod turns;
pub mod usage;
mod wal;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use uuid::{NoContext, Timestamp, Uuid};

use ensure::Journal;
pub use error::{Result, StoreError, StoreFault};
pub use lock::LockWait;
use lock::{FileId, StoreLock};
pub use queue::Fence;

use crate::paths::Paths;

/// The second guard, behind the store lock.
const BUSY: Duration = Duration::from_secs(5);

/// A connection that writes.
pub struct Store {
    paths: Paths,
    lock: StoreLock,
    patience: LockWait,
    conn: Connection,
    /// The file `conn` has open.
    file: FileId,
}

/// The store lock is held: several transactions, and what must happen between them.
pub struct Locked<'a> {
    conn: &'a mut Connection,
    /// The file `conn` has open; none of those that lie in memory.
    file: Option<FileId>,
}

impl Store {
    /// Opens the database, makes or upgrades it when something is missing.
    ///
    /// # Errors
    /// As [`StoreError`] sorts them; [`StoreError::Newer`] for a database of a later release.
    pub fn open(paths: &Paths) -> Result<Store> {
        Store::open_within(paths, LockWait::Forever)
    }

    /// The same for one whose caller waits: the store lock is awaited no longer than `patience`,
    /// now and in later writes.
    pub fn open_within(paths: &Paths, patience: LockWait) -> Result<Store> {
        let mut lock = StoreLock::default();
        let (conn, file) = match open_current(&paths.database()) {
            Ok(Some(opened)) => opened,
            Err(e) if !e.may_lack_wal() => return Err(e),
            Ok(None) | Err(_) => {
                let _held = lock.take(paths, patience)?;
                open_ensured(&paths.database())?
            }
        };
        Ok(Store { paths: paths.clone(), lock, patience, conn, file })
    }

    /// One transaction: all of `f` or nothing. Keep it short, at most 500 rows, and wait for
    /// nothing inside.
    pub fn write<T>(&mut self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
        self.locked(|locked| locked.write(f))
    }

    /// The write of a worker: it counts only while the session is its own.
    ///
    /// `f` is given the session's row id, `None` as long as there is no row.
    pub fn fenced<T>(
        &mut self,
        fence: &mut Fence,
        now: i64,
        f: impl FnOnce(&Transaction, Option<i64>) -> Result<T>,
    ) -> Result<T> {
        self.locked(|locked| locked.fenced(fence, now, f))
    }

    /// Holds the store lock while `f` runs.
    pub fn locked<T>(&mut self, f: impl FnOnce(&mut Locked) -> Result<T>) -> Result<T> {
        let Store { paths, lock, patience, conn, file } = self;
        let _held = lock.take(paths, *patience)?;
        let database = paths.database();
        if FileId::of(&database).ok() != Some(*file) {
            (*conn, *file) = open_ensured(&database)?;
        }
        f(&mut Locked { conn, file: Some(*file) })
    }

    /// For reading; a statement here sees what is committed.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }
}

impl Locked<'_> {
    /// For reading what no other writer changes meanwhile.
    pub fn connection(&self) -> &Connection {
        self.conn
    }

    /// Writes the whole file anew and empties the log: what was deleted is in neither any more.
    /// Takes as long as reading all of it; hooks go to the spool meanwhile.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::Busy`] when somebody was reading all the time.
    pub fn vacuum(&mut self) -> Result<()> {
        // The copy is as large as the memory, and must not be held in this process.
        self.conn.execute_batch("PRAGMA temp_store = FILE; VACUUM; PRAGMA temp_store = MEMORY")?;
        let busy: bool =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0))?;
        match busy {
            false => Ok(()),
            true => Err(StoreError::Busy("somebody reads the log".into())),
        }
    }

    /// See [`Store::write`].
    pub fn write<T>(&mut self, f: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
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
            // A generation taken in a transaction that rolled back was never ours.
            *fence = before;
        }
        done
    }
}

/// How much is remembered in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreCounts {
    pub sessions: u64,
    pub observations: u64,
    pub summaries: u64,
}

pub fn counts(conn: &Connection) -> Result<StoreCounts> {
    let counts = conn.query_row(
        "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM observations),
           (SELECT count(*) FROM session_summaries WHERE NOT hidden)",
        [],
        |r| {
            let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
            Ok(StoreCounts { sessions: count(0)?, observations: count(1)?, summaries: count(2)? })
        },
    )?;
    Ok(counts)
}

/// A connection that only reads.
pub struct Reader {
    conn: Connection,
}

impl Reader {
    /// Opens the database for reading. `patience` is SQLite's busy timeout.
    ///
    /// Returns `None` if there is no database, or only one with an older schema, which the next
    /// writer will migrate.
    ///
    /// # Errors
    /// [`StoreError::Newer`], or an error of the disk.
    pub fn open(paths: &Paths, patience: Duration) -> Result<Option<Reader>> {
        let path = paths.database();
        if !path.exists() {
            return Ok(None);
        }
        match Reader::connect(&path, OpenFlags::empty(), patience) {
            Err(StoreError::Fault { kind: StoreFault::Full, .. }) => {
                Reader::connect(&read_only_shm(&path), OpenFlags::SQLITE_OPEN_URI, patience)
            }
            opened => opened,
        }
    }

    fn connect(path: &Path, more: OpenFlags, patience: Duration) -> Result<Option<Reader>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(patience)?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
        let found = ensure::refuse_newer(&conn)?;
        Ok((found == ensure::version()).then_some(Reader { conn }))
    }

    pub fn connection(&self) -> &Connection {
        &self.conn
    }
}

/// The URI of a database for a reader that must not write to `-shm`.
///
/// The first connection to a database empties `-shm` and allocates 32 KiB in it for the wal-index.
/// A full disk refuses that with `SQLITE_IOERR_SHMSIZE`. With a read-only `-shm` and no writer
/// connected, SQLite builds the wal-index in heap memory instead.
fn read_only_shm(path: &Path) -> PathBuf {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02X}").bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.extend(b"?readonly_shm=1");
    OsString::from_vec(uri).into()
}

/// The database as it should be, or `None` when something must be done under the lock.
fn open_current(path: &Path) -> Result<Option<(Connection, FileId)>> {
    loop {
        let before = match FileId::of(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let conn = connect(path, OpenFlags::empty())?;
        if !ensure::is_current(&conn)? {
            return Ok(None);
        }
        if FileId::of(path).ok() == Some(before) {
            return Ok(Some((conn, before)));
        }
    }
}

/// The caller holds the store lock.
fn open_ensured(path: &Path) -> Result<(Connection, FileId)> {
    let conn = match ensured(path, Journal::Wal) {
        Err(e) if e.may_lack_wal() => {
            // Somebody who has it open, or the disk, may forbid this, too.
            if ensure::leave_wal(path).is_err() {
                return Err(e);
            }
            ensured(path, Journal::Truncate)?
        }
        conn => conn?,
    };
    let file = FileId::of(path)?;
    Ok((conn, file))
}

fn ensured(path: &Path, journal: Journal) -> Result<Connection> {
    let mut conn = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    ensure::ensure(&mut conn, journal)?;
    Ok(conn)
}

/// Whether the database has a write-ahead log. Without one readers and writers wait for each other.
pub fn uses_wal(conn: &Connection) -> Result<bool> {
    ensure::journal_mode(conn).map(|mode| mode == "wal")
}

fn connect(path: &Path, more: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    set_up(&conn)?;
    Ok(conn)
}

/// Sets what SQLite keeps per connection. Checkpoints are explicit (see [`wal`]). The page cache
/// is small because a machine may run many workers.
fn set_up(conn: &Connection) -> Result<()> {
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {};
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024;",
        wal::MAX_FILE_BYTES
    ))?;
    // Else every statement is prepared anew whenever a value that its plan may hang on is bound.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(96);
    Ok(())
}

/// A file that SQLite keeps beside the database.
fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

/// A new id for what leaves this file: version 7, by the caller's clock.
pub(crate) fn new_uuid(now: i64) -> String {
    let now = now.max(0) as u64;
    let nanos = (now % 1000) as u32 * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, now / 1000, nanos)).to_string()
}

/// What the tests of this folder begin with.
#[cfg(test)]
pub(crate) mod testing {
    use tempfile::TempDir;

    use super::*;
    use crate::paths::Roots;

    /// A data dir of its own.
    pub fn world() -> (TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let roots = Roots { data_dir: Some(data.into()), ..Roots::default() };
        let mut paths = Paths::new(&roots).unwrap();
        paths.create().unwrap();
        (dir, paths)
    }

    /// The schema in memory.
    pub fn memory() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        set_up(&conn).unwrap();
        ensure::ensure(&mut conn, ensure::Journal::Wal).unwrap();
        conn
    }

    /// Runs `f` in a transaction and commits what it did.
    pub fn write<T>(conn: &mut Connection, f: impl FnOnce(&Transaction) -> Result<T>) -> T {
        Locked { conn, file: None }.write(f).unwrap()
    }
}

#[cfg(test)]
mod tests;
