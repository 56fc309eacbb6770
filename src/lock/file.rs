//! Lock files that stay: who may write the store, who recovers.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{names, open};

/// A lock file that stays: `store.lock`, `recover.lock`. Open once, lock often.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    file: Arc<File>,
}

/// Held until dropped.
#[derive(Debug)]
#[must_use = "it is let go when dropped"]
pub struct LockGuard(Arc<File>);

impl Drop for LockGuard {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl FileLock {
    /// # Errors
    /// As [`SessionLock::try_take`](super::SessionLock::try_take).
    pub fn open(path: &Path) -> io::Result<FileLock> {
        Ok(FileLock { path: path.to_owned(), file: Arc::new(open(path)?) })
    }

    /// Waits for it, for as long as it takes.
    pub fn lock(&mut self) -> io::Result<LockGuard> {
        loop {
            match self.file.lock() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    if let Some(held) = self.held()? {
                        return Ok(held);
                    }
                }
            }
        }
    }

    /// `None`: it is held, or was for a moment.
    pub fn try_lock(&mut self) -> io::Result<Option<LockGuard>> {
        loop {
            match self.file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
                Ok(()) => {
                    if let Some(held) = self.held()? {
                        return Ok(Some(held));
                    }
                }
            }
        }
    }

    /// Waits for it, at most for `deadline`. Tries, since no kernel waits for a time: every
    /// millisecond at first, then every ten.
    pub fn lock_within(&mut self, deadline: Duration) -> io::Result<Option<LockGuard>> {
        let end = Instant::now() + deadline;
        let mut step = Duration::from_millis(1);
        loop {
            if let Some(held) = self.try_lock()? {
                return Ok(Some(held));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            #[expect(clippy::disallowed_methods, reason = "no kernel waits for a lock and a time")]
            std::thread::sleep(step.min(left));
            step = (step * 2).min(Duration::from_millis(10));
        }
    }

    /// The file just locked, when the path still names it; else opens the new one.
    fn held(&mut self) -> io::Result<Option<LockGuard>> {
        // One open file is locked once: a second `LockGuard` would let go for the first.
        debug_assert_eq!(Arc::strong_count(&self.file), 1, "{} twice", self.path.display());
        let held = LockGuard(self.file.clone());
        if names(&self.path, &self.file.metadata()?) {
            return Ok(Some(held));
        }
        self.file = Arc::new(open(&self.path)?);
        Ok(None)
    }
}

/// Opens `path` once and waits for its lock: `None` when the deadline passed first.
pub fn acquire(path: &Path, deadline: Option<Duration>) -> io::Result<Option<LockGuard>> {
    let mut lock = FileLock::open(path)?;
    match deadline {
        Some(deadline) => lock.lock_within(deadline),
        None => lock.lock().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.lock");
        (dir, path)
    }

    #[test]
    fn a_lock_that_stays_is_taken_again_and_again() {
        let (_dir, path) = place();
        let mut one = FileLock::open(&path).unwrap();
        let mut other = FileLock::open(&path).unwrap();
        for _ in 0..3 {
            let held = one.lock().unwrap();
            assert!(other.try_lock().unwrap().is_none());
            assert!(other.lock_within(Duration::from_millis(5)).unwrap().is_none());
            drop(held);
            drop(other.lock_within(Duration::ZERO).unwrap().expect("free"));
        }
        assert!(path.exists());
    }

    #[test]
    fn a_deleted_lock_file_is_made_anew() {
        let (_dir, path) = place();
        let mut one = FileLock::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let mut other = FileLock::open(&path).unwrap();
        let held = other.lock().unwrap();
        assert!(one.try_lock().unwrap().is_none(), "both would hold it");
        drop(held);
        let _held = one.lock().unwrap();
        assert!(other.try_lock().unwrap().is_none());
    }

    #[test]
    fn who_waits_gets_it_after_the_holder() {
        let (_dir, path) = place();
        let held = acquire(&path, None).unwrap().unwrap();
        let released = AtomicBool::new(false);
        thread::scope(|scope| {
            for deadline in [None, Some(Duration::from_secs(20))] {
                let (path, released) = (&path, &released);
                scope.spawn(move || {
                    let _held = acquire(path, deadline).unwrap().expect("in time");
                    assert!(released.load(Ordering::SeqCst));
                });
            }
            assert!(acquire(&path, Some(Duration::from_millis(5))).unwrap().is_none());
            released.store(true, Ordering::SeqCst);
            drop(held);
        });
    }

    #[test]
    fn a_link_is_not_followed() {
        let (dir, path) = place();
        std::os::unix::fs::symlink(dir.path().join("target"), &path).unwrap();
        assert!(FileLock::open(&path).is_err());
        assert!(!dir.path().join("target").exists());
    }
}
