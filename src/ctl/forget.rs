//! `memctl forget`: deletes memories for good.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use jiff::{Timestamp, civil, tz};
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
use crate::project;
use crate::spool;
use crate::store::forget::{self, ForgetCounts, ForgetFilter, ForgetSet};
use crate::store::sessions::{self, PrefixMatch};
use crate::store::{LockWait, Reader, Store, observations, projects, summaries};
use crate::text::{sanitize, truncate};

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

Keys of --json
  sessions      Number of deleted sessions
  prompts       Number of deleted prompts
  summaries     Number of deleted summaries
  observations  Number of deleted observations
  events        Number of deleted events that had not been distilled
  spooled       Number of deleted events that no worker had accepted
  dry_run       true with --dry-run: nothing was deleted
  left          Places that may still hold the text, one sentence each
";

/// Delete memories for good
///
/// Deletes from the database, its write-ahead log, the queue and the spool. A later replay or
/// import does not restore deleted memories. Late events of a deleted session are dropped, but a
/// session that is still running is recorded from now on. Asks for confirmation on a terminal if
/// more than one item would be deleted.
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
    /// Everything that contains this text (case-insensitive)
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
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if !settings.paths.data_dir_exists() {
        return print_outcome(args, &Outcome::of(args, ForgetCounts::default()));
    }
    if args.query.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(usage("the text of --query is empty"));
    }
    if args.dry_run {
        return dry_run(settings, args);
    }
    let mut store =
        Store::open_within(&settings.paths, LockWait::Within(LOCK_TIMEOUT)).context("database")?;
    drain_spools(settings, args, &mut store)?;
    let conn = store.connection();
    let selection = select(conn, args)?;
    if selection.is_empty() {
        return print_outcome(args, &Outcome::of(args, ForgetCounts::default()));
    }
    if !args.yes && selection.count().total() > 1 && is_interactive() && !confirm(conn, &selection)?
    {
        return super::print("nothing was deleted\n");
    }
    let mut outcome = Outcome::of(args, ForgetCounts::default());
    let mut affected = BTreeSet::new();
    let mut selection_error = None;
    let done = store.locked(|locked| {
        let now = clock::now_ms();
        // Select again under the lock: workers may have written since.
        let selection = match select(locked.connection(), args) {
            Ok(selection) => selection,
            Err(failure) => {
                selection_error = Some(failure);
                return Ok(());
            }
        };
        outcome.count = selection.count();
        affected = selection.affected_sessions(locked.connection())?;
        let keys = keys_of_sessions(locked.connection(), &selection)?;
        forget::forget(locked, &selection, now)?;
        for key in keys {
            outcome.spooled += spool::discard(&settings.paths, &key, now)?;
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
    // Close the database before a worker is spawned: SQLite connections must not cross a fork. Then
    // wake the workers, so that they reload the status of their sessions.
    drop(store);
    for (client, session) in &affected {
        deliver::wake(settings, &session_key(client, session), probe::TIMEOUT);
    }
    outcome.left.extend(not_searched(settings, args));
    print_outcome(args, &outcome)
}

/// Prints what would be deleted.
fn dry_run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")?;
    let mut outcome = Outcome::of(args, ForgetCounts::default());
    let spooled_sessions = drain::sessions_with_spool(settings);
    let Some(reader) = &reader else { return print_outcome(args, &outcome) };
    let conn = reader.connection();
    let selection = select(conn, args)?;
    outcome.count = selection.count();
    outcome.spooled =
        count_spooled(settings, &keys_of_sessions(conn, &selection).context("database")?);
    if may_match_spool(args) && !spooled_sessions.is_empty() {
        let n = count(spooled_sessions.len() as u64, "session");
        outcome.left.push(format!(
            "spooled events of {n} are not counted; they are queued before anything is deleted"
        ));
    }
    if !args.json {
        super::print(&list_selected(conn, &selection)?)?;
    }
    print_outcome(args, &outcome)
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
        let project = args.project.as_deref().map(|name| project_of(conn, name)).transpose()?;
        let (since, before) = (args.since, args.before);
        let filter = ForgetFilter { project, text: args.query.clone(), since, before };
        selection.add_matching(conn, &filter).context("database")?;
    }
    Ok(selection)
}

/// Finds a project by its directory or its name.
fn project_of(conn: &Connection, name: &str) -> Result<i64> {
    if let Ok(dir) = Path::new(name).canonicalize()
        && let Some(id) = projects::find(conn, &project::identify(&dir)).context("database")?
    {
        return Ok(id);
    }
    let found = projects::by_name(conn, name).context("database")?;
    match &found[..] {
        [(id, _)] => Ok(*id),
        [] => Err(failed(format!("nothing is stored for project '{name}'"))
            .hint("use its directory, or its name as `memctl status` prints it")),
        several => {
            let roots: Vec<&str> = several.iter().map(|(_, root)| root.as_str()).collect();
            let n = roots.len();
            Err(usage(format!("{n} projects have the name '{name}': {}", roots.join(", ")))
                .hint("use the directory of one of them"))
        }
    }
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

/// Places that may still hold the text because they were not searched.
fn not_searched(settings: &Settings, args: &Args) -> Vec<String> {
    let mut left = Vec::new();
    for (_, session) in
        may_match_spool(args).then(|| drain::sessions_with_spool(settings)).into_iter().flatten()
    {
        left.push(format!(
            "events of {session} are still spooled; check `memctl ps`, then run the command again"
        ));
    }
    if spool::n_dead_letters(&settings.paths) > 0 {
        let dead = settings.paths.dead_letters();
        left.push(format!("unreadable event files are kept in {dead}"));
    }
    for entry in fs::read_dir(settings.paths.data()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("corrupt-") {
            left.push(format!("a damaged database is kept in {}", entry.path().display()));
        }
    }
    left
}

fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn confirm(conn: &Connection, selection: &ForgetSet) -> Result<bool> {
    let question = format!(
        "{}Delete {}? [y/N] ",
        list_selected(conn, selection)?,
        format_counts(&selection.count())
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
            lines.push(format!("{}  {project}, {at}", s.content_session_id));
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
    fn of(args: &Args, count: ForgetCounts) -> Outcome {
        Outcome { count, spooled: 0, dry_run: args.dry_run, left: Vec::new() }
    }
}

fn format_counts(n: &ForgetCounts) -> String {
    let counts = [
        (n.sessions, count(n.sessions, "session")),
        (n.prompts, count(n.prompts, "prompt")),
        (n.summaries, format::summaries(n.summaries)),
        (n.observations, count(n.observations, "observation")),
        (n.events, count(n.events, "queued event")),
    ];
    let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text);
    counts.collect::<Vec<_>>().join(", ")
}

fn print_outcome(args: &Args, outcome: &Outcome) -> Result<()> {
    let Outcome { count: n, spooled, dry_run, left } = outcome;
    if args.json {
        return super::print_json(&json!({
            "sessions": n.sessions, "prompts": n.prompts, "summaries": n.summaries,
            "observations": n.observations, "events": n.events, "spooled": spooled,
            "dry_run": dry_run, "left": left,
        }));
    }
    left.iter().for_each(|text| super::warn(text));
    let spooled = match spooled {
        0 => String::new(),
        n => format!(", {}", count(*n, "spooled event")),
    };
    super::print(&match (n.total(), dry_run) {
        (0, _) => "nothing to delete\n".to_owned(),
        (_, true) => format!("would delete {}{spooled}\n", format_counts(n)),
        (_, false) => format!("deleted {}{spooled}\n", format_counts(n)),
    })
}
