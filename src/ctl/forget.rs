//! `memctl forget`: takes out of the memory what its user does not want in it.

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

/// How long the store may be another's.
const STORE: Duration = Duration::from_secs(10);

/// How long workers may need to take in what is spooled.
const TAKEN_IN: Duration = Duration::from_secs(5);

/// So many things are named one by one.
const NAMED: usize = 12;

/// Characters of what is named.
const TITLE: usize = 70;

const HELP: &str = "\
Examples
  memctl forget o412                      an observation
  memctl forget p88                       a prompt, and what came of it
  memctl forget 6f2b9c54                  a whole session
  memctl forget --query 'acme corp'       all that mentions it
  memctl forget --project . --since 2h    what the last two hours added here
  memctl forget --project tally --dry-run say what would go

Of a session nothing is kept that happened before, however late it is reported. One that still
runs is recorded anew from then on; what stands between <private> and </private> never is.

Keys of --json
  sessions, prompts, summaries, observations  how many
  events   queued events that had not been distilled
  spooled  events that no worker had taken in yet
  dry_run  whether nothing was done
  left     sentences on what may still hold it
";

/// Take something out of the memory, for good
///
/// It is removed from the database, its log, the queue and the spool. What is forgotten stays so
/// when it is replayed or imported. At a terminal memctl asks before it forgets more than one
/// thing.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
#[command(group = clap::ArgGroup::new("meant").required(true).multiple(true))]
pub struct Args {
    /// An observation (o412), a summary (s37), a prompt (p88), a uuid, or the beginning of a
    /// session's id
    #[arg(value_name = "WHAT", group = "meant", conflicts_with_all = ["project", "query", "since", "before"])]
    what: Vec<String>,
    /// What belongs to a project: its directory or its name
    #[arg(long, value_name = "DIR", group = "meant")]
    project: Option<String>,
    /// What has this in one of its texts, in capital or small letters
    #[arg(long, value_name = "TEXT", group = "meant")]
    query: Option<String>,
    /// What was recorded since then: 2h, 7d, 2026-11-24, 2026-11-24T09:30Z
    #[arg(long, value_name = "TIME", group = "meant", value_parser = time)]
    since: Option<i64>,
    /// What was recorded before then
    #[arg(long, value_name = "TIME", group = "meant", value_parser = time)]
    before: Option<i64>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print an object
    #[arg(long)]
    json: bool,
}

/// Milliseconds since the epoch. Days are those of UTC, as everywhere in what memctl prints.
fn time(text: &str) -> std::result::Result<i64, &'static str> {
    if let Some(ago) = parse_duration(text) {
        return Ok(clock::now_ms() - ago.as_millis() as i64);
    }
    let day =
        || Some(text.parse::<civil::Date>().ok()?.to_zoned(tz::TimeZone::UTC).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(day);
    Ok(time.ok_or("write 2h, 7d, 2026-11-24 or 2026-11-24T09:30Z")?.as_millisecond())
}

/// What was done, or would be.
struct Outcome {
    count: ForgetCounts,
    spooled: u64,
    dry_run: bool,
    /// What may still hold it.
    left: Vec<String>,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    if !settings.paths.exist() {
        return tell(args, &Outcome::of(args, ForgetCounts::default()));
    }
    if args.query.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(usage("--query needs a text"));
    }
    if args.dry_run {
        return plan(settings, args);
    }
    let mut store =
        Store::open_within(&settings.paths, LockWait::Within(STORE)).context("database")?;
    take_in(settings, args, &mut store)?;
    let conn = store.connection();
    let doomed = choose(conn, args)?;
    if doomed.is_empty() {
        return tell(args, &Outcome::of(args, ForgetCounts::default()));
    }
    if !args.yes && doomed.count().all() > 1 && at_a_terminal() && !agreed(conn, &doomed)? {
        return super::print("nothing was forgotten\n");
    }
    let mut outcome = Outcome::of(args, ForgetCounts::default());
    let mut whose = BTreeSet::new();
    let mut refusal = None;
    let done = store.locked(|locked| {
        let now = clock::now_ms();
        // Once more: workers have gone on meanwhile.
        let doomed = match choose(locked.connection(), args) {
            Ok(doomed) => doomed,
            Err(failure) => {
                refusal = Some(failure);
                return Ok(());
            }
        };
        outcome.count = doomed.count();
        whose = doomed.affected_sessions(locked.connection())?;
        let keys = keys_of_sessions(locked.connection(), &doomed)?;
        forget::forget(locked, &doomed, now)?;
        for key in keys {
            outcome.spooled += spool::discard(&settings.paths, &key, now)?;
        }
        if let Err(e) = locked.vacuum() {
            outcome
                .left
                .push(format!("the database's file still holds traces ({e}): forget again later"));
        }
        Ok(())
    });
    if let Some(failure) = refusal {
        return Err(failure);
    }
    done.context("database")?;
    // A child that is forked must have no connection, and a worker learns what it has lost.
    drop(store);
    for (client, session) in &whose {
        deliver::wake(settings, &session_key(client, session), probe::TIMEOUT);
    }
    outcome.left.extend(leavings(settings, args));
    tell(args, &outcome)
}

/// Says what would go, and changes nothing.
fn plan(settings: &Settings, args: &Args) -> Result<()> {
    let reader = Reader::open(&settings.paths, super::PATIENCE).context("database")?;
    let mut outcome = Outcome::of(args, ForgetCounts::default());
    let waiting = drain::sessions_with_spool(settings);
    let Some(reader) = &reader else { return tell(args, &outcome) };
    let conn = reader.connection();
    let doomed = choose(conn, args)?;
    outcome.count = doomed.count();
    outcome.spooled = of_spools(settings, &keys_of_sessions(conn, &doomed).context("database")?);
    if searches(args) && !waiting.is_empty() {
        let n = count(waiting.len() as u64, "session");
        outcome.left.push(format!("events of {n} wait in the spool, and are looked at first"));
    }
    if !args.json {
        super::print(&named(conn, &doomed)?)?;
    }
    tell(args, &outcome)
}

/// Whether rows are looked for that may still lie in a spool.
fn searches(args: &Args) -> bool {
    let number = |name: &String| {
        let digits = name.strip_prefix(['o', 's', 'p']).unwrap_or(name);
        digits.bytes().all(|b| b.is_ascii_digit())
    };
    !args.what.iter().all(number) || args.what.is_empty()
}

/// Brings what is spooled where it can be looked at. Whoever has a worker that answers has it do so.
fn take_in(settings: &Settings, args: &Args, store: &mut Store) -> Result<()> {
    if !searches(args) {
        return Ok(());
    }
    let waiting = drain::sessions_with_spool(settings);
    drain::drain(settings, store, &waiting, clock::now_ms())?;
    let answers = |(client, session): &&SessionName| {
        let key = session_key(client, session);
        has_spool(settings, &key) && deliver::wake(settings, &key, probe::TIMEOUT)
    };
    let lively: Vec<&SessionName> = waiting.iter().filter(answers).collect();
    let done =
        |(client, session): &&SessionName| !has_spool(settings, &session_key(client, session));
    poll::until(TAKEN_IN, || lively.iter().all(done));
    Ok(())
}

fn has_spool(settings: &Settings, key: &str) -> bool {
    spool::exists(&settings.paths, key)
}

fn choose(conn: &Connection, args: &Args) -> Result<ForgetSet> {
    let mut doomed = ForgetSet::default();
    for name in &args.what {
        if let Some(row) = observations::by_name(conn, name).context("database")? {
            doomed.add_observation(conn, row.id).context("database")?;
        } else if let Some(row) = summaries::by_name(conn, name).context("database")? {
            doomed.add_summary(conn, row.id).context("database")?;
        } else if let Some(prompt) = sessions::prompt_by_name(conn, name).context("database")? {
            doomed.add_prompt(conn, prompt.id).context("database")?;
        } else if let PrefixMatch::None = sessions::by_prefix(conn, name).context("database")? {
            return Err(failed(format!("there is no memory '{name}'"))
                .hint("memctl show SESSION and memctl context say what there is"));
        } else {
            let session = lookup::session(conn, name)?;
            doomed.add_session(conn, session.id).context("database")?;
        }
    }
    if args.what.is_empty() {
        let project = args.project.as_deref().map(|name| project_of(conn, name)).transpose()?;
        let (since, before) = (args.since, args.before);
        let wanted = ForgetFilter { project, text: args.query.clone(), since, before };
        doomed.add_matching(conn, &wanted).context("database")?;
    }
    Ok(doomed)
}

/// By its directory, which need not have anything of the project in it any more, or its name.
fn project_of(conn: &Connection, name: &str) -> Result<i64> {
    if let Ok(dir) = Path::new(name).canonicalize()
        && let Some(id) = projects::find(conn, &project::identify(&dir)).context("database")?
    {
        return Ok(id);
    }
    let found = projects::by_name(conn, name).context("database")?;
    match &found[..] {
        [(id, _)] => Ok(*id),
        [] => Err(failed(format!("nothing is remembered of a project '{name}'"))
            .hint("give its directory, or its name as memctl status prints it")),
        several => {
            let roots: Vec<&str> = several.iter().map(|(_, root)| root.as_str()).collect();
            let n = roots.len();
            Err(usage(format!("{n} projects are called '{name}': {}", roots.join(", ")))
                .hint("give the directory of one"))
        }
    }
}

fn keys_of_sessions(conn: &Connection, doomed: &ForgetSet) -> crate::store::Result<Vec<String>> {
    let mut keys = Vec::new();
    for id in &doomed.sessions {
        if let Some(session) = sessions::get(conn, *id)? {
            keys.push(session_key(&session.client, &session.content_session_id));
        }
    }
    Ok(keys)
}

/// How many events wait there.
fn of_spools(settings: &Settings, keys: &[String]) -> u64 {
    let waiting = |key: &String| spool::read(&settings.paths, key, usize::MAX);
    keys.iter().map(|key| waiting(key).map_or(0, |files| files.len() as u64)).sum()
}

/// What was not looked into.
fn leavings(settings: &Settings, args: &Args) -> Vec<String> {
    let mut left = Vec::new();
    for (_, session) in
        searches(args).then(|| drain::sessions_with_spool(settings)).into_iter().flatten()
    {
        left.push(format!(
            "events of {session} wait in its spool: memctl ps says why, then forget again"
        ));
    }
    if spool::dead_letters(&settings.paths) > 0 {
        let dead = settings.paths.dead_letters();
        left.push(format!("files that could not be read lie in {}", dead.display()));
    }
    for entry in fs::read_dir(settings.paths.data()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("corrupt-") {
            left.push(format!("a damaged database is kept in {}", entry.path().display()));
        }
    }
    left
}

fn at_a_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn agreed(conn: &Connection, doomed: &ForgetSet) -> Result<bool> {
    let question = format!("{}Forget {}? [y/N] ", named(conn, doomed)?, said(&doomed.count()));
    let mut err = anstream::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).context("standard error")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("standard input")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// What goes, a line each; of much the beginning. What goes with its session is not named.
fn named(conn: &Connection, doomed: &ForgetSet) -> Result<String> {
    let mut lines = Vec::new();
    for id in &doomed.sessions {
        if let Some(s) = sessions::get(conn, *id).context("database")? {
            let project = s.project.unwrap_or_else(|| "no project".into());
            let at = format::at(s.started_at_epoch);
            lines.push(format!("{}  {project}, {at}", s.content_session_id));
        }
    }
    let whole = |session: Option<i64>| session.is_some_and(|id| doomed.sessions.contains(&id));
    if doomed.sessions.is_empty() {
        for id in &doomed.prompts {
            let name = format!("p{id}");
            if let Some(p) = sessions::prompt_by_name(conn, &name).context("database")? {
                lines.push(format!("{name}  {}", clipped(&p.text.unwrap_or_default())));
            }
        }
        for id in &doomed.summaries {
            if let Some(s) = summaries::by_id(conn, *id).context("database")? {
                lines.push(format!("s{id}  {}", clipped(&s.summary.request)));
            }
        }
    }
    for id in &doomed.observations {
        if lines.len() > NAMED {
            break;
        }
        if let Some(o) = observations::by_id(conn, *id).context("database")?
            && !whole(o.session_id)
        {
            lines.push(format!("o{id}  {}", clipped(&o.observation.title)));
        }
    }
    if lines.len() > NAMED {
        lines.truncate(NAMED);
        lines.push("and more".into());
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

/// In one line, without what a terminal would obey.
fn clipped(text: &str) -> String {
    truncate(&sanitize(text.trim().lines().next().unwrap_or_default()), TITLE)
}

impl Outcome {
    fn of(args: &Args, count: ForgetCounts) -> Outcome {
        Outcome { count, spooled: 0, dry_run: args.dry_run, left: Vec::new() }
    }
}

fn said(n: &ForgetCounts) -> String {
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

fn tell(args: &Args, outcome: &Outcome) -> Result<()> {
    let Outcome { count: n, spooled, dry_run, left } = outcome;
    if args.json {
        return super::print_json(&json!({
            "sessions": n.sessions, "prompts": n.prompts, "summaries": n.summaries,
            "observations": n.observations, "events": n.events, "spooled": spooled,
            "dry_run": dry_run, "left": left,
        }));
    }
    for trouble in left {
        super::tell(&format!("memctl: {trouble}"));
    }
    let waiting = match spooled {
        0 => String::new(),
        n => format!(", and {} of the spool", count(*n, "event")),
    };
    super::print(&match (n.all(), dry_run) {
        (0, _) => "nothing to forget\n".to_owned(),
        (_, true) => format!("would forget {}{waiting}\n", said(n)),
        (_, false) => format!("forgot {}{waiting}\n", said(n)),
    })
}
