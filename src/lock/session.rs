//! The lock of a session, and what its file says of who holds it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{names, open, reading};
use crate::process::{self, Handle, Identity, Unverified};

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
    previous: Option<Holder>,
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
                    let previous = read(&file);
                    // What it says is of another: it must not be taken for ours.
                    file.set_len(0)?;
                    return Ok(Some(SessionLock { path: path.to_owned(), file, previous }));
                }
                Ok(()) => {}
            }
        }
        Ok(None)
    }

    /// Who held it before and died.
    pub fn previous_holder(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }

    /// Writes who holds it. Readers see the old line or the new one.
    pub fn write(&self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.file.write_all_at(&line, 0)?;
        self.file.set_len(line.len() as u64)
    }

    /// Whether the path still names the file that is held. When not, another may be the worker.
    pub fn is_linked(&self) -> bool {
        self.file.metadata().is_ok_and(|held| names(&self.path, &held))
    }

    /// Unlinks the file, then lets go; false: the path named another's file, which stays.
    pub fn remove(self) -> io::Result<bool> {
        if !self.is_linked() {
            return Ok(false);
        }
        fs::remove_file(&self.path)?;
        Ok(true)
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

/// Who holds the lock of `path`: what its file says; where that is nothing yet, or the words of one
/// who has died, whom the kernel names. A worker that hangs between its lock and its first word
/// could else be ended by nobody. Of him no more is known than who he is.
pub fn holder(path: &Path) -> Holder {
    let said = read_holder(path).unwrap_or_default();
    match process::verify(&said.identity) {
        // Alive, or counted where the kernel's numbers would be others.
        Ok(_) | Err(Unverified::OtherNamespace) => said,
        Err(Unverified::Gone | Unverified::OtherBoot | Unverified::OtherProcess) => {
            let named = holder_pid(path).and_then(Identity::of_memctl);
            named.map_or(said, |identity| Holder { identity, ..Holder::default() })
        }
    }
}

/// The process that holds the lock of `path`, by the kernel's word.
fn holder_pid(path: &Path) -> Option<i32> {
    process::lock_holder(&reading().open(path).ok()?).ok()?
}

/// A handle on the process that holds the lock of `path`, when what its file says and, where it
/// can be asked, what the kernel says name the same one; where the file says nothing, the one
/// whom the kernel names.
///
/// # Errors
/// What speaks against it: nobody is signalled then.
pub fn verified_holder(path: &Path) -> Result<Handle, Unverified> {
    let holder = holder(path);
    if holder == Holder::default() {
        return Err(Unverified::Gone);
    }
    let handle = process::verify(&holder.identity)?;
    // The one who is held now holds the lock still.
    let by_kernel_alone = holder.socket.as_os_str().is_empty();
    match holder_pid(path) {
        Some(pid) if pid != holder.identity.pid => Err(Unverified::OtherProcess),
        None if by_kernel_alone => Err(Unverified::Gone),
        _ => Ok(handle),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    Free,
    Held,
    Absent,
}

/// Looks whether a lock is held, and lets go at once.
pub fn probe(path: &Path) -> io::Result<LockState> {
    for _ in 0..MAX_ROUNDS {
        let file = match reading().open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(LockState::Absent),
            other => other?,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(LockState::Held),
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) if names(path, &file.metadata()?) => return Ok(LockState::Free),
            Ok(()) => {}
        }
    }
    Ok(LockState::Held)
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
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
        let lock = take(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SessionLock::try_take(&path).unwrap().is_none());
        assert_eq!(probe(&path).unwrap(), LockState::Held);
        drop(lock);
        assert_eq!(probe(&path).unwrap(), LockState::Free, "a death leaves the file");
        assert!(take(&path).remove().unwrap());
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
    }

    #[test]
    fn a_probe_lets_go_at_once() {
        let (_dir, path) = place();
        drop(take(&path));
        assert_eq!(probe(&path).unwrap(), LockState::Free);
        take(&path);
    }

    #[test]
    fn anothers_file_stays() {
        let (_dir, path) = place();
        let first = take(&path);
        assert!(first.is_linked());
        fs::remove_file(&path).unwrap();
        assert!(!first.is_linked());
        let second = take(&path);
        assert!(!first.is_linked());
        assert!(!first.remove().unwrap());
        assert!(second.is_linked(), "the second's file was unlinked");
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
                        assert!(lock.is_linked());
                        thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                        assert!(lock.remove().unwrap());
                        taken += 1;
                    }
                });
            }
        });
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
    }

    #[test]
    fn the_holder_is_read_as_written() {
        let (_dir, path) = place();
        assert_eq!(read_holder(&path), None);
        let lock = take(&path);
        assert_eq!(lock.previous_holder(), None);
        assert_eq!(read_holder(&path), None, "empty");
        for session in ["a longer session\nwith two lines", "s"] {
            lock.write(&holder(session)).unwrap();
            assert_eq!(read_holder(&path), Some(holder(session)));
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        }
        drop(lock);
        let next = take(&path);
        assert_eq!(next.previous_holder(), Some(&holder("s")));
        assert_eq!(read_holder(&path), None, "the dead one's words are not the new one's");
    }

    /// The kernel knows who holds it, whatever the file says.
    #[test]
    fn whoever_has_not_said_it_yet_is_known_all_the_same() {
        let (_dir, path) = place();
        assert_eq!(super::holder(&path), Holder::default());
        assert_eq!(verified_holder(&path).unwrap_err(), Unverified::Gone);
        let lock = take(&path);
        let own = Identity::own().unwrap();
        let dead = Identity { start: own.start - 1, ..own.clone() };
        let elsewhere = Identity { pid_ns: 1, ..own.clone() };
        let named = |identity: &Identity| Holder { identity: identity.clone(), ..holder("s") };
        assert_eq!(super::holder(&path), Holder { identity: own.clone(), ..Holder::default() });
        assert_eq!(*verified_holder(&path).unwrap().process(), own.process());
        // The words of one who died before.
        lock.write(&named(&dead)).unwrap();
        assert_eq!(super::holder(&path).identity, own);
        assert_eq!(*verified_holder(&path).unwrap().process(), own.process());
        // In another container the same number is another process.
        lock.write(&named(&elsewhere)).unwrap();
        assert_eq!(super::holder(&path), named(&elsewhere));
        assert_eq!(verified_holder(&path).unwrap_err(), Unverified::OtherNamespace);
        lock.write(&named(&own)).unwrap();
        assert_eq!(super::holder(&path), named(&own));
        drop(lock);
        lock_is_free(&path, &dead);
    }

    fn lock_is_free(path: &Path, dead: &Identity) {
        fs::write(
            path,
            serde_json::to_vec(&Holder { identity: dead.clone(), ..holder("s") }).unwrap(),
        )
        .unwrap();
        assert_eq!(super::holder(path).identity, *dead);
        assert!(verified_holder(path).is_err(), "nobody holds it");
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
}
