//! Permanent lock files: the store lock, the recovery lock and the agent slots.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::is_at;
use crate::files::Place;

/// A permanent lock file such as `store.lock`. It is opened once and locked many times.
#[derive(Debug)]
pub struct FileLock {
    place: Place,
    file: Arc<File>,
}

/// Releases the lock when dropped.
#[derive(Debug)]
#[must_use = "dropping it releases the lock"]
pub struct LockGuard(Arc<File>);

impl Drop for LockGuard {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl FileLock {
    /// Opens the lock file and creates it if it is missing. Does not lock it.
    ///
    /// # Errors
    /// As [`SessionLock::try_take`](super::SessionLock::try_take).
    pub fn open(place: &Place) -> io::Result<FileLock> {
        Ok(FileLock { place: place.clone(), file: Arc::new(place.open_or_create()?) })
    }

    /// Waits for the lock without limit.
    pub fn lock(&mut self) -> io::Result<LockGuard> {
        loop {
            match self.file.lock() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    if let Some(guard) = self.guard()? {
                        return Ok(guard);
                    }
                }
            }
        }
    }

    /// Tries to take the lock. `None` if another process holds it, even for a moment.
    pub fn try_lock(&mut self) -> io::Result<Option<LockGuard>> {
        loop {
            match self.file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
                Ok(()) => {
                    if let Some(guard) = self.guard()? {
                        return Ok(Some(guard));
                    }
                }
            }
        }
    }

    /// Waits for the lock for at most `timeout`. `flock` has no timeout, so this polls. The
    /// interval starts at 1 ms and doubles up to 10 ms.
    pub fn lock_within(&mut self, timeout: Duration) -> io::Result<Option<LockGuard>> {
        let deadline = Instant::now() + timeout;
        let mut step = Duration::from_millis(1);
        loop {
            if let Some(guard) = self.try_lock()? {
                return Ok(Some(guard));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            #[expect(clippy::disallowed_methods, reason = "flock has no timeout")]
            std::thread::sleep(step.min(left));
            step = (step * 2).min(Duration::from_millis(10));
        }
    }

    /// A guard of the file just locked, if the path still names it. Otherwise opens the file that is
    /// at the path now and returns `None`.
    fn guard(&mut self) -> io::Result<Option<LockGuard>> {
        // Two guards would share one flock, and dropping either would release it.
        debug_assert_eq!(Arc::strong_count(&self.file), 1, "{} locked twice", self.place);
        let guard = LockGuard(self.file.clone());
        if is_at(&self.place, &self.file) {
            return Ok(Some(guard));
        }
        self.file = Arc::new(self.place.open_or_create()?);
        Ok(None)
    }
}

/// Opens the lock file `place` and waits for its lock, at most for `timeout` if there is one. `None` if the lock
/// is still held then.
pub fn acquire(place: &Place, timeout: Option<Duration>) -> io::Result<Option<LockGuard>> {
    let mut lock = FileLock::open(place)?;
    match timeout {
        Some(timeout) => lock.lock_within(timeout),
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

    fn lock_path() -> (TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let path = Place::in_dir(dir.path(), "k.lock");
        (dir, path)
    }

    #[test]
    fn a_lock_is_taken_repeatedly() {
        let (_dir, path) = lock_path();
        let mut first = FileLock::open(&path).unwrap();
        let mut second = FileLock::open(&path).unwrap();
        for _ in 0..3 {
            let guard = first.lock().unwrap();
            assert!(second.try_lock().unwrap().is_none());
            assert!(second.lock_within(Duration::from_millis(5)).unwrap().is_none());
            drop(guard);
            drop(second.lock_within(Duration::ZERO).unwrap().expect("free"));
        }
        assert!(path.exists());
    }

    #[test]
    fn a_deleted_lock_file_is_created_again() {
        let (_dir, path) = lock_path();
        let mut first = FileLock::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let mut second = FileLock::open(&path).unwrap();
        let guard = second.lock().unwrap();
        assert!(first.try_lock().unwrap().is_none(), "both would hold it");
        drop(guard);
        let _guard = first.lock().unwrap();
        assert!(second.try_lock().unwrap().is_none());
    }

    #[test]
    fn a_waiter_gets_the_lock_when_it_is_released() {
        let (_dir, path) = lock_path();
        let guard = acquire(&path, None).unwrap().unwrap();
        let released = AtomicBool::new(false);
        thread::scope(|scope| {
            for timeout in [None, Some(Duration::from_secs(20))] {
                let (path, released) = (&path, &released);
                scope.spawn(move || {
                    let _guard = acquire(path, timeout).unwrap().expect("in time");
                    assert!(released.load(Ordering::SeqCst));
                });
            }
            assert!(acquire(&path, Some(Duration::from_millis(5))).unwrap().is_none());
            released.store(true, Ordering::SeqCst);
            drop(guard);
        });
    }

    #[test]
    fn a_link_is_not_followed() {
        let (dir, path) = lock_path();
        std::os::unix::fs::symlink(dir.path().join("target"), &path).unwrap();
        assert!(FileLock::open(&path).is_err());
        assert!(!dir.path().join("target").exists());
    }
}
