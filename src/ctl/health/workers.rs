//! Workers: who lives, who hangs, what the dead left, who sits where one should listen; and what
//! all of them wrote down.

use std::fs;
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
}

/// Asks each of them.
pub fn ask(settings: &Settings) -> Workers {
    let mut workers = Workers::default();
    for key in probe::keys(&settings.paths) {
        match probe::probe(&settings.paths, &key) {
            WorkerState::Live { .. } => workers.live += 1,
            WorkerState::Hung { .. } => workers.hung += 1,
            WorkerState::Stale { .. } => workers.stale += 1,
            WorkerState::Absent => {}
        }
    }
    workers
}

pub fn hung(workers: &Workers) -> Option<Finding> {
    let says = || format!("{} not answering", count(workers.hung, "worker"));
    (workers.hung > 0).then(|| Finding::wrong("workers", says()).todo("memctl ps"))
}

/// What `doctor` says of them.
pub fn findings(settings: &Settings) -> Vec<Finding> {
    let workers = ask(settings);
    let mut found: Vec<Finding> = hung(&workers)
        .map(|hung| hung.todo("memctl ps names them, memctl kill SESSION ends one"))
        .into_iter()
        .collect();
    if workers.stale > 0 {
        let n = count(workers.stale, "dead worker");
        found.push(
            Finding::note("workers", format!("files of {n} lie about")).todo("memctl doctor --fix"),
        );
    }
    found.extend(squatted(settings));
    if found.is_empty() {
        found.push(Finding::ok("workers", format!("{} live", workers.live)));
    }
    found
}

/// Paths of our sockets that are another's, or no socket. A worker takes the next name; hooks
/// come in by the spool, which takes longer.
fn squatted(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    for key in probe::keys(&settings.paths) {
        let path = settings.paths.socket(&key, 0);
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.uid() != process::own_uid() || !meta.file_type().is_socket() {
            let whose = if meta.uid() == process::own_uid() {
                "is no socket".to_owned()
            } else {
                format!("belongs to user {}", meta.uid())
            };
            let says =
                format!("{} {whose}: hooks of its session take the slow way", path.display());
            found.push(
                Finding::wrong("sockets", says)
                    .todo("remove it, or have a directory of your own: MEMCTL_SOCKET_DIR"),
            );
        }
    }
    found
}

/// Errors and warnings of the last day.
pub fn logs(settings: &Settings) -> Vec<Finding> {
    const DAY: i64 = 86_400_000;
    if fs::metadata(settings.paths.logs()).is_err() {
        return Vec::new();
    }
    let since = clock::now_ms() - DAY;
    let lines = recent(settings, since);
    let Some(last) = lines.last() else {
        return vec![Finding::ok("logs", "no warning within a day")];
    };
    let n = count(lines.len() as u64, "warning");
    let (_, message) = last.pid_and_message();
    let says = format!("{n} within a day, the last: {}", sanitize(message));
    vec![Finding::note("logs", says).todo("memctl logs")]
}
