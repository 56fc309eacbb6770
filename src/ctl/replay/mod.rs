//! `memctl replay`: records past sessions from their transcripts, through the same sockets and
//! workers as hooks. A second run changes nothing.

mod transcript;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};
use serde_json::Value;

use super::format::{count, span};
use super::poll;
use super::progress::Progress;
use crate::capture::{self, CaptureContext, Captured, Payload, PrivateTurns};
use crate::config::Settings;
use crate::deliver::{self, Delivered, wake};
use crate::failure::{Context, Result, failed, usage};
use crate::lock::{self, LockState};
use crate::paths::session_key;
use crate::project::recording;
use crate::spool;
use crate::store::{Reader, sessions};
use crate::text::escape;
use transcript::{Converter, Step};

const HELP: &str = "\
Examples
  memctl replay ~/.claude/projects/*/*.jsonl    Record all sessions that Claude Code has kept
";

/// Record past sessions from their transcripts
///
/// Claude Code keeps transcripts under ~/.claude/projects. Sessions that were recorded live are
/// skipped, and a second run changes nothing.
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

/// How long to wait for the worker to drain a full spool.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait until a transcript is distilled.
const DISTILL_TIMEOUT: Duration = Duration::from_secs(600);

/// Number of spooled events at which replay waits for the worker.
const MAX_SPOOLED: usize = 200;

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    if let Some(why) = recording::not_recorded(&[], &settings.config.recording)
        && why.is_global()
    {
        return Err(failed(&why).hint(why.fix()));
    }
    settings.paths.create().context("cannot create the data dir")?;
    // Replay the oldest session first, because row ids must follow time.
    let mut files: Vec<&PathBuf> = args.files.iter().collect();
    files.sort_by_cached_key(|file| transcript::start_time(file));
    for file in files {
        replay(&settings, args, file)?;
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    events: u64,
    known: u64,
    skipped: u64,
}

fn replay(settings: &Settings, args: &Args, file: &Path) -> Result<()> {
    let name = file.display();
    let lines = BufReader::new(File::open(file).context(format!("cannot open {name}"))?).lines();
    let start = Instant::now();
    let mut converter = Converter::default();
    let mut counts = Counts::default();
    let progress = Progress::new(&name.to_string());
    let mut key = None;
    for (n, line) in lines.enumerate() {
        let line = line.context(format!("cannot read {name}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Value = serde_json::from_str(&line).map_err(|e| {
            failed(format!("{name}: line {} is not JSON: {e}", n + 1))
                .hint("a transcript has one JSON object per line")
        })?;
        for step in converter.line(&line) {
            if key.is_none() {
                let session = converter.session().unwrap_or_default();
                if was_recorded_live(settings, &args.client, session, &step)? {
                    return super::print(&format!(
                        "{name}: skipped, session {} was recorded live\n",
                        escape(session)
                    ));
                }
                key = Some(session_key(&args.client, session));
            }
            deliver_step(settings, args, &step, key.as_deref().expect("set"), &mut counts)?;
        }
        progress.set(|| format!("{name}: {}", count(counts.events, "event")));
    }
    let Some(key) = key else {
        return Err(failed(format!("{name}: no prompt found"))
            .hint("replay reads transcripts of Claude Code"));
    };
    for step in converter.end() {
        deliver_step(settings, args, &step, &key, &mut counts)?;
    }
    if !args.no_wait {
        progress.set(|| format!("{name}: {}, distilling", count(counts.events, "event")));
        let worker_is_gone =
            || matches!(lock::probe(&settings.paths.session_lock(&key)), Ok(LockState::Absent));
        // Check the spool first. The worker locks the session before it drains the spool and unlocks
        // it when everything is distilled.
        let done = || !spool::exists(&settings.paths, &key) && worker_is_gone();
        if !poll::until(DISTILL_TIMEOUT, done) {
            return Err(failed(format!(
                "{name}: the worker did not finish within {}",
                span(DISTILL_TIMEOUT)
            ))
            .hint("`memctl ps` shows what it does, `memctl queue` lists unfinished events"));
        }
    }
    drop(progress);
    super::print(&format!(
        "{name}: session {}, {} ({} already known, {} not recorded) in {}\n",
        escape(converter.session().unwrap_or_default()),
        count(counts.events, "event"),
        counts.known,
        counts.skipped,
        span(start.elapsed()),
    ))
}

/// Whether hooks recorded the session. Their event ids differ from those of a replay.
fn was_recorded_live(
    settings: &Settings,
    client: &str,
    session: &str,
    first: &Step,
) -> Result<bool> {
    let Some(reader) = Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")?
    else {
        return Ok(false);
    };
    let conn = reader.connection();
    let Some(stored) = sessions::find(conn, client, session).context("database")? else {
        return Ok(false);
    };
    let replayed =
        sessions::has_prompt_event(conn, stored.id, &first.id.to_string()).context("database")?;
    Ok(!replayed)
}

fn deliver_step(
    settings: &Settings,
    args: &Args,
    step: &Step,
    key: &str,
    counts: &mut Counts,
) -> Result<()> {
    let Some(event) = event(settings, args, step, key)? else {
        counts.skipped += 1;
        return Ok(());
    };
    counts.events += 1;
    let deadline = Instant::now() + settings.config.hook.deadline;
    match deliver::deliver(settings, key, &event, deadline) {
        Delivered::Accepted { duplicate } => counts.known += u64::from(duplicate),
        Delivered::Spooled { .. } => {
            let spool_is_full = spool::read(&settings.paths, key, MAX_SPOOLED)
                .is_ok_and(|s| s.len() >= MAX_SPOOLED);
            if spool_is_full && !poll::until(DRAIN_TIMEOUT, || !spool::exists(&settings.paths, key))
            {
                wake(settings, key, settings.config.hook.ring);
            }
        }
        Delivered::Lost { reason: why } => {
            return Err(failed(format!("cannot store an event: {why}")));
        }
    }
    Ok(())
}

/// Turns a step into an event, with the same redaction as a hook. `None` if it is not recorded.
fn event(settings: &Settings, args: &Args, step: &Step, key: &str) -> Result<Option<Event>> {
    let text = step.payload.to_string();
    let payload = Payload::parse(&text).context("invalid payload in the transcript")?;
    let turns = PrivateTurns::read(&settings.paths, key);
    let words = turns.words(payload.turn.as_deref());
    let context = CaptureContext {
        event: Some(step.event),
        client: &args.client,
        project_dir: None,
        fallback_dir: None,
        recording: &settings.config.recording,
        limits: settings.config.capture,
        private: &words,
        redact: &settings.config.redact,
        now: step.at,
        process: None,
    };
    match capture::capture(&payload, &context).map_err(usage)? {
        Captured::Ignored(_) | Captured::NotRecorded(..) => Ok(None),
        Captured::Event(mut event) => {
            event.id = step.id;
            debug_assert_ne!(event.kind, Kind::Unknown);
            Ok(Some(turns.redact(*event, &words)))
        }
    }
}
