//! Payloads recorded from the real client, and functions that build small ones of the same form.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/claude-code-2.1.329")
}

/// A recorded payload by its file name without extension.
pub fn payload(name: &str) -> Value {
    let path = dir().join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The payloads of a recorded session in the order of their hooks.
pub fn sequence(name: &str) -> Vec<Value> {
    let path = dir().join("sequences").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let steps: Vec<Value> = serde_json::from_str(&text).unwrap();
    steps.into_iter().map(|step| step["payload"].clone()).collect()
}

/// The names of all recorded sessions.
pub fn sequences() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir().join("sequences"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

pub fn prompt(session: &str, turn: &str, text: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "prompt_id": turn,
           "hook_event_name": "UserPromptSubmit", "prompt": text})
}

pub fn tool(session: &str, turn: &str, id: &str, command: &str, output: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "prompt_id": turn, "hook_event_name": "PostToolUse",
           "tool_name": "Bash", "tool_input": {"command": command},
           "tool_response": {"stdout": output, "stderr": "", "interrupted": false},
           "tool_use_id": id})
}

/// An edit of this file. The local agent makes an observation of it.
pub fn edit(session: &str, turn: &str, id: &str, file: &str) -> Value {
    let path = format!("/work/{file}");
    json!({"session_id": session, "cwd": "/work", "prompt_id": turn,
           "hook_event_name": "PostToolUse", "tool_name": "Edit",
           "tool_input": {"file_path": path, "old_string": "a = 1", "new_string": "a = 2",
                          "replace_all": false},
           "tool_response": {"filePath": path, "oldString": "a = 1", "newString": "a = 2",
                             "originalFile": "a = 1\n", "userModified": false},
           "tool_use_id": id})
}

pub fn stop(session: &str, turn: &str, text: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "prompt_id": turn, "hook_event_name": "Stop",
           "stop_hook_active": false, "last_assistant_message": text})
}

pub fn end(session: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "hook_event_name": "SessionEnd", "reason": "other"})
}

pub fn start(session: &str) -> Value {
    json!({"session_id": session, "cwd": "/", "hook_event_name": "SessionStart",
           "source": "startup"})
}
