//! `memctl` alone: what it is, whether it works, the next command. One screen.

use super::client_hooks::{self, HookStatus};
use super::style::{self, HEAD, paint};
use super::terminal::{self, wrapped};
use super::{format, probe_store};
use crate::config::Settings;
use crate::deliver::probe;
use crate::failure::Result;

pub fn run(settings: &Settings) -> Result<()> {
    let name = format!("memctl {}", env!("CARGO_PKG_VERSION"));
    let mut out = format!("{} — memory for coding agents\n\n", paint(&name, HEAD));
    let say = |text: &str| wrapped("", 0, text, terminal::width());
    let store = probe_store(settings);
    let line = match &store {
        Err(why) => paint(say(&format!("The memory cannot be read: {why}")).trim_end(), style::BAD),
        Ok(None) => say("Nothing remembered yet."),
        Ok(Some(held)) => say(&format!(
            "It remembers {} and {} of {}, in {}.",
            format::count(held.observations, "observation"),
            format::summaries(held.summaries),
            format::count(held.sessions, "session"),
            settings.paths.data().display(),
        )),
    };
    out.push_str(line.trim_end());
    out.push('\n');
    if settings.paths.exist() {
        out.push_str(&match probe::keys(&settings.paths).len() as u64 {
            0 => say("No worker is running, which is right when no agent works."),
            n => say(&format!("{} with a worker: memctl ps", format::count(n, "session"))),
        });
    }
    let hooks = client_hooks::status(settings);
    out.push('\n');
    match (&store, hooks) {
        (Err(_), _) => out.push_str("Next: memctl status says more.\n"),
        (Ok(_), HookStatus::Missing | HookStatus::Disabled) => out.push_str(&remedy(hooks)),
        (Ok(None), HookStatus::Installed | HookStatus::Twice) => {
            out.push_str(&say("The hooks are installed: the next session is recorded."));
        }
        (Ok(Some(_)), HookStatus::Installed | HookStatus::Twice) => {
            out.push_str(&say("Next: memctl context shows what a session here is told."));
        }
    }
    out.push_str("memctl --help lists all commands.\n");
    super::print(&out)
}

/// What to do so that sessions are recorded, as a paragraph; nothing when they are.
pub fn remedy(hooks: HookStatus) -> String {
    let why = match hooks {
        HookStatus::Installed | HookStatus::Twice => return String::new(),
        HookStatus::Disabled => "Its plugin is disabled in Claude Code. To switch it on:",
        HookStatus::Missing => "Claude Code's settings lack its hooks. To record sessions:",
    };
    let why = wrapped("", 0, why, terminal::width());
    let commands: String = hooks.remedy().iter().map(|c| format!("  {c}\n")).collect();
    why + &commands
}

/// The same in a line, for who wanted to see what cannot be there.
pub fn hint(settings: &Settings) -> Option<String> {
    match client_hooks::status(settings).remedy()[..] {
        [] => None,
        ref commands => Some(format!("to record sessions: {}", commands.join(" && "))),
    }
}
