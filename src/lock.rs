//! Locks: who owns a session, who may write the store, who recovers.
//!
//! All are flocks, which the kernel frees on any death. A session's lock file is unlinked by its
//! holder, as its last act and still holding it; so whoever locks one compares what he locked
//! with what the path names now, and begins again when they differ. **Nobody unlinks a lock file
//! without holding its lock.** The other files are never unlinked.
//!
//! A lock that was not free says nothing about who lives: a probe holds it for a moment too.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use serde::{Deserialize, Serialize};

use crate::process::{self, Identity};

/// How often a file may be replaced under one attempt to lock it.
const MAX_ROUNDS: usize = 1000;
/// More than any [`Holder`] has.
const MAX_HOLDER: u64 = 64 << 10;

/// What a session's lock file says of its holder: for people, for finding the socket, and for
/// proving who is to be signalled. Whoever reads it may be older or newer than its writer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    #[serde(flatten)]
    pub identity: Identity,
    pub socket: PathBuf,
    /// Of the program that holds it.
    pub version: String,
    pub client: String,
    /// The client's session id.
    pub session: String,
}

/// The right to be a session's worker, for as long as it lives. Dropped without
/// [`SessionLock::remove`] it leaves its file behind, as a death does.
#[derive(Debug)]
pub struct SessionLock {
    path: PathBuf,
    file: File,
    before: Option<Holder>,
}

impl SessionLock {
    /// `None`: it is held, or was for a moment.
    ///
    /// # Errors
    /// `PermissionDenied` for another user's file, `FilesystemLoop` for a symbolic link, else
    /// what the file system says.
    pub fn try_take(path: &Path) -> io::Result<Option<SessionLock>> {
        for _ in 0..MAX_ROUNDS {
            let file = open(path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
                Ok(()) if names(path, &file.metadata()?) => {
                    let before = read(&file);
                    // What it says is of another: it must not be taken for ours.
                    file.set_len(0)?;
                    return Ok(Some(SessionLock { path: path.to_owned(), file, before }));
                }
                Ok(()) => {}
            }
        }
        Ok(None)
    }

    /// Who held it before and died.
    pub fn before(&self) -> Option<&Holder> {
        self.before.as_ref()
    }

    /// Writes who holds it. Readers see the old line or the new one.
    pub fn write(&self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.file.write_all_at(&line, 0)?;
        self.file.set_len(line.len() as u64)
    }

    /// Whether the path still names the file that is held. When not, another may be the worker.
    pub fn still_mine(&self) -> bool {
        self.file.metadata().is_ok_and(|held| names(&self.path, &held))
    }

    /// Unlinks the file, then lets go; false: the path named another's file, which stays.
    pub fn remove(self) -> io::Result<bool> {
        if !self.still_mine() {
            return Ok(false);
        }
        fs::remove_file(&self.path)?;
        Ok(true)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SessionLock {
    /// Said aloud: a child just forked may have a copy of the file, which would keep the lock.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// What a lock file says. `None` when it is absent, empty or not to be understood.
pub fn read_holder(path: &Path) -> Option<Holder> {
    read(&reading().open(path).ok()?)
}

fn read(file: &File) -> Option<Holder> {
    let mut text = Vec::new();
    file.take(MAX_HOLDER).read_to_end(&mut text).ok()?;
    // A longer line that stood there before may not have been cut off yet.
    serde_json::from_slice(text.split(|b| *b == b'\n').next()?).ok()
}

/// The process that holds the lock of `path`, by the kernel's word.
pub fn holder_pid(path: &Path) -> Option<i32> {
    process::lock_holder(&reading().open(path).ok()?).ok()?
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Free,
    Held,
    Absent,
}

/// Looks whether a lock is held, and lets go at once.
pub fn probe(path: &Path) -> io::Result<Probe> {
    for _ in 0..MAX_ROUNDS {
        let file = match reading().open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Probe::Absent),
            other => other?,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(Probe::Held),
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) if names(path, &file.metadata()?) => return Ok(Probe::Free),
            Ok(()) => {}
        }
    }
    Ok(Probe::Held)
}

/// A lock file that stays: `store.lock`, `recover.lock`. Open once, lock often.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    file: Arc<File>,
}

/// Held until dropped.
#[derive(Debug)]
#[must_use = "it is let go when dropped"]
pub struct Held(Arc<File>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl FileLock {
    /// # Errors
    /// As [`SessionLock::try_take`].
    pub fn open(path: &Path) -> io::Result<FileLock> {
        Ok(FileLock { path: path.to_owned(), file: Arc::new(open(path)?) })
    }

    /// Waits for it, for as long as it takes.
    pub fn lock(&mut self) -> io::Result<Held> {
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
    pub fn try_lock(&mut self) -> io::Result<Option<Held>> {
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
    pub fn lock_within(&mut self, deadline: Duration) -> io::Result<Option<Held>> {
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
            std::thread::sleep(step.min(left));
            step = (step * 2).min(Duration::from_millis(10));
        }
    }

    /// The file just locked, when the path still names it; else opens the new one.
    fn held(&mut self) -> io::Result<Option<Held>> {
        // One open file is locked once: a second `Held` would let go for the first.
        debug_assert_eq!(Arc::strong_count(&self.file), 1, "{} twice", self.path.display());
        let held = Held(self.file.clone());
        if names(&self.path, &self.file.metadata()?) {
            return Ok(Some(held));
        }
        self.file = Arc::new(open(&self.path)?);
        Ok(None)
    }
}

/// Opens `path` once and waits for its lock: `None` when the deadline passed first.
pub fn exclusive(path: &Path, deadline: Option<Duration>) -> io::Result<Option<Held>> {
    let mut lock = FileLock::open(path)?;
    match deadline {
        Some(deadline) => lock.lock_within(deadline),
        None => lock.lock().map(Some),
    }
}

/// std opens with `O_CLOEXEC`. `O_NONBLOCK`: a pipe in its place must not make us wait.
fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    options
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = reading();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let meta = file.metadata()?;
    if meta.uid() != process::own_uid() || !meta.is_file() {
        let whose = format!("{} is not a file of yours", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, whose));
    }
    Ok(file)
}

fn names(path: &Path, held: &Metadata) -> bool {
    let there = fs::symlink_metadata(path);
    there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.lock");
        (dir, path)
    }

    fn take(path: &Path) -> SessionLock {
        SessionLock::try_take(path).unwrap().expect("free")
    }

    fn holder(session: &str) -> Holder {
        Holder {
            identity: Identity { pid: 7, start: 9, boot_id: "b".into(), pid_ns: 3 },
            socket: "/tmp/s.sock".into(),
            version: "0.1.0".into(),
            client: "claude-code".into(),
            session: session.into(),
        }
    }

    #[test]
    fn one_holds_it_until_he_lets_go() {
        let (_dir, path) = place();
        assert_eq!(probe(&path).unwrap(), Probe::Absent);
        let lock = take(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SessionLock::try_take(&path).unwrap().is_none());
        assert_eq!(probe(&path).unwrap(), Probe::Held);
        drop(lock);
        assert_eq!(probe(&path).unwrap(), Probe::Free, "a death leaves the file");
        assert!(take(&path).remove().unwrap());
        assert_eq!(probe(&path).unwrap(), Probe::Absent);
    }

    #[test]
    fn a_probe_lets_go_at_once() {
        let (_dir, path) = place();
        drop(take(&path));
        assert_eq!(probe(&path).unwrap(), Probe::Free);
        take(&path);
    }

    #[test]
    fn anothers_file_stays() {
        let (_dir, path) = place();
        let first = take(&path);
        assert!(first.still_mine());
        fs::remove_file(&path).unwrap();
        assert!(!first.still_mine());
        let second = take(&path);
        assert!(!first.still_mine());
        assert!(!first.remove().unwrap());
        assert!(second.still_mine(), "the second's file was unlinked");
    }

    #[test]
    fn a_file_that_is_unlinked_while_it_is_waited_for_is_not_taken() {
        let (_dir, path) = place();
        let inside = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < 100 {
                        let Some(lock) = SessionLock::try_take(&path).unwrap() else { continue };
                        assert!(!inside.swap(true, Ordering::SeqCst), "two hold it");
                        assert!(lock.still_mine());
                        thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                        assert!(lock.remove().unwrap());
                        taken += 1;
                    }
                });
            }
        });
        assert_eq!(probe(&path).unwrap(), Probe::Absent);
    }

    #[test]
    fn the_holder_is_read_as_written() {
        let (_dir, path) = place();
        assert_eq!(read_holder(&path), None);
        let lock = take(&path);
        assert_eq!(lock.before(), None);
        assert_eq!(read_holder(&path), None, "empty");
        for session in ["a longer session\nwith two lines", "s"] {
            lock.write(&holder(session)).unwrap();
            assert_eq!(read_holder(&path), Some(holder(session)));
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        }
        drop(lock);
        let next = take(&path);
        assert_eq!(next.before(), Some(&holder("s")));
        assert_eq!(read_holder(&path), None, "the dead one's words are not the new one's");
    }

    #[test]
    fn a_holder_of_another_version_is_read() {
        let (_dir, path) = place();
        let check = |text: &str, expected: Option<Holder>| {
            fs::write(&path, text).unwrap();
            assert_eq!(read_holder(&path), expected, "{text}");
        };
        let mut short = Holder::default();
        short.identity.pid = 7;
        check("{\"pid\":7,\"later\":[1]}\n", Some(short.clone()));
        check("{\"pid\":7}\n\"},the end of a longer line", Some(short));
        check("{\"pid\":\"seven\"}\n", None);
        check("", None);
        check("\u{0}\u{0}", None);
    }

    #[test]
    fn only_plain_files_of_ours_are_locked() {
        let (dir, path) = place();
        let target = dir.path().join("target");
        symlink(&target, &path).unwrap();
        assert!(SessionLock::try_take(&path).is_err());
        assert!(FileLock::open(&path).is_err());
        assert!(probe(&path).is_err());
        assert!(read_holder(&path).is_none());
        assert!(!target.exists());

        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(SessionLock::try_take(&path).is_err());

        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        // Only root can give files away.
        if process::own_uid() == 0 {
            std::os::unix::fs::chown(&path, Some(1), None).unwrap();
            let e = SessionLock::try_take(&path).unwrap_err();
            assert_eq!(e.kind(), io::ErrorKind::PermissionDenied);
        }
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
        let held = exclusive(&path, None).unwrap().unwrap();
        let released = AtomicBool::new(false);
        thread::scope(|scope| {
            for deadline in [None, Some(Duration::from_secs(20))] {
                let (path, released) = (&path, &released);
                scope.spawn(move || {
                    let _held = exclusive(path, deadline).unwrap().expect("in time");
                    assert!(released.load(Ordering::SeqCst));
                });
            }
            assert!(exclusive(&path, Some(Duration::from_millis(5))).unwrap().is_none());
            released.store(true, Ordering::SeqCst);
            drop(held);
        });
    }
}
