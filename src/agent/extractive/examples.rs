//! Compares the pages in `docs/examples` with the real output for three sessions. Build with
//! `UPDATE_EXAMPLES` set to write the pages again.

use std::path::PathBuf;

use serde_json::Value;

use super::{distill_unparsed as distill, sessions};
use crate::memory::{Batch, Cause, Distilled, Message, Observation, Prompt, Rolling, Summary};

/// The program writes everything below this line of a page.
const MARK: &str = "<!-- memctl wrote the text below. A test compares it. -->";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The turns of a session as its hooks reported them, one JSON object per line.
fn turns(hooks: &str) -> Vec<Batch> {
    let mut turns: Vec<Batch> = Vec::new();
    for line in hooks.lines() {
        let event: Value = serde_json::from_str(line).expect("a line is JSON");
        if event["hook_event_name"] == "UserPromptSubmit" {
            let text = event["prompt"].as_str().unwrap_or("").to_owned();
            turns.push(Batch {
                project_root: event["cwd"].as_str().map(PathBuf::from),
                prompts: vec![Prompt { number: turns.len() as i64 + 1, text }],
                ..Batch::default()
            });
            continue;
        }
        let Some(turn) = turns.last_mut() else { continue };
        let id = turn.messages.len() as i64 + 1;
        let number = turn.prompts[0].number;
        turn.messages.extend(message(&event, id, number));
    }
    turns
}

fn message(event: &Value, id: i64, prompt_number: i64) -> Option<Message> {
    let cause = match event["hook_event_name"].as_str()? {
        "PostToolUse" => Cause::Tool,
        "PostToolUseFailure" => Cause::ToolFailed,
        "SubagentStop" => Cause::Subagent,
        "Stop" => Cause::Stop,
        _ => return None,
    };
    let text = |key: &str| event[key].as_str().map(str::to_owned);
    let json = |key: &str| event.get(key).map(Value::to_string);
    // The response of `Agent` repeats the report, which has an event of its own.
    let repeats_report = event["tool_name"] == "Agent";
    Some(Message {
        id,
        cause,
        turn_id: text("prompt_id"),
        prompt_number,
        agent_id: text("agent_id"),
        agent_type: text("agent_type"),
        tool_name: text("tool_name"),
        tool_input: json("tool_input"),
        tool_response: text("error").or(json("tool_response")).filter(|_| !repeats_report),
        cwd: text("cwd"),
        last_assistant_message: text("last_assistant_message"),
        files: Vec::new(),
        created_at_epoch: id,
    })
}

fn page_text(distilled: &Distilled) -> String {
    let mut out = String::new();
    let summary = distilled.summary.iter().flat_map(of_summary);
    for line in summary.chain([String::new(), "Observations:".to_owned(), String::new()]) {
        out.push_str(&line);
        out.push('\n');
    }
    for line in distilled.observations.iter().flat_map(of_observation) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn of_summary(summary: &Summary) -> Vec<String> {
    let fields = [
        ("Request", summary.request.clone()),
        ("Investigated", summary.investigated.clone()),
        ("Learned", summary.learned.clone()),
        ("Completed", summary.completed.clone()),
        ("Next steps", summary.next_steps.clone()),
        ("Files modified", files(&summary.files_modified)),
    ];
    let filled = fields.into_iter().filter(|(_, text)| !text.is_empty());
    filled.map(|(name, text)| format!("- **{name}:** {text}")).collect()
}

fn of_observation(observation: &Observation) -> Vec<String> {
    let mut out = vec![format!("- **{}** {}", observation.kind, observation.title)];
    let texts = observation.subtitle.iter().chain(&observation.narrative);
    let lines = texts.chain(&observation.facts).map(|text| format!("  - {text}"));
    out.extend(lines);
    let modified = files(&observation.files_modified);
    if !modified.is_empty() {
        out.push(format!("  - modified: {modified}"));
    }
    out
}

fn files(paths: &[String]) -> String {
    super::facts::some(paths, 4)
}

fn check(page: &str, turns: &[Batch]) {
    let mut generated = format!("{MARK}\n");
    let mut rolling = Rolling::default();
    for turn in turns {
        let distilled = distill(&Batch { rolling: rolling.clone(), ..turn.clone() });
        let head = if turns.len() > 1 {
            format!("\n## Turn {}\n\n", turn.prompts[0].number)
        } else {
            "\n## What is kept\n\n".to_owned()
        };
        generated.push_str(&head);
        generated.push_str(&page_text(&distilled));
        rolling.summaries.extend(distilled.summary);
    }
    let path = root().join("docs/examples").join(page);
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let (by_hand, stored) = text.split_once(MARK).expect("the page has its mark");
    if option_env!("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, format!("{by_hand}{generated}")).expect("the page can be written");
        return;
    }
    let stored = format!("{MARK}{stored}");
    assert_eq!(stored, generated, "{page} is out of date; run: UPDATE_EXAMPLES=1 cargo test");
}

#[test]
fn the_example_pages_are_up_to_date() {
    let demo = std::fs::read_to_string(root().join("tests/demo/session.jsonl")).expect("a session");
    check("1-leap-day.md", &turns(&demo));
    check("2-migration.md", &[sessions::turn("long-migration")]);
    check("3-slow-query.md", &[sessions::turn("spanish-index")]);
}
