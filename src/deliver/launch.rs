//! Starts other processes of ours: a session's worker, and the one that recovers sessions. Each is
//! detached and has a listed environment.
//!
//! Nobody waits for it. The event is on the disk before, and losing the session's lock to
//! another starter is an answer, not an error.

use std::ffi::OsStr;
use std::io;

use crate::config::{self, Settings, StartedBy};
use crate::lock::{self, LockState};
use crate::process;

/// Starts `memctl worker` for a session.
///
/// # Errors
/// When no process can be made: the next event, or the next start of a session, tries again.
pub fn start_worker(settings: &Settings, client: &str, session: &str) -> io::Result<()> {
    let words = ["worker", "--client", client, "--session", session];
    detached(settings, StartedBy::Session, &words)
}

/// Starts a worker that finishes what is left of a session, and does not linger.
pub fn start_recovery_worker(settings: &Settings, client: &str, session: &str) -> io::Result<()> {
    let words = ["worker", "--client", client, "--session", session, "--recovery"];
    detached(settings, StartedBy::Recovery, &words)
}

/// Starts `memctl recover`, unless one is at work: that one looks again before it leaves.
pub fn start_recovery(settings: &Settings) -> io::Result<()> {
    match lock::probe(&settings.paths.recover_lock()) {
        Ok(LockState::Held) => Ok(()),
        _ => detached(settings, StartedBy::Recovery, &["recover"]),
    }
}

fn detached(settings: &Settings, starter: StartedBy, args: &[&str]) -> io::Result<()> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    process::spawn_detached(&args, &config::worker_env(settings, starter))
}
