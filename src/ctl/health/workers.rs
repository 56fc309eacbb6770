//! Checks of workers: hung and dead ones, blocked socket paths, and warnings in the logs.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use serde::Serialize;

use super::Finding;
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::count;
use crate::ctl::logs::recent;
use crate::deliver::probe::{self, WorkerState};
use crate::process;
use crate::text::sanitize;

/// Workers of this data dir.
#[derive(Default, Serialize)]
pub struct Workers {
    pub live: u64,
    pub hung: u64,
    pub stale: u64,
    /// Workers that cannot be reached from here.
    pub elsewhere: u64,
}

/// Probes every worker and counts them by state.
pub fn probe_all(settings: &Settings) -> Workers {
    let mut workers = Workers::default();
    for key in probe::keys(&settings.paths) {
        match probe::probe(&settings.paths, &key) {
            WorkerState::Live { .. } => workers.live += 1,
            WorkerState::Hung { .. } => workers.hung += 1,
            WorkerState::Stale { .. } => workers.stale += 1,
            WorkerState::Elsewhere { .. } => workers.elsewhere += 1,
            WorkerState::Absent => {}
        }
    }
    workers
}

pub fn hung(workers: &Workers) -> Option<Finding> {
    let message = || format!("{} not answering", count(workers.hung, "worker"));
    let fix = "run `memctl kill --stale`; `memctl ps` lists the workers";
    (workers.hung > 0).then(|| Finding::wrong("workers", message()).fix(fix))
}

/// The worker checks of `doctor`.
pub fn findings(settings: &Settings) -> Vec<Finding> {
    let workers = probe_all(settings);
    let mut found: Vec<Finding> = hung(&workers).into_iter().collect();
    if workers.stale > 0 {
        let n = count(workers.stale, "dead worker");
        found.push(
            Finding::note("workers", format!("stale files of {n}"))
                .fix("run `memctl doctor --fix`"),
        );
    }
    if workers.elsewhere > 0 {
        let n = count(workers.elsewhere, "worker");
        let why = "on another machine, in a container or with a /tmp of its own; hooks that run here \
                   leave the events of its session in the spool until it exits";
        found.push(
            Finding::note("workers", format!("{n} elsewhere: {why}"))
                .fix("give both sides the same MEMCTL_SOCKET_DIR, e.g. in the home directory"),
        );
    }
    found.extend(blocked_sockets(settings));
    if found.is_empty() {
        found.push(Finding::ok("workers", format!("{} live", workers.live)));
    }
    found
}

/// Finds socket paths that another user's file, or a file that is not a socket, occupies. The worker
/// listens on the next name. Hooks use only the first name, and then the slower spool.
fn blocked_sockets(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    for key in probe::keys(&settings.paths) {
        let path = settings.paths.socket(&key, 0);
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.uid() != process::own_uid() || !meta.file_type().is_socket() {
            let reason = if meta.uid() == process::own_uid() {
                "is not a socket".to_owned()
            } else {
                format!("belongs to user {}", meta.uid())
            };
            let message =
                format!("{} {reason}; hooks of this session use the spool", path.display());
            found.push(
                Finding::wrong("sockets", message)
                    .fix("remove it, or set MEMCTL_SOCKET_DIR to a directory of your own"),
            );
        }
    }
    found
}

/// Reports errors and warnings that were logged within a day.
pub fn logs(settings: &Settings) -> Vec<Finding> {
    const DAY: i64 = 86_400_000;
    if !settings.paths.logs().exists() {
        return Vec::new();
    }
    let since = clock::now_ms() - DAY;
    let lines = recent(settings, since);
    let Some(last) = lines.last() else {
        return vec![Finding::ok("logs", "no warning in the last 24 hours")];
    };
    let n = count(lines.len() as u64, "warning");
    let (_, message) = last.pid_and_message();
    let message = format!("{n} in the last 24 hours, latest: {}", sanitize(message));
    vec![Finding::note("logs", message).fix("`memctl logs` shows them")]
}
