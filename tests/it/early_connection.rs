//! A hook connects to the worker before it has captured its event. Until it sends the event, the
//! connection promises nothing.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::recordings::tool;
use crate::support::world::is_gone;
use crate::support::{World, until};

const N_TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";

/// Runs a hook, and `meanwhile` while it has captured its event and not delivered it.
fn hook_with(w: &World, payload: &Value, meanwhile: impl FnOnce()) {
    let paused = w.path("paused");
    let points = format!("hook.captured=pause:{}", paused.display());
    thread::scope(|scope| {
        let hook = scope.spawn(|| w.hook_at(payload, &points));
        until("the hook is paused", || paused.exists().then_some(()).ok_or(String::new()));
        meanwhile();
        fs::remove_file(&paused).unwrap();
        let answer = hook.join().unwrap();
        assert_eq!((answer.code, answer.err.as_str()), (Some(0), ""));
    });
}

fn accepts(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Ok(_) => true,
        Err(e) if e.kind() == ErrorKind::WouldBlock => false,
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn a_hook_connects_before_it_captures_and_not_if_it_delivers_nothing() {
    let w = World::new();
    let socket = w.free_socket();
    let listener = UnixListener::bind(&socket).unwrap();
    let mut before = tool("s", "t", "u1", "ls", "");
    before["hook_event_name"] = "PreToolUse".into();
    w.hook_bytes(&["PreToolUse"], before.to_string().as_bytes()).ok();
    assert!(!accepts(&listener), "before a tool");
    hook_with(&w, &tool("s", "t", "u1", "ls", "x"), || assert!(accepts(&listener)));
}

/// The connection leads to a worker that is gone when the event is complete.
#[test]
fn an_event_is_stored_once_if_the_worker_ends_before_it_is_sent() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        // A worker that shuts down does not wait for the event.
        let w = World::new().with("MEMCTL_WORKER_PEER_TIMEOUT", "10min");
        let first = w.worker_of("s");
        hook_with(&w, &tool("s", "t", "u1", "ls", "x"), || {
            w.signal(first, signal);
            until("the worker is gone", || is_gone(first).then_some(()).ok_or(String::new()));
        });
        w.until_count(N_TOOLS, 1);
        assert_ne!(w.worker(), first, "{signal}");
    }
}

/// Another worker has replaced the one to which the hook is connected.
#[test]
fn an_event_is_stored_once_if_another_worker_serves_when_it_is_sent() {
    let w = World::new();
    let first = w.worker_of("s");
    hook_with(&w, &tool("s", "t", "u1", "ls", "x"), || {
        w.kill(first);
        w.hook(&tool("s", "t", "u2", "ls", "y"));
        w.until_count(N_TOOLS, 1);
    });
    w.until_count(N_TOOLS, 2);
    assert_eq!(w.processes().len(), 1);
}

/// The event must not pass those that wait in the spool.
#[test]
fn an_event_follows_a_spool_that_appeared_after_the_hook_connected() {
    let w = World::new().with("MEMCTL_HOOK_ACCEPT", "20ms");
    w.worker_of("s");
    let lock = fs::File::open(w.data().join("run/store.lock")).unwrap();
    hook_with(&w, &tool("s", "t", "u2", "ls", "y"), || {
        lock.lock().unwrap();
        w.hook(&tool("s", "t", "u1", "ls", "x"));
        assert_eq!(w.spools().len(), 1);
    });
    assert_eq!(fs::read_dir(w.spools().remove(0)).unwrap().count(), 2);
    lock.unlock().unwrap();
    w.until_count(N_TOOLS, 2);
    let order = w.rows("SELECT tool_use_id FROM pending_messages WHERE event = 'tool' ORDER BY id");
    assert_eq!(order, ["u1", "u2"]);
}
