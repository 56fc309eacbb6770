//! Locks: who owns a session, who may write the store, who recovers.
//!
//! All are flocks, which the kernel frees on any death. A session's lock file is unlinked by its
//! holder, as its last act and still holding it; so whoever locks one compares what he locked
//! with what the path names now, and begins again when they differ. **Nobody unlinks a lock file
//! without holding its lock.** The other files are never unlinked.
//!
//! A lock that was not free says nothing about who lives: a probe holds it for a moment too.

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

/// std opens with `O_CLOEXEC`. `O_NONBLOCK`: a pipe in its place must not make us wait.
fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    options
}

/// Makes it when it is absent. Another user's file, a link or a pipe is refused.
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

/// Whether `path` is the file that is held.
fn names(path: &Path, held: &Metadata) -> bool {
    let there = fs::symlink_metadata(path);
    there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()))
}
