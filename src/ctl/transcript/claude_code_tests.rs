//! Tests of the conversion of transcripts.

use super::*;

fn steps(lines: &[Value]) -> Vec<(&'static str, Value)> {
    let mut converter = Converter::default();
    let mut all: Vec<Step> = lines.iter().flat_map(|line| converter.line(line)).collect();
    all.extend(converter.end());
    let ids: std::collections::HashSet<_> = all.iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), all.len(), "ids repeat");
    all.into_iter().map(|s| (s.event, s.payload)).collect()
}

fn user(uuid: &str, content: Value) -> Value {
    json!({"type": "user", "uuid": uuid, "sessionId": "s", "cwd": "/p",
           "timestamp": "2026-11-21T02:23:09.884Z", "message": {"content": content}})
}

fn assistant(uuid: &str, block: Value) -> Value {
    json!({"type": "assistant", "uuid": uuid, "sessionId": "s",
           "timestamp": "2026-11-21T02:23:10Z", "message": {"content": [block]}})
}

#[test]
fn failed_and_successful_tool_uses_become_events() {
    let got = steps(&[
        user("1", json!("fix it")),
        assistant(
            "2",
            json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "x"}}),
        ),
        user(
            "3",
            json!([{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "Exit code 1"}]),
        ),
        assistant(
            "4",
            json!({"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "y"}}),
        ),
        user("5", json!([{"type": "tool_result", "tool_use_id": "t2", "content": "ok"}])),
        assistant("6", json!({"type": "text", "text": "Done."})),
        user("7", json!("next")),
    ]);
    let events: Vec<&str> = got.iter().map(|(event, _)| *event).collect();
    assert_eq!(
        events,
        [
            "UserPromptSubmit",
            "PostToolUseFailure",
            "PostToolUse",
            "Stop",
            "UserPromptSubmit",
            "Stop",
            "SessionEnd"
        ]
    );
    assert_eq!(got[1].1["error"], "Exit code 1");
    assert_eq!(got[2].1["tool_response"], "ok");
    assert_eq!(got[3].1["last_assistant_message"], "Done.");
    assert_eq!(got[3].1["prompt_id"], "1");
}

#[test]
fn generated_messages_are_not_prompts() {
    let mut meta = user("1", json!("caveat"));
    meta["isMeta"] = json!(true);
    let got = steps(&[
        meta,
        user("2", json!("[Request interrupted by user]")),
        user("3", json!("<command-name>/compact</command-name><command-args>x</command-args>")),
        user("4", json!("<local-command-stdout>Compacted</local-command-stdout>")),
        user("5", json!("<command-name>/clear</command-name>")),
        user("6", json!([{"type": "text", "text": "typed"}])),
        user("7", json!("<command-name>/clear</command-name>")),
    ]);
    let prompts: Vec<&str> = got.iter().filter_map(|(_, p)| p["prompt"].as_str()).collect();
    assert_eq!(prompts, ["typed"]);
}

#[test]
fn the_clients_own_answers_and_results_are_not_events() {
    let mut synthetic = assistant("3", json!({"type": "text", "text": "No response requested."}));
    synthetic["message"]["model"] = json!("<synthetic>");
    let use_of =
        |id: &str| json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "x"}});
    let result = |uuid: &str, id: &str, text: &str| {
        let block =
            json!({"type": "tool_result", "tool_use_id": id, "is_error": true, "content": text});
        user(uuid, json!([block]))
    };
    let got = steps(&[
        user("1", json!("go")),
        assistant("2", json!({"type": "text", "text": "I look."})),
        assistant("2a", use_of("t1")),
        assistant("2b", use_of("t2")),
        result("2c", "t1", "[Tool call interrupted: the session ended before this call's result"),
        result("2d", "t2", "[Request interrupted by user for tool use]"),
        synthetic,
    ]);
    let events: Vec<&str> = got.iter().map(|(event, _)| *event).collect();
    assert_eq!(events, ["UserPromptSubmit", "Stop", "SessionEnd"]);
    assert_eq!(got[1].1["last_assistant_message"], "I look.");
}

#[test]
fn a_turn_that_ends_with_an_api_error_has_failed() {
    let mut error = assistant("2", json!({"type": "text", "text": "API Error: 529 overloaded"}));
    error["message"]["model"] = json!("<synthetic>");
    error["isApiErrorMessage"] = json!(true);
    error["error"] = json!("server_error");
    let got = steps(&[user("1", json!("go")), error.clone()]);
    assert_eq!((got[1].0, &got[1].1["error"]), ("StopFailure", &json!("server_error")));
    let done = assistant("3", json!({"type": "text", "text": "Done."}));
    let got = steps(&[user("1", json!("go")), error, done]);
    assert_eq!((got[1].0, &got[1].1["last_assistant_message"]), ("Stop", &json!("Done.")));
}

#[test]
fn the_work_of_a_slash_command_belongs_to_its_own_turn() {
    let command = "<command-message>review</command-message>\n\
                   <command-name>/review</command-name>\n<command-args>42</command-args>";
    let mut expansion = user("5", json!([{"type": "text", "text": "Review the pull request."}]));
    expansion["isMeta"] = json!(true);
    let used = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "x"}});
    let got = steps(&[
        user("1", json!("first")),
        assistant("2", json!({"type": "text", "text": "First is done."})),
        user("4", json!(command)),
        expansion,
        assistant("6", used),
        user("7", json!([{"type": "tool_result", "tool_use_id": "t", "content": "ok"}])),
        assistant("8", json!({"type": "text", "text": "Reviewed."})),
    ]);
    let events: Vec<(&str, &str)> =
        got.iter().map(|(e, p)| (*e, p["prompt_id"].as_str().unwrap_or_default())).collect();
    assert_eq!(
        events,
        [
            ("UserPromptSubmit", "1"),
            ("Stop", "1"),
            ("UserPromptSubmit", "4"),
            ("PostToolUse", "4"),
            ("Stop", "4"),
            ("SessionEnd", ""),
        ]
    );
    assert_eq!(got[2].1["prompt"], "/review 42");
    let interrupted = [
        user("4", json!(command)),
        user("5", json!("[Request interrupted by user]")),
        user("6", json!("next")),
    ];
    let got = steps(&interrupted);
    assert_eq!(got[0].1["prompt"], "/review 42");
}

#[test]
fn prompts_of_one_turn_share_a_stop() {
    let mut second = user("2", json!("also"));
    second["promptId"] = json!("turn");
    let mut first = user("1", json!("one"));
    first["promptId"] = json!("turn");
    let events: Vec<&str> = steps(&[first, second]).iter().map(|(event, _)| *event).collect();
    assert_eq!(events, ["UserPromptSubmit", "UserPromptSubmit", "Stop", "SessionEnd"]);
}
