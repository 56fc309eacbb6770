//! Checks of the database: integrity, queue, spending, notices and the claim of a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

use super::{Depth, Finding, Level, native};
use crate::agent::deferral;
use crate::clock;
use crate::config::Settings;
use crate::ctl::READ_TIMEOUT;
use crate::ctl::format::{age, bytes, count, dollars, short, tokens};
use crate::ctl::stats::against_budget;
use crate::deliver::probe::{self, WorkerState};
use crate::git::Located;
use crate::paths::session_key;
use crate::project;
use crate::store::deferrals::{self, Waiting};
use crate::store::look_alikes::LookAlike;
use crate::store::queue_admin::Item;
use crate::store::{
    self, Reader, StoreError, claims, ensure, look_alikes, notices, quarantine, queue_admin,
    sessions, stats, summaries, usage, words,
};
use crate::text::{one_line, sanitize};

/// Name of the check of projects.
const PROJECT: &str = "project";

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// How many pairs of projects are reported.
const MAX_PAIRS: usize = 5;

/// Name of the check of the database's pages.
const DATABASE: &str = "database";

/// Sessions with more observations than this are reported.
const LARGE_SESSION: u64 = 1000;

/// Maximum number of stuck events that are loaded.
const MAX_STUCK: usize = 10_000;

/// Checking a larger database takes long, so a message is printed first.
const LARGE_DATABASE: u64 = 500 << 20;

/// The pages of a larger database are read only by `doctor`.
const SMALL_DATABASE: u64 = 16 << 20;

/// Opens the database and checks its pages. Returns the reader for the checks below.
fn open(settings: &Settings, depth: Depth) -> (Vec<Finding>, Option<Reader>) {
    let path = settings.paths.database();
    let size = path.stat().map_or(0, |stat| stat.len);
    let reads_pages = depth == Depth::Full || size <= SMALL_DATABASE;
    let opened = Reader::open(&settings.paths, READ_TIMEOUT).and_then(|reader| {
        let Some(mut reader) = reader else { return Ok(None) };
        if depth == Depth::Full {
            reader = reader.without_time_limit()?;
            if size > LARGE_DATABASE {
                crate::ctl::note(&format!("checking a database of {}", bytes(size)));
            }
        }
        let has_index = !reads_pages || quarantine::check_integrity(reader.connection())?;
        if !ensure::is_complete(reader.connection())? {
            return Err(StoreError::Schema("another program has removed a part of it".into()));
        }
        let uses_wal = store::uses_wal(reader.connection())?;
        let index = search_index(reader.connection(), has_index)?;
        Ok(Some((reader, uses_wal, index)))
    });
    let (reader, uses_wal, index) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) if path.exists() => {
            let message = "the schema is older than this program";
            let fix = "the next session or `memctl list` migrates it";
            return (vec![Finding::note(DATABASE, message).fix(fix)], None);
        }
        Ok(None) => return (vec![Finding::ok(DATABASE, "does not exist yet")], None),
        Err(e) => return (vec![unreadable(&e)], None),
    };
    let state = match reads_pages {
        true => format!("intact, {}", bytes(size)),
        false => format!("{}; `memctl doctor` reads every page", bytes(size)),
    };
    let found = match uses_wal {
        true => Finding::ok(DATABASE, state),
        false => {
            let message = format!(
                "{state}; the file system does not support a write-ahead log: everything works, but \
                 readers and writers block each other"
            );
            Finding::note(DATABASE, message).fix("move the data dir to a local file system")
        }
    };
    (std::iter::once(found).chain(index).collect(), Some(reader))
}

/// Reports a search index that is damaged or lacks rows.
fn search_index(conn: &Connection, is_intact: bool) -> store::Result<Option<Finding>> {
    const CHECK: &str = "search";
    let fix = "run `memctl doctor --fix` to build it now; any session builds it, too";
    if !is_intact {
        return Ok(Some(Finding::wrong(CHECK, "the search index is damaged").fix(fix)));
    }
    if !words::state(conn)?.is_complete() {
        return Ok(Some(Finding::note(CHECK, "the search index is being built").fix(fix)));
    }
    Ok(None)
}

/// Reports a directory that claims a known project without proof, or that looks like one.
fn identity(conn: &Connection, dir: &Path) -> store::Result<Vec<Finding>> {
    let examined = claims::examine(conn, &project::identify(dir))?;
    let root = &examined.project.root;
    if let Some(refused) = &examined.refused {
        return Ok(refused.sentence(root).map(|s| Finding::note(PROJECT, s)).into_iter().collect());
    }
    let mut found = Vec::new();
    if let Located::Unreachable(work_tree) = project::locate(Path::new(root)) {
        let git_dir = work_tree.common_dir.display();
        let message = format!("the git directory of {root} is not reachable: {git_dir}");
        let fix = format!("mount it, or run `git worktree repair {root}` in its repository");
        found.push(Finding::note(PROJECT, message).fix(fix));
    }
    let look_alike = look_alikes::of_directory(conn, &examined.project)?;
    found.extend(look_alike.map(|it| same(&it, it.command(true))));
    Ok(found)
}

/// Reports known projects that are likely one.
fn same_projects(conn: &Connection) -> store::Result<Vec<Finding>> {
    let pairs = look_alikes::pairs(conn)?;
    let mut found: Vec<Finding> =
        pairs.iter().take(MAX_PAIRS).map(|pair| same(pair, pair.command(false))).collect();
    if let Some(more) = pairs.len().checked_sub(MAX_PAIRS).filter(|more| *more > 0) {
        found.push(Finding::note(
            PROJECT,
            format!("{} more like these", count(more as u64, "pair")),
        ));
    }
    Ok(found)
}

/// Reports turns whose stored form cannot be read: their texts are told, but not what tools prove.
fn unreadable_turns(conn: &Connection) -> store::Result<Option<Finding>> {
    let n = summaries::count_unreadable_turns(conn)?;
    let message = format!("the files, checks and steps of {} cannot be read", count(n, "turn"));
    let fix =
        "they may be damaged, or a later release wrote them; restore a backup to get them back";
    Ok((n > 0).then(|| Finding::note(DATABASE, message).fix(fix)))
}

fn same(look_alike: &LookAlike, command: String) -> Finding {
    Finding::note(PROJECT, look_alike.sentence())
        .fix(format!("if they are one project, run `{command}`"))
}

fn unreadable(error: &StoreError) -> Finding {
    let found = Finding::wrong(DATABASE, one_line(&error.to_string()));
    match error {
        e if e.is_corruption() => {
            found.fix("run `memctl doctor --fix` to move it away and create a new one")
        }
        StoreError::Schema(_) => {
            found.fix("run `memctl doctor --fix`, or continue any session, to repair it")
        }
        StoreError::Busy(_) => found.fix("try again; `memctl ps` lists the workers that use it"),
        _ => found,
    }
}

/// Says what events wait for, why, and how long.
pub fn waiting(waiting: &Waiting) -> Finding {
    let events = count(waiting.events, "event");
    let name = waiting.waits_for.as_deref().map(deferral::name);
    let waits_for = name.map_or_else(String::new, |name| format!(" for {name}"));
    let delay = age(clock::now_ms(), waiting.until);
    let message =
        format!("{events} waiting{waits_for}: {}; next try in {delay}", sanitize(&waiting.reason));
    Finding::note("queue", message)
        .fix("`memctl queue` lists them; another backend or key takes them at once")
}

/// Reports failed events and stuck events (`queue.stuck`).
fn queue(settings: &Settings, conn: &Connection) -> store::Result<Vec<Finding>> {
    let counts = queue_admin::counts(conn, None)?;
    let mut found = Vec::new();
    if counts.failed > 0 {
        let message = format!("{} failed and not distilled", count(counts.failed, "event"));
        let fix = "`memctl queue` shows why; run `memctl queue retry --all` to try again";
        found.push(Finding::wrong("queue", message).fix(fix));
    }
    let before = clock::now_ms() - settings.config.queue.stuck.as_millis() as i64;
    found.extend(deferrals::waiting(conn, clock::now_ms())?.iter().map(waiting));
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    let mut without_reason = BTreeSet::new();
    let is_reported = |item: &Item| item.not_before_epoch.is_some() && item.retry_count == 0;
    for item in queue_admin::stuck(conn, None, before, MAX_STUCK)? {
        if is_reported(&item) {
            continue;
        }
        match item.error {
            Some(why) => *by_reason.entry(why).or_default() += 1,
            None => {
                without_reason.insert((item.client, item.content_session_id));
            }
        }
    }
    for (why, n) in by_reason {
        let message = format!("{} waiting: {}", count(n, "event"), sanitize(&why));
        found.push(Finding::note("queue", message).fix("`memctl queue` lists the events"));
    }
    // A live worker keeps events of an open turn until the turn ends.
    without_reason.retain(|(client, session)| {
        let key = session_key(client, session);
        !matches!(probe::probe(&settings.paths, &key), WorkerState::Live { .. })
    });
    if !without_reason.is_empty() {
        let n = count(without_reason.len() as u64, "session");
        let message = format!("events of {n} wait without a worker");
        found.push(Finding::wrong("queue", message).fix("run `memctl cleanup`"));
    }
    if found.is_empty() {
        let unfinished = counts.pending + counts.processing;
        found.push(Finding::ok(
            "queue",
            format!("{} unfinished, none stuck", count(unfinished, "event")),
        ));
    }
    Ok(found)
}

/// Reports stored notices, except those about budgets that were spent before yesterday.
fn notices(conn: &Connection) -> store::Result<Vec<Finding>> {
    const DAY: i64 = 86_400_000;
    let yesterday = clock::machine_day(clock::now_ms() - DAY);
    let old =
        |kind: &str| kind.strip_prefix(usage::NOTICE).is_some_and(|day| day < yesterday.as_str());
    let all = notices::list(conn)?.into_iter().filter(|(kind, _)| !old(kind));
    Ok(all.map(|(_, text)| Finding::note("notice", text)).collect())
}

/// Reports today's model usage and very large sessions.
fn spending(settings: &Settings, conn: &Connection) -> store::Result<Vec<Finding>> {
    let agent = &settings.config.agent;
    let today = usage::of_day(conn, &clock::machine_day(clock::now_ms()))?;
    let mut found = Vec::new();
    if today.turns > 0 {
        let message = format!("today {}", against_budget(today, agent));
        let exhausted = usage::is_exhausted(today, agent.budget.day);
        found.push(match exhausted {
            false => Finding::ok("budget", message),
            true => Finding::note("budget", format!("{message}; the next backend takes over"))
                .fix("wait until tomorrow, or run `memctl config set agent.budget.day_cost 5`"),
        });
    }
    for large in stats::large_sessions(conn, LARGE_SESSION)? {
        let cost = match large.tokens {
            0 => "no model calls".to_owned(),
            n => format!("models used {} tokens, {}", tokens(n), dollars(large.cost)),
        };
        let session = short(&large.content_session_id, 36);
        let message = format!("session {session} has {} observations; {cost}", large.observations);
        let fix = "check with `memctl show` whether an agent runs in a loop";
        found.push(Finding::note("sessions", message).fix(fix));
    }
    Ok(found)
}

/// All checks of the database. `dir` may claim a project.
pub fn findings(settings: &Settings, depth: Depth, dir: Option<&Path>) -> Vec<Finding> {
    let (mut found, reader) = open(settings, depth);
    let Some(reader) = &reader else { return found };
    let conn = reader.connection();
    // The first error ends the checks: each of the others might take as long.
    if let Err(e) = check_content(settings, depth, conn, dir, &mut found) {
        found.push(unreadable(&e));
    }
    found
}

/// The clients other than Claude Code that have sent an event within a day.
pub fn other_clients(settings: &Settings) -> Vec<String> {
    let since = clock::now_ms() - DAY;
    let read = || {
        Ok(match Reader::open(&settings.paths, READ_TIMEOUT)? {
            Some(reader) => sessions::clients_since(reader.connection(), since)?,
            None => Vec::new(),
        })
    };
    // Another check reports a database that cannot be read.
    let mut clients = read().unwrap_or_else(|_: store::StoreError| Vec::new());
    clients.retain(|client| client != native::CLIENT);
    clients
}

fn check_content(
    settings: &Settings,
    depth: Depth,
    conn: &Connection,
    dir: Option<&Path>,
    found: &mut Vec<Finding>,
) -> store::Result<()> {
    found.extend(queue(settings, conn)?);
    found.extend(spending(settings, conn)?);
    found.extend(notices(conn)?);
    if let Some(dir) = dir {
        found.extend(identity(conn, dir)?);
    }
    if depth == Depth::Full {
        found.extend(same_projects(conn)?);
        found.extend(unreadable_turns(conn)?);
    }
    Ok(())
}

/// Whether the database cannot be read.
pub fn is_unreadable(found: &[Finding]) -> bool {
    found.iter().any(|finding| finding.check == DATABASE && finding.level == Level::Wrong)
}
