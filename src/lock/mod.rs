//! File locks: session ownership, writing to the store, recovery, agent slots.
//!
//! All are flocks, which the kernel releases when the process dies. The holder of a session lock
//! unlinks the lock file as its final step, while it still holds the lock. A process that locks a
//! file therefore compares its inode with the inode at the path, and starts over if they differ.
//! **A process must hold a lock to unlink its file.** The other lock files are never unlinked.
//!
//! A failed attempt to lock does not prove that a worker is alive, because a probe also holds the
//! lock for a moment.

mod file;
mod session;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use crate::process;

pub use file::{FileLock, LockGuard, acquire};
pub use session::{Holder, LockState, SessionLock, holder, probe, read_holder, verified_holder};

/// Options for reading a lock file. std adds `O_CLOEXEC`. `O_NONBLOCK` keeps `open` from waiting if
/// the path names a pipe.
fn read_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    options
}

/// Opens a lock file and creates it if it is missing. Refuses another user's file, and anything
/// that is not a regular file.
fn open(path: &Path) -> io::Result<File> {
    let mut options = read_options();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let meta = file.metadata()?;
    if meta.uid() != process::own_uid() || !meta.is_file() {
        let message = format!("{} is not a regular file of this user", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(file)
}

/// Whether `path` names the open file with the metadata `open`.
fn is_at_path(path: &Path, open: &Metadata) -> bool {
    let at_path = fs::symlink_metadata(path);
    at_path.is_ok_and(|at_path| (at_path.dev(), at_path.ino()) == (open.dev(), open.ino()))
}
