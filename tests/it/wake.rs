//! A hook whose event gets no reply sends a wake. It starts a worker only if the wake gets no reply
//! either.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use memctl_proto::frame::{self, HEADER};
use memctl_proto::{Reply, Request};
use nix::sys::signal::Signal;

use crate::support::recordings::tool;
use crate::support::{World, until};

const N_TOOLS: &str = "SELECT count(*) FROM pending_messages WHERE event = 'tool'";

/// What the listener does with a request.
enum Response {
    Reply(Reply),
    /// Keeps the connection open and sends nothing.
    Silence,
    Close,
}

/// Listens in place of the worker and responds with the results of `respond`. Returns the list of
/// requests, which grows while the test runs.
fn listen(
    socket: &PathBuf,
    respond: impl Fn(&Request) -> Response + Send + 'static,
) -> Arc<Mutex<Vec<Request>>> {
    let listener = UnixListener::bind(socket).unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let list = requests.clone();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A hook that finds a spool closes its connection without a request.
            let Some(request) = read(&mut stream) else { continue };
            let response = respond(&request);
            list.lock().unwrap().push(request);
            match response {
                Response::Reply(reply) => {
                    stream.write_all(&frame::encode(&reply).unwrap()).unwrap();
                }
                Response::Silence => open.push(stream),
                Response::Close => {}
            }
        }
    });
    requests
}

/// Returns `None` at the end of the stream.
fn read(stream: &mut UnixStream) -> Option<Request> {
    let mut header = [0; HEADER];
    if stream.read(&mut header[..1]).unwrap() == 0 {
        return None;
    }
    stream.read_exact(&mut header[1..]).unwrap();
    let mut body = vec![0; frame::body_len(&header).unwrap()];
    stream.read_exact(&mut body).unwrap();
    Some(frame::decode(&body).unwrap())
}

fn pong() -> Response {
    Response::Reply(Reply::Pong { version: "0".into(), pid: 1 })
}

#[track_caller]
fn check_no_start(to_event: fn() -> Response) {
    // The listener may reply late on a loaded machine.
    let mut w = World::new().with("MEMCTL_HOOK_RING", "10s").with("MEMCTL_HOOK_DEADLINE", "20s");
    let socket = w.free_socket();
    let requests = listen(&socket, move |request| match request {
        Request::Wake => pong(),
        _ => to_event(),
    });
    // The session lock is free. A worker would take it and pause here, so that the test notices it.
    let started = w.path("started");
    w.set("MEMCTL_TESTPOINT", &format!("worker.locked=pause:{}", started.display()));
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    assert_eq!(w.processes(), [0; 0], "a worker was started");
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    assert_eq!(w.processes(), [0; 0], "a worker was started");
    assert!(!started.exists());
    let requests = requests.lock().unwrap();
    // The second hook finds a spool and sends no event.
    assert!(
        matches!(requests[..], [Request::Event { .. }, Request::Wake, Request::Wake]),
        "{requests:?}"
    );
    let spool = w.spools().remove(0);
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 2);
}

#[test]
fn a_hook_starts_no_worker_if_its_wake_gets_a_reply() {
    check_no_start(|| Response::Silence);
    check_no_start(|| Response::Close);
}

#[test]
fn a_hook_starts_a_worker_if_event_and_wake_get_no_reply() {
    let w = World::new();
    let socket = w.free_socket();
    let requests = listen(&socket, |_| Response::Silence);
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    // The worker takes the lock, replaces the socket and drains the spool.
    w.until_count(N_TOOLS, 1);
    let requests = requests.lock().unwrap();
    assert!(matches!(requests[..2], [Request::Event { .. }, Request::Wake]), "{requests:?}");
}

/// The worker waits for the store, so it answers the wake and cannot drain the spool before it exits.
#[test]
fn a_worker_that_exits_after_it_answered_a_wake_starts_another() {
    let w = World::new();
    let first = w.worker_of("s");
    let lock = File::open(w.data().join("run/store.lock")).unwrap();
    lock.lock().unwrap();
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    assert_eq!((w.spools().len(), w.processes()), (1, vec![first]), "the wake was answered");
    w.signal(first, Signal::SIGTERM);
    until("another worker waits for the store", || match w.processes()[..] {
        [pid] if pid != first => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    lock.unlock().unwrap();
    w.until_count(N_TOOLS, 1);
    assert_ne!(w.worker(), first);
}
