//! One message as what happened: a file read, an edit, a command, a report. Told by the tool's
//! name where it is known and by the fields of its input where it is not.

use std::path::Path;

use super::edit::{self, Edit};
use super::payload::Payload;
use super::prose::fit;
use super::run::{self, Run};
use super::tools;
use crate::clients::{ToolKind, ToolUse};
use crate::memory::{Batch, Cause, Message, Origin};
use crate::project::PathBase;

/// A message with what it means.
pub struct Event<'a> {
    pub message: &'a Message,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Read {
        path: String,
    },
    Search {
        pattern: String,
    },
    Edit(Vec<Edit>),
    Run(Box<Run>),
    /// Something fetched, or a search of the web.
    Web {
        subject: String,
        gist: String,
    },
    /// A subagent was sent off.
    Launch {
        agent: Option<String>,
        kind: String,
        task: String,
    },
    /// What a subagent came back with.
    Report {
        text: String,
        task: String,
    },
    /// A tool of an MCP server, or one nobody here knows.
    Call {
        tool: String,
        deed: Option<String>,
        failure: Option<String>,
    },
    /// Nothing to remember.
    Nothing,
}

impl Event<'_> {
    /// Whose word it is.
    pub fn origin(&self) -> Origin {
        match &self.what {
            What::Read { .. } | What::Search { .. } | What::Edit(_) => Origin::Repository,
            What::Run(run) if run.fetched.is_some() => Origin::Web,
            What::Web { .. } => Origin::Web,
            What::Report { .. } | What::Launch { .. } => Origin::Assistant,
            What::Run(_) | What::Call { .. } | What::Nothing => Origin::Tool,
        }
    }
}

/// What each message of the batch says, in their order; those that ask for a summary left out.
pub fn read(batch: &Batch) -> Vec<Event<'_>> {
    let root = batch.project_root.as_deref();
    let observed = batch.messages.iter().filter(|m| !m.cause.summarizes());
    observed.map(|message| one(message, &batch.client, root)).collect()
}

/// What one message of `client` says; `root` is the project's.
pub fn one<'a>(message: &'a Message, client: &str, root: Option<&Path>) -> Event<'a> {
    Event { message, what: what(message, client, root) }
}

fn what(message: &Message, client: &str, root: Option<&Path>) -> What {
    if message.cause == Cause::Subagent {
        let text = message.last_assistant_message.clone().unwrap_or_default();
        return if text.trim().is_empty() {
            What::Nothing
        } else {
            What::Report { text, task: String::new() }
        };
    }
    let failed = message.cause == Cause::ToolFailed;
    let name = message.tool_name.as_deref().unwrap_or("");
    let input = Payload::read(message.tool_input.as_deref());
    let response = Payload::read(message.tool_response.as_deref());
    if failed && refused(&response) {
        return What::Nothing;
    }
    let place = PathBase { root, cwd: message.cwd.as_deref().map(Path::new) };
    let used = ToolUse::new(client, name, message.tool_input.as_deref());
    match &used.kind {
        // The client refuses an edit or a read for its own reasons, and the agent tries again.
        ToolKind::Edit | ToolKind::Write | ToolKind::Patch | ToolKind::Read | ToolKind::Search
            if failed =>
        {
            What::Nothing
        }
        ToolKind::Edit | ToolKind::Write | ToolKind::Patch => {
            let edits = edit::read(name, &used, &input, &response, &place);
            if edits.is_empty() { What::Nothing } else { What::Edit(edits) }
        }
        ToolKind::Read => {
            let path = used.paths.first().filter(|p| !is_scratch(p)).map(|p| place.relative(p));
            path.map_or(What::Nothing, |path| What::Read { path })
        }
        ToolKind::Search => {
            let pattern = used.query.as_ref().or(used.paths.first());
            What::Search { pattern: fit(pattern.map_or("", String::as_str), 60) }
        }
        ToolKind::Shell => command(&used, &input, &response, failed, &place),
        ToolKind::Fetch => web(&used, &response, failed),
        ToolKind::Subagent => launch(&input, &response),
        ToolKind::Mcp { server, tool } => call(server, tool, &input, &response, failed),
        ToolKind::Other => call("", name, &input, &response, failed),
        ToolKind::Question | ToolKind::Plan | ToolKind::Control | ToolKind::Skipped => {
            What::Nothing
        }
    }
}

fn command(
    used: &ToolUse,
    input: &Payload,
    response: &Payload,
    failed: bool,
    place: &PathBase,
) -> What {
    let Some(command) = used.command() else { return What::Nothing };
    let mut run = run::read(command, input, response, failed);
    for paths in [&mut run.written, &mut run.removed, &mut run.read] {
        *paths = paths.iter().map(|p| place.relative(p)).collect();
    }
    for path in run.reverted.iter_mut().filter(|p| *p != ".") {
        *path = place.relative(path);
    }
    What::Run(Box::new(run))
}

fn web(used: &ToolUse, response: &Payload, failed: bool) -> What {
    let subject = used.url.clone().or(used.query.clone()).unwrap_or_default();
    if failed || subject.is_empty() || tools::is_local(&subject) {
        return What::Nothing;
    }
    let gist = response.string(&["result"]).unwrap_or_else(|| response.text());
    What::Web { subject, gist }
}

fn launch(input: &Payload, response: &Payload) -> What {
    let task = input.string(&["description"]).map(|d| fit(&d, 100)).unwrap_or_default();
    // A report that comes with the tool's own answer, from clients without an event for it.
    if response.string(&["status"]).as_deref() == Some("completed")
        && let Some(content) = response.value("content")
    {
        let text = Payload::Json(content.clone()).text();
        let text: Vec<&str> =
            text.lines().filter(|l| !l.starts_with("agentId:") && !l.starts_with('<')).collect();
        if !text.is_empty() {
            return What::Report { text: text.join("\n"), task };
        }
    }
    What::Launch {
        agent: response.string(&["agentId", "agent_id"]),
        kind: input.string(&["subagent_type", "agent_type"]).unwrap_or_default(),
        task,
    }
}

fn call(server: &str, tool: &str, input: &Payload, response: &Payload, failed: bool) -> What {
    if failed {
        let text = response.text();
        let line = text.lines().map(str::trim).find(|l| l.chars().any(char::is_alphanumeric));
        return What::Call {
            tool: tool.to_owned(),
            deed: None,
            failure: line.map(|l| fit(l, 160)),
        };
    }
    let acts = [
        "create", "update", "delete", "send", "post", "merge", "close", "add", "write", "deploy",
        "publish", "execute", "insert", "move", "remove",
    ];
    let low = tool.to_lowercase();
    let acted =
        low.split(|c: char| !c.is_alphanumeric()).any(|w| acts.contains(&w)) && !server.is_empty();
    let deed = acted.then(|| {
        let about = input
            .string(&["title", "name", "subject", "path", "key", "id", "query", "body", "text"]);
        let about = about.map(|a| format!(": {}", fit(&a, 100))).unwrap_or_default();
        format!("{} ({server}){about}", tool.replace('_', " "))
    });
    What::Call { tool: tool.to_owned(), deed, failure: None }
}

/// Not a failure of anything: the user or a rule said no, or the client would not try.
fn refused(response: &Payload) -> bool {
    let text = response.text();
    let head: String = text.chars().take(300).collect();
    [
        "doesn't want to proceed",
        "was rejected",
        "[Request interrupted",
        "<tool_use_error>",
        "Permission to use",
        "requested permissions",
        "InputValidationError",
        "hook error",
        "blocked by",
    ]
    .iter()
    .any(|mark| head.contains(mark))
}

/// The client's own files: a background command's output, pasted images, plans.
fn is_scratch(path: &str) -> bool {
    path.contains("/tasks/") && path.ends_with(".output")
        || path.starts_with("/tmp/claude")
        || path.contains("/.claude/projects/")
}
