//! The write-ahead log: when it is checkpointed, when its file is reused, and when it is emptied.
//!
//! A commit that extends the WAL file waits for the file system's journal, which must record the
//! new size. A commit that overwrites existing blocks does not: on ext4 a commit of eleven pages
//! takes 0.22 ms instead of 0.33 ms. After a complete checkpoint, SQLite's next commit starts again
//! at the beginning of the file. During a long turn, workers therefore checkpoint whenever the log
//! is longer than [`MAX_FRAMES`], and the file keeps its size.
//!
//! The log still holds the pages of texts that were deleted since. `secure_delete` overwrites them
//! in the database only. Workers therefore empty the log when no event waits, and when a turn
//! becomes private.

use std::time::Duration;

use super::error::Result;
use super::{BUSY, Locked, Store};

/// A log with more frames than this is checkpointed. A frame holds one page of 4 KiB, and SQLite's
/// own `wal_autocheckpoint` has the same default.
const MAX_FRAMES: i64 = 1000;

/// How long [`Locked::empty_log`] waits for readers. It holds the store lock meanwhile, and hooks
/// time out after `hook.accept`.
const READERS: Duration = Duration::from_millis(50);

/// `journal_size_limit`: SQLite truncates a larger WAL file to this size when it starts again at
/// the beginning. [`MAX_FRAMES`] fit into it.
pub(super) const MAX_FILE_BYTES: u64 = 4 << 20;

impl Store {
    /// Copies the committed pages from the log into the database, except those that a reader of
    /// an older snapshot blocks.
    pub fn checkpoint(&mut self) -> Result<()> {
        Ok(self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// See [`Locked::empty_log`].
    pub fn empty_log(&mut self) -> Result<bool> {
        self.locked(|locked| locked.empty_log())
    }

    /// Checkpoints a log of more than [`MAX_FRAMES`].
    pub fn checkpoint_long_log(&mut self) -> Result<()> {
        // NOOP returns the number of frames and copies nothing. The file's size is not the log's
        // length, because the file is reused. Without a log both numbers are -1.
        let (frames, copied): (i64, i64) = self
            .conn
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |r| Ok((r.get(1)?, r.get(2)?)))?;
        if frames > MAX_FRAMES && frames > copied {
            self.checkpoint()?;
        }
        Ok(())
    }
}

impl Locked<'_> {
    /// Copies the log into the database and truncates its file. Returns `false` if a reader still
    /// needs the log: then only a part was copied, and the file keeps its bytes.
    pub fn empty_log(&mut self) -> Result<bool> {
        self.conn.busy_timeout(READERS)?;
        let busy = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0));
        self.conn.busy_timeout(BUSY)?;
        Ok(!busy?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::notices;
    use crate::store::testing::{temp_paths, with_suffix};

    /// Commits a text of 20 kB. SQLite writes no page that does not change, so each text differs.
    fn write(store: &mut Store, n: usize) {
        let text = n.to_string().repeat(20_000 / n.to_string().len());
        store.write(|tx| notices::put(tx, "test", &text)).unwrap();
    }

    fn file_bytes(store: &Store) -> u64 {
        fs::metadata(with_suffix(store.paths.database(), "-wal")).unwrap().len()
    }

    #[test]
    fn commits_after_a_checkpoint_reuse_the_file() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        (0..10).for_each(|n| write(&mut store, n));
        let size = file_bytes(&store);
        for n in 10..20 {
            store.checkpoint().unwrap();
            write(&mut store, n);
        }
        assert_eq!(file_bytes(&store), size);
    }

    #[test]
    fn only_a_long_log_is_checkpointed() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        let mut largest = 0;
        for n in 0..1000 {
            write(&mut store, n);
            store.checkpoint_long_log().unwrap();
            largest = largest.max(file_bytes(&store));
        }
        assert!((MAX_FILE_BYTES / 2..=MAX_FILE_BYTES).contains(&largest), "{largest}");
    }

    #[test]
    fn a_larger_file_is_truncated_when_the_log_starts_again() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        (0..300).for_each(|n| write(&mut store, n));
        assert!(file_bytes(&store) > 6_000_000, "{}", file_bytes(&store));
        store.checkpoint().unwrap();
        write(&mut store, 300);
        assert_eq!(file_bytes(&store), MAX_FILE_BYTES);
    }

    #[test]
    fn an_empty_log_has_no_bytes() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, 1);
        let other = Store::open(&paths).unwrap();
        let reading = other.connection().unchecked_transaction().unwrap();
        let _: i64 = reading.query_row("SELECT count(*) FROM meta", [], |r| r.get(0)).unwrap();
        write(&mut store, 2);
        assert!(!store.empty_log().unwrap(), "a reader needs the log");
        assert!(file_bytes(&store) > 0);
        drop(reading);
        assert!(store.empty_log().unwrap());
        assert_eq!(file_bytes(&store), 0);
    }

    #[test]
    fn without_a_log_nothing_is_checkpointed() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        store.connection().pragma_update(None, "journal_mode", "TRUNCATE").unwrap();
        write(&mut store, 1);
        store.checkpoint_long_log().unwrap();
        assert!(store.empty_log().unwrap());
    }
}
