//! `memctl import claude-code`: past sessions from their transcripts, newest first, by the local rules.
//!
//! One thread reads and captures, another one stores. Nothing but the ids of the events is kept in
//! memory. Each event has an id that is derived from its line, so an import that was ended continues
//! where it stopped.

mod files;
mod reader;
mod recorder;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::native;
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::span;
use crate::ctl::progress::Progress;
use crate::ctl::time::duration;
use crate::ctl::{READ_TIMEOUT, health, replay};
use crate::failure::{Context, Result, failed, usage};
use crate::process;
use crate::project::{self, recording};
use crate::store::imports::{self, Imported};
use crate::store::{self, Reader as Database, sessions};
use files::Transcript;
use reader::{Groups, Reader};
use recorder::{Item, Recorder, Stored};
use report::Report;

const CLIENT: &str = "claude-code";

/// Groups of events that may wait for the recorder. They bound the memory.
const WAITING: usize = 3;

const HELP: &str = "\
Examples
  memctl import claude-code --dry-run         Show what there is
  memctl import claude-code                   Take in all sessions, the newest first
  memctl import claude-code --since 90d       Those with an event in the last 90 days
  memctl import claude-code --project .       Those of this project
  memctl import claude-code /backup/projects  Those of another directory
";

/// Take in the sessions that Claude Code has kept as transcripts
///
/// Reads all transcripts below $CLAUDE_CONFIG_DIR/projects or ~/.claude/projects, newest first, with those
/// of subagents. The exclusions, pauses and redaction of recorded sessions apply. The local rules distill
/// them: no model is called. Sessions that were recorded live or forgotten are skipped.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Directory with the transcripts
    dir: Option<PathBuf>,
    /// Only sessions with an event within this time (90d, 12h)
    #[arg(long, value_name = "AGE", value_parser = duration)]
    since: Option<Duration>,
    /// Only the newest sessions
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only sessions of the project of this directory
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Count what would be imported, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Distill with the configured agent, which may be a model that costs money
    #[arg(long, conflicts_with_all = ["json", "dry_run"])]
    with_agent: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The directories in which the client's sessions were started, by session id. Empty without transcripts.
pub fn session_dirs(settings: &Settings) -> BTreeMap<String, PathBuf> {
    let dir = native::claude_dir(settings).map(|dir| dir.join("projects"));
    let found = dir.and_then(|dir| files::find(&dir).ok()).unwrap_or_default();
    let transcripts = found.transcripts.into_iter();
    transcripts.filter_map(|transcript| Some((transcript.session, transcript.dir?))).collect()
}

/// Whether the sessions of a client can be imported into an empty store. `None`: there are none.
pub fn offer(settings: &Settings) -> Option<&'static str> {
    let dir = native::claude_dir(settings)?.join("projects");
    files::exist(&dir).then_some("memctl import claude-code")
}

pub fn run(mut settings: Settings, args: &Args) -> Result<()> {
    health::recording::refuse_if_off(&settings)?;
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => native::claude_dir(&settings)
            .ok_or_else(|| failed("no home directory is known").hint("name a directory"))?
            .join("projects"),
    };
    if !dir.exists() {
        return Err(usage(format!("Claude Code has kept no transcripts in {}", dir.display()))
            .hint(
                "a session writes one; `memctl import claude-code DIR` names another directory",
            ));
    }
    let found = files::find(&dir).context(format!("cannot read {}", dir.display()))?;
    let mut report = Report {
        dry_run: args.dry_run,
        with_agent: args.with_agent,
        sidechain_files: found.n_sidechains,
        unreadable: found.n_unreadable,
        ..Report::default()
    };
    let transcripts = wanted(found.transcripts, args)?;
    if !args.dry_run {
        settings.paths.create().context("cannot create the data dir")?;
        replay::check_writable(&settings)?;
    }
    let start = Instant::now();
    let imported = match (args.dry_run, args.with_agent) {
        (true, _) => dry_run(&settings, transcripts, &mut report),
        (false, true) => with_agent(&settings, transcripts, &mut report),
        (false, false) => import(&settings, transcripts, &mut report),
    };
    report.elapsed = start.elapsed();
    if let Some(database) = open(&settings)? {
        report.known = imports::known(database.connection())?;
    }
    match args.json {
        true => crate::ctl::print_json(&report.json())?,
        false => crate::ctl::print(&report.text())?,
    }
    imported?;
    if !args.json && report.known.0 > 0 {
        crate::ctl::print(&report.last_line())?;
    }
    Ok(())
}

/// The transcripts that the arguments select.
fn wanted(mut transcripts: Vec<Transcript>, args: &Args) -> Result<Vec<Transcript>> {
    if let Some(since) = args.since {
        let after = clock::now_ms() - since.as_millis() as i64;
        transcripts.retain(|transcript| transcript.ended >= after);
    }
    if let Some(dir) = &args.project {
        let dir = std::path::absolute(dir).context(dir.display())?;
        let keys: BTreeSet<String> = project::identify(&dir).keys.into_iter().collect();
        let mut known: BTreeMap<PathBuf, bool> = BTreeMap::new();
        transcripts.retain(|transcript| {
            let Some(dir) = &transcript.dir else { return false };
            *known
                .entry(dir.clone())
                .or_insert_with(|| project::identify(dir).keys.iter().any(|key| keys.contains(key)))
        });
    }
    transcripts.truncate(args.limit.unwrap_or(usize::MAX));
    Ok(transcripts)
}

/// Whether and from where a transcript is read.
enum Verdict {
    /// Events up to this time are stored.
    Read(Option<i64>),
    Skip(Skip),
}

#[derive(Clone, Copy, PartialEq)]
enum Skip {
    AlreadyImported,
    RecordedLive,
    Forgotten,
    Excluded,
    WithoutPrompt,
}

fn judge(
    settings: &Settings,
    database: Option<&Database>,
    transcript: &Transcript,
) -> Result<Verdict> {
    if transcript.session.is_empty() {
        return Ok(Verdict::Skip(Skip::WithoutPrompt));
    }
    if let Some(dir) = &transcript.dir
        && recording::not_recorded(&[dir], &settings.config.recording).is_some()
    {
        return Ok(Verdict::Skip(Skip::Excluded));
    }
    let Some(database) = database else { return Ok(Verdict::Read(None)) };
    let judged = || -> store::Result<Verdict> {
        let (conn, session) = (database.connection(), &transcript.session);
        if sessions::was_forgotten_after(conn, CLIENT, session, transcript.ended)? {
            return Ok(Verdict::Skip(Skip::Forgotten));
        }
        let known = imports::find(conn, CLIENT, session)?;
        if known.is_some_and(|known| known.bytes == transcript.bytes) {
            return Ok(Verdict::Skip(Skip::AlreadyImported));
        }
        if let Some(id) = sessions::id_of(conn, CLIENT, session)?
            && imports::was_recorded_live(conn, id)?
        {
            return Ok(Verdict::Skip(Skip::RecordedLive));
        }
        Ok(Verdict::Read(known.map(|Imported { through_epoch, .. }| through_epoch)))
    };
    judged().context("database")
}

fn count_skip(report: &mut Report, skip: Skip) {
    *match skip {
        Skip::AlreadyImported => &mut report.already_imported,
        Skip::RecordedLive => &mut report.recorded_live,
        Skip::Forgotten => &mut report.forgotten,
        Skip::Excluded => &mut report.excluded,
        Skip::WithoutPrompt => &mut report.without_prompt,
    } += 1;
}

fn count_read(report: &mut Report, transcript: &Transcript, after: Option<i64>) {
    report.files += 1;
    report.bytes += transcript.bytes;
    match after {
        None => report.imported += 1,
        Some(_) => report.continued += 1,
    }
    if transcript.dir.as_ref().is_some_and(|dir| !dir.exists()) {
        report.gone_dirs += 1;
    }
}

fn dry_run(settings: &Settings, transcripts: Vec<Transcript>, report: &mut Report) -> Result<()> {
    let database = open(settings)?;
    let mut known: BTreeSet<String> = BTreeSet::new();
    for transcript in transcripts {
        match judge(settings, database.as_ref(), &transcript)? {
            Verdict::Skip(skip) => count_skip(report, skip),
            Verdict::Read(after) if known.insert(transcript.session.clone()) => {
                count_read(report, &transcript, after);
            }
            Verdict::Read(_) => report.files += 1,
        }
    }
    Ok(())
}

/// Delivers the events to workers, as hooks do.
fn with_agent(
    settings: &Settings,
    transcripts: Vec<Transcript>,
    report: &mut Report,
) -> Result<()> {
    for transcript in transcripts {
        let database = open(settings)?;
        match judge(settings, database.as_ref(), &transcript)? {
            Verdict::Skip(skip) => count_skip(report, skip),
            Verdict::Read(after) => {
                replay::replay(settings, CLIENT, &transcript.path, true)?;
                count_read(report, &transcript, after);
            }
        }
    }
    Ok(())
}

/// Reads the transcripts on this thread and stores their events on another one.
fn import(settings: &Settings, transcripts: Vec<Transcript>, report: &mut Report) -> Result<()> {
    let mut recorder = Recorder::new(settings)?;
    let (sender, receiver) = mpsc::sync_channel::<Vec<Item>>(WAITING);
    thread::scope(|scope| {
        let store = thread::Builder::new().name("store".into());
        let store = store.spawn_scoped(scope, move || -> store::Result<(Stored, Duration)> {
            for items in receiver {
                recorder.commit(&items)?;
            }
            let longest = recorder.longest;
            Ok((recorder.finish(), longest))
        });
        let store = store.context("cannot start a thread")?;
        // The thread that holds the store lock keeps its priority: others wait for it.
        process::lower_priority();
        let read = read_all(settings, transcripts, Groups::new(sender), report);
        let stored = match store.join() {
            Ok(stored) => stored.context("cannot store the events"),
            Err(_) => Err(failed("the store thread panicked")),
        };
        let (stored, longest) = stored?;
        tracing::debug!(?longest, "held the store lock");
        report.stored = stored;
        read
    })
}

fn read_all(
    settings: &Settings,
    transcripts: Vec<Transcript>,
    groups: Groups,
    report: &mut Report,
) -> Result<()> {
    let mut reader = Reader { settings, client: CLIENT, groups, seen: HashSet::new() };
    let (mut sessions, total) = (HashSet::new(), transcripts.iter().map(|t| t.bytes).sum::<u64>());
    let (start, n) = (Instant::now(), transcripts.len());
    let progress = Progress::new("reading transcripts");
    let (mut skipped, mut done) = (0, 0);
    for (at, transcript) in transcripts.iter().enumerate() {
        let database = open(settings)?;
        let verdict = judge(settings, database.as_ref(), transcript)?;
        drop(database);
        let after = match verdict {
            // The same session in two directories: the first file has the rest of it.
            Verdict::Read(_) if !sessions.insert(&transcript.session) => {
                skipped += transcript.bytes;
                continue;
            }
            Verdict::Read(after) => after,
            Verdict::Skip(skip) => {
                count_skip(report, skip);
                skipped += transcript.bytes;
                if transcript.has_copies && skip != Skip::Excluded {
                    // Errors are those of reading a file that is not imported.
                    let _ = reader.remember(transcript);
                }
                continue;
            }
        };
        let read = reader.read(transcript, after, |bytes| {
            progress.set(|| line(at, n, done + bytes, total - skipped, start.elapsed()));
        });
        done += transcript.bytes;
        match read {
            Ok(Ok(read)) => {
                report.add(read);
                count_read(report, transcript, after);
            }
            Ok(Err(_)) => return Ok(()),
            Err(e) => {
                report.unreadable += 1;
                report.first_problem.get_or_insert(e.to_string());
            }
        }
    }
    // The recorder reports its error.
    let _ = reader.groups.send();
    Ok(())
}

/// `session 12 of 312, 14.2 MB/s, 40s left`
fn line(at: usize, n: usize, done: u64, total: u64, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let left = total.saturating_sub(done) as f64 / rate.max(1.0);
    format!(
        "session {} of {n}, {:.1} MB/s, {} left",
        at + 1,
        rate / 1e6,
        span(Duration::from_secs(left as u64))
    )
}

fn open(settings: &Settings) -> Result<Option<Database>> {
    Database::open(&settings.paths, READ_TIMEOUT).context("database")
}
