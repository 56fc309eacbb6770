//! The write-ahead log: when it is checkpointed, when its file is reused, and when it is emptied.
//!
//! A commit that extends the WAL file waits for the file system's journal, which must record the
//! new size. A commit that overwrites existing blocks does not: on ext4 a commit of nine pages takes
//! 0.30 ms instead of 0.37 ms, and instead of 2 ms while other programs write. Workers therefore grow
//! the file with zeros before commits need the room, while no peer waits. SQLite reads the log up to
//! the first frame without a valid checksum, so it ignores the zeros. After a complete checkpoint,
//! SQLite's next commit starts again at the beginning of the file. During a long turn, workers
//! checkpoint whenever the log is longer than [`MAX_FRAMES`], and the file keeps its size.
//!
//! The log still holds the pages of texts that were deleted since. `secure_delete` overwrites them
//! in the database only. Workers therefore empty the log when no event waits, and when a turn
//! becomes private.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use super::error::Result;
use super::{BUSY, Locked, Store};
use crate::files::Place;

/// A log with more frames than this is checkpointed. A frame holds one page of 4 KiB, and SQLite's
/// own `wal_autocheckpoint` has the same default.
const MAX_FRAMES: i64 = 1000;

/// Bytes of a frame: its header and a page.
const FRAME_BYTES: u64 = 24 + 4096;

/// A file with less room than this for further frames is grown. An event of 10 KB takes 37 KB.
const MIN_ROOM: u64 = 256 << 10;

/// By how much a file is grown.
const GROWTH: u64 = 1 << 20;

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

    /// Prepares the log for further commits: checkpoints more than [`MAX_FRAMES`], or grows the file.
    /// Call this while no peer waits.
    pub fn maintain_log(&mut self) -> Result<()> {
        // NOOP returns the number of frames and copies nothing. The file's size is not the log's
        // length, because the file is reused. Without a log both numbers are -1.
        let (frames, copied): (i64, i64) = self
            .conn
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
            .query_row([], |r| Ok((r.get(1)?, r.get(2)?)))?;
        if frames > MAX_FRAMES && frames > copied {
            return self.checkpoint();
        }
        if let Ok(frames) = u64::try_from(frames) {
            let [_, _, log, _] = self.paths.database_files();
            grow(&log, frames * FRAME_BYTES)?;
        }
        Ok(())
    }
}

/// Appends zeros to the file of a log that has fewer than [`MIN_ROOM`] bytes after the first `used`
/// ones. A write to the end of the file overwrites nothing, so other processes may commit meanwhile.
fn grow(log: &Place, used: u64) -> io::Result<()> {
    let size = match log.stat() {
        Ok(found) => found.len,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    let missing = GROWTH.min(MAX_FILE_BYTES.saturating_sub(size));
    if missing == 0 || size >= used + MIN_ROOM {
        return Ok(());
    }
    // SQLite locks the database and its shared memory, not the log. Closing the log drops no lock.
    let mut file = log.open_append()?;
    io::copy(&mut io::repeat(0).take(missing), &mut file)?;
    file.sync_data()
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
    fn a_log_has_room_for_the_next_commits() {
        let (dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, 0);
        let mut sizes = Vec::new();
        for n in 1..=100 {
            store.maintain_log().unwrap();
            sizes.push(file_bytes(&store));
            write(&mut store, n);
            assert_eq!(file_bytes(&store), sizes[n - 1], "commit {n} extends the file");
        }
        sizes.dedup();
        assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= MAX_FILE_BYTES), "{sizes:?}");
        // After a crash, SQLite reads the log of another process's file up to the zeros.
        let copy = dir.path().join("copy.db");
        for suffix in ["", "-wal"] {
            let from = with_suffix(paths.database(), suffix);
            fs::copy(from, with_suffix(&copy, suffix)).unwrap();
        }
        let copy = rusqlite::Connection::open(copy).unwrap();
        let text: String = copy
            .query_row("SELECT value FROM meta WHERE key = 'notice:test'", [], |r| r.get(0))
            .unwrap();
        assert!(text.contains("100100100"), "{}", text.len());
    }

    #[test]
    fn an_emptied_log_has_room_again() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        write(&mut store, 1);
        assert!(store.empty_log().unwrap());
        store.maintain_log().unwrap();
        let size = file_bytes(&store);
        assert!(size > 0);
        write(&mut store, 2);
        assert_eq!(file_bytes(&store), size);
        let bytes = fs::read(with_suffix(paths.database(), "-wal")).unwrap();
        assert!(bytes.ends_with(&[0; 4096]) && bytes.starts_with(&[0x37, 0x7f, 0x06, 0x82]));
    }

    #[test]
    fn only_a_long_log_is_checkpointed() {
        let (_dir, paths) = temp_paths();
        let mut store = Store::open(&paths).unwrap();
        let mut largest = 0;
        for n in 0..1000 {
            write(&mut store, n);
            store.maintain_log().unwrap();
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
        store.maintain_log().unwrap();
        assert!(store.empty_log().unwrap());
    }
}
