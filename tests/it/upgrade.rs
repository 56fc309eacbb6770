//! Hooks, workers and databases of different releases. Workers outlive an upgrade, and no event is
//! lost.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use memctl_proto::frame::{self, HEADER};
use memctl_proto::{Reply, Request};

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const TOOL_IDS: &str = "SELECT tool_use_id FROM pending_messages WHERE event = 'tool' ORDER BY id";
const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

/// The number of workers that served in this world.
fn n_served(w: &World) -> usize {
    w.logs().matches(" serving pid=").count()
}

/// Sends these bytes to the only worker and returns its reply.
fn send_raw(w: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(w.socket_files().remove(0)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    received
}

#[test]
fn a_newer_hook_uses_the_spool_of_an_older_worker() {
    let mut w = World::lingering();
    let pid = w.worker_of("s");
    w.set("MEMCTL_TEST_VERSION", "2");
    for id in ["u1", "u2", "u3"] {
        w.hook(&tool("s", "t", id, "ls", "x"));
        assert_eq!(w.worker(), pid, "the worker answers the wake, so the hook starts no other");
    }
    w.hook(&stop("s", "t", "Listed."));
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows(TOOL_IDS), ["u1", "u2", "u3"]);
    assert_eq!((w.worker(), n_served(&w)), (pid, 1));
    // Commands list and end the older worker.
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((&rows[0]["state"], rows[0]["pid"].as_i64()), (&"serving".into(), Some(pid.into())));
    assert_eq!(w.memctl(&["kill", "--stale"]).ok(), "no hung worker and no stale file\n");
    assert_eq!(w.memctl(&["kill", "s"]).ok(), "s: exited\n");
    // A new worker starts. On a loaded machine the end event may start a second one before the
    // first listens.
    w.hooks(&[prompt("s", "t2", "go on"), end("s")]);
    w.settle();
    assert!((2..=3).contains(&n_served(&w)), "{}", n_served(&w));
}

#[test]
fn a_newer_worker_serves_an_older_hook() {
    let mut w = World::lingering().with("MEMCTL_TEST_VERSION", "2");
    let pid = w.worker_of("s");
    w.set("MEMCTL_TEST_VERSION", "1");
    // A hook that spools would abort at the test point and print an error.
    for id in ["u1", "u2"] {
        let output = w.hook_at(&tool("s", "t", id, "ls", "x"), "deliver.spooled=abort");
        assert_eq!(
            (output.code, output.err.as_str()),
            (Some(0), ""),
            "not over the socket: {output:?}"
        );
    }
    assert_eq!(w.rows(TOOL_IDS), ["u1", "u2"]);
    assert_eq!((w.worker(), w.spools().len(), n_served(&w)), (pid, 0, 1));
}

#[test]
fn replies_use_the_protocol_version_of_the_request_and_unknown_versions_are_refused() {
    let w = World::lingering().with("MEMCTL_TEST_VERSION", "2");
    w.worker_of("s");
    for version in [1, 2] {
        let received = send_raw(&w, &frame::encode_as(version, &Request::Status).unwrap());
        assert_eq!(received[4], version);
        let body = frame::decode::<Reply>(&received[HEADER..]).unwrap();
        assert!(matches!(body, Reply::Status { .. }), "{body:?}");
    }
    for version in [0, 3, 255] {
        let received = send_raw(&w, &frame::encode_as(version, &Request::Ping).unwrap());
        assert_eq!(received, frame::unsupported(), "{version}");
    }
}

/// A schema version far above that of any release.
const NEWER_SCHEMA: &str = "1000";

/// An older program refuses a database that a newer one has upgraded.
#[test]
fn an_older_worker_leaves_an_upgraded_database_to_the_newer_program() {
    let mut w = World::lingering();
    let pid = w.worker_of("s");
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.set("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    // A session of the newer program upgrades the database.
    w.hook(&start("other"));
    assert_eq!(w.count("PRAGMA user_version").to_string(), NEWER_SCHEMA);
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    until("the older worker exits", || match w.processes().contains(&pid) {
        false => Ok(()),
        true => Err(w.logs()),
    });
    w.hooks(&[tool("s", "t", "u3", "ls", "z"), stop("s", "t", "Listed.")]);
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows(TOOL_IDS), ["u1", "u2", "u3"]);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
}

#[test]
fn a_batch_claimed_by_an_older_worker_is_processed_once_by_a_newer_one() {
    let mut w = World::lingering();
    let claimed = w.path("claimed");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", claimed.display()));
    w.hooks(&[prompt("s", "t", "go"), tool("s", "t", "u1", "ls", "x"), stop("s", "t", "Listed.")]);
    until("a batch is claimed", || claimed.exists().then_some(()).ok_or(String::new()));
    let older = w.worker();
    w.set("MEMCTL_TESTPOINT", "");
    w.set("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    w.hook(&start("other"));
    fs::remove_file(&claimed).unwrap();
    until("the older worker exits", || match w.processes().contains(&older) {
        false => Ok(()),
        true => Err(w.logs()),
    });
    assert_eq!(w.count(SUMMARIES), 0, "the result of the older program is not stored");
    w.hook(&start("another"));
    w.settle();
    assert_eq!(w.rows("SELECT prompt_number FROM session_summaries"), ["1"]);
    assert_eq!(w.rows(TOOL_IDS), ["u1"]);
}

/// Another terminal still runs the older program, or the user has downgraded.
#[test]
fn an_older_program_on_a_newer_database_spools_events_without_a_restart_loop() {
    let mut w = World::new().with("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    w.hooks(&[prompt("before", "t", "go"), end("before")]);
    w.settle();
    w.set("MEMCTL_TEST_SCHEMA", "");
    let until_idle = |w: &World| {
        until("the started processes exit", || {
            match [w.processes(), w.starting_processes()].concat()[..] {
                [] => Ok(()),
                ref pids => Err(format!("{pids:?}")),
            }
        });
    };
    let events = [prompt("s", "t", "go"), tool("s", "t", "u1", "ls", "x"), stop("s", "t", "Done.")];
    for (n, event) in events.iter().enumerate() {
        w.hook(event);
        until_idle(&w);
        let n_spooled = fs::read_dir(w.spools().remove(0)).unwrap().count();
        assert_eq!(n_spooled, n + 1, "one file per event");
        assert!(w.session_locks().is_empty() && w.socket_files().is_empty());
        assert!(n_served(&w) <= 2 + n, "at most one start per event: {}", n_served(&w));
    }
    // A session start reports the problem and succeeds.
    let output = w.hook_bytes(&[], start("other").to_string().as_bytes());
    assert_eq!(output.code, Some(0));
    assert!(output.err.contains("newer"), "{output:?}");
    // A running recovery of the older program would keep the newer one from starting its own.
    until_idle(&w);
    w.set("MEMCTL_TEST_SCHEMA", NEWER_SCHEMA);
    w.hook(&start("another"));
    w.settle();
    assert_eq!(w.rows(TOOL_IDS), ["u1"]);
    assert_eq!(w.count(SUMMARIES), 2);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 2);
}
