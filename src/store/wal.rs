//! The write-ahead log: when its pages go into the database, and that there is room in it.
//!
//! SQLite lets the log grow with each commit, and so each commit's sync also waits until the file
//! system's own journal has the new size. Room is made ahead, while nobody waits: zeros behind
//! the last frame. A commit then overwrites blocks that are there, and its sync writes no more
//! than them. Measured on ext4: a commit of eleven pages in 0.22 ms where it had taken 0.33, and
//! the journal's turn is not waited for when others write.
//!
//! A frame of zeros is none: its salt is not the log's, and whoever recovers the log stops there.

use std::ffi::{c_int, c_void};
use std::fs;
use std::ptr;

use rusqlite::{Connection, TransactionBehavior, ffi};

use super::error::{Result, StoreError};
use super::{Store, beside};

/// Room is made in pieces of this size …
const PIECE: i64 = 512 << 10;
/// … when less than this is left: two or three events of the usual size.
const LEFT: i64 = 128 << 10;

/// A frame's header; the log's own header is longer by a little.
const FRAME_HEADER: i64 = 24;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl Store {
    /// Moves what is committed from the log into the database, as far as nobody reads it.
    pub fn checkpoint(&mut self) -> Result<()> {
        Ok(self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// Size of the log on disk, the room in it included.
    pub fn wal_bytes(&self) -> u64 {
        fs::metadata(beside(&self.paths.database(), "-wal")).map_or(0, |m| m.len())
    }

    /// Makes room for the next commits where there is little left. Whether it did.
    ///
    /// # Errors
    /// What the disk says: a disk that is full now has no room for the commits either.
    pub fn make_room(&mut self) -> Result<bool> {
        if !is_short(&self.conn)? {
            return Ok(false);
        }
        let made = self.locked(|locked| {
            // Another of ours may have made it meanwhile. Asked before the transaction begins:
            // within one SQLite does not say how long the log is.
            if !is_short(locked.conn)? {
                return Ok(false);
            }
            // Held against writers that do not know the store lock.
            let tx = locked.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let Some(log) = Log::of(&tx) else { return Ok(false) };
            log.extend()?;
            tx.rollback()?;
            Ok(true)
        })?;
        if made && let Some(log) = Log::of(&self.conn) {
            log.sync()?;
        }
        Ok(made)
    }
}

/// Whether there is a log, and little room left in it.
fn is_short(conn: &Connection) -> Result<bool> {
    let Some(log) = Log::of(conn) else { return Ok(false) };
    let size = log.size()?;
    Ok(size > 0 && used(conn)?.is_some_and(|used| size - used < LEFT))
}

/// Bytes of the log's frames; `None` where nobody can tell. A checkpoint that does nothing tells
/// how many there are.
fn used(conn: &Connection) -> Result<Option<i64>> {
    let frames: i64 = conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |r| r.get(1))?;
    let page: i64 = conn.query_row("PRAGMA page_size", [], |r| r.get(0))?;
    Ok((frames >= 0).then_some((frames + 1) * (page + FRAME_HEADER)))
}

/// The log as SQLite itself has it open: nothing else may open the database's files.
struct Log {
    file: *mut ffi::sqlite3_file,
    methods: *const ffi::sqlite3_io_methods,
}

impl Log {
    /// `None` where the journal is another, or not open yet.
    fn of(conn: &Connection) -> Option<Log> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: the connection is open, and SQLite writes one pointer to where it is told.
        let code = unsafe {
            ffi::sqlite3_file_control(
                conn.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_FCNTL_JOURNAL_POINTER,
                (&raw mut file).cast::<c_void>(),
            )
        };
        if code != ffi::SQLITE_OK || file.is_null() {
            return None;
        }
        // SAFETY: a file of SQLite begins with the pointer to its methods, null while not open.
        let methods = unsafe { (*file).pMethods };
        (!methods.is_null()).then_some(Log { file, methods })
    }

    fn size(&self) -> Result<i64> {
        let mut size = 0;
        // SAFETY: the methods belong to this file, which is open as long as its connection.
        self.call(|methods| unsafe { methods.xFileSize?(self.file, &raw mut size).into() })?;
        Ok(size)
    }

    /// By a whole piece or not at all: the last of a disk is not for zeros.
    fn extend(&self) -> Result<()> {
        let size = self.size()?;
        let done = (size..size + PIECE).step_by(ZEROS.len()).try_for_each(|at| {
            let zeros = ZEROS.as_ptr().cast::<c_void>();
            // SAFETY: as in `size`; the zeros live for ever.
            self.call(|methods| unsafe {
                methods.xWrite?(self.file, zeros, ZEROS.len() as c_int, at).into()
            })
        });
        if done.is_err() {
            // SAFETY: as in `size`. Nobody has written behind it: the caller holds the locks.
            self.call(|methods| unsafe { methods.xTruncate?(self.file, size).into() })?;
        }
        done
    }

    fn sync(&self) -> Result<()> {
        // SAFETY: as in `size`.
        self.call(|methods| unsafe {
            methods.xSync?(self.file, ffi::SQLITE_SYNC_NORMAL | ffi::SQLITE_SYNC_DATAONLY).into()
        })
    }

    fn call(&self, method: impl FnOnce(&ffi::sqlite3_io_methods) -> Option<c_int>) -> Result<()> {
        // SAFETY: methods of a file are static.
        match method(unsafe { &*self.methods }) {
            None | Some(ffi::SQLITE_OK) => Ok(()),
            Some(code) => {
                Err(StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::paths::Paths;
    use crate::store::lock::StoreLock;
    use crate::store::{LockWait, testing::world};

    fn write(store: &mut Store, text: &str) {
        store
            .write(|tx| {
                tx.execute(
                    "INSERT INTO meta (key, value) VALUES ('test', ?1)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [text],
                )?;
                Ok(())
            })
            .unwrap();
    }

    fn read(store: &Store) -> String {
        store
            .connection()
            .query_row("SELECT value FROM meta WHERE key = 'test'", [], |r| r.get(0))
            .unwrap()
    }

    #[test]
    fn commits_do_not_change_the_size_of_a_log_with_room() {
        let (_dir, paths) = world();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, "first");
        assert!(store.make_room().unwrap());
        assert!(!store.make_room().unwrap(), "there is room");
        let size = store.wal_bytes();
        for n in 0..10 {
            write(&mut store, &n.to_string());
        }
        assert_eq!(store.wal_bytes(), size);
        assert_eq!(read(&Store::open(&paths).unwrap()), "9", "another connection sees it");
    }

    #[test]
    fn room_runs_out_and_is_made_again() {
        let (_dir, paths) = world();
        let mut store = Store::open(&paths).unwrap();
        let mut made = 0;
        for n in 0..400 {
            write(&mut store, &"x".repeat(n * 20));
            made += u32::from(store.make_room().unwrap());
        }
        assert!((2..20).contains(&made), "{made}");
        let used = used(store.connection()).unwrap().unwrap();
        assert!(store.wal_bytes() as i64 - used >= LEFT);
    }

    /// What a crash leaves is a log with zeros at its end, all of them or some: what was committed
    /// is read from it, whether others wrote after the room was made or not.
    #[test]
    fn a_log_with_room_is_recovered_whole() {
        let (dir, paths) = world();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, "before");
        let frames = used(store.connection()).unwrap().unwrap();
        store.make_room().unwrap();
        for cut in [0, 1, 4096, 100_001, store.wal_bytes() as i64 - frames] {
            let found = found_without_memory(&paths, &dir.path().join(cut.to_string()), cut);
            assert_eq!(found, ("before".into(), "ok".into()), "{cut} bytes short");
        }
        write(&mut store, "after");
        let found = found_without_memory(&paths, &dir.path().join("after"), 0);
        assert_eq!(found, ("after".into(), "ok".into()));
    }

    /// What is read from a copy of the files, with a log that is `cut` bytes shorter, by one who
    /// has not even the index of the log.
    fn found_without_memory(paths: &Paths, copy: &Path, cut: i64) -> (String, String) {
        let conn = Connection::open(copied(paths, copy, cut)).unwrap();
        let sql = "SELECT (SELECT value FROM meta WHERE key = 'test'),
               (SELECT * FROM pragma_integrity_check)";
        conn.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    }

    fn copied(paths: &Paths, copy: &Path, cut: i64) -> PathBuf {
        fs::create_dir(copy).unwrap();
        let to = copy.join("copy.db");
        fs::copy(paths.database(), &to).unwrap();
        fs::copy(beside(&paths.database(), "-wal"), beside(&to, "-wal")).unwrap();
        let log = fs::OpenOptions::new().write(true).open(beside(&to, "-wal")).unwrap();
        log.set_len(log.metadata().unwrap().len() - cut as u64).unwrap();
        to
    }

    /// Each of several workers sees that there is little left, and one of them does something.
    #[test]
    fn room_is_made_once() {
        let (_dir, paths) = world();
        let mut stores: Vec<_> = (0..8).map(|_| Store::open(&paths).unwrap()).collect();
        write(&mut stores[0], "first");
        let size = stores[0].wal_bytes();
        let start = std::sync::Barrier::new(stores.len() + 1);
        let held = StoreLock::default().take(&paths, LockWait::Forever).unwrap();
        std::thread::scope(|scope| {
            for store in &mut stores {
                scope.spawn(|| {
                    start.wait();
                    store.make_room().unwrap()
                });
            }
            start.wait();
            // Meanwhile they look, and come to the lock.
            (0..50).for_each(|_| drop(Store::open(&paths).unwrap()));
            drop(held);
        });
        assert_eq!(stores[0].wal_bytes() as i64, size as i64 + PIECE);
    }

    /// Writers and checkpoints that know nothing of the store lock, with room made all the time:
    /// no commit is lost, neither to them nor to whoever has only the files.
    #[test]
    fn room_among_strangers() {
        const ROUNDS: i64 = 300;
        let (dir, paths) = world();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, "first");
        let stranger = || {
            let conn = Connection::open(paths.database()).unwrap();
            conn.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
            conn
        };
        stranger().execute_batch("CREATE TABLE t (who INTEGER, n INTEGER, x BLOB)").unwrap();
        let made = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|who| {
                    scope.spawn(move || {
                        let conn = stranger();
                        for n in 0..ROUNDS {
                            let row = "INSERT INTO t VALUES (?1, ?2, randomblob(9000))";
                            conn.execute(row, [who, n]).unwrap();
                            let found: i64 = conn
                                .query_row("SELECT count(*) FROM t WHERE who = ?1", [who], |r| {
                                    r.get(0)
                                })
                                .unwrap();
                            assert_eq!(found, n + 1, "lost to its own writer");
                            let how = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
                            let how = how.get(n as usize % 23);
                            if let Some(how) = how.filter(|_| who == 0) {
                                let sql = format!("PRAGMA wal_checkpoint({how})");
                                conn.query_row(&sql, [], |_| Ok(())).unwrap();
                            }
                        }
                    })
                })
                .collect();
            let mut made = 0;
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                made += u32::from(store.make_room().unwrap_or(false));
            }
            made
        });
        assert!(made > 0, "room was made while they wrote");
        let count = |conn: &Connection| -> (i64, String) {
            let sql =
                "SELECT count(DISTINCT who * 1000000 + n), (SELECT * FROM pragma_integrity_check)
                FROM t";
            conn.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
        };
        assert_eq!(count(store.connection()), (2 * ROUNDS, "ok".into()));
        let conn = Connection::open(copied(&paths, &dir.path().join("copy"), 0)).unwrap();
        assert_eq!(count(&conn), (2 * ROUNDS, "ok".into()));
    }

    /// A file on a disk that has room for `limit` bytes of it.
    #[repr(C)]
    struct Tight {
        file: ffi::sqlite3_file,
        size: i64,
        limit: i64,
    }

    unsafe extern "C" fn size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
        // SAFETY: the test's own file, and where SQLite's callers want its size.
        unsafe { *size = (*file.cast::<Tight>()).size };
        ffi::SQLITE_OK
    }

    unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
        // SAFETY: as above.
        unsafe { (*file.cast::<Tight>()).size = size };
        ffi::SQLITE_OK
    }

    unsafe extern "C" fn append(
        file: *mut ffi::sqlite3_file,
        _: *const c_void,
        n: c_int,
        at: i64,
    ) -> c_int {
        // SAFETY: as above.
        let tight = unsafe { &mut *file.cast::<Tight>() };
        assert_eq!(at, tight.size, "nothing is written over");
        tight.size = (at + i64::from(n)).min(tight.limit);
        if tight.size < at + i64::from(n) { ffi::SQLITE_FULL } else { ffi::SQLITE_OK }
    }

    /// Else the room that is left on a full disk would go to zeros, event by event, and the
    /// database could not even take in what is in the log.
    #[test]
    fn a_disk_that_is_full_is_left_as_it_is() {
        // SAFETY: pointers that are null, and numbers.
        let mut methods: ffi::sqlite3_io_methods = unsafe { std::mem::zeroed() };
        methods.xFileSize = Some(size);
        methods.xTruncate = Some(truncate);
        methods.xWrite = Some(append);
        for (limit, left) in [(PIECE, 5000), (PIECE + 4999, 5000), (PIECE + 5000, PIECE + 5000)] {
            let file = ffi::sqlite3_file { pMethods: &raw const methods };
            let mut tight = Tight { file, size: 5000, limit };
            let log = Log { file: (&raw mut tight).cast(), methods: &raw const methods };
            assert_eq!(log.extend().is_ok(), left > 5000);
            assert_eq!(log.size().unwrap(), left);
        }
    }

    #[test]
    fn no_log_needs_no_room() {
        let (_dir, paths) = world();
        let mut store = Store::open(&paths).unwrap();
        for mode in ["TRUNCATE", "PERSIST", "DELETE"] {
            store.connection().pragma_update(None, "journal_mode", mode).unwrap();
            write(&mut store, "there is a journal");
            assert!(!store.make_room().unwrap(), "{mode}");
        }
    }
}
