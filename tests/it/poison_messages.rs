//! Messages that fail or crash their worker: each is marked as failed with its reason, and the
//! others are processed in order.

use crate::support::World;
use crate::support::recordings::{edit, end, stop, tool};

const OBSERVATIONS: &str = "SELECT tool_use_id, status, error FROM pending_messages
    WHERE message_type = 'observation' ORDER BY id";

/// A tool use that crashes its worker: the test points of these tests match its tool name.
fn poison(turn: &str, id: &str) -> serde_json::Value {
    let mut payload = tool("s", turn, id, "x", "y");
    payload["tool_name"] = "Poison".into();
    payload
}

/// Spools a turn with the poison message in the middle, for a session without a worker.
fn spool_poisoned_turn(w: &World) {
    let pid = w.worker_of("s");
    w.kill(pid);
    for payload in [
        edit("s", "t", "u1", "a.rs"),
        edit("s", "t", "u2", "b.rs"),
        poison("t", "bad"),
        edit("s", "t", "u3", "c.rs"),
        stop("s", "t", "Changed three files."),
    ] {
        w.spool(&payload);
    }
}

/// Runs a worker of the session until it exits.
fn run_worker(w: &World) {
    let _ = w.memctl(&["worker", "--client", "claude-code", "--session", "s"]);
}

/// Files of current observations.
const FILES: &str = "SELECT path FROM observation_files JOIN observations ON id = observation_id
    WHERE superseded_by IS NULL ORDER BY path";

#[test]
fn a_failing_message_keeps_its_reason_and_the_rest_continues_in_order() {
    let mut w = World::lingering();
    spool_poisoned_turn(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "distill.tool:Poison=panic");
    run_worker(&w);
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
    // The summary of the turn comes after all of its observations.
    assert_eq!(w.summarized_prompts(), [1]);
    let in_order = "SELECT group_concat(id, ' ') = group_concat(place, ' ') FROM (
        SELECT id, row_number() OVER (ORDER BY completed_at_epoch, id) AS n FROM pending_messages
        WHERE status = 'processed') JOIN (SELECT id AS place, row_number() OVER (ORDER BY id) AS m
        FROM pending_messages WHERE status = 'processed') ON n = m";
    assert_eq!(w.count(in_order), 1);
    assert_eq!(w.rows(FILES), ["work/a.rs", "work/b.rs", "work/c.rs"]);
    // The failed message blocks nothing, and can be retried.
    w.set("MEMCTL_TESTPOINT", "");
    assert_eq!(w.memctl(&["queue", "retry", "s"]).ok(), "1 event scheduled for retry\n");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
}

#[test]
fn a_message_that_crashes_every_worker_is_given_up_and_the_rest_continues() {
    let mut w = World::lingering();
    spool_poisoned_turn(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "distill.tool:Poison=kill");
    let given_up = "SELECT count(*) FROM pending_messages WHERE error = 'its worker died'";
    let mut deaths = 0;
    loop {
        // Skip the backoff.
        w.execute_sql("UPDATE sessions SET restarts = 0");
        run_worker(&w);
        if w.count(given_up) == 1 {
            break;
        }
        deaths += 1;
        assert!(deaths <= 8, "{:?}", w.rows("SELECT id, claims, status FROM pending_messages"));
        let processed =
            w.rows("SELECT tool_use_id FROM pending_messages WHERE status = 'processed'");
        match deaths {
            // Each of the first three claims takes the whole batch.
            1..=3 => assert_eq!(processed, [""; 0], "{deaths}"),
            // After three claims a message is claimed alone. u1 and u2 are processed; the messages
            // behind the poison message wait.
            _ => assert_eq!(processed, ["u1", "u2"], "{deaths}"),
        }
    }
    assert_eq!(deaths, 8);
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(
        w.rows(OBSERVATIONS),
        ["u1|processed|-", "u2|processed|-", "bad|failed|its worker died", "u3|processed|-"]
    );
    assert_eq!(w.summarized_prompts(), [1]);
    assert_eq!(w.rows("SELECT restarts FROM sessions"), ["0"]);
}

/// If workers crash for another reason, no message is given up.
#[test]
fn a_message_claimed_by_crashing_workers_is_processed_if_it_is_not_the_cause() {
    let mut w = World::lingering();
    spool_poisoned_turn(&w);
    w.set("MEMCTL_WORKER_LINGER", "100ms");
    w.set("MEMCTL_TESTPOINT", "worker.completing=kill");
    for _ in 0..5 {
        w.execute_sql("UPDATE sessions SET restarts = 0");
        run_worker(&w);
    }
    assert_eq!(w.count("SELECT max(claims) FROM pending_messages"), 5);
    w.set("MEMCTL_TESTPOINT", "");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE status <> 'processed'"), 0);
    assert_eq!(w.rows(FILES).len(), 3);
}
