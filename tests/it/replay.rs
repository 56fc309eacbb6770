//! `memctl replay`: transcripts through hooks, workers and sockets.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::recordings::{end, prompt};
use crate::support::{World, until};

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

/// Writes a transcript of one session. Each line gets a uuid, a time and the session's fields.
fn write_transcript(w: &World, session: &str, lines: &[Value]) -> String {
    let line = |(n, line): (usize, &Value)| {
        let mut line = line.clone();
        line["uuid"] = json!(format!("{session}-{n}"));
        line["sessionId"] = json!(session);
        line["cwd"] = json!("/");
        line["timestamp"] = json!(format!("2026-03-02T10:{n:02}:00Z"));
        format!("{line}\n")
    };
    let path = w.path(&format!("{session}.jsonl"));
    std::fs::write(&path, lines.iter().enumerate().map(line).collect::<String>()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn typed(text: &str) -> Value {
    json!({"type": "user", "message": {"content": text}})
}

fn said(text: &str) -> Value {
    json!({"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}})
}

fn ran(id: &str, command: &str, output: &str) -> [Value; 2] {
    let used = json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": command}});
    let result = json!({"type": "tool_result", "tool_use_id": id, "content": output});
    [
        json!({"type": "assistant", "message": {"content": [used]}}),
        json!({"type": "user", "message": {"content": [result]}}),
    ]
}

fn work() -> Vec<Value> {
    let mut lines = vec![typed("Port the exporter to the new format.")];
    for n in 0..12 {
        lines.extend(ran(&format!("u{n}"), &format!("cargo test part_{n}"), "ok"));
    }
    lines.push(said("The exporter is ported; it writes version 2 now."));
    lines
}

#[test]
fn each_replay_of_a_file_counts_what_was_known_before() {
    let w = World::new();
    let mut lines = work();
    // A resumed session repeats a tool use under another uuid.
    lines.extend(ran("u3", "cargo test part_3", "ok"));
    let file = write_transcript(&w, "s", &lines);
    let count = || {
        let said = w.memctl(&["replay", &file]).ok();
        w.settle();
        said.split(" in ").next().unwrap().split(", ").nth(1).unwrap().to_owned()
    };
    // A prompt, 13 tool uses, a stop and the end.
    assert_eq!(count(), "16 events (1 already known");
    assert_eq!(count(), "16 events (16 already known");
    assert_eq!(count(), "16 events (16 already known");
    let without_wait = w.memctl(&["replay", "--no-wait", &file]).ok();
    assert!(without_wait.contains("16 events (15 already known"), "{without_wait}");
}

#[test]
fn damaged_lines_are_skipped_and_counted() {
    let w = World::new();
    let file = write_transcript(&w, "s", &work());
    let mut bytes = std::fs::read(&file).unwrap();
    let last = said("This line is cut").to_string();
    bytes.splice(0..0, b"{\"type\":\"user\",\n".iter().copied());
    bytes.extend_from_slice(&last.as_bytes()[..last.len() - 20]);
    std::fs::write(&file, &bytes).unwrap();
    let output = w.memctl(&["replay", &file]).ok();
    assert!(output.contains("2 damaged lines skipped"), "{output}");
    w.settle();
    assert_eq!(w.session_state(), "completed|other");
    assert_eq!(w.prompts(), ["1|stop"]);
}

#[test]
fn what_the_client_writes_itself_is_not_remembered() {
    let w = World::new();
    let by_client = |text: &str| {
        let mut line = said(text);
        line["message"]["model"] = json!("<synthetic>");
        line
    };
    let mut lines = vec![
        typed("<command-name>/clear</command-name>\n<command-message>clear</command-message>"),
        typed("Find out why the build is slow."),
    ];
    lines.extend(ran(
        "u1",
        "cargo build --timings",
        "[Tool call interrupted: the session ended before this call's result was recorded]",
    ));
    lines.push(said("The linker takes most of the time."));
    lines.push(by_client("No response requested."));
    lines
        .push(typed("<command-name>/review</command-name><command-args>the linker</command-args>"));
    lines.extend(ran("u2", "cargo clippy", "Finished"));
    lines.push(said("The review finds no fault."));
    let file = write_transcript(&w, "s", &lines);
    w.memctl(&["replay", &file]).ok();
    w.settle();
    let session = w.session();
    let texts = |key: &str, field: &str| -> Vec<String> {
        let rows = session[key].as_array().unwrap().iter();
        rows.map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    let prompts = texts("prompts", "text");
    assert_eq!(prompts, ["Find out why the build is slow.", "/review the linker"]);
    let session = session.to_string();
    for noise in ["No response", "Tool call interrupted", "/clear"] {
        assert!(!session.contains(noise), "{noise}: {session}");
    }
    let turn_of = "SELECT tool_use_id || prompt_number FROM pending_messages WHERE event = 'tool'";
    assert_eq!(w.rows(turn_of), ["u22"]);
}

#[test]
fn nothing_is_replayed_into_a_directory_that_cannot_be_written() {
    let mut w = World::new();
    if !w.mount("data", "20m") {
        return;
    }
    w.memctl(&["replay", &write_transcript(&w, "first", &work())]).ok();
    w.settle();
    until("the disk is read-only", || w.remount("data", "ro"));
    let output = w.memctl(&["replay", &write_transcript(&w, "second", &work())]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains("nothing can be stored in"), "{output:?}");
    assert!(output.err.contains(w.data().to_str().unwrap()), "{output:?}");
    assert!(w.spools().is_empty() && w.processes().is_empty());
}

#[test]
fn a_forgotten_session_is_skipped() {
    let w = World::new();
    let file = write_transcript(&w, "s", &work());
    w.memctl(&["replay", &file]).ok();
    w.settle();
    w.memctl(&["forget", "s", "--yes"]).ok();
    let output = w.memctl(&["replay", &file]).ok();
    assert!(output.contains("skipped, session s was forgotten"), "{output}");
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 0);
}
