//! Guards of the locking protocol: each test fails if its guard is removed from the sources. Other
//! modules test the remaining guards.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::recordings::{edit, end, prompt, stop, tool};
use crate::support::{World, until};

const TOOLS: &str = "SELECT tool_use_id FROM pending_messages WHERE event = 'tool' ORDER BY id";
const N_TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";
const GENERATION: &str = "SELECT ifnull(max(generation), 0) FROM sessions";

fn lingering_world() -> World {
    World::lingering()
}

fn start_worker(w: &World) -> Child {
    w.spawn(&["worker", "--client", "claude-code", "--session", "s"])
}

/// Makes the first process that reaches `point` pause there.
fn pause_at(w: &mut World, point: &str) -> PathBuf {
    let paused = w.path(point);
    w.set("MEMCTL_TESTPOINT", &format!("{point}#1=pause:{}", paused.display()));
    paused
}

/// Waits until a process pauses at this file, and returns its pid. Later processes do not pause.
fn wait_until_paused(w: &mut World, at: &Path) -> i32 {
    let pid = until("a process pauses", || {
        fs::read_to_string(at).ok().and_then(|pid| pid.parse().ok()).ok_or(String::new())
    });
    w.set("MEMCTL_TESTPOINT", "");
    pid
}

fn inode(file: &Path) -> u64 {
    fs::symlink_metadata(file).unwrap().ino()
}

/// Waits until this is the only process left.
#[track_caller]
fn until_only(w: &World, pid: i32) {
    until("one process is left", || match w.processes()[..] {
        [one] if one == pid => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}

/// A starter compares the lock file's inode before it removes a stale socket and binds.
#[test]
fn a_starter_whose_lock_file_was_deleted_keeps_the_new_workers_socket() {
    let mut w = lingering_world();
    let at = pause_at(&mut w, "worker.asked");
    w.hook(&prompt("s", "t", "go"));
    wait_until_paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = start_worker(&w);
    w.until_count(GENERATION, 1);
    let socket = w.socket_files().remove(0);
    let before = inode(&socket);
    fs::remove_file(&at).unwrap();
    until_only(&w, second.id().cast_signed());
    assert_eq!(inode(&socket), before);
    w.hook(&tool("s", "t", "u", "ls", "x"));
    assert_eq!((w.rows(TOOLS), w.spools().len()), (vec!["u".to_owned()], 0));
    w.hook(&end("s"));
    w.settle();
    second.wait().unwrap();
}

/// If there is no new lock holder, the starter exits and starts another worker.
#[test]
fn a_starter_whose_lock_file_was_deleted_starts_another_worker() {
    let mut w = lingering_world();
    let at = pause_at(&mut w, "worker.asked");
    w.hook(&prompt("s", "t", "go"));
    let first = wait_until_paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    until("another worker serves", || {
        // The new starter also pauses at the test point.
        let _ = fs::remove_file(&at);
        (w.count(GENERATION) == 1).then_some(()).ok_or(w.logs())
    });
    assert_ne!(w.worker(), first);
    assert_eq!((w.session_locks().len(), w.socket_files().len()), (1, 1));
}

/// A worker compares the socket's inode before it unlinks it on exit.
#[test]
fn an_exiting_worker_does_not_unlink_a_new_socket_at_its_path() {
    let w = lingering_world();
    let pid = w.worker_of("s");
    let socket = w.socket_files().remove(0);
    fs::remove_file(&socket).unwrap();
    let _new_socket = UnixListener::bind(&socket).unwrap();
    let before = inode(&socket);
    w.signal(pid, Signal::SIGTERM);
    until("the worker has exited", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    assert_eq!(inode(&socket), before);
    assert!(w.session_locks().is_empty());
}

/// While a spool exists, hooks append to it instead of using the socket.
#[test]
fn no_event_overtakes_the_spool() {
    let w = lingering_world();
    w.worker_of("s");
    // Hide the socket, so that the hook spools its event.
    let socket = w.socket_files().remove(0);
    let hidden = w.path("hidden");
    fs::rename(&socket, &hidden).unwrap();
    w.spool(&tool("s", "t", "u1", "ls", "x"));
    fs::rename(&hidden, &socket).unwrap();
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    w.until_count(N_TOOLS, 2);
    assert_eq!(w.rows(TOOLS), ["u1", "u2"]);
}

/// An exiting worker checks the spool once more after it has closed its socket.
#[test]
fn an_exiting_worker_drains_an_event_that_is_spooled_meanwhile() {
    let mut w = World::new();
    let at = pause_at(&mut w, "worker.closed");
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done.")]);
    let pid = wait_until_paused(&mut w, &at);
    w.spool(&edit("s", "t", "u", "a.rs"));
    assert_eq!(w.processes(), [pid]);
    fs::remove_file(&at).unwrap();
    w.settle();
    assert_eq!(w.rows(TOOLS), ["u"]);
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["1"]);
    assert_eq!(w.count("SELECT count(*) FROM observations"), 1);
}

/// A new lock holder restarts the hang timeout of a starter.
#[test]
fn a_starter_waits_the_full_hang_timeout_for_each_lock_holder() {
    let w = lingering_world().with("MEMCTL_WORKER_HANG_TIMEOUT", "3s");
    let first = w.worker_of("s");
    w.signal(first, Signal::SIGSTOP);
    let start = Instant::now();
    let mut starter = start_worker(&w);
    let starter_pid = starter.id().cast_signed();
    until("most of the hang timeout has passed", || match start.elapsed() {
        time if time > Duration::from_secs(2) => Ok(()),
        time => Err(format!("{time:?}")),
    });
    w.signal(starter_pid, Signal::SIGSTOP);
    w.kill(first);
    let mut second = start_worker(&w);
    w.until_count(GENERATION, 2);
    w.signal(second.id().cast_signed(), Signal::SIGSTOP);
    until("the rest of the hang timeout has passed", || match start.elapsed() {
        time if time > Duration::from_secs(4) => Ok(()),
        time => Err(format!("{time:?}")),
    });
    let continued = Instant::now();
    w.signal(starter_pid, Signal::SIGCONT);
    second.wait().unwrap();
    // The hang timeout of 3 s, and 2 s between SIGTERM and SIGKILL.
    assert!(continued.elapsed() > Duration::from_secs(4), "{:?}", continued.elapsed());
    w.until_count(GENERATION, 3);
    w.hook(&end("s"));
    w.settle();
    starter.wait().unwrap();
}

/// A starter exits if there is no spool, no queued message and no open prompt.
#[test]
fn a_starter_without_work_exits_at_once() {
    let w = lingering_world();
    w.worker_of("s");
    w.hook(&end("s"));
    w.settle();
    for session in ["s", "unknown"] {
        let args = ["worker", "--client", "claude-code", "--session", session];
        assert_eq!(w.memctl(&args).ok(), "");
    }
    w.settle();
}

/// A wake needs an acknowledgement, because the kernel also accepts data for a hung worker.
#[test]
fn a_wake_without_acknowledgement_starts_a_worker() {
    let w = lingering_world().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    w.spool(&tool("s", "t", "u1", "ls", "x"));
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    w.until_count(N_TOOLS, 2);
    assert_eq!(w.rows(TOOLS), ["u1", "u2"]);
    assert!(!w.processes().contains(&hung));
}

/// A worker holds `store.lock` from reading a spool to removing it. Otherwise, a second worker could
/// free a number in the spool, a hook could reuse it, and the first worker would unlink the new event.
#[test]
fn two_workers_that_drain_one_spool_unlink_only_committed_events() {
    let mut w = lingering_world();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.spool(&tool("s", "t", "u1", "ls", "x"));
    let at = pause_at(&mut w, "take_in.committed");
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    let first = wait_until_paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = start_worker(&w);
    let lock = inode(&w.data().join("run/store.lock")).to_string();
    until("the second worker waits for the store", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let waits = |line: &&str| line.contains("-> FLOCK") && line.contains(&format!(":{lock} "));
        locks.lines().find(waits).map(drop).ok_or(locks.clone())
    });
    w.spool(&tool("s", "t", "u3", "ls", "z"));
    fs::remove_file(&at).unwrap();
    w.until_count(N_TOOLS, 3);
    assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"]);
    // The first worker would notice the new fencing token only at its next write.
    w.kill(first);
    w.hook(&end("s"));
    w.settle();
    second.wait().unwrap();
}
