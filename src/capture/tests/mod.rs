use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use memctl_proto::MAX_BODY;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod key_files;
mod private;

static NO_RULES: Redact = Redact { rules: Vec::new(), allow: Vec::new() };

const LIMITS: Limits = Limits { input: 32 << 10, response: 64 << 10, text: 64 << 10 };

/// Rules by which each session is recorded.
static EVERYTHING: LazyLock<Recording> = LazyLock::new(Recording::default);

fn context() -> CaptureContext<'static> {
    CaptureContext {
        event: None,
        client: "claude-code",
        project_dir: None,
        fallback_dir: None,
        recording: &EVERYTHING,
        limits: LIMITS,
        private: Box::leak(Box::default()),
        redact: &NO_RULES,
        now: 1_700_000_000_000,
        process: Some(Process { pid: 7, start: 9 }),
    }
}

fn captured(json: &str, context: &CaptureContext) -> Captured {
    let mut reader = ObjectReader::new();
    reader.feed(json.as_bytes());
    let text = reader.finish().unwrap().text;
    capture(&parse(&text).unwrap(), context).unwrap()
}

fn event(json: Value) -> Event {
    match captured(&json.to_string(), &context()) {
        Captured::Event(event) => *event,
        ignored => panic!("{ignored:?} of {json}"),
    }
}

fn ignored(json: Value) -> &'static str {
    match captured(&json.to_string(), &context()) {
        Captured::Ignored(why) => why,
        event => panic!("{event:?}"),
    }
}

/// The payload of a tool use with this input and response.
fn tool_payload(tool: &str, input: Value, response: Value) -> Value {
    json!({
        "session_id": "s", "hook_event_name": "PostToolUse", "tool_name": tool,
        "tool_input": input, "tool_response": response, "tool_use_id": "toolu_1",
    })
}

fn recordings() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/claude-code-2.1.329"))
}

/// The result for each recorded payload. The longest prefix of its file name applies.
#[rustfmt::skip]
const EXPECTED: &[(&str, &str)] = &[
    ("", "events of this kind are not recorded"),
    ("SessionStart.", "Start"),
    ("SessionEnd.", "End"),
    ("UserPromptSubmit.", "Prompt"),
    ("UserPromptSubmit.task-notification", "Notification"),
    ("PreToolUse.", "BeforeTool"),
    ("PreToolUse.Bash-subagent", "a tool use of a subagent is recorded when it has finished"),
    ("PreToolUse.CronCreate", "a tool that is not recorded"),
    ("PreToolUse.TaskGet", "a tool that is not recorded"),
    ("PreToolUse.TaskList", "a tool that is not recorded"),
    ("PreToolUse.ToolSearch", "a tool that is not recorded"),
    ("PostToolUse.", "Tool"),
    ("PostToolUse.CronCreate", "a tool that is not recorded"),
    ("PostToolUse.TaskGet", "a tool that is not recorded"),
    ("PostToolUse.TaskList", "a tool that is not recorded"),
    ("PostToolUse.ToolSearch", "a tool that is not recorded"),
    ("PostToolUseFailure.", "ToolFailed"),
    ("Stop.", "Stop"),
    ("StopFailure.", "StopFailed"),
    ("SubagentStop.", "Subagent"),
    ("SubagentStop.compaction", "the stop of a compaction, not of a subagent"),
];

#[test]
fn every_recorded_payload_has_the_expected_result() {
    let mut n_seen = 0;
    for entry in fs::read_dir(recordings()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".json") else {
            continue;
        };
        let (_, expected) = EXPECTED
            .iter()
            .filter(|(p, _)| name.starts_with(p))
            .max_by_key(|(p, _)| p.len())
            .unwrap();
        let json = fs::read_to_string(&path).unwrap();
        let sent: Value = serde_json::from_str(&json).unwrap();
        n_seen += 1;
        match captured(&json, &context()) {
            Captured::NotRecorded(why, _) => panic!("{name}: {why}"),
            Captured::Ignored(why) => assert_eq!(why, *expected, "{name}"),
            Captured::BeforeTool(tool) => {
                assert_eq!("BeforeTool", *expected, "{name}");
                assert_eq!(tool.session, sent["session_id"].as_str().unwrap());
                assert_eq!(tool.cwd.as_deref(), sent["cwd"].as_str());
            }
            Captured::Event(event) => {
                assert_eq!(format!("{:?}", event.kind), *expected, "{name}");
                assert_eq!(event.session, sent["session_id"].as_str().unwrap());
                assert_eq!(event.turn.as_deref(), sent["prompt_id"].as_str(), "{name}");
                assert_eq!(event.cwd.as_deref(), sent["cwd"].as_str());
                assert_eq!(event.project.is_some(), matches!(*expected, "Start" | "Prompt"));
                assert_eq!(Event::from_json(&event.to_json()).unwrap(), *event);
                if let Some(tool) = &event.tool
                    && event.kind != Kind::Subagent
                {
                    assert_eq!(tool.use_id.as_deref(), sent["tool_use_id"].as_str(), "{name}");
                    let input: Value = serde_json::from_str(tool.input.as_ref().unwrap()).unwrap();
                    assert_eq!(input, sent["tool_input"], "{name}");
                }
            }
        }
    }
    assert!(n_seen > 140, "{n_seen}");
}

#[test]
fn recorded_sessions_have_no_unknown_event() {
    for entry in fs::read_dir(recordings().join("sequences")).unwrap() {
        let path = entry.unwrap().path();
        let steps: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for step in steps {
            let captured = captured(&step["payload"].to_string(), &context());
            assert_ne!(captured, Captured::Ignored("an unknown event"), "{}", path.display());
        }
    }
}

fn recorded_event(name: &str) -> Event {
    event(serde_json::from_str(&fs::read_to_string(recordings().join(name)).unwrap()).unwrap())
}

#[test]
fn a_subagents_report_is_recorded_once() {
    let foreground = recorded_event("PostToolUse.Agent-foreground.json").tool.unwrap();
    assert!(foreground.input.is_some() && foreground.response.is_none());
    let background = recorded_event("PostToolUse.Agent-background.json").tool.unwrap();
    assert!(background.response.unwrap().contains("async_launched"));
    let report = recorded_event("SubagentStop.Explore.json");
    assert_eq!(report.text.as_deref(), Some("Subagent report: nothing to see."));
    assert_eq!(report.agent.as_ref().unwrap().r#type, "Explore");
    let repeated = recorded_event("SubagentStop.Explore.json").tool.unwrap();
    let tool = report.tool.unwrap();
    assert_eq!(tool, repeated);
    assert!(tool.use_id.unwrap().starts_with("report:a0172ea28a5c54c3a:"));
    let stop =
        json!({"session_id": "s", "hook_event_name": "Stop", "agent_id": "a", "agent_type": "x"});
    assert_eq!(ignored(stop), "a stop inside a subagent");
    let main =
        json!({"session_id": "s", "hook_event_name": "Stop", "agent_type": "general-purpose"});
    assert_eq!(event(main).kind, Kind::Stop);
}

#[test]
fn the_reasons_of_failures_and_ends_are_recorded() {
    let failed = recorded_event("StopFailure.long.json");
    assert_eq!(failed.reason.as_deref(), Some("invalid_request"));
    let text = failed.text.unwrap();
    assert!(text.starts_with("Prompt is too long") && text.contains("req_365ad3b24ee443dda66b"));
    assert_eq!(recorded_event("SessionEnd.clear.json").reason.as_deref(), Some("clear"));
    assert_eq!(recorded_event("SessionStart.fork-branch.json").reason.as_deref(), Some("fork"));
    let failed = recorded_event("PostToolUseFailure.Bash.json").tool.unwrap();
    assert_eq!(failed.response.as_deref(), Some("Exit code 3\nout\nerr"));
    assert_eq!(recorded_event("Stop.hook-active.json").kind, Kind::Stop);
    assert_eq!(recorded_event("UserPromptSubmit.task-notification-agent.json").text, None);
}

#[test]
fn ids_are_checked_and_long_ones_hashed() {
    fn check(json: Value, expected: CaptureError) {
        let json = json.to_string();
        assert_eq!(capture(&parse(&json).unwrap(), &context()), Err(expected), "{json}");
    }
    check(json!({"session_id": "s"}), CaptureError::NoEvent);
    check(json!({"hook_event_name": "Stop"}), CaptureError::NoSession);
    check(json!({"hook_event_name": "Stop", "session_id": " "}), CaptureError::NoSession);
    let long = "x".repeat(513);
    check(json!({"hook_event_name": "Stop", "session_id": long}), CaptureError::LongSession(513));
    check(json!({"hook_event_name": "PostToolUse", "session_id": "s"}), CaptureError::NoTool);
    assert!(matches!(parse("{]"), Err(CaptureError::NotJson(_))));

    let stop = |turn: &str| json!({"hook_event_name": "Stop", "session_id": "s", "turn_id": turn});
    assert_eq!(event(stop("t")).turn.as_deref(), Some("t"));
    assert_eq!(event(stop("")).turn, None);
    let (long, other) = ("t".repeat(201), "t".repeat(202));
    assert_eq!(event(stop(&long)).turn, event(stop(&long)).turn);
    assert_ne!(event(stop(&long)).turn, event(stop(&other)).turn);
    assert!(event(stop(&long)).turn.unwrap().len() < 30);

    let given_name = CaptureContext { event: Some("SessionEnd"), ..context() };
    let Captured::Event(end) = captured(&stop("t").to_string(), &given_name) else { panic!() };
    assert_eq!((end.kind, end.process), (Kind::End, Some(Process { pid: 7, start: 9 })));
}

#[test]
fn secret_files_our_own_tools_and_excluded_projects_are_not_recorded() {
    let read = |path: &str| tool_payload("Read", json!({"file_path": path}), json!("SECRET=1"));
    let env = event(read("/p/.env")).tool.unwrap();
    assert_eq!(env.response.as_deref(), Some("SECRET=[redacted:key-file]"));
    assert_eq!(ignored(read("/home/u/.ssh/id_ed25519")), "the tool use names a file with secrets");
    assert_eq!(event(read("/p/.env.example")).tool.unwrap().response.unwrap(), "SECRET=1");
    let mcp = tool_payload("mcp__fs__read", json!({"path": "server.pem"}), json!("x"));
    assert_eq!(ignored(mcp), "the tool use names a file with secrets");
    let own = tool_payload("mcp__plugin_memctl_memctl__search", json!({}), json!("x"));
    assert_eq!(ignored(own), "a tool that is not recorded");
    let cat =
        event(tool_payload("Bash", json!({"command": "cat .env"}), json!({"stdout": "SECRET=1"})));
    assert_eq!(
        cat.tool.unwrap().response.as_deref(),
        Some(r#"{"stdout":"SECRET=[redacted:key-file]"}"#)
    );
}

#[test]
fn an_excluded_session_leaves_only_its_end() {
    let exclude = vec![glob::Pattern::new("/srv/secret").unwrap()];
    let recording = Recording { exclude, ..Recording::default() };
    let excluding = CaptureContext { recording: &recording, ..context() };
    let payload = |name: &str| {
        json!({
            "hook_event_name": name, "session_id": "s", "cwd": "/srv/secret/sub", "prompt": "text",
            "last_assistant_message": "text", "reason": "text", "transcript_path": "/text",
        })
        .to_string()
    };
    let edge_of = |name: &str| match captured(&payload(name), &excluding) {
        Captured::NotRecorded(NotRecorded::Excluded(pattern), edge) => {
            assert_eq!(pattern, "/srv/secret");
            edge
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(edge_of("SessionStart"), SessionEdge::Start);
    for name in ["UserPromptSubmit", "PostToolUse", "Stop", "SubagentStop"] {
        assert_eq!(edge_of(name), SessionEdge::Neither, "{name}");
    }
    let SessionEdge::End(end) = edge_of("SessionEnd") else { panic!("no end") };
    assert_eq!((end.kind, end.session.as_str()), (Kind::End, "s"));
    let json = end.to_json();
    assert!(!json.contains("text") && !json.contains("secret"), "{json}");
    // Neither the directory in which the client was started nor the working directory is excluded.
    for project_dir in [Some(Path::new("/srv/open")), Some(Path::new("/srv/secret")), None] {
        let context = CaptureContext { project_dir, ..excluding };
        assert!(matches!(captured(&payload("Stop"), &context), Captured::NotRecorded(..)));
        let elsewhere = payload("Stop").replace("/srv/secret/sub", "/srv/other");
        let is_recorded = matches!(captured(&elsewhere, &context), Captured::Event(_));
        assert_eq!(is_recorded, project_dir != Some(Path::new("/srv/secret")));
    }
    // Without any directory, that of the hook decides.
    let no_dir = r#"{"hook_event_name":"Stop","session_id":"s"}"#;
    assert!(matches!(captured(no_dir, &excluding), Captured::Event(_)));
    let here = CaptureContext { fallback_dir: Some(Path::new("/srv/secret")), ..excluding };
    assert!(matches!(captured(no_dir, &here), Captured::NotRecorded(..)));
}

#[test]
fn prompts_are_recorded_without_tags() {
    let prompt = |text: &str| {
        let event = event(
            json!({"session_id": "s", "hook_event_name": "UserPromptSubmit", "prompt": text}),
        );
        (event.kind, event.text, event.private)
    };
    let text = |t: &str| (Kind::Prompt, Some(t.to_owned()), false);
    assert_eq!(prompt("do it"), text("do it"));
    assert_eq!(prompt("do <private>not</private> it"), text("do  it"));
    assert_eq!(prompt(" <private>all</private> "), (Kind::Prompt, None, true));
    assert_eq!(prompt("all</private>"), (Kind::Prompt, None, true));
    assert_eq!(prompt(""), text(""));
    assert_eq!(prompt("a\0b"), text("a\u{fffd}b"));
    assert_eq!(prompt("<system-reminder>x</system-reminder>go"), text("go"));
    let notification = prompt(" <task-notification>\n<summary>x</summary></task-notification>");
    assert_eq!(notification, (Kind::Notification, None, false));
    let command = "<command-message>fix</command-message>\n<command-name>/fix</command-name>\
        <command-args>it now</command-args>";
    assert_eq!(prompt(command), text("/fix it now"));
}

#[test]
fn a_long_payload_keeps_its_short_fields() {
    let content = "fn main() {}\n".repeat(200_000);
    let write = tool_payload(
        "Write",
        json!({"file_path": "/p/a.rs", "content": content}),
        json!({"filePath": "/p/a.rs", "content": content, "originalFile": content, "structuredPatch": []}),
    );
    let event = event(write);
    let tool = event.tool.unwrap();
    assert_eq!(tool.use_id.as_deref(), Some("toolu_1"));
    let input: Value = serde_json::from_str(&tool.input.unwrap()).unwrap();
    assert_eq!(input["file_path"], "/p/a.rs");
    let kept = input["content"].as_str().unwrap();
    assert!(
        kept.contains("bytes cut]…") && kept.len() > 30_000 && kept.ends_with("fn main() {}\n")
    );
    let response: Value = serde_json::from_str(&tool.response.unwrap()).unwrap();
    assert_eq!((&response["filePath"], response.get("originalFile")), (&"/p/a.rs".into(), None));
}

#[test]
fn every_event_fits_into_a_message() {
    let nasty = "\u{1}\"\\".repeat(300_000);
    let limits = Limits { input: usize::MAX, response: 1 << 30, text: 900_000 };
    let generous = CaptureContext { limits, ..context() };
    let payloads = [
        tool_payload("Bash", json!({"command": nasty}), json!(nasty)),
        tool_payload("Bash", json!(nasty), json!({"lines": vec![&nasty[..100]; 10_000]})),
        json!({"session_id": "\"".repeat(512), "hook_event_name": "UserPromptSubmit", "prompt": nasty, "cwd": "\u{1}".repeat(4096)}),
    ];
    for payload in payloads {
        let Captured::Event(event) = captured(&payload.to_string(), &generous) else { panic!() };
        let json = event.to_json();
        assert!(json.len() < MAX_BODY && json.len() > MAX_BODY / 8, "{}", json.len());
    }
}

#[test]
fn a_scripts_line_becomes_an_event() {
    let line = |json: Value| capture_line(&json.to_string(), "own", "script", &context());
    let event = |json: Value| match line(json).unwrap() {
        Captured::Event(event) => *event,
        ignored => panic!("{ignored:?}"),
    };
    let plain =
        event(json!({"type": "observation", "tool_name": "Bash", "tool_input": {"command": "ls"}}));
    assert_eq!((plain.kind, &*plain.session, &*plain.client), (Kind::Tool, "own", "script"));
    let failed = event(json!({"type": "observation", "tool_name": "Bash", "error": "no"}));
    assert_eq!(
        (failed.kind, failed.tool.unwrap().response.as_deref()),
        (Kind::ToolFailed, Some("no"))
    );
    let failed = event(json!({"tool_name": "Bash", "is_error": true, "tool_response": "no"}));
    assert_eq!(
        (failed.kind, failed.tool.unwrap().response.as_deref()),
        (Kind::ToolFailed, Some("no"))
    );
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let with_id = event(json!({"id": id, "tool_name": "Bash", "session_id": "other"}));
    assert_eq!((with_id.id.to_string().as_str(), &*with_id.session), (id, "other"));
    for name in ["UserPromptSubmit", "Stop", "StopFailure", "SubagentStop", "SessionStart", "x"] {
        let other = json!({"hook_event_name": name, "tool_name": "Bash", "prompt": "go",
            "last_assistant_message": "done", "agent_id": "a", "agent_type": "b"});
        assert_eq!(line(other), Err(CaptureError::NotAnObservation(name.into())));
    }
    let bad_id = line(json!({"id": "17", "tool_name": "Bash"}));
    assert_eq!(bad_id, Err(CaptureError::BadId("17".into())));
    assert_eq!(line(json!({"type": "observation"})), Err(CaptureError::NoTool));
    let broken = r#"{"tool_name":"Bash","error":"a\ud800b"}"#;
    let Ok(Captured::Event(event)) = capture_line(broken, "own", "script", &context()) else {
        panic!()
    };
    assert_eq!(event.tool.unwrap().response.as_deref(), Some("a\u{fffd}b"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(<private>|</private>|<|>|[a-z \n\"\\\\é\u{0}]){0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_field_values_give_an_event_or_a_reason(
        values in proptest::collection::vec(any_json(), 10),
        event in 0usize..9, tool in 0usize..5, limit in 0usize..300,
    ) {
        let events = ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure",
            "SubagentStop", "Stop", "StopFailure", "SessionEnd", "Other"];
        let tools = ["Edit", "Agent", "Bash", "Read", "x"];
        let mut payload = json!({"hook_event_name": events[event], "tool_name": tools[tool], "session_id": "s"});
        let names = ["tool_input", "tool_response", "prompt", "error", "error_details",
            "last_assistant_message", "cwd", "prompt_id", "agent_id", "agent_type"];
        for (name, value) in names.into_iter().zip(values) {
            payload[name] = value;
        }
        let limits = Limits { input: limit, response: limit, text: limit };
        match captured(&payload.to_string(), &CaptureContext { limits, ..context() }) {
            Captured::Event(event) => {
                let tool = event.tool.unwrap_or_default();
                for text in [&event.text, &tool.input, &tool.response].into_iter().flatten() {
                    prop_assert!(text.len() <= limit && !text.contains("<private>"), "{}", text);
                }
                prop_assert!(!event.reason.unwrap_or_default().contains("<private>"));
            }
            Captured::Ignored(why) => prop_assert!(!why.is_empty()),
            before => panic!("{before:?}"),
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>(), fields in "[\"a-z_:,{}\\[\\]\\\\ ]{0,80}") {
        for bytes in [&bytes[..], format!("{{\"session_id\":{fields}").as_bytes()] {
            let mut reader = ObjectReader::new();
            reader.feed(bytes);
            if let Ok(object) = reader.finish() {
                let _ = capture(&Payload::read(&object.text).0, &context());
                let _ = capture_line(&object.text, "s", "c", &context());
            }
        }
    }
}
