//! Finds out whether a session has a worker and whether the worker replies. Commands and recovery
//! use this. Hooks do not probe: they deliver.

use std::path::PathBuf;
use std::time::Duration;

use memctl_proto::line::Status;
use memctl_proto::{Reply, Request};

use super::connect;
use crate::lock::{self, Holder, LockState};
use crate::paths::Paths;

/// A worker that takes longer to reply counts as hung.
pub const TIMEOUT: Duration = Duration::from_millis(500);

/// The state of a session's worker, from its lock and its socket.
#[derive(Clone, Debug)]
pub enum WorkerState {
    /// The lock is held and its holder replies.
    Live { holder: Holder, status: Status },
    /// The lock is held and nothing replies within [`TIMEOUT`].
    Hung { holder: Holder },
    /// The lock is held by a worker whose socket cannot be reached from here ([`Holder::is_elsewhere`]).
    Elsewhere { holder: Holder },
    /// The lock is free, and a dead worker left a lock file or a socket.
    Stale { socket: PathBuf },
    /// There is neither a lock file nor a socket.
    Absent,
}

/// Returns the state of one session's worker.
pub fn probe(paths: &Paths, key: &str) -> WorkerState {
    let lock_path = paths.session_lock(key);
    // If the lock cannot be inspected, treat it as held.
    let lock = lock::probe(&lock_path).unwrap_or(LockState::Held);
    let holder = match lock {
        LockState::Held => lock::holder(&lock_path),
        LockState::Free | LockState::Absent => lock::read_holder(&lock_path).unwrap_or_default(),
    };
    let socket = match holder.socket.as_os_str().is_empty() {
        true => paths.socket(key, 0),
        false => holder.socket.clone(),
    };
    match lock {
        LockState::Held => match connect::request(&socket, &Request::Status, TIMEOUT) {
            Ok(Reply::Status { json }) => WorkerState::Live {
                holder,
                status: serde_json::from_str(&json).unwrap_or_default(),
            },
            _ if holder.is_elsewhere() => WorkerState::Elsewhere { holder },
            _ => WorkerState::Hung { holder },
        },
        LockState::Free => WorkerState::Stale { socket },
        LockState::Absent if socket.symlink_metadata().is_ok() => WorkerState::Stale { socket },
        LockState::Absent => WorkerState::Absent,
    }
}

/// Returns the keys of all sessions of this data dir that have a lock file or a socket.
pub fn keys(paths: &Paths) -> Vec<String> {
    let locks = paths.run_dir().names().unwrap_or_default();
    let locks = locks.iter().filter_map(|n| Paths::key_of_lock(n.to_str()?).map(str::to_owned));
    let sockets = std::fs::read_dir(paths.sockets()).into_iter().flatten().flatten();
    let sockets = sockets
        .filter_map(|entry| paths.key_of_socket(entry.file_name().to_str()?).map(str::to_owned));
    let mut keys: Vec<String> = locks.chain(sockets).collect();
    keys.sort();
    keys.dedup();
    keys
}
