//! Parses one tool event into an activity.

use std::path::Path;

use super::edit::{self, Edit};
use super::payload::Payload;
use super::run::{self, Run};
use super::shorten::fit;
use super::tasks::{self, TaskChange};
use super::tool_event::ToolEvent;
use super::{plans, questions, refusals, web};
use crate::clients::{ToolKind, ToolUse};
use crate::guard::guarded;
use crate::memory::{Answer, Cause, Origin, Plan, Refusal};
use crate::project::PathBase;

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
        kind: String,
        task: String,
    },
    /// A subagent's report. Its type and task are known if the report came with the tool's response.
    Report {
        text: String,
        kind: String,
        task: String,
    },
    /// The client's own task list changed.
    Tasks(Vec<TaskChange>),
    /// The user answered questions of the client.
    Asked(Vec<Answer>),
    /// The client showed a plan to the user. If the user refused it, `words` is what the user typed.
    Planned {
        plan: Plan,
        words: String,
    },
    /// The user refused a tool use.
    Refused(Refusal),
    /// A tool of an MCP server, or an unknown tool.
    Call {
        side_effect: Option<String>,
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
            Activity::Report { .. }
            | Activity::Launch { .. }
            | Activity::Tasks(_)
            | Activity::Planned { .. } => Origin::Assistant,
            Activity::Asked(_) | Activity::Refused(_) => Origin::User,
            Activity::Run(_) | Activity::Call { .. } | Activity::Nothing => Origin::Tool,
        }
    }
}

fn parse(event: &ToolEvent, root: Option<&Path>) -> Activity {
    if event.cause == Cause::Subagent {
        let text = event.report.unwrap_or_default();
        return match text.trim() {
            "" => Activity::Nothing,
            _ => {
                Activity::Report { text: text.to_owned(), kind: String::new(), task: String::new() }
            }
        };
    }
    let failed = event.cause == Cause::ToolFailed;
    let response = Payload::read(event.response);
    let used = ToolUse::new(event.client, event.tool, event.input);
    let input = || Payload::read(event.input);
    if failed {
        if let Some(words) = refusals::words(&used.kind, &response) {
            return refused(event.tool, &used, &input(), &response, words);
        }
        if was_refused(&response) {
            return Activity::Nothing;
        }
    }
    let base = PathBase { root, cwd: event.cwd.map(Path::new) };
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
            Some(command) => {
                let run = run::read(event, command, &response, &base);
                Activity::Run(Box::new(run))
            }
            None => Activity::Nothing,
        },
        ToolKind::Fetch => fetch(&used, &response, failed),
        ToolKind::Subagent => launch(&input(), &response),
        ToolKind::Mcp { server, tool } => call(server, tool, &input(), failed),
        ToolKind::Other => call("", event.tool, &input(), failed),
        ToolKind::Tasks | ToolKind::Question | ToolKind::Plan if failed => Activity::Nothing,
        ToolKind::Tasks => {
            let changes = tasks::read(&input(), &response);
            if changes.is_empty() { Activity::Nothing } else { Activity::Tasks(changes) }
        }
        ToolKind::Question => {
            let answers = questions::read(&input(), &response);
            if answers.is_empty() { Activity::Nothing } else { Activity::Asked(answers) }
        }
        ToolKind::Plan => match plans::read(&input(), &response, false) {
            Some(plan) => Activity::Planned { plan, words: String::new() },
            None => Activity::Nothing,
        },
        ToolKind::Control | ToolKind::Skipped => Activity::Nothing,
    }
}

/// A use that the user refused. `words` is what the user typed.
fn refused(
    tool: &str,
    used: &ToolUse,
    input: &Payload,
    response: &Payload,
    words: String,
) -> Activity {
    match &used.kind {
        ToolKind::Plan => {
            if let Some(plan) = plans::read(input, &Payload::Absent, true) {
                return Activity::Planned { plan, words };
            }
        }
        ToolKind::Question => {
            let answers = questions::read_partial(input, &response.text());
            if !answers.is_empty() {
                return Activity::Asked(answers);
            }
        }
        _ => {}
    }
    Activity::Refused(refusals::refusal(tool, used, words))
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
    let kind = input.string(&["subagent_type", "agent_type"]).unwrap_or_default();
    // Clients without an event for a subagent's report put it into the tool's response.
    if response.string(&["status"]).as_deref() == Some("completed")
        && let Some(content) = response.value("content")
    {
        let text = Payload::Json(content.clone()).text();
        let text: Vec<&str> =
            text.lines().filter(|l| !l.starts_with("agentId:") && !l.starts_with('<')).collect();
        if !text.is_empty() {
            return Activity::Report { text: text.join("\n"), kind, task };
        }
    }
    Activity::Launch { kind, task }
}

fn call(server: &str, tool: &str, input: &Payload, failed: bool) -> Activity {
    let changes = !failed && !server.is_empty() && has_mutating_verb(tool);
    let side_effect = changes.then(|| {
        const SUBJECTS: [&str; 9] =
            ["title", "name", "subject", "path", "key", "id", "query", "body", "text"];
        let subject = input.string(&SUBJECTS);
        let subject = subject.map(|s| format!(": {}", fit(&s, 100))).unwrap_or_default();
        // The server chooses these names. They stay identifiers.
        format!("`{}` ({}){subject}", identifier(tool), identifier(server))
    });
    Activity::Call { side_effect }
}

/// A name of a server or its tool without what no identifier has.
fn identifier(name: &str) -> String {
    const MAX_IDENTIFIER: usize = 60;
    let known = |c: &char| c.is_ascii_alphanumeric() || "_-.:/".contains(*c);
    name.chars().filter(known).take(MAX_IDENTIFIER).collect()
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
        || path.contains("/.claude/plans/")
}
