//! Starts a session's worker: detached, with a listed environment.
//!
//! Nobody waits for it. The event is on the disk before, and losing the session's lock to
//! another starter is an answer, not an error.

use std::ffi::OsStr;
use std::io;

use crate::{config, process};

/// Starts `memctl worker` for a session.
///
/// # Errors
/// When no process can be made: the next event, or the next start of a session, tries again.
pub fn start(client: &str, session: &str) -> io::Result<()> {
    let args = ["worker", "--client", client, "--session", session].map(OsStr::new);
    process::spawn_detached(&args, &config::worker_env())
}
