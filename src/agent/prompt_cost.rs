//! How much of a model's attention an event is worth: told in full, or judged by a rule and told
//! in a line. Of what is told in full, how much.

use super::extractive::payload::Payload;
use super::extractive::reading::{self, Event, What};
use super::extractive::run::Run;
use crate::memory::{Cause, Message};
use crate::text::collapse_spaces;

/// Most bytes told of a prompt, of the assistant's last words, and of a line.
pub const PROMPT: usize = 2 << 10;
pub const LAST_WORDS: usize = 4 << 10;
pub const LINE: usize = 160;

/// Most bytes told of an event's two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub input: usize,
    pub output: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Told in full.
    Full,
    /// A rule can judge it: this is said of it.
    Line(String),
}

pub fn of(event: &Event) -> Weight {
    match &event.what {
        What::Read { path } => Weight::Line(format!("read {path}")),
        What::Search { pattern } => Weight::Line(format!("searched for {pattern}")),
        What::Launch { kind, task, .. } => Weight::Line(format!("sent a subagent {kind}: {task}")),
        What::Run(run) if only_looks(run) => Weight::Line(format!("ran {}", command(event))),
        What::Nothing => Weight::Line(format!(
            "{} did nothing",
            event.message.tool_name.as_deref().unwrap_or("a tool")
        )),
        What::Edit(_)
        | What::Run(_)
        | What::Web { .. }
        | What::Report { .. }
        | What::Call { .. } => Weight::Full,
    }
}

/// It succeeded, and neither proves nor changes anything.
fn only_looks(run: &Run) -> bool {
    let changes = [&run.written, &run.removed, &run.reverted];
    !run.failed
        && run.checks.is_empty()
        && run.deeds.is_empty()
        && run.commit.is_none()
        && run.fetched.is_none()
        && changes.iter().all(|paths| paths.is_empty())
}

fn command(event: &Event) -> String {
    let input = Payload::read(event.message.tool_input.as_deref());
    let command = input.string(&["command", "cmd", "script"]).unwrap_or_default();
    collapse_spaces(&command)
}

pub fn limits(event: &Event) -> Limits {
    match &event.what {
        What::Edit(_) => Limits { input: 2 << 10, output: 1 << 10 },
        What::Report { .. } => Limits { input: 1 << 10, output: 4 << 10 },
        What::Web { .. } => Limits { input: 512, output: 2 << 10 },
        _ => Limits { input: 1 << 10, output: 2 << 10 },
    }
}

/// What a message counts towards a batch: one or no event, and the bytes that are told of it.
pub fn count(message: &Message) -> (usize, usize) {
    let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    if message.cause.summarizes() {
        return (0, len(&message.last_assistant_message).min(LAST_WORDS));
    }
    let event = reading::one(message, "", None);
    match of(&event) {
        Weight::Line(line) => (0, line.len().min(LINE)),
        Weight::Full => {
            let limits = limits(&event);
            let output = match message.cause {
                Cause::Subagent => &message.last_assistant_message,
                _ => &message.tool_response,
            };
            (1, len(&message.tool_input).min(limits.input) + len(output).min(limits.output))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tool: &str, input: serde_json::Value, response: &str, cause: Cause) -> Message {
        Message {
            id: 1,
            cause,
            turn_id: None,
            prompt_number: 1,
            agent_id: None,
            agent_type: None,
            tool_name: Some(tool.into()),
            tool_input: Some(input.to_string()),
            tool_response: Some(response.into()),
            cwd: None,
            files: Vec::new(),
            last_assistant_message: None,
            created_at_epoch: 0,
        }
    }

    #[test]
    fn looks_are_lines_and_deeds_are_told() {
        let check = |tool: &str, input, cause, want: Option<&str>| {
            let message = message(tool, input, "out", cause);
            let weight = of(&reading::one(&message, "", None));
            let want = want.map_or(Weight::Full, |line| Weight::Line(line.into()));
            assert_eq!(weight, want, "{message:?}");
            assert_eq!(count(&message).0, usize::from(want == Weight::Full));
        };
        let bash = |command: &str| serde_json::json!({ "command": command });
        let file = serde_json::json!({"file_path": "src/a.rs"});
        let edit =
            serde_json::json!({"file_path": "src/a.rs", "old_string": "a", "new_string": "b"});
        check("Read", file, Cause::Tool, Some("read src/a.rs"));
        check(
            "Grep",
            serde_json::json!({"pattern": "fn x"}),
            Cause::Tool,
            Some("searched for fn x"),
        );
        check("Bash", bash("git  status"), Cause::Tool, Some("ran git status"));
        check("Bash", bash("ls -la | head"), Cause::Tool, Some("ran ls -la | head"));
        check("Bash", bash("cargo test"), Cause::Tool, None);
        check("Bash", bash("ls nowhere"), Cause::ToolFailed, None);
        check("Bash", bash("sed -i s/a/b/ src/a.rs"), Cause::Tool, None);
        check("Edit", edit, Cause::Tool, None);
        check("mcp__db__query", serde_json::json!({"sql": "x"}), Cause::Tool, None);
    }

    #[test]
    fn a_long_read_weighs_a_line() {
        let file = serde_json::json!({"file_path": "src/a.rs"});
        let message = message("Read", file, &"x".repeat(60_000), Cause::Tool);
        assert!(count(&message).1 < 40);
    }
}
