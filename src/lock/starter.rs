//! The starter lock: of the starters of one session, one waits for the session lock and the others
//! exit.

use std::io;
use std::time::{Duration, SystemTime};

use super::SessionLock;
use crate::files::Place;

/// The right to wait for a session's lock. The file's modification time is a heartbeat: a holder that
/// does not renew it hangs, and then others wait too.
#[derive(Debug)]
pub struct StarterLock {
    place: Place,
    /// `None` if a starter that hangs holds the lock.
    lock: Option<SessionLock>,
}

impl StarterLock {
    /// Takes the lock. `None` if another starter holds it and has renewed it within `hang_timeout`.
    ///
    /// # Errors
    /// As [`SessionLock::try_take`].
    pub fn take(place: &Place, hang_timeout: Duration) -> io::Result<Option<StarterLock>> {
        let lock = SessionLock::try_take(place)?;
        if lock.is_none() && is_recent(place, hang_timeout) {
            return Ok(None);
        }
        let lock = StarterLock { place: place.clone(), lock };
        lock.renew();
        Ok(Some(lock))
    }

    /// Removes the file of a starter that died. It stays if a starter holds its lock.
    ///
    /// # Errors
    /// As [`SessionLock::try_take`].
    pub fn remove_stale(place: &Place) -> io::Result<()> {
        if place.exists()
            && let Some(lock) = SessionLock::try_take(place)?
        {
            lock.remove()?;
        }
        Ok(())
    }

    /// Shows other starters that this one does not hang.
    pub fn renew(&self) {
        let _ = self.place.open().and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Whether other starters rely on this one.
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for StarterLock {
    /// Unlinks the file and releases the lock.
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            // If the file stays, recovery removes it.
            let _ = lock.remove();
        }
    }
}

/// Whether the file was modified within `timeout`. A time in the future means that the clock was set
/// back, and says nothing.
fn is_recent(place: &Place, timeout: Duration) -> bool {
    place.stat().is_ok_and(|stat| stat.modified.elapsed().is_ok_and(|age| age < timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn one_starter_waits_and_its_lock_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::in_dir(dir.path(), "k.start");
        let first = StarterLock::take(&place, LONG).unwrap().expect("free");
        assert!(first.is_held());
        assert!(StarterLock::take(&place, LONG).unwrap().is_none());
        drop(first);
        assert!(!place.exists());
        assert!(StarterLock::take(&place, LONG).unwrap().is_some_and(|lock| lock.is_held()));
    }

    #[test]
    fn a_starter_that_hangs_does_not_keep_others_from_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::in_dir(dir.path(), "k.start");
        let hung = StarterLock::take(&place, LONG).unwrap().expect("free");
        let set = |at| place.open().unwrap().set_modified(at).unwrap();
        let now = SystemTime::now();
        for at in [now - 2 * LONG, now + LONG] {
            set(at);
            let second = StarterLock::take(&place, LONG).unwrap().expect("the holder hangs");
            assert!(!second.is_held());
            assert!(StarterLock::take(&place, LONG).unwrap().is_none(), "the second one waits");
            drop(second);
            assert!(place.exists(), "the lock belongs to the first");
        }
        drop(hung);
        assert!(!place.exists());
    }
}
