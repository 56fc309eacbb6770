//! How a turn ended: what the client says last counts.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{edit, end, prompt, stop, tool};

/// The notes of each summary.
fn notes(w: &World) -> Vec<String> {
    w.summaries().iter().map(|s| s["notes"].as_str().unwrap_or_default().to_owned()).collect()
}

fn turn_begins(w: &World, turn: &str, text: &str) {
    w.hooks(&[
        prompt("s", turn, text),
        edit("s", turn, &format!("u-{turn}"), &format!("{turn}.rs")),
    ]);
}

fn stop_failure(session: &str, turn: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "prompt_id": turn, "hook_event_name": "StopFailure",
           "error": "rate_limit", "error_details": "429 rate_limit_error"})
}

/// The turn waited for a command or an answer for longer than the watchdogs allow.
#[test]
fn a_stop_after_a_watchdog_finishes_the_turn() {
    for (watchdog, by) in
        [("MEMCTL_WORKER_IDLE_TIMEOUT", "1|idle"), ("MEMCTL_WORKER_MAX_AGE", "1|age")]
    {
        let w = World::new().with(watchdog, "1s");
        turn_begins(&w, "t1", "Fix the export of the page.");
        w.settle();
        assert_eq!((w.prompts(), notes(&w)), (vec![by.to_owned()], vec!["interrupted".to_owned()]));
        w.hook(&stop("s", "t1", "The export is whole now."));
        w.settle();
        assert_eq!((w.prompts(), notes(&w)), (vec!["1|stop".to_owned()], vec![String::new()]));
    }
}

/// The Stop waited in a spool, or its hook was slow.
#[test]
fn a_stop_after_the_end_completes_the_session() {
    let w = World::new();
    turn_begins(&w, "t1", "Fix the export of the page.");
    w.hook(&end("s"));
    w.settle();
    assert_eq!(w.session_state(), "failed|other");
    w.hook(&stop("s", "t1", "The export is whole now."));
    w.settle();
    assert_eq!(
        (w.session_state().as_str(), &w.prompts()[..]),
        ("completed|other", &["1|stop".to_owned()][..])
    );
    assert!(!notes(&w)[0].contains("ended"), "{:?}", notes(&w));
}

#[test]
fn a_late_event_does_not_change_how_a_turn_ended() {
    let mut w = World::new();
    turn_begins(&w, "t1", "Fix the export of the page.");
    w.hook(&stop("s", "t1", "The export is whole now."));
    w.settle();
    w.hook(&tool("s", "t1", "late", "ls", "x"));
    w.settle();
    assert_eq!((w.prompts(), notes(&w)), (vec!["1|late".to_owned()], vec![String::new()]));
    // The next prompt arrives before the linger is over.
    w.set("MEMCTL_WORKER_LINGER", "60s");
    w.hook(&tool("s", "t1", "later", "ls", "x"));
    turn_begins(&w, "t2", "Add a test for it.");
    w.hooks(&[stop("s", "t2", "Added."), end("s")]);
    w.settle();
    assert_eq!(w.prompts(), ["1|late", "2|stop"]);
    assert_eq!(notes(&w), ["", ""]);
}

#[test]
fn a_turn_that_did_not_stop_is_finished_by_the_next_one_that_continues_it() {
    let w = World::new();
    turn_begins(&w, "t1", "Fix the export of the invoice page.");
    w.hook(&stop_failure("s", "t1"));
    // Interrupted by the next prompt.
    turn_begins(&w, "t2", "go on");
    turn_begins(&w, "t3", "go on");
    w.until_count("SELECT count(*) FROM session_summaries", 2);
    let before = notes(&w);
    assert!(before[0].contains("ended with an error") && before[1] == "interrupted", "{before:?}");
    w.hooks(&[stop("s", "t3", "The export is whole now."), end("s")]);
    w.settle();
    assert_eq!(notes(&w), ["", "", ""]);
    let context = w.memctl(&["context", "--project", "/work"]).ok();
    assert!(!context.contains("interrupted") && !context.contains("error"), "{context}");
}

/// Another request does not finish what an earlier one began.
#[test]
fn another_request_leaves_an_interrupted_turn_as_it_is() {
    let w = World::new();
    turn_begins(&w, "t1", "Fix the export of the invoice page.");
    turn_begins(&w, "t2", "Write the release notes of version 3 instead.");
    w.hooks(&[stop("s", "t2", "They are written."), end("s")]);
    w.settle();
    assert_eq!(notes(&w), ["interrupted", ""]);
}
