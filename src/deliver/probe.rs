//! Is a session's worker there, and does it answer? For people, and for the commands that
//! steer workers; hooks do not ask, they deliver.

use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::line::Status;
use memctl_proto::{Reply, Request};

use super::connect;
use crate::lock::{self, Holder, LockState};
use crate::paths::Paths;

/// How long a live worker may take to answer before it counts as hung.
pub const TIMEOUT: Duration = Duration::from_millis(500);

/// What stands behind a session's lock and socket.
#[derive(Clone, Debug)]
pub enum WorkerState {
    /// The lock is held and its holder answers.
    Live { holder: Holder, status: Status },
    /// The lock is held and nobody answers in time.
    Hung { holder: Holder },
    /// The lock is free, and its file or a socket was left behind.
    Stale { socket: PathBuf },
    /// Neither lock nor socket.
    Absent,
}

/// Looks at one session.
pub fn probe(paths: &Paths, key: &str) -> WorkerState {
    let lock_path = paths.session_lock(key);
    // A lock that cannot be looked at is nobody's to take: as good as held.
    let state = lock::probe(&lock_path).unwrap_or(LockState::Held);
    let holder = match state {
        LockState::Held => lock::holder(&lock_path),
        LockState::Free | LockState::Absent => lock::read_holder(&lock_path).unwrap_or_default(),
    };
    let socket = match holder.socket.as_os_str().is_empty() {
        true => paths.socket(key, 0),
        false => holder.socket.clone(),
    };
    match state {
        LockState::Held => match connect::request(&socket, &Request::Status, TIMEOUT) {
            Ok(Reply::Status { json }) => WorkerState::Live {
                holder,
                status: serde_json::from_str(&json).unwrap_or_default(),
            },
            _ => WorkerState::Hung { holder },
        },
        LockState::Free => WorkerState::Stale { socket },
        LockState::Absent if socket.symlink_metadata().is_ok() => WorkerState::Stale { socket },
        LockState::Absent => WorkerState::Absent,
    }
}

/// Keys of all sessions of this data dir that have a lock file or a socket.
pub fn keys(paths: &Paths) -> Vec<String> {
    let names = |dir| {
        std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
    };
    let locks = names(paths.run_dir()).filter_map(|n| Paths::key_of_lock(&n).map(str::to_owned));
    let sockets = names(paths.sockets().to_owned())
        .filter_map(|n| paths.key_of_socket(&n).map(str::to_owned));
    let mut keys: Vec<String> = locks.chain(sockets).collect();
    keys.sort();
    keys.dedup();
    keys
}
