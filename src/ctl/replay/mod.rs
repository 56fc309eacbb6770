//! `memctl replay`: a recorded transcript through the hooks' own way, sockets and workers
//! included. A second run changes nothing.

mod transcript;

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memctl_proto::{Event, Kind};
use serde_json::Value;

use super::format::{count, span};
use super::poll;
use crate::capture::{self, CaptureContext, Captured, Payload};
use crate::config::Settings;
use crate::deliver::{self, Delivered, wake};
use crate::failure::{Context, Result, failed, usage};
use crate::lock::{self, LockState};
use crate::paths::session_key;
use crate::spool;
use crate::store::{Reader, sessions};
use transcript::{Reading, Step};

const HELP: &str = "\
Examples
  memctl replay ~/.claude/projects/*/*.jsonl    all that Claude Code still has
";

/// Play a recorded transcript through hooks' own way
///
/// Transcripts are the client's: Claude Code keeps its own under ~/.claude/projects. What a
/// session sent live is not replayed over it, and a second run changes nothing.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Transcripts, as JSON lines
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The client that wrote them
    #[arg(long, default_value = "claude-code")]
    client: String,
    /// Return when all is handed over, without waiting until it is remembered
    #[arg(long)]
    no_wait: bool,
}

/// How long the worker may take to take a heap of spooled events in.
const TAKE_IN: Duration = Duration::from_secs(30);

/// How long distilling a transcript may take.
const DISTIL: Duration = Duration::from_secs(600);

/// So many events may lie in the spool before a replay waits for the worker.
const HEAP: usize = 200;

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    settings.paths.create().context("data dir")?;
    // Newer rows are newer work: oldest first, whatever the shell made of a pattern.
    let mut files: Vec<&PathBuf> = args.files.iter().collect();
    files.sort_by_cached_key(|file| transcript::begins(file));
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
    let lines = BufReader::new(File::open(file).context(&name)?).lines();
    let begun = Instant::now();
    let mut reading = Reading::default();
    let mut counts = Counts::default();
    let mut progress = Progress::new();
    let mut key = None;
    for (n, line) in lines.enumerate() {
        let line = line.context(&name)?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Value = serde_json::from_str(&line).map_err(|e| {
            failed(format!("{name}: line {}: {e}", n + 1))
                .hint("a transcript has one JSON object per line")
        })?;
        for step in reading.line(&line) {
            if key.is_none() {
                let session = reading.session().unwrap_or_default();
                if is_live(settings, &args.client, session, &step)? {
                    return super::print(&format!(
                        "{name}: left out, session {session} was recorded live\n"
                    ));
                }
                key = Some(session_key(&args.client, session));
            }
            hand_over(settings, args, &step, key.as_deref().expect("set"), &mut counts)?;
        }
        progress.show(&format!("{name}: {}", count(counts.events, "event")));
    }
    let Some(key) = key else {
        return Err(
            failed(format!("{name} holds no prompt")).hint("is it a transcript of Claude Code?")
        );
    };
    for step in reading.end() {
        hand_over(settings, args, &step, &key, &mut counts)?;
    }
    if !args.no_wait {
        progress.show(&format!("{name}: {}, remembering", count(counts.events, "event")));
        let gone =
            || matches!(lock::probe(&settings.paths.session_lock(&key)), Ok(LockState::Absent));
        // In this order: what takes the spool in has the lock before, and lets it go when all is
        // done.
        let done = || !spool::exists(&settings.paths, &key) && gone();
        if !poll::until(DISTIL, done) {
            return Err(failed(format!("{name}: the worker is not done after {}", span(DISTIL)))
                .hint("memctl ps shows what it does, memctl queue what waits"));
        }
    }
    progress.clear();
    super::print(&format!(
        "{name}: session {}, {} ({} known, {} not recorded) in {}\n",
        reading.session().unwrap_or_default(),
        count(counts.events, "event"),
        counts.known,
        counts.skipped,
        span(begun.elapsed()),
    ))
}

/// Whether the store knows the session from its hooks: then its prompts bear other ids.
fn is_live(settings: &Settings, client: &str, session: &str, first: &Step) -> Result<bool> {
    let Some(reader) = Reader::open(&settings.paths, super::PATIENCE).context("database")? else {
        return Ok(false);
    };
    let conn = reader.connection();
    let Some(known) = sessions::find(conn, client, session).context("database")? else {
        return Ok(false);
    };
    let replayed =
        sessions::has_prompt_event(conn, known.id, &first.id.to_string()).context("database")?;
    Ok(!replayed)
}

fn hand_over(
    settings: &Settings,
    args: &Args,
    step: &Step,
    key: &str,
    counts: &mut Counts,
) -> Result<()> {
    let Some(event) = event(settings, args, step)? else {
        counts.skipped += 1;
        return Ok(());
    };
    counts.events += 1;
    let deadline = Instant::now() + settings.config.hook.deadline;
    match deliver::deliver(settings, key, &event, deadline) {
        Delivered::Accepted { duplicate } => counts.known += u64::from(duplicate),
        Delivered::Spooled { .. } => {
            let heaped = spool::read(&settings.paths, key, HEAP).is_ok_and(|s| s.len() >= HEAP);
            if heaped && !poll::until(TAKE_IN, || !spool::exists(&settings.paths, key)) {
                wake(settings, key, settings.config.hook.ring);
            }
        }
        Delivered::Lost { reason: why } => {
            return Err(failed(format!("an event could be kept nowhere: {why}")));
        }
    }
    Ok(())
}

/// The step through the one entrance for text; none when it leaves no trace.
fn event(settings: &Settings, args: &Args, step: &Step) -> Result<Option<Event>> {
    let text = step.payload.to_string();
    let payload = Payload::parse(&text).context("transcript")?;
    let around = CaptureContext {
        event: Some(step.event),
        client: &args.client,
        project_dir: None,
        home: settings.home.as_deref(),
        exclude: &settings.config.exclude,
        limits: settings.config.capture,
        now: step.at,
        process: None,
    };
    match capture::capture(&payload, &around).map_err(usage)? {
        Captured::Ignored(_) => Ok(None),
        Captured::Event(mut event) => {
            event.id = step.id;
            debug_assert_ne!(event.kind, Kind::Unknown);
            Ok(Some(*event))
        }
    }
}

/// One line on a terminal's stderr, written over; nothing elsewhere.
struct Progress {
    on: bool,
    shown: Instant,
}

impl Progress {
    fn new() -> Progress {
        Progress { on: std::io::stderr().is_terminal(), shown: Instant::now() }
    }

    fn show(&mut self, text: &str) {
        if self.on && self.shown.elapsed() > Duration::from_millis(100) {
            let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
            self.shown = Instant::now();
        }
    }

    fn clear(&self) {
        if self.on {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
