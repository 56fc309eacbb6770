//! Starts detached processes of this program: a session's worker, and the recovery process. Their
//! environment is an allowlist of variables ([`config::worker_env`]).
//!
//! The caller never waits for the new process. An event is on disk before its worker is started. A
//! starter that does not get the session lock exits without an error.

use std::ffi::OsStr;
use std::io;

use crate::config::{self, Settings, StartedBy};
use crate::lock::{self, LockState};
use crate::process;

/// Starts `memctl worker` for a session.
///
/// # Errors
/// If no process can be created. The next event or the next SessionStart tries again.
pub fn start_worker(settings: &Settings, client: &str, session: &str) -> io::Result<()> {
    let args = ["worker", "--client", client, "--session", session];
    start_detached(settings, StartedBy::Session, &args)
}

/// Starts a worker that finishes a session's remaining work and exits without lingering.
///
/// # Errors
/// As [`start_worker`].
pub fn start_recovery_worker(settings: &Settings, client: &str, session: &str) -> io::Result<()> {
    let args = ["worker", "--client", client, "--session", session, "--recovery"];
    start_detached(settings, StartedBy::Recovery, &args)
}

/// Starts `memctl recover`, unless a process holds the recovery lock.
///
/// # Errors
/// As [`start_worker`].
pub fn start_recovery(settings: &Settings) -> io::Result<()> {
    match lock::probe(&settings.paths.recover_lock()) {
        Ok(LockState::Held) => Ok(()),
        _ => start_detached(settings, StartedBy::Recovery, &["recover"]),
    }
}

fn start_detached(settings: &Settings, started_by: StartedBy, args: &[&str]) -> io::Result<()> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    process::spawn_detached(&args, &config::worker_env(settings, started_by))
}
