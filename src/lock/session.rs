//! The session lock, and its file's record of the holder.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::is_at;
use crate::files::{FileId, Place};
use crate::process::{self, Handle, Identity, Unverified};

/// How often the file may be replaced during one attempt to lock it.
const MAX_ROUNDS: usize = 1000;
/// Maximum number of bytes read from a lock file. A [`Holder`] is shorter.
const MAX_HOLDER: u64 = 64 << 10;

/// The content of a session's lock file. It identifies the process that may be signaled, and
/// commands find the worker's socket in it. Reader and writer may be of different versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    #[serde(flatten)]
    pub identity: Identity,
    pub socket: PathBuf,
    /// Version of the holder's program.
    pub version: String,
    pub client: String,
    /// The client's session id.
    pub session: String,
    /// Where the path of the socket is valid: the inode of the holder's mount namespace, and the socket's
    /// directory. 0 and `None` if they are unknown.
    pub mount_ns: u64,
    pub socket_dir: Option<FileId>,
}

impl Holder {
    /// The record of this process, which listens on `socket`.
    ///
    /// # Errors
    /// As [`Identity::own`].
    pub fn own(socket: PathBuf, client: &str, session: &str) -> io::Result<Holder> {
        Ok(Holder {
            identity: Identity::own()?,
            version: env!("CARGO_PKG_VERSION").into(),
            client: client.into(),
            session: session.into(),
            mount_ns: process::mount_namespace(),
            socket_dir: socket.parent().and_then(|dir| FileId::at(dir).ok()),
            socket,
        })
    }

    /// Whether the path of the socket leads elsewhere in this process: the holder runs on another machine,
    /// or in a mount namespace with a directory of its own in this place, such as `/tmp`. Whether such a
    /// worker answers cannot be known.
    pub fn is_elsewhere(&self) -> bool {
        let Some(dir) = self.socket_dir else { return false };
        if !process::is_of_this_boot(&self.identity) {
            return true;
        }
        // In the same namespace, a directory with another inode has replaced the holder's.
        self.mount_ns != process::mount_namespace()
            && self.socket.parent().and_then(|own| FileId::at(own).ok()) != Some(dir)
    }
}

/// A held session lock. The process that has it is the session's worker. If it is dropped without
/// [`SessionLock::remove`], the lock file stays, as after a crash.
#[derive(Debug)]
pub struct SessionLock {
    place: Place,
    file: File,
    previous: Option<Holder>,
}

impl SessionLock {
    /// Tries to take the lock. `None` if another process holds it, even for a moment.
    ///
    /// # Errors
    /// `PermissionDenied` if the place is not a regular file of this user, or another error of the file
    /// system.
    pub fn try_take(place: &Place) -> io::Result<Option<SessionLock>> {
        for _ in 0..MAX_ROUNDS {
            let file = place.open_or_create()?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
                Ok(()) if is_at(place, &file) => {
                    let previous = read(&file);
                    // The file still describes the previous holder.
                    file.set_len(0)?;
                    return Ok(Some(SessionLock { place: place.clone(), file, previous }));
                }
                Ok(()) => {}
            }
        }
        Ok(None)
    }

    /// The previous holder, which died without removing the file.
    pub fn previous_holder(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }

    /// Writes the holder's record. Readers see the old line or the new one.
    pub fn write(&self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.file.write_all_at(&line, 0)?;
        self.file.set_len(line.len() as u64)
    }

    /// Whether the place still names the locked file. If not, another process may be the worker.
    pub fn is_linked(&self) -> bool {
        is_at(&self.place, &self.file)
    }

    /// Unlinks the file, then releases the lock. `false` if the place names another file, which stays.
    pub fn remove(self) -> io::Result<bool> {
        if !self.is_linked() {
            return Ok(false);
        }
        self.place.remove_file()?;
        Ok(true)
    }
}

impl Drop for SessionLock {
    /// Unlocks explicitly: a child just forked may have a copy of the descriptor, which keeps the lock.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Reads the holder from a lock file. `None` if the file is missing, empty or malformed.
pub fn read_holder(place: &Place) -> Option<Holder> {
    read(&place.open().ok()?)
}

fn read(file: &File) -> Option<Holder> {
    let mut text = Vec::new();
    file.take(MAX_HOLDER).read_to_end(&mut text).ok()?;
    // The rest of a longer previous line may not be truncated yet.
    serde_json::from_slice(text.split(|b| *b == b'\n').next()?).ok()
}

/// Returns the holder from the lock file, or from the kernel's list of locks if the file is empty or
/// names a dead process. The kernel gives only the identity. Without it, a worker that hangs after
/// taking the lock and before writing the file could not be killed.
pub fn holder(place: &Place) -> Holder {
    let recorded = read_holder(place).unwrap_or_default();
    match process::verify(&recorded.identity) {
        // Alive, or in another pid namespace, whose pids /proc/locks does not show.
        Ok(_) | Err(Unverified::OtherNamespace) => recorded,
        Err(Unverified::Gone | Unverified::OtherBoot | Unverified::OtherProcess) => {
            let from_kernel = holder_pid(place).and_then(Identity::of_memctl);
            from_kernel.map_or(recorded, |identity| Holder { identity, ..Holder::default() })
        }
    }
}

/// The pid that the kernel lists as the holder of the lock of `place`.
fn holder_pid(place: &Place) -> Option<i32> {
    process::lock_holder(&place.open().ok()?).ok()?
}

/// Returns a handle on the process that holds the lock of `place`. If the kernel lists locks, it
/// must name the same process as the lock file. If the file is empty, only the kernel names the
/// holder.
///
/// # Errors
/// Why the holder could not be verified. The caller must then not signal any process.
pub fn verified_holder(place: &Place) -> Result<Handle, Unverified> {
    let holder = holder(place);
    if holder == Holder::default() {
        return Err(Unverified::Gone);
    }
    let handle = process::verify(&holder.identity)?;
    // Ask the kernel again: the process behind the handle must still hold the lock.
    let from_kernel_only = holder.socket.as_os_str().is_empty();
    match holder_pid(place) {
        Some(pid) if pid != holder.identity.pid => Err(Unverified::OtherProcess),
        None if from_kernel_only => Err(Unverified::Gone),
        _ => Ok(handle),
    }
}

/// State of a session lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState {
    /// The file exists and no process holds its lock.
    Free,
    Held,
    /// There is no lock file.
    Absent,
}

/// Returns the state of a lock. Takes a shared lock and releases it at once.
pub fn probe(place: &Place) -> io::Result<LockState> {
    for _ in 0..MAX_ROUNDS {
        let file = match place.open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(LockState::Absent),
            other => other?,
        };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Ok(LockState::Held),
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) if is_at(place, &file) => return Ok(LockState::Free),
            Ok(()) => {}
        }
    }
    Ok(LockState::Held)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn lock_path() -> (TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        let path = Place::in_dir(dir.path(), "k.lock");
        (dir, path)
    }

    fn take(path: &Place) -> SessionLock {
        SessionLock::try_take(path).unwrap().expect("free")
    }

    fn holder(session: &str) -> Holder {
        Holder {
            identity: Identity { pid: 7, start: 9, boot_id: "b".into(), pid_ns: 3 },
            socket: "/tmp/s.sock".into(),
            version: "0.1.0".into(),
            client: "claude-code".into(),
            session: session.into(),
            mount_ns: 5,
            socket_dir: Some(FileId { dev: 1, inode: 2 }),
        }
    }

    #[test]
    fn one_process_holds_the_lock_until_it_releases_it() {
        let (_dir, path) = lock_path();
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
        let lock = take(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SessionLock::try_take(&path).unwrap().is_none());
        assert_eq!(probe(&path).unwrap(), LockState::Held);
        drop(lock);
        assert_eq!(probe(&path).unwrap(), LockState::Free, "the file stays");
        assert!(take(&path).remove().unwrap());
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
    }

    #[test]
    fn a_probe_releases_the_lock_at_once() {
        let (_dir, path) = lock_path();
        drop(take(&path));
        assert_eq!(probe(&path).unwrap(), LockState::Free);
        take(&path);
    }

    #[test]
    fn remove_keeps_a_file_of_another_holder() {
        let (_dir, path) = lock_path();
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
    fn a_file_unlinked_during_an_attempt_is_not_locked() {
        let (_dir, path) = lock_path();
        let inside = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut n_locked = 0;
                    while n_locked < 100 {
                        let Some(lock) = SessionLock::try_take(&path).unwrap() else { continue };
                        assert!(!inside.swap(true, Ordering::SeqCst), "two hold it");
                        assert!(lock.is_linked());
                        thread::yield_now();
                        inside.store(false, Ordering::SeqCst);
                        assert!(lock.remove().unwrap());
                        n_locked += 1;
                    }
                });
            }
        });
        assert_eq!(probe(&path).unwrap(), LockState::Absent);
    }

    #[test]
    fn a_holder_is_read_as_written() {
        let (_dir, path) = lock_path();
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
        assert_eq!(read_holder(&path), None, "the previous holder's record is gone");
    }

    /// On Linux the kernel lists the holder, whatever the file contains.
    #[test]
    fn a_holder_without_a_record_is_found_through_the_kernel() {
        let (_dir, path) = lock_path();
        assert_eq!(super::holder(&path), Holder::default());
        assert_eq!(verified_holder(&path).unwrap_err(), Unverified::Gone);
        let lock = take(&path);
        let own = Identity::own().unwrap();
        let dead = Identity { start: own.start - 1, ..own.clone() };
        let elsewhere = Identity { pid_ns: 1, ..own.clone() };
        let record = |identity: &Identity| Holder { identity: identity.clone(), ..holder("s") };
        assert_eq!(super::holder(&path), Holder { identity: own.clone(), ..Holder::default() });
        assert_eq!(*verified_holder(&path).unwrap().process(), own.process());
        // The record of a dead process.
        lock.write(&record(&dead)).unwrap();
        assert_eq!(super::holder(&path).identity, own);
        assert_eq!(*verified_holder(&path).unwrap().process(), own.process());
        // In another pid namespace the same pid is another process.
        lock.write(&record(&elsewhere)).unwrap();
        assert_eq!(super::holder(&path), record(&elsewhere));
        assert_eq!(verified_holder(&path).unwrap_err(), Unverified::OtherNamespace);
        lock.write(&record(&own)).unwrap();
        assert_eq!(super::holder(&path), record(&own));
        drop(lock);
        check_free_lock(&path, &dead);
    }

    fn check_free_lock(path: &Place, dead: &Identity) {
        fs::write(
            path,
            serde_json::to_vec(&Holder { identity: dead.clone(), ..holder("s") }).unwrap(),
        )
        .unwrap();
        assert_eq!(super::holder(path).identity, *dead);
        assert!(verified_holder(path).is_err(), "no process holds it");
    }

    #[test]
    fn a_holder_is_elsewhere_if_its_socket_path_leads_to_another_directory() {
        let dir = tempfile::tempdir().unwrap();
        let own = Holder::own(dir.path().join("s.sock"), "c", "s").unwrap();
        assert!(!own.is_elsewhere());
        let other_ns = Holder { mount_ns: own.mount_ns + 1, ..own.clone() };
        assert!(!other_ns.is_elsewhere(), "the two namespaces share the directory");
        let other_dir = Some(FileId { dev: 0, inode: 1 });
        assert!(Holder { socket_dir: other_dir, ..other_ns.clone() }.is_elsewhere());
        let missing = dir.path().join("gone/s.sock");
        assert!(Holder { socket: missing, ..other_ns }.is_elsewhere());
        let replaced = Holder { socket_dir: other_dir, ..own.clone() };
        assert!(!replaced.is_elsewhere(), "the directory was removed and created again");
        let mut other_machine = own.clone();
        other_machine.identity.boot_id = "other".into();
        assert!(other_machine.is_elsewhere());
        // A record of an earlier release.
        assert!(!Holder { mount_ns: 0, socket_dir: None, ..own }.is_elsewhere());
    }

    #[test]
    fn a_record_of_another_version_is_read() {
        let (_dir, path) = lock_path();
        let check = |text: &str, expected: Option<Holder>| {
            fs::write(&path, text).unwrap();
            assert_eq!(read_holder(&path), expected, "{text}");
        };
        let mut short = Holder::default();
        short.identity.pid = 7;
        check("{\"pid\":7,\"later\":[1]}\n", Some(short.clone()));
        check("{\"pid\":7}\n\"},the rest of a longer line", Some(short));
        check("{\"pid\":\"seven\"}\n", None);
        check("", None);
        check("\u{0}\u{0}", None);
    }

    #[test]
    fn only_regular_files_of_this_user_are_locked() {
        let (dir, path) = lock_path();
        let target = dir.path().join("target");
        symlink(&target, &path).unwrap();
        assert!(SessionLock::try_take(&path).is_err());
        assert!(probe(&path).is_err());
        assert!(read_holder(&path).is_none());
        assert!(!target.exists());

        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(path.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
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
