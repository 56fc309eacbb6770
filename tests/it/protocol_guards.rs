//! Guards of the protocol, each where it alone stands between a fault and its damage: taken away,
//! the test of its name fails. Those that others show stand where these are.

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

fn lingering() -> World {
    World::new().with("MEMCTL_WORKER_LINGER", "60s")
}

fn starter(w: &World) -> Child {
    w.spawn(&["worker", "--client", "claude-code", "--session", "s"])
}

/// Whoever comes to `point` for his first time waits there from now on.
fn pause_at(w: &mut World, point: &str) -> PathBuf {
    let paused = w.path(point);
    w.set("MEMCTL_TESTPOINT", &format!("{point}#1=pause:{}", paused.display()));
    paused
}

/// Waits until somebody waits there; nobody else will.
fn paused(w: &mut World, at: &Path) -> i32 {
    let pid = until("somebody pauses", || {
        fs::read_to_string(at).ok().and_then(|pid| pid.parse().ok()).ok_or(String::new())
    });
    w.set("MEMCTL_TESTPOINT", "");
    pid
}

fn inode(file: &Path) -> u64 {
    fs::symlink_metadata(file).unwrap().ino()
}

/// All that live are these.
#[track_caller]
fn only(w: &World, pid: i32) {
    until("one alone is left", || match w.processes()[..] {
        [one] if one == pid => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}

/// The lock's inode, compared before a socket is cleared away and bound.
#[test]
fn whose_lock_file_was_deleted_does_not_take_anothers_socket() {
    let mut w = lingering();
    let at = pause_at(&mut w, "worker.asked");
    w.hook(&prompt("s", "t", "go"));
    paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = starter(&w);
    w.until_count(GENERATION, 1);
    let socket = w.socket_files().remove(0);
    let before = inode(&socket);
    fs::remove_file(&at).unwrap();
    only(&w, second.id().cast_signed());
    assert_eq!(inode(&socket), before);
    w.hook(&tool("s", "t", "u", "ls", "x"));
    assert_eq!((w.rows(TOOLS), w.spools().len()), (vec!["u".to_owned()], 0));
    w.hook(&end("s"));
    w.rest();
    second.wait().unwrap();
}

/// The same where nobody else came: who gave up has the session begun anew.
#[test]
fn whose_lock_file_was_deleted_at_birth_begins_anew() {
    let mut w = lingering();
    let at = pause_at(&mut w, "worker.asked");
    w.hook(&prompt("s", "t", "go"));
    let first = paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    until("another one serves", || {
        // Whom the first one starts meets the point as well.
        let _ = fs::remove_file(&at);
        (w.count(GENERATION) == 1).then_some(()).ok_or(w.logs())
    });
    assert_ne!(w.worker(), first);
    assert_eq!((w.session_locks().len(), w.socket_files().len()), (1, 1));
}

/// The socket's inode, compared on leaving.
#[test]
fn a_worker_that_leaves_does_not_unlink_another_socket_at_its_path() {
    let w = lingering();
    let pid = w.worker_of("s");
    let socket = w.socket_files().remove(0);
    fs::remove_file(&socket).unwrap();
    let _anothers = UnixListener::bind(&socket).unwrap();
    let before = inode(&socket);
    w.signal(pid, Signal::SIGTERM);
    until("it has left", || match w.processes()[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    });
    assert_eq!(inode(&socket), before);
    assert!(w.session_locks().is_empty());
}

/// While a spool exists hooks add to it.
#[test]
fn nobody_overtakes_what_is_spooled() {
    let w = lingering();
    w.worker_of("s");
    // As one whose worker did not answer, and that was killed before it started another.
    let socket = w.socket_files().remove(0);
    let hidden = w.path("hidden");
    fs::rename(&socket, &hidden).unwrap();
    w.spooled(&tool("s", "t", "u1", "ls", "x"));
    fs::rename(&hidden, &socket).unwrap();
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    w.until_count(N_TOOLS, 2);
    assert_eq!(w.rows(TOOLS), ["u1", "u2"]);
}

/// The last look, with the socket gone: nobody was started for what came in just before.
#[test]
fn what_comes_in_while_a_worker_closes_is_its_own_to_do() {
    let mut w = World::new();
    let at = pause_at(&mut w, "worker.closed");
    w.hooks(&[prompt("s", "t", "go"), stop("s", "t", "Done.")]);
    let pid = paused(&mut w, &at);
    w.spooled(&edit("s", "t", "u", "a.rs"));
    assert_eq!(w.processes(), [pid]);
    fs::remove_file(&at).unwrap();
    w.rest();
    assert_eq!(w.rows(TOOLS), ["u"]);
    assert_eq!(w.rows("SELECT generation FROM sessions"), ["1"]);
    assert_eq!(w.count("SELECT count(*) FROM observations"), 1);
}

/// Another holder than the one who was silent: his time begins anew.
#[test]
fn a_starter_waits_for_each_holder_as_long() {
    let w = lingering().with("MEMCTL_WORKER_HANG_TIMEOUT", "3s");
    let first = w.worker_of("s");
    w.signal(first, Signal::SIGSTOP);
    let begun = Instant::now();
    let mut waits = starter(&w);
    let waiting = waits.id().cast_signed();
    until("most of its patience is over", || match begun.elapsed() {
        time if time > Duration::from_secs(2) => Ok(()),
        time => Err(format!("{time:?}")),
    });
    w.signal(waiting, Signal::SIGSTOP);
    w.kill(first);
    let mut second = starter(&w);
    w.until_count(GENERATION, 2);
    w.signal(second.id().cast_signed(), Signal::SIGSTOP);
    until("the rest of it is over", || match begun.elapsed() {
        time if time > Duration::from_secs(4) => Ok(()),
        time => Err(format!("{time:?}")),
    });
    let goes_on = Instant::now();
    w.signal(waiting, Signal::SIGCONT);
    second.wait().unwrap();
    // Its own 3 s, and 2 s between SIGTERM and SIGKILL.
    assert!(goes_on.elapsed() > Duration::from_secs(4), "{:?}", goes_on.elapsed());
    w.until_count(GENERATION, 3);
    w.hook(&end("s"));
    w.rest();
    waits.wait().unwrap();
}

/// Neither spool nor queue nor open prompt.
#[test]
fn who_was_forestalled_leaves_at_once() {
    let w = lingering();
    w.worker_of("s");
    w.hook(&end("s"));
    w.rest();
    for session in ["s", "unknown"] {
        let words = ["worker", "--client", "claude-code", "--session", session];
        assert_eq!(w.memctl(&words).ok(), "");
    }
    w.rest();
}

/// The answer to a ring is awaited: a hung worker's kernel takes it without one.
#[test]
fn a_ring_that_nobody_answers_starts_a_starter() {
    let w = lingering().with("MEMCTL_WORKER_HANG_TIMEOUT", "300ms");
    let hung = w.worker_of("s");
    w.signal(hung, Signal::SIGSTOP);
    w.spooled(&tool("s", "t", "u1", "ls", "x"));
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    w.until_count(N_TOOLS, 2);
    assert_eq!(w.rows(TOOLS), ["u1", "u2"]);
    assert!(!w.processes().contains(&hung));
}

/// `store.lock` is held from the reading of a spool to its removal: of two who take in at once, as
/// after a deleted lock file, one would unlink what came in under a number that had been freed.
#[test]
fn two_who_take_in_at_once_unlink_nothing_that_is_not_committed() {
    let mut w = lingering();
    let pid = w.worker_of("s");
    w.kill(pid);
    w.spooled(&tool("s", "t", "u1", "ls", "x"));
    let at = pause_at(&mut w, "take_in.committed");
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    let first = paused(&mut w, &at);
    fs::remove_file(w.session_locks().remove(0)).unwrap();
    let mut second = starter(&w);
    let lock = inode(&w.data().join("run/store.lock")).to_string();
    until("the second one waits for the store", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let waits = |line: &&str| line.contains("-> FLOCK") && line.contains(&format!(":{lock} "));
        locks.lines().find(waits).map(drop).ok_or(locks.clone())
    });
    w.spooled(&tool("s", "t", "u3", "ls", "z"));
    fs::remove_file(&at).unwrap();
    w.until_count(N_TOOLS, 3);
    assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"]);
    // Unless it has written since, the first one does not know yet that the session is another's.
    w.kill(first);
    w.hook(&end("s"));
    w.rest();
    second.wait().unwrap();
}
