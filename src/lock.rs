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
