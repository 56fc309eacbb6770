//! The store lock: one writer at a time, over all processes. SQLite's own busy handler sleeps and
//! is unfair; waiting in `flock` lost nothing where it lost transactions.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Result, StoreError};
use crate::paths::Paths;

/// How long to wait for the store lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// In the kernel's queue until it is free: workers.
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

/// The opened lock file; it stays open between transactions.
#[derive(Default)]
pub struct StoreLock {
    file: Option<File>,
}

/// While it lives, nobody else writes.
pub struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // The kernel lets go at the latest when the file is closed.
        let _ = self.0.unlock();
    }
}

impl StoreLock {
    /// Waits for the lock. The data dir is made when it is missing.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when patience ends, else what the file system says.
    pub fn take(&mut self, paths: &Paths, patience: Patience) -> Result<Held<'_>> {
        let path = paths.store_lock();
        let since = Instant::now();
        loop {
            if self.file.is_none() {
                self.file = Some(open(paths, &path)?);
            }
            wait(self.file.as_ref().expect("just opened"), since, patience)?;
            // Nobody unlinks this file, but somebody may have removed the whole data dir.
            let ours = self.file.as_ref().and_then(|f| f.metadata().ok());
            let ours = ours.map(|m| FileId(m.dev(), m.ino()));
            if ours.is_some() && ours == FileId::of(&path).ok() {
                break;
            }
            self.file = None;
        }
        Ok(Held(self.file.as_ref().expect("just locked")))
    }
}

fn wait(file: &File, since: Instant, patience: Patience) -> Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(e)) => return Err(e.into()),
            Err(TryLockError::WouldBlock) => {}
        }
        match patience {
            Patience::Forever => match file.lock() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return Ok(other?),
            },
            Patience::Within(limit) if since.elapsed() >= limit => {
                return Err(StoreError::Busy(format!("another memctl wrote for {limit:?}")));
            }
            Patience::Within(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn open(paths: &Paths, path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(nix::libc::O_NOFOLLOW);
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(paths.run())?;
            Ok(options.open(path)?)
        }
        other => Ok(other?),
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
        let held = a.take(&paths, Patience::Forever).unwrap();
        let short = Patience::Within(Duration::from_millis(5));
        assert!(matches!(b.take(&paths, short), Err(StoreError::Busy(_))));
        drop(held);
        assert!(b.take(&paths, short).is_ok());
    }

    #[test]
    fn a_removed_data_dir_is_made_anew() {
        let (_dir, paths) = world();
        let mut lock = StoreLock::default();
        drop(lock.take(&paths, Patience::Forever).unwrap());
        fs::remove_dir_all(paths.data()).unwrap();
        let _held = lock.take(&paths, Patience::Forever).unwrap();
        let mut other = StoreLock::default();
        let short = Patience::Within(Duration::from_millis(5));
        assert!(other.take(&paths, short).is_err(), "both must lock the same file");
    }
}
