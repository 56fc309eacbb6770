//! `memctl forget`: deletes memories for good.

mod files;
mod verify;

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use jiff::{Timestamp, civil, tz};
use memctl_proto::Event;
use rusqlite::Connection;
use serde_json::json;

use super::drain::{self, SessionName};
use super::format::{self, count};
use super::{lookup, poll};
use crate::clock;
use crate::config::{Settings, parse_duration};
use crate::deliver::{self, probe};
use crate::failure::{Context, Result, failed, usage};
use crate::paths::session_key;
use crate::spool;
use crate::spool::forget::{Candidate, Mode};
use crate::store::forget::{self, ForgetCounts, ForgetFilter, ForgetSet};
use crate::store::sessions::{self, PrefixMatch};
use crate::store::{LockWait, Reader, Store, claims, observations, projects, summaries};
use crate::text::{Needle, escape, sanitize, truncate};
use files::Search;
use verify::Verification;

/// How long to wait for the store lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait until live workers have drained their spools.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of items that are listed one by one.
const MAX_LISTED: usize = 12;

/// Maximum length of a listed title.
const MAX_TITLE: usize = 70;

const HELP: &str = "\
Examples
  memctl forget o412                         Delete an observation
  memctl forget p88                          Delete a prompt and what was derived from it
  memctl forget 6f2b9c54                     Delete a session
  memctl forget --query 'acme corp'          Delete everything that contains this text
  memctl forget --project . --since 2h       Delete what this project added in two hours
  memctl forget --project tally --dry-run    Print what would be deleted
  memctl forget --query acme --verify      Delete, then search all files for the text

Keys of --json
  sessions      Number of deleted sessions
  prompts       Number of deleted prompts
  summaries     Number of deleted summaries
  observations  Number of deleted observations
  events        Number of deleted events that had not been distilled
  spooled       Number of deleted events that no worker had accepted, and of unreadable events
  dry_run       true with --dry-run: nothing was deleted
  left          Places that may still hold the text, one sentence each
  verified      With --verify: files and bytes read, paths found, and paths unread
";

/// Delete memories for good
///
/// Deletes from the database, its write-ahead log, the queue, the spool and the unreadable events. A
/// later replay or import does not restore deleted memories. Late events of a deleted session are
/// dropped, but a session that is still running is recorded from now on. Asks for confirmation on a
/// terminal if more than one item would be deleted. The client's own transcripts are not changed.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("selection").required(true).multiple(true))]
pub struct Args {
    /// Id of an observation (o412), summary (s37) or prompt (p88), a UUID, or a prefix of a session
    /// id
    #[arg(value_name = "ID", group = "selection", conflicts_with_all = ["project", "query", "since", "before"])]
    ids: Vec<String>,
    /// Everything of this project, given as a directory or a name
    #[arg(long, value_name = "PROJECT", group = "selection")]
    project: Option<String>,
    /// Everything that contains this text, in upper or lower case
    #[arg(long, value_name = "TEXT", group = "selection")]
    query: Option<String>,
    /// Everything recorded since this time (2h, 7d, 2026-11-24, 2026-11-24T09:30Z)
    #[arg(long, value_name = "TIME", group = "selection", value_parser = parse_time)]
    since: Option<i64>,
    /// Everything recorded before this time
    #[arg(long, value_name = "TIME", group = "selection", value_parser = parse_time)]
    before: Option<i64>,
    /// Print what would be deleted and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Search all files of memctl for the deleted texts afterwards; exit with 1 if one is found
    #[arg(long)]
    verify: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Parses a time into milliseconds since the epoch. A day starts at midnight UTC.
fn parse_time(text: &str) -> std::result::Result<i64, &'static str> {
    if let Some(ago) = parse_duration(text) {
        return Ok(clock::now_ms() - ago.as_millis() as i64);
    }
    let day =
        || Some(text.parse::<civil::Date>().ok()?.to_zoned(tz::TimeZone::UTC).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(day);
    Ok(time
        .ok_or("expected a time such as 2h, 7d, 2026-11-24 or 2026-11-24T09:30Z")?
        .as_millisecond())
}

/// The items that were deleted, or would be.
struct Outcome {
    count: ForgetCounts,
    spooled: u64,
    dry_run: bool,
    /// Places that may still hold the text.
    left: Vec<String>,
    verified: Option<Verification>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if args.query.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(usage("the text of --query is empty"));
    }
    let is_empty = !settings.paths.data_dir_exists() && spool::keys(&settings.paths).is_empty();
    let (mut outcome, passages) = match () {
        () if is_empty => (Outcome::of(args), Vec::new()),
        () if args.dry_run => dry_run(settings, args)?,
        () => match delete(settings, args)? {
            Some(deleted) => deleted,
            None => return super::print("nothing was deleted\n"),
        },
    };
    // The database is closed from here on, because the bytes of its files are read.
    outcome.left.extend(damaged_databases(settings, args));
    if args.verify {
        let texts = args.query.iter().cloned().chain(passages);
        let needles: Vec<Needle> = texts.map(|text| Needle::new(&text)).collect();
        let what = if args.query.is_some() { "the text" } else { "a deleted text" };
        outcome.verified = Some(verify::search(settings, &needles, what)?);
    }
    print_outcome(args, &outcome)?;
    outcome.verified.map_or(Ok(()), Verification::into_result)
}

/// Deletes the selection and closes the database. Returns passages of the deleted texts too, and
/// `None` if the user did not confirm.
fn delete(settings: &Settings, args: &Args) -> Result<Option<(Outcome, Vec<String>)>> {
    let paths = &settings.paths;
    let mut outcome = Outcome::of(args);
    let mut store =
        Store::open_within(paths, LockWait::Within(LOCK_TIMEOUT)).context("database")?;
    drain_spools(settings, args, &mut store)?;
    let conn = store.connection();
    let selection = select(conn, args)?;
    let n_spooled = remove_spooled(settings, conn, args, Mode::Count)?;
    if selection.is_empty() && n_spooled == 0 {
        outcome.left.extend(unread_dead_letters(settings, args));
        return Ok(Some((outcome, Vec::new())));
    }
    let n_items = selection.count().total() + n_spooled;
    if !args.yes && n_items > 1 && is_interactive() && !confirm(conn, &selection, n_spooled)? {
        return Ok(None);
    }
    let (mut affected, mut passages) = (BTreeSet::new(), Vec::new());
    let mut selection_error = None;
    let done = store.locked(|locked| {
        let now = clock::now_ms();
        // Select again under the lock: workers may have written since.
        let spooled = remove_spooled(settings, locked.connection(), args, Mode::Remove);
        let selected = spooled.and_then(|n| Ok((n, select(locked.connection(), args)?)));
        let selection = match selected {
            Ok((n_spooled, selection)) => {
                outcome.spooled = n_spooled;
                selection
            }
            Err(failure) => {
                selection_error = Some(failure);
                return Ok(());
            }
        };
        outcome.count = selection.count();
        affected = selection.affected_sessions(locked.connection())?;
        if args.verify {
            passages = forget::passages(locked.connection(), &selection)?;
        }
        let keys = keys_of_sessions(locked.connection(), &selection)?;
        forget::forget(locked, &selection, now)?;
        for key in keys {
            outcome.spooled += spool::discard(paths, &key, now)?;
        }
        if let Err(e) = locked.vacuum() {
            outcome.left.push(format!(
                "the database file may still hold the text ({e}); run the command again later"
            ));
        }
        Ok(())
    });
    if let Some(failure) = selection_error {
        return Err(failure);
    }
    done.context("database")?;
    spool::remove_stale_tmp(paths);
    // Close the database before a worker is spawned: SQLite connections must not cross a fork. Then
    // wake the workers, so that they reload the status of their sessions.
    drop(store);
    for (client, session) in &affected {
        deliver::wake(settings, &session_key(client, session), probe::TIMEOUT);
    }
    outcome.left.extend(unread_dead_letters(settings, args));
    Ok(Some((outcome, passages)))
}

/// Prints what would be deleted.
fn dry_run(settings: &Settings, args: &Args) -> Result<(Outcome, Vec<String>)> {
    let mut outcome = Outcome::of(args);
    let reader = Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")?;
    let Some(reader) = &reader else { return Ok((outcome, Vec::new())) };
    let conn = reader.connection();
    let selection = select(conn, args)?;
    outcome.count = selection.count();
    outcome.spooled = remove_spooled(settings, conn, args, Mode::Count)?;
    outcome.spooled +=
        count_spooled(settings, &keys_of_sessions(conn, &selection).context("database")?);
    if !args.json {
        super::print(&list_selected(conn, &selection)?)?;
    }
    Ok((outcome, forget::passages(conn, &selection).context("database")?))
}

/// Removes the texts of events that no worker has accepted, and of dead letters, if they match.
/// Returns the number of events. Sessions that are deleted as a whole are not counted, because
/// [`spool::discard`] deletes their events.
fn remove_spooled(settings: &Settings, conn: &Connection, args: &Args, mode: Mode) -> Result<u64> {
    if !args.ids.is_empty() {
        return Ok(0);
    }
    let filter = filter(conn, args)?;
    let selects = |file: &Candidate| matches(conn, &filter, file);
    spool::forget::remove_texts(&settings.paths, mode, &selects).context("cannot read the spool")
}

/// Whether a file of a spool or of the dead-letter directory matches the filter.
fn matches(conn: &Connection, filter: &ForgetFilter, file: &Candidate) -> bool {
    let event = file.event.as_ref();
    let at = event.map_or(file.written_at, |event| event.at);
    if filter.since.is_some_and(|since| at < since) || filter.before.is_some_and(|end| at >= end) {
        return false;
    }
    let project = || {
        let event = event?;
        match &event.project {
            Some(project) => {
                let examined = claims::examine(conn, project).ok()?;
                projects::find(conn, &examined.project).ok()?
            }
            None => sessions::find(conn, &event.client, &event.session).ok()??.project_id,
        }
    };
    if filter.project.is_some() && filter.project != project() {
        return false;
    }
    match (event, &filter.text) {
        (Some(event), Some(needle)) => texts(event).any(|text| needle.is_in(text)),
        (Some(event), None) => texts(event).next().is_some(),
        (None, Some(needle)) => needle.is_in(&file.content),
        (None, None) => true,
    }
}

fn texts(event: &Event) -> impl Iterator<Item = &str> {
    let tool = event.tool.as_ref();
    let files = tool.into_iter().flat_map(|tool| &tool.files).map(|file| &file.path);
    let of_tool = [tool.map(|t| &t.name), tool.and_then(|t| t.input.as_ref())];
    let others = [tool.and_then(|t| t.response.as_ref()), event.text.as_ref()];
    let all = of_tool.into_iter().chain(others).flatten().chain(files);
    all.map(String::as_str).filter(|text| !text.is_empty())
}

/// Whether the selection may match events that are still spooled. Row ids match only stored rows.
fn may_match_spool(args: &Args) -> bool {
    let is_row_id = |name: &String| {
        let digits = name.strip_prefix(['o', 's', 'p']).unwrap_or(name);
        digits.bytes().all(|b| b.is_ascii_digit())
    };
    !args.ids.iter().all(is_row_id) || args.ids.is_empty()
}

/// Moves spooled events to the database, where they can be selected. A live worker drains its own
/// spool.
fn drain_spools(settings: &Settings, args: &Args, store: &mut Store) -> Result<()> {
    if !may_match_spool(args) {
        return Ok(());
    }
    let sessions = drain::sessions_with_spool(settings);
    drain::drain(settings, store, &sessions, clock::now_ms())?;
    let worker_drains = |(client, session): &&SessionName| {
        let key = session_key(client, session);
        has_spool(settings, &key) && deliver::wake(settings, &key, probe::TIMEOUT)
    };
    let draining: Vec<&SessionName> = sessions.iter().filter(worker_drains).collect();
    let is_drained =
        |(client, session): &&SessionName| !has_spool(settings, &session_key(client, session));
    poll::until(DRAIN_TIMEOUT, || draining.iter().all(is_drained));
    Ok(())
}

fn has_spool(settings: &Settings, key: &str) -> bool {
    spool::exists(&settings.paths, key)
}

fn select(conn: &Connection, args: &Args) -> Result<ForgetSet> {
    let mut selection = ForgetSet::default();
    for name in &args.ids {
        if let Some(row) = observations::by_name(conn, name).context("database")? {
            selection.add_observation(conn, row.id).context("database")?;
        } else if let Some(row) = summaries::by_name(conn, name).context("database")? {
            selection.add_summary(conn, row.id).context("database")?;
        } else if let Some(prompt) = sessions::prompt_by_name(conn, name).context("database")? {
            selection.add_prompt(conn, prompt.id).context("database")?;
        } else if let PrefixMatch::None = sessions::by_prefix(conn, name).context("database")? {
            return Err(failed(format!("no memory or session matches '{name}'"))
                .hint("`memctl context` and `memctl show SESSION` print ids"));
        } else {
            let session = lookup::session(conn, name)?;
            selection.add_session(conn, session.id).context("database")?;
        }
    }
    if args.ids.is_empty() {
        selection.add_matching(conn, &filter(conn, args)?).context("database")?;
    }
    Ok(selection)
}

fn filter(conn: &Connection, args: &Args) -> Result<ForgetFilter> {
    let project = args.project.as_deref().map(|name| lookup::project(conn, name)).transpose()?;
    let text = args.query.as_deref().map(Needle::new);
    Ok(ForgetFilter { project, text, since: args.since, before: args.before })
}

fn keys_of_sessions(conn: &Connection, selection: &ForgetSet) -> crate::store::Result<Vec<String>> {
    let mut keys = Vec::new();
    for id in &selection.sessions {
        if let Some(session) = sessions::get(conn, *id)? {
            keys.push(session_key(&session.client, &session.content_session_id));
        }
    }
    Ok(keys)
}

/// Counts the spooled events of these sessions.
fn count_spooled(settings: &Settings, keys: &[String]) -> u64 {
    let spooled = |key: &String| spool::read(&settings.paths, key, usize::MAX);
    keys.iter().map(|key| spooled(key).map_or(0, |files| files.len() as u64)).sum()
}

/// Says that dead letters are kept, unless their texts were searched.
fn unread_dead_letters(settings: &Settings, args: &Args) -> Option<String> {
    let are_kept = args.ids.is_empty() || spool::dead_letters::count(&settings.paths) == 0;
    let dir = settings.paths.dead_letters();
    (!are_kept).then(|| format!("unreadable event files are kept in {dir}"))
}

/// The quarantined databases that contain the text, or all of them if there is no text to search
/// for. They are damaged, so that nothing can be deleted from them.
fn damaged_databases(settings: &Settings, args: &Args) -> Vec<String> {
    let needles: Vec<Needle> = args.query.as_deref().map(Needle::new).into_iter().collect();
    let mut left = Vec::new();
    for dir in settings.paths.quarantined_databases() {
        let mut search = Search::default();
        search.add_dir(&dir, &needles);
        if needles.is_empty() {
            left.push(format!("a damaged database is kept in {dir}"));
        } else if !search.found.is_empty() {
            left.push(format!("the damaged database in {dir} contains the text; delete it"));
        } else if let Some((place, why)) = search.unread.first() {
            left.push(format!("cannot read {place}: {why}"));
        }
    }
    left
}

fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn confirm(conn: &Connection, selection: &ForgetSet, n_spooled: u64) -> Result<bool> {
    let question = format!(
        "{}Delete {}? [y/N] ",
        list_selected(conn, selection)?,
        format_counts(&selection.count(), n_spooled)
    );
    let mut err = anstream::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).context("cannot write to stderr")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read stdin")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Lists what would be deleted, one line each, up to a limit. Parts of a deleted session are not
/// listed.
fn list_selected(conn: &Connection, selection: &ForgetSet) -> Result<String> {
    let mut lines = Vec::new();
    for id in &selection.sessions {
        if let Some(s) = sessions::get(conn, *id).context("database")? {
            let project = s.project.unwrap_or_else(|| "no project".into());
            let at = format::at(s.started_at_epoch);
            lines.push(format!("{}  {}, {at}", escape(&s.content_session_id), escape(&project)));
        }
    }
    let in_deleted_session =
        |session: Option<i64>| session.is_some_and(|id| selection.sessions.contains(&id));
    if selection.sessions.is_empty() {
        for id in &selection.prompts {
            let name = format!("p{id}");
            if let Some(p) = sessions::prompt_by_name(conn, &name).context("database")? {
                lines.push(format!("{name}  {}", clipped(&p.text.unwrap_or_default())));
            }
        }
        for id in &selection.summaries {
            if let Some(s) = summaries::by_id(conn, *id).context("database")? {
                lines.push(format!("s{id}  {}", clipped(&s.summary.request)));
            }
        }
    }
    for id in &selection.observations {
        if lines.len() > MAX_LISTED {
            break;
        }
        if let Some(o) = observations::by_id(conn, *id).context("database")?
            && !in_deleted_session(o.session_id)
        {
            lines.push(format!("o{id}  {}", clipped(&o.observation.title)));
        }
    }
    if lines.len() > MAX_LISTED {
        lines.truncate(MAX_LISTED);
        lines.push("…".into());
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// The first line of a text, without control characters.
fn clipped(text: &str) -> String {
    truncate(&sanitize(text.trim().lines().next().unwrap_or_default()), MAX_TITLE)
}

impl Outcome {
    fn of(args: &Args) -> Outcome {
        let count = ForgetCounts::default();
        Outcome { count, spooled: 0, dry_run: args.dry_run, left: Vec::new(), verified: None }
    }
}

fn format_counts(n: &ForgetCounts, n_spooled: u64) -> String {
    let counts = [
        (n.sessions, count(n.sessions, "session")),
        (n.prompts, count(n.prompts, "prompt")),
        (n.summaries, format::summaries(n.summaries)),
        (n.observations, count(n.observations, "observation")),
        (n.events, count(n.events, "queued event")),
        (n_spooled, count(n_spooled, "spooled event")),
    ];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text);
    counts.collect::<Vec<_>>().join(", ")
}

fn print_outcome(args: &Args, outcome: &Outcome) -> Result<()> {
    let Outcome { count: n, spooled, dry_run, left, verified } = outcome;
    if args.json {
        return super::print_json(&json!({
            "sessions": n.sessions, "prompts": n.prompts, "summaries": n.summaries,
            "observations": n.observations, "events": n.events, "spooled": spooled,
            "dry_run": dry_run, "left": left,
            "verified": verified.as_ref().map(Verification::to_json),
        }));
    }
    left.iter().for_each(|text| super::warn(text));
    super::print(&match (n.total() + spooled, dry_run) {
        (0, _) if left.is_empty() => "nothing to delete\n".to_owned(),
        (0, _) => "nothing was deleted\n".to_owned(),
        (_, true) => format!("would delete {}\n", format_counts(n, *spooled)),
        (_, false) => format!("deleted {}\n", format_counts(n, *spooled)),
    })?;
    verified.as_ref().map_or(Ok(()), Verification::print)
}
