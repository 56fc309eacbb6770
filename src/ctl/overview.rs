//! `memctl` alone: what it is, whether it works, the next command. One screen.

use super::{probe_store, words};
use crate::config::Settings;
use crate::deliver::probe;
use crate::failure::Result;

pub fn run(settings: &Settings) -> Result<()> {
    let mut out = format!("memctl {} — memory for coding agents\n\n", env!("CARGO_PKG_VERSION"));
    let store = probe_store(settings);
    let line = match &store {
        Err(why) => format!("The memory cannot be read: {why}\n"),
        Ok(None) => "Nothing remembered yet.\n".into(),
        Ok(Some(held)) => format!(
            "It remembers {} and {} of {}, in {}.\n",
            words::count(held.observations, "observation"),
            if held.summaries == 1 {
                "1 summary".into()
            } else {
                format!("{} summaries", held.summaries)
            },
            words::count(held.sessions, "session"),
            settings.paths.data().display(),
        ),
    };
    out.push_str(&line);
    if settings.paths.exist() {
        let workers = probe::keys(&settings.paths).len() as u64;
        out.push_str(&match workers {
            0 => "No worker is running, which is right when no agent works.\n".to_owned(),
            n => format!("{}: memctl ps\n", words::count(n, "session with a worker")),
        });
    }
    out.push_str(match &store {
        Err(_) => "\nNext: memctl status\n",
        Ok(None) => {
            "\nNext: let your agent's hooks run it. For Claude Code:\n  \
             claude plugin marketplace add DIR-OF-MEMCTL\n  \
             claude plugin install memctl@memctl\n"
        }
        Ok(Some(_)) => "\nNext: memctl context shows what a session that starts here is told.\n",
    });
    out.push_str("memctl --help lists all commands.\n");
    super::print(&out)
}
