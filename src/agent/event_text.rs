//! What a prompt tells of a tool use: an edit as the lines that it changed, other inputs without noise,
//! paths relative to the project.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::activity::{Activity, Event, Payload, changed_lines};
use crate::memory::Cause;

/// Fields of an input that say nothing about what was done.
const NOISE: [&str; 4] = ["description", "timeout", "replace_all", "restart"];

/// The input of a tool, one field per line, or the changed lines of an edit.
pub fn input(event: &Event, root: Option<&Path>) -> String {
    let message = event.message;
    let input = Payload::read(message.tool_input.as_deref());
    let text = match (event.activity, &input) {
        (Activity::Edit(edits), _) if edits.len() == 1 && !is_patch(&input) => {
            let response = Payload::read(message.tool_response.as_deref());
            let lines = changed_lines(&input, &response);
            match lines.is_empty() {
                true => fields(&input),
                false => format!("{}\n{}", edits[0].path, lines.join("\n")),
            }
        }
        _ => fields(&input),
    };
    relative(text, root)
}

/// Whether the input is a patch, which says itself what it changes.
fn is_patch(input: &Payload) -> bool {
    input.string(&["patch", "patchText"]).is_some() || matches!(input, Payload::Text(_))
}

fn fields(input: &Payload) -> String {
    match input {
        Payload::Json(Value::Object(fields)) => {
            let mut text = String::new();
            let told = fields.iter().filter(|(name, value)| {
                !NOISE.contains(&name.as_str())
                    && !matches!(value, Value::Bool(false) | Value::Null)
            });
            for (name, value) in told {
                let _ = match (name.as_str(), value) {
                    ("run_in_background", Value::Bool(true)) => writeln!(text, "in background"),
                    (_, Value::String(value)) => writeln!(text, "{name}: {value}"),
                    (_, other) => writeln!(text, "{name}: {other}"),
                };
            }
            text
        }
        Payload::Json(value) => value.to_string(),
        Payload::Text(text) => (*text).to_owned(),
        Payload::Absent => String::new(),
    }
}

/// The output of an event: a subagent's report, or the readable text of the tool's response.
pub fn output(event: &Event, root: Option<&Path>) -> String {
    let text = match event.activity {
        // The input contains the whole edit, and the response only repeats the file.
        Activity::Edit(_) if event.message.cause != Cause::ToolFailed => return String::new(),
        Activity::Report { text, .. } => text.clone(),
        _ => Payload::read(event.message.tool_response.as_deref()).text(),
    };
    match text.trim().is_empty() && matches!(event.activity, Activity::Run(_)) {
        true => "no output".to_owned(),
        false => relative(text, root),
    }
}

/// The text with paths of the project relative to its root.
fn relative(text: String, root: Option<&Path>) -> String {
    match root.and_then(Path::to_str).map(|root| root.trim_end_matches('/')) {
        Some(root) if root.len() > 1 => text.replace(&format!("{root}/"), ""),
        _ => text,
    }
}
