//! Starts detached processes of this program: a session's worker, and the recovery process. Their
//! environment is an allowlist of variables ([`config::worker_env`]).
//!
//! The caller never waits for the new process. An event is on disk before its worker is started. A
//! starter that does not get the session lock exits without an error.

use std::ffi::OsStr;
use std::io;
use std::time::SystemTime;

use crate::config::{self, Settings, StartedBy};
use crate::files::Place;
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

/// Starts `memctl recover`. If one is running, asks it for another pass instead.
///
/// # Errors
/// As [`start_worker`].
pub fn start_recovery(settings: &Settings) -> io::Result<()> {
    let lock = settings.paths.recover_lock();
    let is_running = || matches!(lock::probe(&lock), Ok(LockState::Held));
    if is_running() {
        request_recovery_pass(&lock);
        // The recovery may have exited before it could see the request.
        if is_running() {
            return Ok(());
        }
    }
    start_detached(settings, StartedBy::Recovery, &["recover"])
}

/// Asks the running recovery for another pass, by setting the modification time of its lock file. The
/// running pass may already have tried a session that has become due again.
pub fn request_recovery_pass(lock: &Place) {
    let _ = lock.open().and_then(|file| file.set_modified(SystemTime::now()));
}

fn start_detached(settings: &Settings, started_by: StartedBy, args: &[&str]) -> io::Result<()> {
    let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
    process::spawn_detached(&args, &config::worker_env(settings, started_by))
}
