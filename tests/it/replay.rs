//! `memctl replay`: transcripts through hooks, workers and sockets.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{end, prompt};

fn transcript() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/claude-code-2.1.329/transcript/main.jsonl");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_second_replay_of_a_transcript_changes_nothing() {
    let w = World::new();
    let output = w.memctl(&["replay", &transcript()]).ok();
    assert!(output.contains("875f5c17"), "{output}");
    w.settle();
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
    assert_eq!(w.summaries().len(), 2);
    assert_eq!(w.session()["status"], "completed");
    let uuids = w.rows("SELECT uuid FROM session_summaries ORDER BY id");
    let _ = w.memctl(&["replay", &transcript()]).ok();
    w.settle();
    assert_eq!(counts(), first);
    assert_eq!(w.rows("SELECT uuid FROM session_summaries ORDER BY id"), uuids);
}

#[test]
fn rows_have_the_times_of_the_transcript() {
    let w = World::new();
    let _ = w.memctl(&["replay", &transcript()]).ok();
    w.settle();
    // The transcript's date, 2026-11-21 UTC.
    let days = w.rows("SELECT DISTINCT created_at_epoch / 86400000 FROM user_prompts");
    assert_eq!(days, ["20778"]);
}

#[test]
fn sessions_recorded_by_hooks_are_skipped() {
    let w = World::new();
    let session = "875f5c17-7ad5-4a07-b679-ea5014db8d2b";
    w.hook(&prompt(session, "live", "typed live"));
    w.hook(&end(session));
    w.settle();
    let output = w.memctl(&["replay", &transcript()]).ok();
    assert!(output.contains("recorded live"), "{output}");
    assert_eq!(w.prompts().len(), 1);
}

#[test]
fn a_file_that_is_not_a_transcript_is_reported() {
    let w = World::new();
    let file = w.path("home").join("notes.txt");
    std::fs::write(&file, "just text\n").unwrap();
    let output = w.memctl(&["replay", file.to_str().unwrap()]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("line 1") && output.err.contains("hint"), "{output:?}");
    let output = w.memctl(&["replay", "/nowhere.jsonl"]);
    assert!(output.err.contains("/nowhere.jsonl"), "{output:?}");
}

#[test]
fn older_transcripts_are_replayed_first_and_keep_their_dates() {
    let w = World::new();
    let write = |name: &str, day: u32, word: &str| {
        let line = |uuid: &str, kind: &str, content: Value| {
            json!({"type": kind, "uuid": format!("{name}-{uuid}"), "sessionId": name, "cwd": "/",
                   "timestamp": format!("2026-03-{day:02}T10:00:00Z"),
                   "message": {"content": content}})
        };
        let answer = json!([{"type": "text", "text": format!("The {word} exporter is ported; it writes version 2 now.")}]);
        let lines = [
            line("1", "user", json!(format!("Port the {word} exporter to the new format."))),
            line("2", "assistant", answer),
        ];
        let path = w.path(&format!("{name}.jsonl"));
        std::fs::write(&path, lines.map(|l| format!("{l}\n")).concat()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // In the order of a shell's glob.
    let (newer, older) = (write("a", 9, "second"), write("b", 2, "first"));
    w.memctl(&["replay", &newer, &older]).ok();
    assert_eq!(w.rows("SELECT content_session_id FROM sessions ORDER BY id"), ["b", "a"]);
    let context = w.memctl(&["context", "--project", "/"]).ok();
    let position = |text: &str| context.find(text).unwrap_or_else(|| panic!("{text}: {context}"));
    assert!(position("2026-03-09 (s2)") < position("2026-03-02 (s1)"), "{context}");
    assert!(context.contains("## Last session\n2026-03-09"), "{context}");
}
