//! Read-only connections, with a limit of time.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::guard::Foreign;
use super::{Result, STATEMENTS, StoreError, StoreFault, ensure, file, guard, keep_plans};
use crate::paths::Paths;

/// See [`Reader::open`].
const READ_LIMIT: u32 = 5;

/// A read-only connection.
pub struct Reader {
    conn: Connection,
}

impl Reader {
    /// Opens the database for reading. `busy_timeout` is SQLite's busy timeout. Statements that run
    /// for [`READ_LIMIT`] times as long are interrupted.
    ///
    /// Returns `None` if there is no database, or if its schema is older or has foreign views or
    /// triggers: the next writer migrates it.
    ///
    /// # Errors
    /// [`StoreError::Newer`], or an I/O error, also if the data dir or the database belongs to
    /// another user, or if another program has changed a table.
    pub fn open(paths: &Paths, busy_timeout: Duration) -> Result<Option<Reader>> {
        if !file::exists(paths)? {
            return Ok(None);
        }
        let path = file::checked_path(paths)?;
        match Reader::connect(&path, OpenFlags::empty(), busy_timeout) {
            Err(StoreError::Fault { kind: StoreFault::Full, .. }) => {
                Reader::connect(&read_only_shm(&path), OpenFlags::SQLITE_OPEN_URI, busy_timeout)
            }
            opened => opened,
        }
    }

    /// Like [`Reader::open`], for a hook that answers within `limit` or not at all. All statements
    /// together are interrupted after that time, and a locked database is an error before.
    pub fn open_within(paths: &Paths, limit: Duration) -> Result<Option<Reader>> {
        Reader::open(paths, limit / READ_LIMIT)
    }

    pub(super) fn connect(
        path: &Path,
        extra: OpenFlags,
        busy_timeout: Duration,
    ) -> Result<Option<Reader>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | extra;
        let mut conn = file::open(path, flags)?;
        conn.busy_timeout(busy_timeout)?;
        guard::restrict(&conn)?;
        keep_plans(&conn)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        guard::limit_time(&mut conn, Some(busy_timeout * READ_LIMIT))?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
        let found = ensure::refuse_newer(&conn)?;
        let is_foreign =
            !ensure::is_unchanged(&conn)? && guard::find_foreign(&conn)? != Foreign::Nothing;
        Ok((found == ensure::version() && !is_foreign).then_some(Reader { conn }))
    }

    /// Lets statements run without a limit, for commands that read every row or page.
    pub fn without_time_limit(mut self) -> Result<Reader> {
        guard::limit_time(&mut self.conn, None)?;
        Ok(self)
    }

    /// Keeps half a megabyte of pages in memory instead of two, for a process that stays.
    pub fn with_small_cache(self) -> Result<Reader> {
        self.conn.execute_batch("PRAGMA cache_size = -512;")?;
        Ok(self)
    }

    pub fn connection(&self) -> &Connection {
        &self.conn
    }
}

/// The URI of a database for a reader that must not write to `-shm`.
///
/// The first connection to a database empties `-shm` and allocates 32 KiB in it for the wal-index.
/// On a full disk this fails with `SQLITE_IOERR_SHMSIZE`. With a read-only `-shm` and no writer
/// connected, SQLite builds the wal-index in heap memory instead.
pub(super) fn read_only_shm(path: &Path) -> PathBuf {
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
