//! Starts other processes of ours: a session's worker, and the one that recovers sessions. Each is
//! detached and has a listed environment.
//!
//! Nobody waits for it. The event is on the disk before, and losing the session's lock to
//! another starter is an answer, not an error.

use std::ffi::OsStr;
use std::io;

use crate::lock::{self, Probe};
use crate::paths::Paths;
use crate::{config, process};

/// Starts `memctl worker` for a session.
///
/// # Errors
/// When no process can be made: the next event, or the next start of a session, tries again.
pub fn start(client: &str, session: &str) -> io::Result<()> {
    detached(&["worker", "--client", client, "--session", session])
}

/// Starts a worker that finishes what is left of a session, and does not linger.
pub fn finish_off(client: &str, session: &str) -> io::Result<()> {
    detached(&["worker", "--client", client, "--session", session, "--recovery"])
}

/// Starts `memctl recover`, unless one is at work: that one looks again before it leaves.
pub fn recovery(paths: &Paths) -> io::Result<()> {
    match lock::probe(&paths.recover_lock()) {
        Ok(Probe::Held) => Ok(()),
        _ => detached(&["recover"]),
    }
}

fn detached(args: &[&str]) -> io::Result<()> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    process::spawn_detached(&args, &config::worker_env())
}
