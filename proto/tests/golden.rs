//! Every message of every released version has a file under `golden/`, which must decode forever.
//!
//! To add a message, add a row here. The test then fails and prints the bytes for the new file
//! (`echo HEX | xxd -r -p > FILE`). Never change a file of a released version: append a new message
//! instead.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use memctl_proto::event::{Agent, Event, Kind, Process, Project, RECALL, SeenFile, Tool, Use};
use memctl_proto::frame::{self, HEADER};
use memctl_proto::line::{self, Status};
use memctl_proto::{Code, Reply, Request};
use serde_json::{Value, json};
use uuid::Uuid;

fn golden_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

/// Checks that the file has the bytes that this version sends, and returns them.
fn check_bytes(name: &str, today: &[u8]) -> Vec<u8> {
    let hex: String = today.iter().map(|b| format!("{b:02x}")).collect();
    let stored = fs::read(golden_dir().join(name))
        .unwrap_or_else(|e| panic!("golden/v1/{name}: {e}; today's bytes are\n{hex}"));
    assert!(stored == today, "golden/v1/{name} differs from today's bytes:\n{hex}");
    stored
}

fn check_frame<M>(name: &str, message: &M)
where
    M: bincode::Encode + bincode::Decode<()> + Debug + PartialEq,
{
    let bytes = check_bytes(name, &frame::encode(message).unwrap());
    let header = bytes[..HEADER].try_into().unwrap();
    assert_eq!(frame::body_len(&header), Ok(bytes.len() - HEADER), "{name}");
    assert_eq!(&frame::decode::<M>(&bytes[HEADER..]).unwrap(), message, "{name}");
}

/// As [`check_bytes`], for a text that ends with a newline on the wire.
fn check_text(name: &str, today: &str) -> String {
    let bytes = check_bytes(name, format!("{today}\n").as_bytes());
    String::from_utf8(bytes).unwrap().trim_end().to_owned()
}

fn requests() -> Vec<(&'static str, Request)> {
    let event = || Request::Event {
        session_key: "0123456789abcdef".into(),
        json: r#"{"id":"0198f2d4-7c1e-7a3b-8d55-0123456789ab","kind":"stop"}"#.into(),
    };
    let recall = || Request::Recall {
        session_key: "0123456789abcdef".into(),
        json: r#"{"client":"claude-code","question":{"file":"src/a.rs"}}"#.into(),
    };
    let all = vec![
        ("frame-ping.bin", Request::Ping),
        ("frame-status.bin", Request::Status),
        ("frame-event.bin", event()),
        ("frame-wake.bin", Request::Wake),
        ("frame-shutdown.bin", Request::Shutdown { graceful: false }),
        ("frame-shutdown-graceful.bin", Request::Shutdown { graceful: true }),
        ("frame-recall.bin", recall()),
    ];
    // A new variant fails to compile here. Add a row above.
    match all[0].1 {
        Request::Ping
        | Request::Status
        | Request::Event { .. }
        | Request::Wake
        | Request::Shutdown { .. }
        | Request::Recall { .. } => all,
    }
}

fn replies() -> Vec<(&'static str, Reply)> {
    let accepted = |duplicate| Reply::Accepted {
        id: "0198f2d4-7c1e-7a3b-8d55-0123456789ab".into(),
        duplicate,
    };
    let rejected = |code| Reply::Rejected { code, message: "why, in words".into() };
    let all = vec![
        ("frame-pong.bin", Reply::Pong { version: "0.1.0".into(), pid: 4711 }),
        ("frame-status-reply.bin", Reply::Status { json: r#"{"state":"serving"}"#.into() }),
        ("frame-accepted.bin", accepted(false)),
        ("frame-accepted-duplicate.bin", accepted(true)),
        ("frame-rejected-malformed.bin", rejected(Code::Malformed)),
        ("frame-rejected-wrong-session.bin", rejected(Code::WrongSession)),
        ("frame-rejected-store.bin", rejected(Code::Store)),
        ("frame-rejected-leaving.bin", rejected(Code::Leaving)),
        ("frame-bye.bin", Reply::Bye),
        ("frame-recalled.bin", Reply::Recalled { block: "What memory holds.\n".into() }),
    ];
    match all[0].1 {
        Reply::Rejected {
            code: Code::Malformed | Code::WrongSession | Code::Store | Code::Leaving,
            ..
        }
        | Reply::Pong { .. }
        | Reply::Status { .. }
        | Reply::Accepted { .. }
        | Reply::Bye
        | Reply::Recalled { .. } => all,
    }
}

fn kinds() -> Vec<(&'static str, Kind)> {
    let all = vec![
        ("prompt", Kind::Prompt),
        ("notification", Kind::Notification),
        ("tool", Kind::Tool),
        ("tool-failed", Kind::ToolFailed),
        ("subagent", Kind::Subagent),
        ("stop", Kind::Stop),
        ("stop-failed", Kind::StopFailed),
        ("start", Kind::Start),
        ("end", Kind::End),
        ("finalize", Kind::Finalize),
    ];
    match all[0].1 {
        Kind::Prompt
        | Kind::Notification
        | Kind::Tool
        | Kind::ToolFailed
        | Kind::Subagent
        | Kind::Stop
        | Kind::StopFailed
        | Kind::Start
        | Kind::End
        | Kind::Finalize
        | Kind::Unknown => all,
    }
}

fn minimal(kind: Kind) -> Event {
    let id = Uuid::parse_str("0198f2d4-7c1e-7a3b-8d55-0123456789ab").unwrap();
    let event = Event::new(kind, "claude-code", "5b1c9f0e-session", 1_764_018_540_123);
    Event { id, ..event }
}

/// Every field has a value, whether or not such an event would have it.
fn full(kind: Kind) -> Event {
    Event {
        turn: Some("turn-1".into()),
        cwd: Some("/home/u/p/sub".into()),
        project: Some(Project {
            keys: vec!["git:example.com/u/p".into(), "path:/home/u/p".into()],
            name: "p".into(),
            root: "/home/u/p".into(),
        }),
        text: Some("Größe \"quoted\"\nsecond line \u{1f980}".into()),
        private: true,
        tool: Some(Tool {
            name: "Bash".into(),
            use_id: Some("toolu_01".into()),
            input: Some(r#"{"command":"ls"}"#.into()),
            response: Some(r#"{"stdout":"a\nb"}"#.into()),
            files: Vec::new(),
        }),
        agent: Some(Agent { id: "a1".into(), r#type: "Explore".into() }),
        reason: Some("compact".into()),
        process: Some(Process { pid: 4711, start: 6_543_210 }),
        shown_epoch: Some(1_764_018_540_000),
        transcript: Some("/home/u/.claude/projects/p/5b1c.jsonl".into()),
        ..minimal(kind)
    }
}

/// A full event with the fields that were added after the first release.
fn full_with_files() -> Event {
    let mut event = full(Kind::Tool);
    let blob = "8ab686eafeb1f44702738c8b0f24f2567c36da6d".into();
    let seen = SeenFile { path: "/home/u/p/src/main.rs".into(), blob };
    event.tool.as_mut().unwrap().files.push(seen);
    event
}

/// A report of memories that hooks gave to the model.
fn recalled() -> Event {
    let used = |row: &str, place: &str, tokens| Use {
        row: row.into(),
        place: place.into(),
        tokens,
        at: 1_764_018_540_001,
    };
    let uses = vec![used("o412", "prompt", 41), used("s37", "file", 0)];
    Event { reason: Some(RECALL.into()), uses, ..minimal(Kind::Start) }
}

fn status() -> Status {
    Status {
        client: "claude-code".into(),
        session: "5b1c9f0e-session".into(),
        pid: 4711,
        version: "0.1.0".into(),
        state: "serving".into(),
        doing: "idle".into(),
        prompt: 3,
        backend: "extractive".into(),
        started_at_epoch: 1_764_018_540_123,
        idle_ms: 1500,
    }
}

fn line_requests() -> Vec<(&'static str, line::Request)> {
    let observation = r#"{"type":"observation","tool_name":"Bash","tool_input":{"command":"ls"},"tool_response":{"stdout":"a"}}"#;
    let all = vec![
        ("line-observation.json", line::Request::Observation(observation.into())),
        ("line-finalize.json", line::Request::Finalize),
        ("line-status.json", line::Request::Status),
        ("line-ping.json", line::Request::Ping),
    ];
    match all[0].1 {
        line::Request::Observation(_)
        | line::Request::Finalize
        | line::Request::Status
        | line::Request::Ping => all,
    }
}

/// Replies by name: today's text, and the value that a script parses from it.
fn line_replies() -> Vec<(&'static str, String, Value)> {
    let id = "0198f2d4-7c1e-7a3b-8d55-0123456789ab";
    vec![
        (
            "line-accepted.json",
            line::accepted(id, true),
            json!({"ok": true, "id": id, "duplicate": true}),
        ),
        ("line-finalized.json", line::finalized(2), json!({"ok": true, "closed": 2})),
        (
            "line-pong.json",
            line::pong("0.1.0", 4711),
            json!({"ok": true, "version": "0.1.0", "pid": 4711}),
        ),
        (
            "line-status-reply.json",
            line::status(&status()),
            json!({
                "ok": true, "client": "claude-code", "session": "5b1c9f0e-session", "pid": 4711,
                "version": "0.1.0", "state": "serving", "doing": "idle", "prompt": 3,
                "backend": "extractive", "started_at_epoch": 1_764_018_540_123_i64,
                "idle_ms": 1500,
            }),
        ),
        (
            "line-rejected.json",
            line::rejected(Code::WrongSession, "not \"mine\""),
            json!({"ok": false, "code": "wrong_session", "message": "not \"mine\""}),
        ),
    ]
}

fn events() -> Vec<(String, Event)> {
    let name = |word, form| format!("event-{word}-{form}.json");
    kinds()
        .into_iter()
        .flat_map(|(word, kind)| {
            [(name(word, "minimal"), minimal(kind)), (name(word, "full"), full(kind))]
        })
        .chain([(name("tool", "files"), full_with_files()), (name("start", "uses"), recalled())])
        .collect()
}

#[test]
fn frames_equal_their_golden_files() {
    for (name, request) in requests() {
        check_frame(name, &request);
    }
    for (name, reply) in replies() {
        check_frame(name, &reply);
    }
}

#[test]
fn the_reply_to_an_unknown_version_never_changes() {
    let bytes = check_bytes("frame-unsupported.bin", &frame::unsupported());
    assert_eq!(bytes, [0xF6, b'm', b'c', b't', 0, 0, 0, 0, 0]);
    let header = bytes.try_into().unwrap();
    assert_eq!(frame::body_len(&header), Err(frame::FrameError::Version(0)));
}

#[test]
fn events_equal_their_golden_files() {
    for (name, event) in events() {
        let text = check_text(&name, &event.to_json());
        assert_eq!(Event::from_json(&text).unwrap(), event, "{name}");
    }
}

#[test]
fn lines_equal_their_golden_files() {
    for (name, request) in line_requests() {
        let stored = fs::read_to_string(golden_dir().join(name)).unwrap();
        assert_eq!(line::parse(stored.trim_end()).unwrap(), request, "{name}");
    }
    // Compare values, because the order of keys may vary.
    for (name, today, expected) in line_replies() {
        let stored = fs::read_to_string(golden_dir().join(name))
            .unwrap_or_else(|e| panic!("golden/v1/{name}: {e}; today's text is\n{today}"));
        assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), expected, "{name}");
        assert_eq!(serde_json::from_str::<Value>(&today).unwrap(), expected, "{name}");
    }
    let text = fs::read_to_string(golden_dir().join("line-status-reply.json")).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status());
}

#[test]
fn every_golden_file_is_checked() {
    let mut checked: BTreeSet<String> = events().into_iter().map(|(name, _)| name).collect();
    checked.extend(requests().into_iter().map(|(name, _)| name.to_owned()));
    checked.extend(replies().into_iter().map(|(name, _)| name.to_owned()));
    checked.extend(line_requests().into_iter().map(|(name, _)| name.to_owned()));
    checked.extend(line_replies().into_iter().map(|(name, ..)| name.to_owned()));
    checked.insert("frame-unsupported.bin".into());
    let stored: BTreeSet<String> = fs::read_dir(golden_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(stored, checked);
}
