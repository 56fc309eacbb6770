//! `memctl` without arguments: the version, whether it works and the next command, on one screen.

use super::health::workers::probe_all;
use super::health::{self, Depth, verdict::Verdict};
use super::style::{HEAD, paint};
use super::terminal::{self, wrapped};
use super::{count_store, format, import};
use crate::config::Settings;
use crate::failure::Result;

pub fn run(settings: &Settings) -> Result<()> {
    let width = terminal::width();
    let paragraph = |text: &str| wrapped("", 0, text, width);
    let name = format!("memctl {}", env!("CARGO_PKG_VERSION"));
    let mut out = format!("{} — memory for coding agents\n\n", paint(&name, HEAD));
    let found = health::run(settings, Depth::Quick);
    let verdict = Verdict::of(&found);
    out.push_str(&verdict.text_and_fix(width));
    out.push_str(&verdict.others(&found, width));
    out.push('\n');
    let data_dir = settings.paths.data().display();
    let stored = match health::memory_is_hidden(settings, &found) {
        true => Err(()),
        false => count_store(settings).map_err(|_| ()),
    };
    out.push_str(&match &stored {
        Err(()) => paragraph(&format!("What {data_dir} holds cannot be read.")),
        Ok(None) if settings.paths.database().exists() => {
            paragraph("An older release has stored a memory.")
        }
        Ok(None) => paragraph("Nothing is stored yet."),
        Ok(Some(counts)) => paragraph(&format!(
            "Stored: {} and {} from {}, in {data_dir}.",
            format::count(counts.observations, "observation"),
            format::summaries(counts.summaries),
            format::count(counts.sessions, "session"),
        )),
    });
    let is_empty = stored.as_ref().is_ok_and(|found| found.is_none_or(|n| n.sessions == 0));
    if is_empty && let Some(command) = import::offer(settings) {
        out.push_str(&paragraph(&format!(
            "Claude Code has kept transcripts of past sessions. `{command}` takes them in."
        )));
    }
    if stored.is_ok() && settings.paths.data_dir_exists() {
        let workers = probe_all(settings);
        out.push_str(&match workers.live + workers.hung + workers.elsewhere {
            0 => paragraph("No worker is running."),
            n => paragraph(&format!(
                "{} running. `memctl ps` lists them.",
                format::count(n, "worker")
            )),
        });
    }
    out.push('\n');
    if verdict.failures > 0 {
        out.push_str(&paragraph("Run `memctl doctor` for all checks."));
    } else if verdict.is_recorded() && matches!(stored, Ok(Some(_))) {
        let next = "Run `memctl context` to see what the next session here receives.";
        out.push_str(&paragraph(next));
    }
    out.push_str(&paragraph("Run `memctl help` for all commands."));
    super::print(&out)
}
