//! Parses one tool event into an activity.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use memctl_proto::{self as proto, Kind};

use super::edit::{self, Edit};
use super::payload::Payload;
use super::run::{self, Run};
use super::shorten::fit;
use super::web;
use crate::clients::{ToolKind, ToolUse};
use crate::memory::{Cause, Message, Origin};
use crate::project::PathBase;

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

/// The meaning of a tool event.
#[derive(Clone, Debug, Default)]
pub enum Activity {
    Read {
        path: String,
    },
    Search {
        pattern: String,
    },
    Edit(Vec<Edit>),
    Run(Box<Run>),
    /// A page was fetched, or the web was searched.
    Web {
        subject: String,
        excerpt: String,
    },
    /// A subagent was started.
    Launch {
        agent: Option<String>,
        kind: String,
        task: String,
    },
    /// A subagent's report.
    Report {
        text: String,
        task: String,
    },
    /// A tool of an MCP server, or an unknown tool.
    Call {
        tool: String,
        side_effect: Option<String>,
        failure: Option<String>,
    },
    /// Nothing to remember.
    #[default]
    Nothing,
}

impl Activity {
    /// Parses an event. Paths are made relative to `root`, the root of the project.
    pub fn parse(event: &ToolEvent, root: Option<&Path>) -> Activity {
        // Parsing must not panic. Without this guard, a panic would crash the worker before the
        // event is stored, and again at each delivery. With it, the activity is `Nothing`.
        guarded(|| parse(event, root)).unwrap_or_else(|| {
            tracing::error!(tool = event.tool, "parsing a tool event panicked");
            Activity::Nothing
        })
    }

    /// Where the activity's information comes from.
    pub fn origin(&self) -> Origin {
        match self {
            Activity::Read { .. } | Activity::Search { .. } | Activity::Edit(_) => {
                Origin::Repository
            }
            Activity::Run(run) if run.fetched.is_some() => Origin::Web,
            Activity::Web { .. } => Origin::Web,
            Activity::Report { .. } | Activity::Launch { .. } => Origin::Assistant,
            Activity::Run(_) | Activity::Call { .. } | Activity::Nothing => Origin::Tool,
        }
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is parsing a tool event, so that a panic is caught. A panic hook that ends
/// the process must check this, because it runs before the panic is caught.
pub fn is_panic_caught() -> bool {
    GUARDED.get()
}

/// Returns `None` if `f` panics.
fn guarded<T>(f: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(false);
    result.ok()
}

fn parse(event: &ToolEvent, root: Option<&Path>) -> Activity {
    if event.cause == Cause::Subagent {
        let text = event.report.unwrap_or_default();
        return match text.trim() {
            "" => Activity::Nothing,
            _ => Activity::Report { text: text.to_owned(), task: String::new() },
        };
    }
    let failed = event.cause == Cause::ToolFailed;
    let response = Payload::read(event.response);
    if failed && was_refused(&response) {
        return Activity::Nothing;
    }
    let base = PathBase { root, cwd: event.cwd.map(Path::new) };
    let used = ToolUse::new(event.client, event.tool, event.input);
    let input = || Payload::read(event.input);
    match &used.kind {
        // The client rejected the call, and the agent usually tries again.
        ToolKind::Edit | ToolKind::Write | ToolKind::Patch | ToolKind::Read | ToolKind::Search
            if failed =>
        {
            Activity::Nothing
        }
        ToolKind::Edit | ToolKind::Write | ToolKind::Patch => {
            let edits = edit::read(event.tool, &used, &input(), &response, &base);
            if edits.is_empty() { Activity::Nothing } else { Activity::Edit(edits) }
        }
        ToolKind::Read => {
            let path = used.paths.first().filter(|path| !belongs_to_client(path));
            path.map_or(Activity::Nothing, |p| Activity::Read { path: base.relative(p) })
        }
        ToolKind::Search => {
            let pattern = used.query.as_ref().or(used.paths.first());
            Activity::Search { pattern: fit(pattern.map_or("", String::as_str), 60) }
        }
        ToolKind::Shell => match used.command() {
            Some(command) => run(command, &input(), &response, failed, &base),
            None => Activity::Nothing,
        },
        ToolKind::Fetch => fetch(&used, &response, failed),
        ToolKind::Subagent => launch(&input(), &response),
        ToolKind::Mcp { server, tool } => call(server, tool, &input(), &response, failed),
        ToolKind::Other => call("", event.tool, &input(), &response, failed),
        ToolKind::Question | ToolKind::Plan | ToolKind::Control | ToolKind::Skipped => {
            Activity::Nothing
        }
    }
}

fn run(
    command: &str,
    input: &Payload,
    response: &Payload,
    failed: bool,
    base: &PathBase,
) -> Activity {
    let mut run = run::read(command, input, response, failed);
    for paths in [&mut run.written, &mut run.removed, &mut run.read] {
        *paths = paths.iter().map(|p| base.relative(p)).collect();
    }
    for path in run.reverted.iter_mut().filter(|p| *p != ".") {
        *path = base.relative(path);
    }
    Activity::Run(Box::new(run))
}

fn fetch(used: &ToolUse, response: &Payload, failed: bool) -> Activity {
    let subject = used.url.clone().or_else(|| used.query.clone()).unwrap_or_default();
    if failed || subject.is_empty() || web::is_local(&subject) {
        return Activity::Nothing;
    }
    let excerpt = response.string(&["result"]).unwrap_or_else(|| response.text());
    Activity::Web { subject, excerpt }
}

fn launch(input: &Payload, response: &Payload) -> Activity {
    let task = input.string(&["description"]).map(|d| fit(&d, 100)).unwrap_or_default();
    // Clients without an event for a subagent's report put it into the tool's response.
    if response.string(&["status"]).as_deref() == Some("completed")
        && let Some(content) = response.value("content")
    {
        let text = Payload::Json(content.clone()).text();
        let text: Vec<&str> =
            text.lines().filter(|l| !l.starts_with("agentId:") && !l.starts_with('<')).collect();
        if !text.is_empty() {
            return Activity::Report { text: text.join("\n"), task };
        }
    }
    Activity::Launch {
        agent: response.string(&["agentId", "agent_id"]),
        kind: input.string(&["subagent_type", "agent_type"]).unwrap_or_default(),
        task,
    }
}

fn call(server: &str, tool: &str, input: &Payload, response: &Payload, failed: bool) -> Activity {
    let tool = tool.to_owned();
    if failed {
        let text = response.text();
        let line = text.lines().map(str::trim).find(|l| l.chars().any(char::is_alphanumeric));
        let failure = line.map(|line| fit(line, 160));
        return Activity::Call { tool, side_effect: None, failure };
    }
    let changes = !server.is_empty() && has_mutating_verb(&tool);
    let side_effect = changes.then(|| {
        const SUBJECTS: [&str; 9] =
            ["title", "name", "subject", "path", "key", "id", "query", "body", "text"];
        let subject = input.string(&SUBJECTS);
        let subject = subject.map(|s| format!(": {}", fit(&s, 100))).unwrap_or_default();
        format!("{} ({server}){subject}", tool.replace('_', " "))
    });
    Activity::Call { tool, side_effect, failure: None }
}

/// Whether the tool's name contains a verb such as `create` or `delete`.
fn has_mutating_verb(tool: &str) -> bool {
    const VERBS: [&str; 15] = [
        "create", "update", "delete", "send", "post", "merge", "close", "add", "write", "deploy",
        "publish", "execute", "insert", "move", "remove",
    ];
    let tool = tool.to_lowercase();
    tool.split(|c: char| !c.is_alphanumeric()).any(|word| VERBS.contains(&word))
}

/// Whether the tool did not run, because the user, a permission rule, a hook or the client's own checks
/// refused it.
fn was_refused(response: &Payload) -> bool {
    const PHRASES: [&str; 9] = [
        "doesn't want to proceed",
        "was rejected",
        "[Request interrupted",
        "<tool_use_error>",
        "Permission to use",
        "requested permissions",
        "InputValidationError",
        "hook error",
        "blocked by",
    ];
    let head: String = response.text().chars().take(300).collect();
    PHRASES.iter().any(|phrase| head.contains(phrase))
}

/// Whether a path is one of the client's own files: output of background commands, pasted images,
/// plans.
fn belongs_to_client(path: &str) -> bool {
    path.contains("/tasks/") && path.ends_with(".output")
        || path.starts_with("/tmp/claude")
        || path.contains("/.claude/projects/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_hook_can_tell_that_a_panic_is_caught() {
        assert_eq!(guarded(is_panic_caught), Some(true));
        assert_eq!(guarded(|| -> u8 { std::panic::resume_unwind(Box::new(())) }), None);
        assert!(!is_panic_caught());
    }
}
