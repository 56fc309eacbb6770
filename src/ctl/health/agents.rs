//! Checks that each configured memory agent has its key or program. Calls no model.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::{Finding, Level};
use crate::config::{Agent, Settings, process_env};
use crate::ctl::config::key_problem;

pub fn findings(settings: &Settings) -> Vec<Finding> {
    let agent = &settings.config.agent;
    let chain = agent.chain();
    let mut found = Vec::new();
    for (n, backend) in chain.iter().enumerate() {
        // A fallback without its key is only a note.
        let level = if n == 0 { Level::Wrong } else { Level::Note };
        if let Some(problem) = problem(settings, backend) {
            found.push(Finding { level, ..problem });
        }
        found.extend(notes(agent, backend));
    }
    if found.is_empty() {
        let message = match chain[0] {
            "extractive" => "extractive (local rules, no model)".to_owned(),
            first => {
                let model = Some(model(agent, first)).filter(|model| !model.is_empty());
                let model = model.unwrap_or("first model of the server");
                format!("{first}, {model}; `memctl doctor --agent` tests it")
            }
        };
        found.push(Finding::ok("agent", message));
    }
    found
}

/// Why a backend cannot work.
fn problem(settings: &Settings, backend: &str) -> Option<Finding> {
    if let Some(why) = key_problem(settings, backend) {
        return Some(Finding::wrong("agent", why));
    }
    let command = &settings.config.agent.claude.command;
    if backend == "claude" && !is_program(command) {
        let message = format!("cannot run the claude backend: program {command} not found");
        let fix = "install Claude Code, or run `memctl config set agent.claude.command PATH`";
        return Some(Finding::wrong("agent", message).fix(fix));
    }
    None
}

/// Settings that work but may be unintended.
fn notes(agent: &Agent, backend: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(http) = agent.http(backend)
        && http.base_url.starts_with("http://")
        && !http.is_local()
    {
        let message = format!("{backend}: your text is sent unencrypted to {}", http.base_url);
        found.push(Finding::note("agent", message).fix("use https if the server supports it"));
    }
    let model = model(agent, backend);
    let budgeted = agent.budget.day.cost > 0.0 || agent.budget.session.cost > 0.0;
    if backend != "extractive" && budgeted && !model.is_empty() && !agent.price(backend, model).1 {
        let message =
            format!("{backend}: no price for {model}; budgets use the highest known price");
        let fix = format!("run `memctl config set agent.prices {model}=IN/OUT`");
        found.push(Finding::note("agent", message).fix(fix));
    }
    found
}

fn model<'a>(agent: &'a Agent, backend: &str) -> &'a str {
    match agent.http(backend) {
        Some(http) => &http.model,
        None => &agent.claude.model,
    }
}

fn is_program(command: &str) -> bool {
    let runs = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if command.contains('/') {
        return runs(Path::new(command));
    }
    let path = process_env("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| runs(&dir.join(command)))
}
