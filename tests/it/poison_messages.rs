//! Events that fail, or kill whoever takes them in hand: one such ends with its reason, and all
//! around it goes on in order.

use crate::support::World;
use crate::support::recordings::{edit, end, stop, tool};

const OBSERVATIONS: &str = "SELECT tool_use_id, status, error FROM pending_messages
    WHERE message_type = 'observation' ORDER BY id";

/// A tool that no agent survives: test points go by its name.
fn poison(turn: &str, id: &str) -> serde_json::Value {
    let mut payload = tool("s", turn, id, "x", "y");
    payload["tool_name"] = "Poison".into();
    payload
}

/// A turn with poison in the middle, in a queue that nobody serves.
fn poisoned(w: &World) {
    let pid = w.worker_of("s");
    w.kill(pid);
    for payload in [
        edit("s", "t", "u1", "a.rs"),
        edit("s", "t", "u2", "b.rs"),
        poison("t", "bad"),
        edit("s", "t", "u3", "c.rs"),
        stop("s", "t", "Changed three files."),
    ] {
        w.spooled(&payload);
    }
}

/// One worker more for the session; it is waited for.
fn work(w: &World) {
    let _ = w.memctl(&["worker", "--client", "claude-code", "--session", "s"]);
}

/// What is told of files, without what another observation has taken the place of.
const FILES: &str = "SELECT path FROM observation_files JOIN observations ON id = observation_id
    WHERE superseded_by IS NULL ORDER BY path";

#[test]
fn one_bad_event_fails_with_its_reason_and_the_rest_goes_on_in_order() {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    poisoned(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "distill.tool:Poison=panic");
    work(&w);
    let reason = "the memory agent died: it panicked";
    assert_eq!(
        w.rows(OBSERVATIONS),
        [
            "u1|processed|-".to_owned(),
            "u2|processed|-".to_owned(),
            format!("bad|failed|{reason}"),
            "u3|processed|-".to_owned()
        ]
    );
    assert_eq!(w.rows("SELECT retry_count FROM pending_messages WHERE tool_use_id = 'bad'"), ["3"]);
    assert_eq!(
        w.count(
            "SELECT count(*) FROM pending_messages WHERE tool_use_id = 'bad' AND tool_input IS NULL"
        ),
        0,
        "its payload is kept"
    );
    // The turn's summary comes after all that could be told of it.
    assert_eq!(w.rows("SELECT prompt_number FROM session_summaries"), ["1"]);
    let in_order = "SELECT group_concat(id, ' ') = group_concat(place, ' ') FROM (
        SELECT id, row_number() OVER (ORDER BY completed_at_epoch, id) AS n FROM pending_messages
        WHERE status = 'processed') JOIN (SELECT id AS place, row_number() OVER (ORDER BY id) AS m
        FROM pending_messages WHERE status = 'processed') ON n = m";
    assert_eq!(w.count(in_order), 1);
    assert_eq!(w.rows(FILES), ["work/a.rs", "work/b.rs", "work/c.rs"]);
    // It holds up nobody afterwards, and can be tried again.
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "1 event will be tried again\n");
    w.hook(&end("s"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
}

#[test]
fn one_that_kills_its_worker_each_time_is_given_up_and_the_rest_goes_on() {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    poisoned(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "distill.tool:Poison=kill");
    let given_up = "SELECT count(*) FROM pending_messages WHERE error = 'its worker died'";
    let mut deaths = 0;
    loop {
        // Not held back for as long as it may be.
        w.change("UPDATE sessions SET restarts = 0");
        work(&w);
        if w.count(given_up) == 1 {
            break;
        }
        deaths += 1;
        assert!(deaths <= 8, "{:?}", w.rows("SELECT id, claims, status FROM pending_messages"));
        let told = w.rows("SELECT tool_use_id FROM pending_messages WHERE status = 'processed'");
        match deaths {
            // Three in company, or in the front of it.
            1..=3 => assert_eq!(told, [""; 0], "{deaths}"),
            // What stood with it, alone as well, was done; what is behind it waits.
            _ => assert_eq!(told, ["u1", "u2"], "{deaths}"),
        }
    }
    assert_eq!(deaths, 8);
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    w.rest();
    assert_eq!(
        w.rows(OBSERVATIONS),
        ["u1|processed|-", "u2|processed|-", "bad|failed|its worker died", "u3|processed|-"]
    );
    assert_eq!(w.rows("SELECT prompt_number FROM session_summaries"), ["1"]);
    assert_eq!(w.rows("SELECT restarts FROM sessions"), ["0"]);
}

/// Workers that die of something else than what they have in hand: nothing is given up for it.
#[test]
fn an_event_that_many_workers_died_with_but_not_of_is_done() {
    let mut w = World::new().with("MEMCTL_WORKER_LINGER", "60s");
    poisoned(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "worker.completing=kill");
    for _ in 0..5 {
        w.change("UPDATE sessions SET restarts = 0");
        work(&w);
    }
    assert_eq!(w.count("SELECT max(claims) FROM pending_messages"), 5);
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    w.rest();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
    assert_eq!(w.rows(FILES).len(), 3);
}
