//! Recorded sessions of the real client, and the rows that they produce.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::recordings::{self, sequence, sequences};
use crate::support::{World, until};

/// A world with a short idle timeout, so that the workers of unfinished sessions exit soon.
fn world() -> World {
    World::new().with("MEMCTL_WORKER_IDLE_TIMEOUT", "2s")
}

/// The expected rows of a recording, derived from its payloads.
#[derive(Default)]
struct Expected {
    observations: i64,
    prompts: Vec<String>,
    /// Prompt numbers that must have a summary.
    stopped: BTreeSet<i64>,
}

fn expected(payloads: &[Value]) -> BTreeMap<String, Expected> {
    const SKIPPED: [&str; 2] = ["ToolSearch", "Skill"];
    let mut all: BTreeMap<String, Expected> = BTreeMap::new();
    for payload in payloads {
        let text = |key: &str| payload[key].as_str().unwrap_or_default();
        let session = all.entry(text("session_id").to_owned()).or_default();
        match text("hook_event_name") {
            "UserPromptSubmit" if !text("prompt").starts_with("<task-notification>") => {
                session.prompts.push(text("prompt_id").to_owned());
            }
            "PostToolUse" | "PostToolUseFailure" if !SKIPPED.contains(&text("tool_name")) => {
                session.observations += 1;
            }
            "SubagentStop" if !text("agent_type").is_empty() => session.observations += 1,
            "Stop" | "StopFailure" => {
                let turn = text("prompt_id");
                let own = session.prompts.iter().rposition(|p| p == turn);
                session.stopped.insert(own.map_or(session.prompts.len(), |n| n + 1) as i64);
            }
            _ => {}
        }
    }
    all
}

#[test]
fn every_recorded_session_produces_the_expected_rows() {
    for name in sequences() {
        let w = world();
        let payloads = sequence(&name);
        w.hooks(&payloads);
        w.settle();
        for (session, want) in expected(&payloads) {
            let messages = format!("FROM pending_messages WHERE content_session_id = '{session}'");
            let got =
                w.count(&format!("SELECT count(*) {messages} AND message_type = 'observation'"));
            assert_eq!(got, want.observations, "{name}: observations of {session}");
            let id = format!("(SELECT id FROM sessions WHERE content_session_id = '{session}')");
            let prompts =
                w.count(&format!("SELECT count(*) FROM user_prompts WHERE session_id = {id}"));
            assert_eq!(prompts, want.prompts.len() as i64, "{name}: prompts of {session}");
            let rows: BTreeSet<i64> = w
                .rows(&format!(
                    "SELECT prompt_number FROM session_summaries WHERE session_id = {id}"
                ))
                .iter()
                .map(|n| n.parse().unwrap())
                .collect();
            assert!(want.stopped.is_subset(&rows), "{name}: {:?} of {rows:?}", want.stopped);
            assert!(rows.iter().all(|n| *n <= want.prompts.len() as i64), "{name}: {rows:?}");
        }
        assert_eq!(w.unfinished(), 0, "{name}");
        assert_eq!(
            w.count("SELECT count(*) FROM user_prompts WHERE finalized_at_epoch IS NULL"),
            0,
            "{name}"
        );
        assert_eq!(w.spools(), [] as [std::path::PathBuf; 0], "{name}");
        assert_eq!(w.socket_files(), [] as [std::path::PathBuf; 0], "{name}");
    }
}

#[test]
fn task_lists_questions_and_plans_reach_the_queue_whole() {
    // A batch waits for more tool uses, so nothing is distilled before the end.
    let w = world().with("MEMCTL_WORKER_LINGER", "60s");
    let used = |id: &str, tool: &str, input: Value, response: Value| {
        let mut payload = recordings::payload("PostToolUse.AskUserQuestion");
        payload["tool_use_id"] = id.into();
        payload["tool_name"] = tool.into();
        payload["tool_input"] = input;
        payload["tool_response"] = response;
        payload
    };
    let todos: Vec<Value> = (0..30)
        .map(
            |n| json!({"content": format!("Step {n}"), "status": "pending", "activeForm": "Doing"}),
        )
        .collect();
    let plan =
        format!("# Move the parser\n{}", "1. Read a rather long line of the plan\n".repeat(600));
    let question = "Which hash?";
    let asked = json!({"questions": [{"question": question, "header": "Hash", "multiSelect": false,
        "options": [{"label": "argon2", "description": "slow"}, {"label": "bcrypt"}]}]});
    let mut answered = asked.clone();
    answered["answers"] = json!({question: "argon2"});
    w.hooks(&[
        used(
            "todo",
            "TodoWrite",
            json!({"todos": todos}),
            json!({"oldTodos": [], "newTodos": todos}),
        ),
        used("asked", "AskUserQuestion", asked, answered),
        used("plan", "ExitPlanMode", json!({}), json!({"plan": plan, "isAgent": false})),
        recordings::payload("PostToolUse.TaskCreate"),
    ]);
    w.until_count("SELECT count(*) FROM pending_messages", 4);
    let kept = |id: &str, column: &str| -> Value {
        let sql = format!("SELECT {column} FROM pending_messages WHERE tool_use_id = '{id}'");
        serde_json::from_str(&w.rows(&sql).pop().unwrap()).unwrap()
    };
    assert_eq!(kept("todo", "tool_input")["todos"], json!(todos));
    // The response only repeats the list.
    assert_eq!(kept("todo", "tool_response"), json!({}));
    assert_eq!(kept("asked", "tool_response")["answers"][question], "argon2");
    assert_eq!(kept("plan", "tool_response")["plan"], json!(plan));
    let create = recordings::payload("PostToolUse.TaskCreate");
    let id = create["tool_use_id"].as_str().unwrap();
    assert_eq!(kept(id, "tool_response")["task"]["id"], "1");
}

/// Sends a recording and waits until it is processed.
fn play(name: &str) -> World {
    let w = world();
    w.hooks(&sequence(name));
    w.settle();
    w
}

#[test]
fn a_prompt_queued_during_a_turn_shares_one_summary_with_it() {
    let w = play("interactive-queued-prompt");
    assert_eq!(w.prompts(), ["1|stop", "2|stop"]);
    assert_eq!(w.summarized_prompts(), [2]);
    // The tool ran in the turn of both prompts, so it belongs to the newer one.
    assert_eq!(
        w.rows("SELECT prompt_number FROM pending_messages WHERE message_type = 'observation'"),
        ["2"]
    );
}

#[test]
fn a_background_tasks_turn_updates_the_summary_of_its_prompt() {
    let w = play("headless-background-command");
    assert_eq!(w.prompts().len(), 1);
    assert_eq!(w.summarized_prompts(), [1]);
    assert_eq!(
        w.count("SELECT count(*) FROM pending_messages WHERE message_type = 'summarize' AND event = 'stop'"),
        2
    );
    let summary = w.summaries().remove(0).to_string();
    assert!(summary.contains("Background noticed"), "{summary}");
}

#[test]
fn a_stop_blocked_nine_times_has_one_summary_with_the_last_text() {
    let w = play("headless-stop-blocked");
    assert_eq!(w.summarized_prompts(), [1]);
    let summary = w.summaries().remove(0).to_string();
    assert!(summary.contains("Nothing more to do"), "{summary}");
    assert!(!summary.contains("Plain answer"), "{summary}");
}

#[test]
fn an_interrupted_turn_is_closed_by_the_next_event() {
    let w = play("interactive-interrupt");
    assert_eq!(w.prompts(), ["1|interrupted", "2|interrupted", "3|stop"]);
    assert_eq!(w.summarized_prompts(), [1, 2, 3]);
    assert_eq!(w.session_state(), "completed|prompt_input_exit");
}

#[test]
fn a_client_killed_during_a_turn_leaves_a_failed_session() {
    let w = play("headless-sigterm");
    assert_eq!(w.session_state(), "failed|other");
}

#[test]
fn an_api_error_is_stored_in_the_notes() {
    let w = play("headless-api-error");
    let notes = w.rows("SELECT notes FROM session_summaries");
    assert!(notes[0].contains("429"), "{notes:?}");
}

#[test]
fn subagents_keep_their_types_and_compactions_are_not_subagents() {
    let w = play("headless-two-subagents");
    let mut agents =
        w.rows("SELECT DISTINCT agent_type FROM pending_messages WHERE agent_id IS NOT NULL");
    agents.sort();
    assert_eq!(agents, ["Explore", "general-purpose"]);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'subagent'"), 2);
    let w = play("headless-auto-compaction");
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'subagent'"), 0);
    assert_eq!(w.count("SELECT count(*) FROM pending_messages WHERE event = 'checkpoint'"), 1);
    assert_eq!(w.summarized_prompts(), [1]);
}

#[test]
fn a_branch_is_linked_to_its_parent() {
    let w = play("interactive-resume-branch");
    let links = w.rows(
        "SELECT p.content_session_id IS NOT NULL FROM sessions s
         LEFT JOIN sessions p ON p.id = s.parent_session_id ORDER BY s.id",
    );
    assert_eq!(links, ["0", "0", "1"]);
    let sessions: Vec<_> = w.rows("SELECT session_id FROM user_prompts ORDER BY id");
    assert_ne!(sessions[0], sessions[1], "the branch's prompt is its own");
}

#[test]
fn the_next_session_gets_the_context_of_a_long_session() {
    let w = world();
    let long = sequence("interactive-long");
    w.hooks(&long);
    w.settle();
    let mut start = recordings::payload("SessionStart.startup-headless");
    let answer = w.hook(&start);
    let context = answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default();
    assert!(context.contains("notes.txt"), "{context}");
    // Each start gets the same bytes.
    start["session_id"] = "another".into();
    assert_eq!(w.hook(&start), answer);
}

#[test]
fn every_payload_except_a_start_gets_the_no_op_response() {
    let w = world();
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude-code-2.1.329");
    let mut n = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".json") else { continue };
        if name.starts_with("environment.") || name.starts_with("SessionStart.") {
            continue;
        }
        let answer = w.hook(&recordings::payload(name));
        assert_eq!(answer.to_string(), r#"{"continue":true,"suppressOutput":true}"#, "{name}");
        n += 1;
    }
    assert!(n > 100, "{n} payloads");
    until("no spool is left", || match w.spools()[..] {
        [] => Ok(()),
        ref files => Err(format!("{files:?}")),
    });
}
