//! The memory agents that the settings name: whether each has what it needs. Asks nobody.

use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::{Finding, Level};
use crate::config::{Agent, Settings, process_env};
use crate::ctl::config::trouble_with_key;

pub fn findings(settings: &Settings) -> Vec<Finding> {
    let agent = &settings.config.agent;
    let chain = agent.chain();
    let mut found = Vec::new();
    for (n, backend) in chain.iter().enumerate() {
        // One that takes over only when another fails may wait for its key.
        let level = if n == 0 { Level::Wrong } else { Level::Note };
        if let Some(trouble) = trouble(settings, backend) {
            found.push(Finding { level, ..trouble });
        }
        found.extend(notes(agent, backend));
    }
    if found.is_empty() {
        let says = match chain[0] {
            "extractive" => "extractive: local, without a model".to_owned(),
            first => {
                let model = Some(model(agent, first)).filter(|model| !model.is_empty());
                let model = model.unwrap_or("the first model it has");
                format!("{first}, {model}; memctl doctor --agent tries it")
            }
        };
        found.push(Finding::ok("agent", says));
    }
    found
}

/// Why a backend cannot work.
fn trouble(settings: &Settings, backend: &str) -> Option<Finding> {
    if let Some(why) = trouble_with_key(settings, backend) {
        return Some(Finding::wrong("agent", why));
    }
    let command = &settings.config.agent.claude.command;
    if backend == "claude" && !is_program(command) {
        let says = format!("claude cannot be run: there is no program {command}");
        let todo = "install Claude Code, or memctl config set agent.claude.command PATH";
        return Some(Finding::wrong("agent", says).todo(todo));
    }
    None
}

/// What works, and may not be meant.
fn notes(agent: &Agent, backend: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(http) = agent.http(backend)
        && http.base_url.starts_with("http://")
        && !http.is_local()
    {
        let says = format!("{backend}: your text goes to {} as anybody can read it", http.base_url);
        found.push(Finding::note("agent", says).todo("https, where the server has it"));
    }
    let model = model(agent, backend);
    let budgeted = agent.budget.day.cost > 0.0 || agent.budget.session.cost > 0.0;
    if backend != "extractive" && budgeted && !model.is_empty() && !agent.price(backend, model).1 {
        let says = format!("{backend}: nobody has a price for {model}, it counts as the dearest");
        let todo = format!("memctl config set agent.prices {model}=IN/OUT");
        found.push(Finding::note("agent", says).todo(todo));
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
