//! `memctl` alone: what it is, whether it works, the next command. One screen.

use super::hooks::{self, Hooks};
use super::paint::{self, HEAD, paint};
use super::{probe_store, words};
use crate::config::Settings;
use crate::deliver::probe;
use crate::failure::Result;

pub fn run(settings: &Settings) -> Result<()> {
    let name = format!("memctl {}", env!("CARGO_PKG_VERSION"));
    let mut out = format!("{} — memory for coding agents\n\n", paint(&name, HEAD));
    let store = probe_store(settings);
    let line = match &store {
        Err(why) => paint(&format!("The memory cannot be read: {why}"), paint::BAD),
        Ok(None) => "Nothing remembered yet.".into(),
        Ok(Some(held)) => format!(
            "It remembers {} and {} of {}, in {}.",
            words::count(held.observations, "observation"),
            words::summaries(held.summaries),
            words::count(held.sessions, "session"),
            settings.paths.data().display(),
        ),
    };
    out.push_str(&line);
    out.push('\n');
    if settings.paths.exist() {
        out.push_str(&match probe::keys(&settings.paths).len() as u64 {
            0 => "No worker is running, which is right when no agent works.\n".to_owned(),
            n => format!("{} with a worker: memctl ps\n", words::count(n, "session")),
        });
    }
    let hooks = hooks::look(settings);
    out.push('\n');
    match (&store, hooks) {
        (Err(_), _) => out.push_str("Next: memctl status says more.\n"),
        (Ok(_), Hooks::Missing | Hooks::Disabled) => out.push_str(&remedy(hooks)),
        (Ok(None), Hooks::Installed) => {
            out.push_str("The hooks are installed: the next session of your agent is recorded.\n");
        }
        (Ok(Some(_)), Hooks::Installed) => {
            out.push_str("Next: memctl context shows what a session that starts here is told.\n");
        }
    }
    out.push_str("memctl --help lists all commands.\n");
    super::print(&out)
}

/// What to do so that sessions are recorded, as a paragraph; nothing when they are.
pub fn remedy(hooks: Hooks) -> String {
    let why = match hooks {
        Hooks::Installed => return String::new(),
        Hooks::Disabled => "Its plugin is disabled in Claude Code. To switch it on:",
        Hooks::Missing => {
            "Its hooks are not in Claude Code's settings. To have your sessions recorded:"
        }
    };
    let commands: String = hooks.remedy().iter().map(|c| format!("  {c}\n")).collect();
    format!("{why}\n{commands}")
}

/// The same in a line, for who wanted to see what cannot be there.
pub fn hint(settings: &Settings) -> Option<String> {
    match hooks::look(settings).remedy()[..] {
        [] => None,
        ref commands => Some(format!("to record sessions: {}", commands.join(" && "))),
    }
}
