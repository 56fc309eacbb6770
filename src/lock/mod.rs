//! File locks: session ownership, writing to the store, recovery, agent slots.
//!
//! All are flocks, which the kernel releases when the process dies. The holder of a session lock
//! unlinks the lock file as its final step, while it still holds the lock. So does the holder of a
//! starter lock. A process that locks a
//! file therefore compares its inode with the inode at the path, and starts over if they differ.
//! **A process must hold a lock to unlink its file.** The other lock files are never unlinked.
//!
//! A failed attempt to lock does not prove that a worker is alive, because a probe also holds the
//! lock for a moment.

mod file;
mod session;
mod starter;

use std::fs::File;

use crate::files::{FileId, Place};

pub use file::{FileLock, LockGuard, acquire};
pub use session::{Holder, LockState, SessionLock, holder, probe, read_holder, verified_holder};
pub use starter::StarterLock;

/// Whether `place` names the open file.
fn is_at(place: &Place, open: &File) -> bool {
    matches!((place.stat(), FileId::of(open)), (Ok(found), Ok(open)) if found.id == open)
}
