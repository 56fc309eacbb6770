//! Transcripts through the hooks' own way: workers, sockets and all.

use std::path::PathBuf;

use crate::support::World;
use crate::support::recordings::{end, prompt};

fn transcript() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/claude-code-2.1.329/transcript/main.jsonl");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_transcript_is_remembered_and_a_second_run_changes_nothing() {
    let w = World::new();
    let said = w.memctl(&["replay", &transcript()]).ok();
    assert!(said.contains("875f5c17"), "{said}");
    w.rest();
    let tables = ["user_prompts", "pending_messages", "observations", "session_summaries"];
    let counts = || tables.map(|t| w.count(&format!("SELECT count(*) FROM {t}")));
    let first = counts();
    assert_eq!(
        w.rows("SELECT prompt_text FROM user_prompts ORDER BY prompt_number"),
        ["please say hi and write notes", "please look"]
    );
    // Bash, Write, Read, Edit, Agent, and the subagent's report.
    assert_eq!(
        w.count("SELECT count(*) FROM pending_messages WHERE message_type = 'observation'"),
        6
    );
    assert_eq!(w.count("SELECT count(*) FROM session_summaries"), 2);
    assert_eq!(w.rows("SELECT status FROM sessions"), ["completed"]);
    let uuids = w.rows("SELECT uuid FROM session_summaries ORDER BY id");
    let _ = w.memctl(&["replay", &transcript()]).ok();
    w.rest();
    assert_eq!(counts(), first);
    assert_eq!(w.rows("SELECT uuid FROM session_summaries ORDER BY id"), uuids);
}

#[test]
fn times_are_those_of_the_transcript() {
    let w = World::new();
    let _ = w.memctl(&["replay", &transcript()]).ok();
    w.rest();
    // 2026-11-21, in UTC, as the transcript says.
    let days = w.rows("SELECT DISTINCT created_at_epoch / 86400000 FROM user_prompts");
    assert_eq!(days, ["20778"]);
}

#[test]
fn what_was_recorded_live_is_left_out() {
    let w = World::new();
    let session = "875f5c17-7ad5-4a07-b679-ea5014db8d2b";
    w.hook(&prompt(session, "live", "typed live"));
    w.hook(&end(session));
    w.rest();
    let said = w.memctl(&["replay", &transcript()]).ok();
    assert!(said.contains("recorded live"), "{said}");
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 1);
}

#[test]
fn what_is_no_transcript_is_named() {
    let w = World::new();
    let file = w.path("home").join("notes.txt");
    std::fs::write(&file, "just text\n").unwrap();
    let output = w.memctl(&["replay", file.to_str().unwrap()]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("line 1") && output.err.contains("hint"), "{output:?}");
    let output = w.memctl(&["replay", "/nowhere.jsonl"]);
    assert!(output.err.contains("/nowhere.jsonl"), "{output:?}");
}
