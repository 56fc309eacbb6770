//! Checks of the installation. Each returns findings: a message and what to do. Checks change nothing.
//!
//! `memctl`, `status` and `doctor` run the same list ([`run`]) and print the same verdict.

pub mod agents;
pub mod data_dir;
pub mod database;
pub mod files;
mod native;
pub mod recording;
pub mod verdict;
pub mod workers;

use std::fmt;
use std::path::Path;

use super::client_hooks::{self, HookStatus};
use super::client_mcp;
use crate::config::Settings;

/// How much of the database the checks read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every page of a small database.
    Quick,
    /// Every page.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// Everything works, but the user should know this.
    Note,
    /// Something does not work or is not safe.
    Wrong,
}

/// What to do about a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Fix {
    /// A part of a sentence.
    Text(String),
    /// Commands, in this order.
    Commands(Vec<String>),
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fix::Text(text) => f.write_str(text),
            Fix::Commands(commands) => write!(f, "run: {}", commands.join(" && ")),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    pub level: Level,
    pub message: String,
    pub fix: Option<Fix>,
    /// Sessions in the current directory are not recorded because of it.
    pub stops_recording: bool,
}

impl Finding {
    fn new(check: &'static str, level: Level, message: String) -> Finding {
        Finding { check, level, message, fix: None, stops_recording: false }
    }

    pub fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding::new(check, Level::Ok, message.into())
    }

    pub fn note(check: &'static str, message: impl Into<String>) -> Finding {
        Finding::new(check, Level::Note, message.into())
    }

    pub fn wrong(check: &'static str, message: impl Into<String>) -> Finding {
        Finding::new(check, Level::Wrong, message.into())
    }

    pub fn fix(self, fix: impl Into<String>) -> Finding {
        Finding { fix: Some(Fix::Text(fix.into())), ..self }
    }

    pub fn stops_recording(self) -> Finding {
        Finding { stops_recording: true, ..self }
    }

    /// Message and fix on one line.
    pub fn sentence(&self) -> String {
        match &self.fix {
            Some(fix) => format!("{}; {fix}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Runs all checks, for the current directory.
pub fn run(settings: &Settings, depth: Depth) -> Vec<Finding> {
    let here = std::env::current_dir().ok();
    let here = here.as_deref();
    let mut found = data_dir::findings(settings);
    let is_usable = data_dir::is_usable(settings, &found) && settings.paths.data_dir_exists();
    found.extend(files::config(settings));
    found.extend(recording::findings(settings, here));
    found.extend(agents::findings(settings));
    let others = if is_usable { database::other_clients(settings) } else { Vec::new() };
    found.extend(hooks(settings, here, &others));
    found.extend(mcp(settings, here));
    if depth == Depth::Full {
        found.extend(native::findings(settings, here, is_usable));
    }
    if is_usable {
        found.extend(database::findings(settings, depth, here));
        found.extend(files::spool(settings));
        found.extend(files::spooled(settings));
        found.extend(workers::findings(settings));
        found.extend(workers::logs(settings));
        if depth == Depth::Full {
            found.extend(files::databases_set_aside(settings));
        }
    }
    found.extend(files::sockets(settings));
    found
}

/// Whether the data dir or the database cannot be read, so that it is not known what is stored.
pub fn memory_is_hidden(settings: &Settings, found: &[Finding]) -> bool {
    !data_dir::is_usable(settings, found) || database::is_unreadable(found)
}

/// Why sessions in this directory are not recorded. Reads no database.
pub fn obstacle(settings: &Settings, dir: &Path) -> Option<Finding> {
    let rules = recording::findings(settings, Some(dir));
    let found = [data_dir::findings(settings), rules, hooks(settings, Some(dir), &[])];
    found.into_iter().flatten().find(|finding| finding.stops_recording)
}

/// Whether the next session in the current directory is recorded, as one sentence.
pub fn outlook(settings: &Settings) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match obstacle(settings, &here) {
        Some(finding) => format!("sessions here are not recorded: {}", finding.sentence()),
        None => "the next session in this directory is recorded".to_owned(),
    }
}

/// Name of the check of the client's hooks.
pub const HOOKS: &str = "hooks";

/// Checks that Claude Code runs the hooks exactly once in this directory. `others`: further clients whose sessions
/// are recorded.
fn hooks(settings: &Settings, dir: Option<&Path>, others: &[String]) -> Vec<Finding> {
    let in_project =
        dir.map_or_else(Vec::new, |dir| client_hooks::in_project(dir, settings.home.as_deref()));
    let installed = client_hooks::status(settings);
    let missing = |message: &str| {
        if !others.is_empty() {
            let others = others.join(", ");
            return vec![Finding::ok(
                HOOKS,
                format!("{message}; sessions of {others} are recorded"),
            )];
        }
        let fix = Some(Fix::Commands(installed.install_commands()));
        vec![Finding { fix, ..Finding::note(HOOKS, message).stops_recording() }]
    };
    let twice = |file: &std::path::Path| {
        let message = format!("the hooks are installed twice: also in {}", file.display());
        Finding::note(HOOKS, message).fix("remove the entries that run memctl from this file")
    };
    match installed {
        HookStatus::Installed if !in_project.is_empty() => {
            in_project.iter().map(|file| twice(file)).collect()
        }
        HookStatus::Installed => vec![Finding::ok(HOOKS, "installed in Claude Code")],
        HookStatus::Twice => {
            let message = "the hooks are installed twice, as a plugin and in settings.json: each \
                           event starts two processes";
            let fix = "remove the entries that run memctl from settings.json";
            vec![Finding::note(HOOKS, message).fix(fix)]
        }
        HookStatus::Disabled | HookStatus::Missing if !in_project.is_empty() => {
            vec![Finding::ok(HOOKS, "installed for this project only")]
        }
        HookStatus::Disabled => missing("the memctl plugin is disabled in Claude Code"),
        HookStatus::Missing => missing("the hooks are not installed in Claude Code"),
    }
}

/// Says where Claude Code's registration of the MCP server is. Without it, everything but the model's own
/// questions works.
fn mcp(settings: &Settings, dir: Option<&Path>) -> Vec<Finding> {
    let places = client_mcp::registrations(settings, dir);
    vec![match places.is_empty() {
        true => Finding::ok("mcp", "the server is not registered in Claude Code")
            .fix("`claude mcp add memctl -- memctl mcp` registers it without the plugin"),
        false => {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            Finding::ok("mcp", format!("registered in Claude Code by {}", places.join(" and ")))
        }
    }]
}
