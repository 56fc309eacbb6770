//! How an activity appears in a prompt, and its cost there.
//!
//! An activity that changes nothing (a read, a search, `git status`) takes one line. All others are
//! quoted, up to a limit. If a model is configured, `accept` stores the cost with the event, so that the
//! worker can limit the size of a batch before it parses the events.

use memctl_proto as proto;

use super::batch::Event;
use super::event::Activity;
use super::tool_event::ToolEvent;
use crate::memory::Cause;
use crate::text::collapse_spaces;

/// Maximum bytes of a user prompt.
pub const MAX_PROMPT: usize = 2 << 10;
/// Maximum bytes of the assistant's last message.
pub const MAX_LAST_MESSAGE: usize = 4 << 10;
/// Maximum bytes of a [`Mention::Line`].
pub const MAX_LINE: usize = 160;

/// How an activity appears in a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// The tool's input and output are quoted, up to these numbers of bytes.
    Full { input: usize, output: usize },
    /// One line describes the activity.
    Line(String),
}

/// What a message costs in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptCost {
    /// 1 for [`Mention::Full`], 0 for a line.
    pub events: usize,
    pub bytes: usize,
}

/// How the event appears in a prompt.
pub fn mention(event: &Event) -> Mention {
    mention_of(event.activity, event.message.tool_name.as_deref())
}

fn mention_of(activity: &Activity, tool: Option<&str>) -> Mention {
    let line = |text: String| Mention::Line(text);
    match activity {
        Activity::Read { path } => line(format!("read {path}")),
        Activity::Search { pattern } => line(format!("searched for {pattern}")),
        Activity::Launch { kind, task, .. } => line(format!("sent a subagent {kind}: {task}")),
        Activity::Run(run) if run.is_read_only() => {
            line(format!("ran {}", collapse_spaces(&run.command)))
        }
        Activity::Nothing => line(format!("{} did nothing", tool.unwrap_or("a tool"))),
        Activity::Tasks(_) => line("updated the task list".to_owned()),
        Activity::Refused(refusal) => {
            let words = match refusal.words.as_str() {
                "" => String::new(),
                words => format!(" and said: {}", collapse_spaces(words)),
            };
            line(format!("the user refused {}{words}", refusal.what))
        }
        Activity::Asked(_) => Mention::Full { input: 1 << 10, output: 1 << 10 },
        Activity::Planned { .. } => Mention::Full { input: 4 << 10, output: 512 },
        Activity::Edit(_) => Mention::Full { input: 2 << 10, output: 1 << 10 },
        Activity::Report { .. } => Mention::Full { input: 1 << 10, output: 4 << 10 },
        Activity::Web { .. } => Mention::Full { input: 512, output: 2 << 10 },
        Activity::Run(_) | Activity::Call { .. } => {
            Mention::Full { input: 1 << 10, output: 2 << 10 }
        }
    }
}

impl PromptCost {
    /// The cost of an event that is about to be accepted. Returns `None` if the event is neither a
    /// tool use nor a report.
    pub fn from_event(event: &proto::Event) -> Option<PromptCost> {
        let event = ToolEvent::from_event(event)?;
        Some(PromptCost::new(&event, &Activity::parse(&event, None)))
    }

    /// The cost of a message that asks for a summary. `text` is the assistant's last message.
    pub fn from_last_message(text: Option<&str>) -> PromptCost {
        PromptCost { events: 0, bytes: text.map_or(0, str::len).min(MAX_LAST_MESSAGE) }
    }

    fn new(event: &ToolEvent, activity: &Activity) -> PromptCost {
        let tool = Some(event.tool).filter(|tool| !tool.is_empty());
        match mention_of(activity, tool) {
            Mention::Line(line) => PromptCost { events: 0, bytes: line.len().min(MAX_LINE) },
            Mention::Full { input, output } => {
                let text = match event.cause {
                    Cause::Subagent => event.report,
                    _ => event.response,
                };
                let len = |text: Option<&str>| text.map_or(0, str::len);
                let bytes = len(event.input).min(input) + len(text).min(output);
                PromptCost { events: 1, bytes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use memctl_proto::{Event, Kind, event::Tool};

    use super::*;

    fn event(tool: &str, input: &serde_json::Value, response: &str, kind: Kind) -> Event {
        let tool = Tool {
            name: tool.into(),
            input: Some(input.to_string()),
            response: Some(response.into()),
            ..Tool::default()
        };
        Event { tool: Some(tool), ..Event::new(kind, "claude-code", "s", 0) }
    }

    #[test]
    fn lookups_take_a_line_and_changes_are_quoted() {
        let check = |tool: &str, input: serde_json::Value, kind, line: Option<&str>| {
            let event = event(tool, &input, "out", kind);
            let parsed = ToolEvent::from_event(&event).unwrap();
            let mention = mention_of(&Activity::parse(&parsed, None), Some(tool));
            let found = match &mention {
                Mention::Line(line) => Some(line.as_str()),
                Mention::Full { .. } => None,
            };
            assert_eq!(found, line, "{tool} {input}");
            let cost = PromptCost::from_event(&event).unwrap();
            assert_eq!(cost.events, usize::from(line.is_none()), "{tool} {input}");
        };
        let bash = |command: &str| serde_json::json!({ "command": command });
        let file = serde_json::json!({"file_path": "src/a.rs"});
        let edit =
            serde_json::json!({"file_path": "src/a.rs", "old_string": "a", "new_string": "b"});
        let grep = serde_json::json!({"pattern": "fn x"});
        check("Read", file, Kind::Tool, Some("read src/a.rs"));
        check("Grep", grep, Kind::Tool, Some("searched for fn x"));
        check("Bash", bash("git  status"), Kind::Tool, Some("ran git status"));
        check("Bash", bash("ls -la | head"), Kind::Tool, Some("ran ls -la | head"));
        check("Bash", bash("cargo test"), Kind::Tool, None);
        check("Bash", bash("ls nowhere"), Kind::ToolFailed, None);
        check("Bash", bash("sed -i s/a/b/ src/a.rs"), Kind::Tool, None);
        check("Edit", edit, Kind::Tool, None);
        check("mcp__db__query", serde_json::json!({"sql": "x"}), Kind::Tool, None);
    }

    #[test]
    fn a_long_read_costs_one_line() {
        let file = serde_json::json!({"file_path": "src/a.rs"});
        let event = event("Read", &file, &"x".repeat(60_000), Kind::Tool);
        assert!(PromptCost::from_event(&event).unwrap().bytes < 40);
        let start = Event::new(Kind::Start, "c", "s", 0);
        assert_eq!(PromptCost::from_event(&start), None);
        assert_eq!(PromptCost::from_last_message(Some(&"x".repeat(9_999))).bytes, MAX_LAST_MESSAGE);
    }
}
