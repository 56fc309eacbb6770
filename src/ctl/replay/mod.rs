//! `memctl replay`: records past sessions from their transcripts, through the same sockets and
//! workers as hooks. A second run changes nothing.

mod session;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::format::{count, span};
use super::health;
use super::lines::open_file;
use super::progress::Progress;
use super::transcript::{SessionReader, agents, claude_code};
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::store::{LockWait, Store, StoreError};
use crate::text::escape;
use session::Session;

const HELP: &str = "\
Examples
  memctl replay ~/.claude/projects/*/*.jsonl    Record all sessions that Claude Code has kept
";

/// Record past sessions from their transcripts
///
/// Claude Code keeps transcripts under ~/.claude/projects. Sessions that were recorded live or forgotten
/// are skipped, as are damaged lines, and a second run changes nothing.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Transcripts, one JSON object per line
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Client that wrote the transcripts
    #[arg(long, default_value = "claude-code")]
    client: String,
    /// Return when all events are delivered, before they are distilled
    #[arg(long)]
    no_wait: bool,
}

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    health::recording::refuse_if_off(&settings)?;
    settings.paths.create().context("cannot create the data dir")?;
    check_writable(&settings)?;
    // Replay the oldest session first, because row ids must follow time.
    let mut files: Vec<&PathBuf> = args.files.iter().collect();
    files.sort_by_cached_key(|file| claude_code::start_time(file));
    for file in files {
        replay(&settings, &args.client, file, !args.no_wait)?;
    }
    Ok(())
}

/// Fails if no worker could store the events. They would wait in the spool.
pub fn check_writable(settings: &Settings) -> Result<()> {
    let written = Store::open_within(&settings.paths, LockWait::Within(super::READ_TIMEOUT))
        .and_then(|mut store| store.write(|_| Ok(())));
    match written {
        Ok(()) | Err(StoreError::Busy(_)) => Ok(()),
        Err(e) => Err(failed(format!(
            "nothing can be stored in {}: {e}",
            settings.paths.data().display()
        ))
        .hint("`memctl doctor` shows all problems")),
    }
}

/// Delivers the events of a transcript to the session's worker. `waits`: until they are distilled.
pub fn replay(settings: &Settings, client: &str, file: &Path, waits: bool) -> Result<()> {
    let name = file.display();
    drop(open_file(file)?);
    let opened = SessionReader::open(file, agents::of_session(file));
    let mut reader = opened.context(format!("cannot open {name}")).map_err(usage)?;
    let start = Instant::now();
    let progress = Progress::new(&name.to_string());
    let mut session: Option<Session> = None;
    let mut deliver_steps = || -> Result<Option<&str>> {
        while let Some(step) = reader.next().context(format!("cannot read {name}"))? {
            let session = match &mut session {
                Some(session) => session,
                None => {
                    let id = reader.converter().session().unwrap_or_default();
                    let new = Session::new(settings, client, file, id)?;
                    let reason = new.reason_to_skip(&step)?;
                    session = Some(new);
                    if reason.is_some() {
                        return Ok(reason);
                    }
                    session.as_mut().expect("set")
                }
            };
            session.deliver(&step)?;
            progress.set(|| format!("{name}: {}", count(session.n_events, "event")));
        }
        Ok(None)
    };
    let delivered = deliver_steps();
    let Some(mut session) = session else {
        delivered?;
        let why = reader.first_error().unwrap_or_else(|| "no prompt found".into());
        return Err(failed(format!("{name}: {why}"))
            .hint("a transcript of Claude Code has one JSON object per line"));
    };
    let id = escape(&session.id).into_owned();
    if let Ok(Some(reason)) = delivered {
        drop(progress);
        return super::print(&format!("{name}: skipped, session {id} {reason}\n"));
    }
    // After a failure too, because an open session keeps its worker.
    let ended = reader.end().iter().try_for_each(|step| session.deliver(step));
    delivered.and(ended)?;
    if waits {
        progress.set(|| format!("{name}: {}, distilling", count(session.n_events, "event")));
        session.wait_until_distilled()?;
    }
    drop(progress);
    let damaged = match reader.counts().damaged_lines {
        0 => String::new(),
        n => format!(", {} skipped", count(n, "damaged line")),
    };
    super::print(&format!(
        "{name}: session {id}, {} ({} already known, {} not recorded){damaged} in {}\n",
        count(session.n_events, "event"),
        session.count_known(waits)?,
        session.n_skipped,
        span(start.elapsed()),
    ))
}
