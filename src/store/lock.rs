//! The store lock: one writer at a time, over all processes. SQLite's own busy handler sleeps and
//! is unfair; waiting in `flock` lost nothing where it lost transactions.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use super::error::{Result, StoreError};
use crate::lock::{FileLock, LockGuard};
use crate::paths::Paths;

/// How long to wait for the store lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// In the kernel's queue until it is free: workers. The hooks they keep waiting spool.
    Forever,
    /// Those whose caller waits: a session's start, the command line.
    Within(Duration),
}

/// A file that no other can be mistaken for while it exists: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId(u64, u64);

impl FileId {
    pub fn of(path: &Path) -> io::Result<FileId> {
        fs::metadata(path).map(|m| FileId(m.dev(), m.ino()))
    }
}

/// The lock file, open between transactions.
#[derive(Default)]
pub struct StoreLock {
    lock: Option<FileLock>,
}

impl StoreLock {
    /// Waits for the lock. The data dir is made when it is missing.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when patience ends, else what the file system says.
    pub fn take(&mut self, paths: &Paths, patience: LockWait) -> Result<LockGuard> {
        let taken = match &mut self.lock {
            Some(lock) => wait(lock, patience),
            None => Err(StoreError::from(io::Error::from(io::ErrorKind::NotFound))),
        };
        if taken.is_ok() || matches!(taken, Err(StoreError::Busy(_))) {
            return taken;
        }
        // Not opened yet, or somebody has removed the whole data dir under us.
        DirBuilder::new().recursive(true).mode(0o700).create(paths.run_dir())?;
        wait(self.lock.insert(FileLock::open(&paths.store_lock())?), patience)
    }
}

fn wait(lock: &mut FileLock, patience: LockWait) -> Result<LockGuard> {
    match patience {
        LockWait::Forever => Ok(lock.lock()?),
        LockWait::Within(limit) => lock
            .lock_within(limit)?
            .ok_or_else(|| StoreError::Busy(format!("another memctl wrote for {limit:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::world;

    #[test]
    fn one_at_a_time_and_patience_ends() {
        let (_dir, paths) = world();
        let (mut a, mut b) = (StoreLock::default(), StoreLock::default());
        let held = a.take(&paths, LockWait::Forever).unwrap();
        let short = LockWait::Within(Duration::from_millis(5));
        assert!(matches!(b.take(&paths, short), Err(StoreError::Busy(_))));
        drop(held);
        assert!(b.take(&paths, short).is_ok());
    }

    #[test]
    fn a_removed_data_dir_is_made_anew() {
        let (_dir, paths) = world();
        let mut lock = StoreLock::default();
        drop(lock.take(&paths, LockWait::Forever).unwrap());
        fs::remove_dir_all(paths.data()).unwrap();
        let _held = lock.take(&paths, LockWait::Forever).unwrap();
        let mut other = StoreLock::default();
        let short = LockWait::Within(Duration::from_millis(5));
        assert!(other.take(&paths, short).is_err(), "both must lock the same file");
    }
}
