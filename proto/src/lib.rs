//! The socket protocol between a worker and its hooks, starters, commands and scripts.
//!
//! This crate defines the bytes. It does no I/O, except for the blocking client call in [`io`].
//! The worker has its own read loop (`src/worker/listener.rs` of the main crate).
//!
//! # Dialects
//!
//! A worker listens on one Unix socket. The first byte of a connection selects the dialect:
//!
//! ```text
//! frame   0xF6 'm' 'c' 't' | version u8 | length u32 le | body: bincode of a Request or a Reply
//! line    one JSON object and a newline, in each direction
//! ```
//!
//! memctl itself uses frames. Scripts and `nc -U` use lines, see [`mod@line`]. A body or a line has
//! at most [`MAX_BODY`] bytes.
//!
//! # Frames
//!
//! | request | reply | uses the store | may change |
//! | --- | --- | --- | --- |
//! | `Ping` | `Pong` | no | never |
//! | `Wake` | `Pong` | no | never |
//! | `Status` | `Status` | no | the JSON inside may grow |
//! | `Event` | `Accepted` or `Rejected` | yes | the JSON inside may grow |
//! | `Shutdown` | `Bye` | no | |
//! | `Recall` | `Recalled` or `Rejected` | yes | the JSON inside may grow |
//!
//! `Accepted` means that the event is committed. After `Rejected`, or without a reply, the sender
//! uses the spool. The JSON of an [`Event`] is the same in a frame, in a spool file and, apart from
//! fields that a script may omit, in a line.
//!
//! # Compatibility
//!
//! A worker may outlive an upgrade, so a hook of one version meets a worker of another.
//!
//! - Variants are appended, never reordered.
//! - Every message of every released version has a file under `golden/`, which must decode forever.
//! - A newer worker serves older frames. It replies in the version of the request.
//! - The reply to a frame of an unknown version is [`frame::unsupported`], whose bytes never change.
//! - An [`Event`]'s JSON is read tolerantly: unknown fields are ignored, unknown kinds become
//!   [`Kind::Unknown`].

pub mod event;
pub mod frame;
pub mod io;
pub mod line;
pub mod message;

pub use event::{Event, Kind};
pub use message::{Code, Reply, Request};

/// The newest protocol version. [`Request::version`] selects the version of each request.
pub const VERSION: u8 = 1;

/// The version that this program speaks. A test can override it in debug builds.
#[cfg(not(debug_assertions))]
pub const fn version() -> u8 {
    VERSION
}

#[cfg(debug_assertions)]
pub use testing::{override_version, version};

/// Lets one build act as a program of another release.
#[cfg(debug_assertions)]
mod testing {
    use std::sync::atomic::{AtomicU8, Ordering};

    static CURRENT: AtomicU8 = AtomicU8::new(super::VERSION);

    /// [`super::VERSION`], or the version set by [`override_version`].
    pub fn version() -> u8 {
        CURRENT.load(Ordering::Relaxed)
    }

    /// Makes this program speak `version`.
    pub fn override_version(version: u8) {
        CURRENT.store(version, Ordering::Relaxed);
    }
}

/// Maximum length of a frame's body and of a line. `capture` truncates events so that their JSON is
/// shorter even if every byte of their texts needs an escape.
pub const MAX_BODY: usize = 1 << 20;
