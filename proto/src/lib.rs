//! What a hook, a worker and a script say to each other.
//!
//! A worker listens on one Unix socket and speaks two dialects on it, told apart by the
//! first byte of a connection:
//!
//! ```text
//! frame   0xF6 'm' 'c' 't' | version u8 | length u32 le | body: bincode of a Request or a Reply
//! line    one JSON object and a newline, in each direction
//! ```
//!
//! | said | answered | changes |
//! | --- | --- | --- |
//! | `Ping` | `Pong` | never |
//! | `Wake` | `Pong` | never |
//! | `Status` | `Status` | the JSON inside may grow |
//! | `Event` | `Accepted` or `Rejected` | the JSON inside may grow |
//! | `Shutdown` | `Bye` | |
//!
//! A worker outlives an upgrade, so variants are appended and never reordered, and every
//! message of every released version has a file under `golden/` that decodes for ever. A frame
//! of an unknown version is answered with [`frame::unsupported`], whose bytes never change.
//!
//! The same JSON text of an [`Event`] is the inside of a frame and of a spooled file; a script
//! may leave out what a worker can know by itself ([`mod@line`]).
//!
//! This crate decides bytes and nothing else: [`io`] has the one blocking read and write loop
//! of the hook and the command line, the worker has its own.

pub mod event;
pub mod frame;
pub mod io;
pub mod line;
pub mod message;

pub use event::{Event, Kind};
pub use message::{Code, Reply, Request};

/// The newest version that this program speaks. What an older one knows is said in its version.
pub const VERSION: u8 = 1;

/// [`VERSION`], or the one that a test has this program speak.
#[cfg(not(debug_assertions))]
pub const fn version() -> u8 {
    VERSION
}

#[cfg(debug_assertions)]
pub use testing::{override_version, version};

/// A program of another release, without a second compile.
#[cfg(debug_assertions)]
mod testing {
    use std::sync::atomic::{AtomicU8, Ordering};

    static SPOKEN: AtomicU8 = AtomicU8::new(super::VERSION);

    /// [`super::VERSION`], or the one that a test has this program speak.
    pub fn version() -> u8 {
        SPOKEN.load(Ordering::Relaxed)
    }

    /// From now on this program speaks `version`.
    pub fn override_version(version: u8) {
        SPOKEN.store(version, Ordering::Relaxed);
    }
}

/// Most bytes a frame's body or a line may have. `capture` cuts an event so that its JSON stays
/// below this even when every byte of its texts needs an escape.
pub const MAX_BODY: usize = 1 << 20;
