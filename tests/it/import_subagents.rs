//! Subagents in `memctl import claude-code`: their transcripts yield what their hooks would have reported,
//! in the turn of their session.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::recordings::{prompt, stop, tool};
use crate::support::transcripts::Transcript;

fn import(w: &World) -> Value {
    w.memctl(&["import", "claude-code", "--json"]).json()
}

/// A use of the Agent tool and its result, in the foreground.
fn agent_use(session: Transcript, agent: &str, report: &str, at: &str) -> Transcript {
    let id = format!("toolu_agent_{agent}");
    let used = json!({"type": "tool_use", "id": id, "name": "Agent",
        "input": {"description": "look", "prompt": "Look around.", "subagent_type": "Explore"}});
    let content = json!([{"type": "text", "text": report}]);
    let result = json!({"type": "tool_result", "tool_use_id": id, "content": content});
    let response = json!({"status": "completed", "agentId": agent, "agentType": "Explore", "content": content});
    session.line(json!({"type": "assistant", "message": {"content": [used]}})).line(json!({
        "type": "user", "message": {"content": [result]}, "toolUseResult": response,
        "timestamp": at,
    }))
}

/// A session whose subagent runs two commands and reports.
fn write_session(w: &World) {
    let report = "The exporter truncates names after forty characters.";
    let session = Transcript::new("main", 3)
        .line(json!({"type": "user", "message": {"content": "Why are names cut?"}}));
    let session = agent_use(session, "a1", report, "2026-03-03T10:00:20.000Z");
    let said = json!([{"type": "text", "text": "Names are cut after forty characters."}]);
    session
        .line(json!({"type": "assistant", "message": {"content": said},
            "timestamp": "2026-03-03T10:00:21.000Z"}))
        .turn("Now fix it.", 1, "It is fixed.")
        .write(w);
    let mut agent = Transcript::new("a1", 3).turn("Look around.", 2, report);
    agent.lines[1]["attributionAgent"] = json!("Explore");
    agent.write_subagent(w, "main");
}

const EVENTS: &str =
    "SELECT m.message_type || ' ' || ifnull(m.tool_name, '-') || ' ' || ifnull(m.agent_id, '-')
    || ' ' || ifnull(m.agent_type, '-') FROM pending_messages m ORDER BY m.id";

#[test]
fn the_work_of_a_subagent_belongs_to_the_turn_that_started_it() {
    let w = World::new();
    write_session(&w);
    let report = import(&w);
    assert_eq!(report["subagents"], 1, "{report}");
    assert_eq!(report["skipped"]["sidechain_files"], 0, "{report}");
    let events = w.rows(EVENTS);
    let expected = [
        "observation Bash a1 Explore",
        "observation Bash a1 Explore",
        "observation Subagent a1 Explore",
        "observation Agent - -",
        "summarize - - -",
        "observation Bash - -",
        "summarize - - -",
        "summarize - - -",
    ];
    assert_eq!(events, expected, "{report}");
    assert_eq!(w.count("SELECT count(*) FROM user_prompts"), 2, "what it was asked is no prompt");
    // A second import adds nothing.
    let counts = |w: &World| {
        ["pending_messages", "observations", "session_summaries"]
            .map(|table| w.count(&format!("SELECT count(*) FROM {table}")))
    };
    let first = counts(&w);
    import(&w);
    assert_eq!(counts(&w), first);
    let text = w.memctl(&["import", "claude-code"]).ok();
    assert!(text.contains("1 imported before"), "{text}");
}

#[test]
fn an_import_yields_the_events_of_live_hooks() {
    let imported = World::new();
    write_session(&imported);
    import(&imported);
    let live = World::new();
    let of_agent = |mut payload: Value| {
        payload["agent_id"] = json!("a1");
        payload["agent_type"] = json!("Explore");
        payload
    };
    live.hook(&prompt("main", "p1", "Why are names cut?"));
    for n in 0..2 {
        let command = format!("cargo test part_{n}");
        live.hook(&of_agent(tool("main", "p1", &format!("u{n}"), &command, "ok")));
    }
    let mut report = stop("main", "p1", "The exporter truncates names after forty characters.");
    report["hook_event_name"] = json!("SubagentStop");
    live.hook(&of_agent(report));
    let mut agent = tool("main", "p1", "u9", "", "");
    agent["tool_name"] = json!("Agent");
    agent["tool_input"] = json!({"description": "look", "prompt": "Look around.",
        "subagent_type": "Explore"});
    agent["tool_response"] = json!({"status": "completed", "agentId": "a1", "agentType": "Explore",
        "content": [{"type": "text", "text": "The exporter truncates names after forty characters."}]});
    live.hook(&agent);
    live.hook(&stop("main", "p1", "Names are cut after forty characters."));
    live.hook(&crate::support::recordings::end("main"));
    live.settle();
    let of_agent =
        "SELECT message_type || ' ' || ifnull(tool_name, '-') || agent_type FROM pending_messages
        WHERE agent_id = 'a1' ORDER BY id";
    assert_eq!(imported.rows(of_agent), live.rows(of_agent));
    let told = "SELECT request, investigated, learned, completed, next_steps, notes
        FROM session_summaries WHERE prompt_number = 1";
    assert_eq!(imported.rows(told), live.rows(told));
    assert_eq!(live.rows(told).len(), 1);
}

#[test]
fn a_subagent_beside_its_session_and_one_of_a_resumed_session_are_found() {
    let w = World::new();
    write_session(&w);
    // Earlier releases kept the files beside the session's own.
    let mut agent = Transcript::new("a2", 3).turn("Look again.", 1, "Nothing more.");
    agent.lines.iter_mut().for_each(|line| line["sessionId"] = json!("main"));
    let path = agent.write_subagent(&w, "main");
    std::fs::rename(&path, path.ancestors().nth(3).unwrap().join("agent-a2.jsonl")).unwrap();
    let report = import(&w);
    assert_eq!(report["subagents"], 2, "{report}");
    let events = "SELECT count(*) FROM pending_messages WHERE agent_id = 'a2'";
    assert_eq!(w.count(events), 2);
    // A damaged file of a subagent is counted, and the session is imported.
    let other = World::new();
    write_session(&other);
    let broken = Transcript::new("a3", 3).turn("Look.", 1, "Done.").write_subagent(&other, "main");
    let text = std::fs::read_to_string(&broken).unwrap();
    std::fs::write(&broken, format!("{text}{{\"cut")).unwrap();
    let report = import(&other);
    assert_eq!((&report["subagents"], &report["skipped"]["damaged_lines"]), (&json!(2), &json!(1)));
    assert_eq!(report["sessions"]["imported"], 1, "{report}");
}

#[test]
fn a_replay_reads_subagents_too_and_an_import_adds_nothing_to_it() {
    let w = World::new();
    write_session(&w);
    let path = crate::support::transcripts::projects(&w).join("-gone-app/main.jsonl");
    w.memctl(&["replay", path.to_str().unwrap()]).ok();
    w.settle();
    let events = w.count("SELECT count(*) FROM pending_messages");
    assert_eq!(events, 8);
    let report = import(&w);
    assert_eq!(report["events"]["stored"], 0, "{report}");
    assert_eq!(w.count("SELECT count(*) FROM pending_messages"), events);
}
