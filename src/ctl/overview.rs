//! `memctl` without arguments: the version, whether it works and the next command, on one screen.

use super::client_hooks::{self, HookStatus};
use super::health::workers::probe_all;
use super::style::{self, HEAD, paint};
use super::terminal::{self, wrapped};
use super::{count_store, format};
use crate::config::Settings;
use crate::failure::Result;
use crate::project::recording;

pub fn run(settings: &Settings) -> Result<()> {
    let name = format!("memctl {}", env!("CARGO_PKG_VERSION"));
    let mut out = format!("{} — memory for coding agents\n\n", paint(&name, HEAD));
    let paragraph = |text: &str| wrapped("", 0, text, terminal::width());
    let store = count_store(settings);
    let stored = match &store {
        Err(why) => {
            paint(paragraph(&format!("Cannot read the database: {why}")).trim_end(), style::BAD)
        }
        Ok(None) => paragraph("Nothing is stored yet."),
        Ok(Some(counts)) => paragraph(&format!(
            "Stored: {} and {} from {}, in {}.",
            format::count(counts.observations, "observation"),
            format::summaries(counts.summaries),
            format::count(counts.sessions, "session"),
            settings.paths.data().display(),
        )),
    };
    out.push_str(stored.trim_end());
    out.push('\n');
    if settings.paths.data_dir_exists() {
        let workers = probe_all(settings);
        out.push_str(&match workers.live + workers.hung + workers.elsewhere {
            0 => paragraph("No worker is running."),
            n => paragraph(&format!(
                "{} running. `memctl ps` lists them.",
                format::count(n, "worker")
            )),
        });
    }
    let hooks = client_hooks::status(settings);
    out.push('\n');
    let here = std::env::current_dir().ok();
    let here = here.as_deref();
    let not_recorded = recording::not_recorded(here.as_slice(), &settings.config.recording);
    match (&store, hooks) {
        (Err(_), _) => out.push_str("Run `memctl doctor` to find out why.\n"),
        (Ok(_), HookStatus::Missing | HookStatus::Disabled) => out.push_str(&install_help(hooks)),
        (Ok(_), HookStatus::Installed | HookStatus::Twice) if not_recorded.is_some() => {
            let why = not_recorded.expect("checked");
            out.push_str(&paragraph(&format!("Not recorded here: {why}; {}.", why.fix())));
        }
        (Ok(None), HookStatus::Installed | HookStatus::Twice) => {
            out.push_str(&paragraph("The hooks are installed. The next session will be recorded."));
        }
        (Ok(Some(_)), HookStatus::Installed | HookStatus::Twice) => {
            out.push_str(&paragraph(
                "Run `memctl context` to see what the next session here receives.",
            ));
        }
    }
    out.push_str("\nRun `memctl --help` for all commands.\n");
    super::print(&out)
}

/// The commands that install or enable the hooks, with a reason. Empty if nothing is missing.
pub fn install_help(hooks: HookStatus) -> String {
    let why = match hooks {
        HookStatus::Installed | HookStatus::Twice => return String::new(),
        HookStatus::Disabled => "The memctl plugin is disabled in Claude Code. To enable it:",
        HookStatus::Missing => "The hooks are not installed in Claude Code. To record sessions:",
    };
    let why = wrapped("", 0, why, terminal::width());
    let commands: String = hooks.install_commands().iter().map(|c| format!("  {c}\n")).collect();
    why + &commands
}

/// The commands that install or enable the hooks, as a one-line hint.
pub fn hint(settings: &Settings) -> Option<String> {
    match client_hooks::status(settings).install_commands()[..] {
        [] => None,
        ref commands => Some(format!("to record sessions, run: {}", commands.join(" && "))),
    }
}
