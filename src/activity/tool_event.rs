//! A tool event as it was recorded, from a queue message or from an event.

use memctl_proto::{self as proto, Kind};

use crate::memory::{Cause, Message};

/// A tool use or a subagent's report, as it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct ToolEvent<'a> {
    pub client: &'a str,
    pub cause: Cause,
    pub tool: &'a str,
    pub input: Option<&'a str>,
    /// For a failed tool, the error text.
    pub response: Option<&'a str>,
    /// For a subagent, its report.
    pub report: Option<&'a str>,
    pub cwd: Option<&'a str>,
}

impl<'a> ToolEvent<'a> {
    pub fn from_message(message: &'a Message, client: &'a str) -> ToolEvent<'a> {
        ToolEvent {
            client,
            cause: message.cause,
            tool: message.tool_name.as_deref().unwrap_or(""),
            input: message.tool_input.as_deref(),
            response: message.tool_response.as_deref(),
            report: message.last_assistant_message.as_deref(),
            cwd: message.cwd.as_deref(),
        }
    }

    /// Returns `None` if the event is neither a tool use nor a report.
    pub fn from_event(event: &'a proto::Event) -> Option<ToolEvent<'a>> {
        let cause = match event.kind {
            Kind::Tool => Cause::Tool,
            Kind::ToolFailed => Cause::ToolFailed,
            Kind::Subagent => Cause::Subagent,
            _ => return None,
        };
        let tool = event.tool.as_ref();
        Some(ToolEvent {
            client: &event.client,
            cause,
            tool: tool.map_or("", |t| &t.name),
            input: tool.and_then(|t| t.input.as_deref()),
            response: tool.and_then(|t| t.response.as_deref()),
            report: event.text.as_deref(),
            cwd: event.cwd.as_deref(),
        })
    }
}
