//! Another release is installed while workers of this one live, and the other way round: a worker
//! outlives an upgrade, and no event is lost over it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use memctl_proto::frame::{self, HEADER};
use memctl_proto::{Reply, Request};

use crate::support::recordings::{end, prompt, start, stop, tool};
use crate::support::{World, until};

const TOOLS: &str = "SELECT tool_use_id FROM pending_messages WHERE event = 'tool' ORDER BY id";
const SUMMARIES: &str = "SELECT count(*) FROM session_summaries";

fn lingering() -> World {
    World::new().with("MEMCTL_WORKER_LINGER", "60s")
}

/// How many workers have served in this world.
fn served(w: &World) -> usize {
    w.logs().matches(" serving pid=").count()
}

/// What the world's one worker says to these bytes.
fn answer(w: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(w.socket_files().remove(0)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    said
}

#[test]
fn a_newer_hook_goes_through_the_spool_of_an_older_worker() {
    let mut w = lingering();
    let pid = w.worker_of("s");
    w.set("MEMCTL_TEST_VERSION", "2");
    for id in ["u1", "u2", "u3"] {
        w.hook(&tool("s", "t", id, "ls", "x"));
        assert_eq!(w.worker(), pid, "it is asked again and answers: nobody else is started");
    }
    w.hook(&stop("s", "t", "Listed."));
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"]);
    assert_eq!((w.worker(), served(&w)), (pid, 1));
    // People see it and can end it.
    let rows = w.memctl(&["ps", "--json"]).json();
    assert_eq!((&rows[0]["state"], rows[0]["pid"].as_i64()), (&"serving".into(), Some(pid.into())));
    assert_eq!(w.memctl(&["kill", "--stale"]).ok(), "no hung worker and no stale file\n");
    assert_eq!(w.memctl(&["kill", "s"]).ok(), "s: exited\n");
    // The next one is new; on a busy machine the end may find it not yet there, and call another.
    w.hooks(&[prompt("s", "t2", "go on"), end("s")]);
    w.rest();
    assert!((2..=3).contains(&served(&w)), "{}", served(&w));
}

#[test]
fn a_newer_worker_serves_an_older_hook() {
    let mut w = lingering().with("MEMCTL_TEST_VERSION", "2");
    let pid = w.worker_of("s");
    w.set("MEMCTL_TEST_VERSION", "1");
    // Who had to spool would give up there, and complain.
    for id in ["u1", "u2"] {
        let said = w.hook_at(&tool("s", "t", id, "ls", "x"), "deliver.spooled=abort");
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "not over the socket: {said:?}");
    }
    assert_eq!(w.rows(TOOLS), ["u1", "u2"]);
    assert_eq!((w.worker(), w.spools().len(), served(&w)), (pid, 0, 1));
}

#[test]
fn each_is_answered_in_the_version_it_speaks_and_an_unknown_one_in_none() {
    let w = lingering().with("MEMCTL_TEST_VERSION", "2");
    w.worker_of("s");
    for version in [1, 2] {
        let said = answer(&w, &frame::encode_as(version, &Request::Status).unwrap());
        assert_eq!(said[4], version);
        let body = frame::decode::<Reply>(&said[HEADER..]).unwrap();
        assert!(matches!(body, Reply::Status { .. }), "{body:?}");
    }
    for version in [0, 3, 255] {
        let said = answer(&w, &frame::encode_as(version, &Request::Ping).unwrap());
        assert_eq!(said, frame::unsupported(), "{version}");
    }
}

/// A schema that no release will have for long.
const NEWER: &str = "1000";

/// What a newer program made of the database is refused by all that is older.
#[test]
fn an_older_worker_leaves_a_newer_database_and_the_newer_program_goes_on() {
    let mut w = lingering();
    let pid = w.worker_of("s");
    w.hook(&tool("s", "t", "u1", "ls", "x"));
    w.set("MEMCTL_TEST_SCHEMA", NEWER);
    // A session of the newer program upgrades.
    w.hook(&start("other"));
    assert_eq!(w.count("PRAGMA user_version").to_string(), NEWER);
    w.hook(&tool("s", "t", "u2", "ls", "y"));
    until("the older one leaves", || match w.processes().contains(&pid) {
        false => Ok(()),
        true => Err(w.logs()),
    });
    w.hooks(&[tool("s", "t", "u3", "ls", "z"), stop("s", "t", "Listed.")]);
    w.until_count(SUMMARIES, 1);
    assert_eq!(w.rows(TOOLS), ["u1", "u2", "u3"]);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.hook(&end("s"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
}

#[test]
fn what_an_older_worker_had_in_hand_is_done_by_a_newer_one_once() {
    let mut w = lingering();
    let in_hand = w.path("in hand");
    w.set("MEMCTL_TESTPOINT", &format!("distill.begun=pause:{}", in_hand.display()));
    w.hooks(&[prompt("s", "t", "go"), tool("s", "t", "u1", "ls", "x"), stop("s", "t", "Listed.")]);
    until("a batch in hand", || in_hand.exists().then_some(()).ok_or(String::new()));
    let older = w.worker();
    w.set("MEMCTL_TESTPOINT", "");
    w.set("MEMCTL_TEST_SCHEMA", NEWER);
    w.hook(&start("other"));
    fs::remove_file(&in_hand).unwrap();
    until("the older one leaves", || match w.processes().contains(&older) {
        false => Ok(()),
        true => Err(w.logs()),
    });
    assert_eq!(w.count(SUMMARIES), 0, "an older program's result is not stored");
    w.hook(&start("another"));
    w.rest();
    assert_eq!(w.rows("SELECT prompt_number FROM session_summaries"), ["1"]);
    assert_eq!(w.rows(TOOLS), ["u1"]);
}

/// The older program still runs hooks: in another terminal, or after going back.
#[test]
fn an_older_program_on_a_newer_database_keeps_events_and_leaves_no_loop() {
    let mut w = World::new().with("MEMCTL_TEST_SCHEMA", NEWER);
    w.hooks(&[prompt("before", "t", "go"), end("before")]);
    w.rest();
    w.set("MEMCTL_TEST_SCHEMA", "");
    let events = [prompt("s", "t", "go"), tool("s", "t", "u1", "ls", "x"), stop("s", "t", "Done.")];
    for (n, event) in events.iter().enumerate() {
        w.hook(event);
        until("who was started leaves", || match w.processes()[..] {
            [] => Ok(()),
            ref left => Err(format!("{left:?}")),
        });
        let kept = fs::read_dir(w.spools().remove(0)).unwrap().count();
        assert_eq!(kept, n + 1, "one file an event");
        assert!(w.session_locks().is_empty() && w.socket_files().is_empty());
        assert!(served(&w) <= 2 + n, "one start an event at most: {}", served(&w));
    }
    // A start of its own says what is wrong, and breaks nothing.
    let said = w.hook_bytes(&[], start("other").to_string().as_bytes());
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("newer"), "{said:?}");
    w.set("MEMCTL_TEST_SCHEMA", NEWER);
    w.hook(&start("another"));
    w.rest();
    assert_eq!(w.rows(TOOLS), ["u1"]);
    assert_eq!(w.count(SUMMARIES), 2);
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 2);
}
