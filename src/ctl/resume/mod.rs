//! `memctl resume`: stores agent session ids that dispatchers (programs that run agents) resume.

mod import;
mod key;
mod legacy;
mod transcripts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::ask;
use super::format::{age, count};
use super::style::ID;
use super::table::{Cell, Column, column, table};
use super::terminal;
use super::time::duration;
use crate::clock;
use crate::config::Settings;
use crate::ctl::open;
use crate::failure::{Context, Result, failed, usage};
use crate::store::agent_sessions::{self, AgentSession, KeyPattern};

const HELP: &str = "\
Examples
  key=$(memctl resume key github claude owner/repo 12)
  memctl resume set \"$key\" ID       Store the session id after a run
  id=$(memctl resume get \"$key\")    Get it before the next run
  memctl resume failed \"$key\"       Record that the agent could not resume it
  memctl resume drop --prefix github:claude:owner/repo:
  memctl resume import --rename bot=claude
  memctl resume sweep --transcripts DIR --dry-run

Keys of list --json
  key                 Key of the entry
  agent_session_id    Session id of the agent
  failures            Number of failed attempts to resume
  last_used_at_epoch  Time of last use in milliseconds
  created_at_epoch    Time of creation in milliseconds
";

const COLUMNS: [Column; 5] = [
    column("KEY").cut(16),
    column("SESSION").cut(13),
    column("FAILED").right(),
    column("USED").right(),
    column("AGE").right().dispensable(1),
];

/// Store agent session ids for programs that resume them
///
/// For programs that run agents and continue earlier sessions. memctl's own memory agents do not
/// use this store.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List stored sessions, last used first
    List {
        #[command(flatten)]
        filter: KeyFilter,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print the session id of a key and update its time of use
    Get {
        /// Key of the entry
        key: String,
        /// Do not update the time of use
        #[arg(long)]
        peek: bool,
    },
    /// Store a session id under a key
    Set {
        /// Key of the entry
        key: String,
        /// Session id of the agent
        #[arg(value_name = "AGENT_SESSION")]
        session: String,
    },
    /// Remove one key, or all keys with a prefix and suffix
    Drop {
        /// Key of the entry
        #[arg(conflicts_with_all = ["prefix", "suffix"])]
        key: Option<String>,
        #[command(flatten)]
        filter: KeyFilter,
    },
    /// Print the key for a forge, an agent, a repository and an issue
    Key {
        /// Forge, e.g. github
        forge: String,
        /// Agent, e.g. claude
        agent: String,
        /// Repository, e.g. owner/repo
        repo: String,
        /// Issue or pull request
        issue: String,
    },
    /// Count a failed attempt to resume and print the number of failures
    Failed {
        /// Key of the entry; without it, only print the failures of all entries that ever were
        key: Option<String>,
    },
    /// Remove sessions that were not used for a long time, and their transcripts. A starting worker
    /// removes such sessions, too, once a day
    Sweep {
        /// Remove sessions unused for this long [default: resume.max_age]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        max_age: Option<Duration>,
        /// Also remove ID.jsonl files of unknown sessions from this directory
        #[arg(long, value_name = "DIR")]
        transcripts: Option<PathBuf>,
        /// Keep transcripts that were modified within this time
        #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
        idle: Duration,
        /// Remove transcripts even if no session is stored, so that none is known
        #[arg(long, requires = "transcripts")]
        force: bool,
        /// Do not ask before transcripts are removed
        #[arg(long, short)]
        yes: bool,
        /// Print what would be removed and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print all stored session ids
    Live {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Import a legacy sessions.json and delete it
    Import(import::Args),
}

#[derive(clap::Args)]
struct KeyFilter {
    /// Only keys with this prefix (no wildcards)
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only keys with this suffix
    #[arg(long, default_value = "", hide_default_value = true)]
    suffix: String,
}

impl KeyFilter {
    fn matching(&self) -> KeyPattern<'_> {
        KeyPattern { prefix: &self.prefix, suffix: &self.suffix }
    }
}

/// A stored session. The keys are stable.
#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    agent_session_id: &'a str,
    failures: u64,
    last_used_at_epoch: i64,
    created_at_epoch: i64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.action {
        Action::List { filter, json } => list(settings, filter.matching(), *json),
        Action::Get { key, peek } => get(settings, key, *peek),
        Action::Set { key, session } => set(settings, key, session),
        Action::Drop { key, filter } => drop(settings, key.as_deref(), filter.matching()),
        Action::Key { forge, agent, repo, issue } => {
            let key = key::build(forge, agent, repo, issue).map_err(usage)?;
            super::print(&format!("{key}\n"))
        }
        Action::Failed { key } => count_failure(settings, key.as_deref()),
        Action::Sweep { max_age, transcripts, idle, force, yes, dry_run } => {
            let max_age = max_age.unwrap_or(settings.config.resume_max_age);
            let before = clock::now_ms().saturating_sub(max_age.as_millis() as i64);
            let Some(dir) = transcripts else { return sweep(settings, before, *dry_run) };
            let orphans = orphans(settings, dir, *idle, before, *force)?;
            let n = count(orphans.len() as u64, "transcript");
            let asks = !yes && !dry_run && !orphans.is_empty() && ask::is_interactive();
            if asks && !ask::confirm(&format!("Remove {n} from {}?", dir.display()))? {
                return super::print("nothing was removed\n");
            }
            sweep(settings, before, *dry_run)?;
            remove_transcripts(&orphans, *dry_run)
        }
        Action::Live { json } => live(settings, *json),
        Action::Import(args) => import::run(settings, args),
    }
}

fn list(settings: &Settings, which: KeyPattern, json: bool) -> Result<()> {
    let found = match open::reader(settings)? {
        Some(reader) => agent_sessions::list(reader.connection(), which)?,
        None => Vec::new(),
    };
    if json {
        let rows: Vec<Row> = found.iter().map(row).collect();
        return super::print_json(&rows);
    }
    if found.is_empty() {
        return super::print("no session is stored\n");
    }
    let now = clock::now_ms();
    let cells = |session: &AgentSession| -> [Cell; 5] {
        [
            session.key.as_str().into(),
            Cell::painted(session.agent_session_id.as_str(), ID),
            session.failures.to_string().into(),
            format!("{} ago", age(session.last_used_at_epoch, now)).into(),
            age(session.created_at_epoch, now).into(),
        ]
    };
    let rows: Vec<[Cell; 5]> = found.iter().map(cells).collect();
    super::print(&table(&COLUMNS, &rows, terminal::width()))
}

fn row(session: &AgentSession) -> Row<'_> {
    Row {
        key: &session.key,
        agent_session_id: &session.agent_session_id,
        failures: session.failures,
        last_used_at_epoch: session.last_used_at_epoch,
        created_at_epoch: session.created_at_epoch,
    }
}

fn get(settings: &Settings, key: &str, peek: bool) -> Result<()> {
    let none = || failed(format!("no session is stored under '{key}'"));
    let reader = open::reader(settings)?.ok_or_else(none)?;
    let found = agent_sessions::get(reader.connection(), key)?;
    let session = found.ok_or_else(none)?;
    if !peek {
        let now = clock::now_ms();
        open::store(settings)?.write(|tx| agent_sessions::touch(tx, key, now))?;
    }
    super::print(&format!("{}\n", session.agent_session_id))
}

fn set(settings: &Settings, key: &str, session: &str) -> Result<()> {
    key::check("key", key).map_err(usage)?;
    key::check("session", session).map_err(usage)?;
    let now = clock::now_ms();
    let mut store = open::store(&writable(settings)?)?;
    Ok(store.write(|tx| agent_sessions::set(tx, key, session, now))?)
}

fn drop(settings: &Settings, key: Option<&str>, which: KeyPattern) -> Result<()> {
    if key.is_none() && which.prefix.is_empty() && which.suffix.is_empty() {
        return Err(usage("no key given").hint("use a key, --prefix or --suffix"));
    }
    let mut dropped = 0;
    if settings.paths.data_dir_exists() {
        let mut store = open::store(settings)?;
        loop {
            let n = store.write(|tx| match key {
                Some(key) => agent_sessions::drop_key(tx, key).map(usize::from),
                None => agent_sessions::drop_matching(tx, which),
            })?;
            dropped += n;
            if n < agent_sessions::MAX_ROWS {
                break;
            }
        }
    }
    super::print(&format!("removed {}\n", count(dropped as u64, "session")))
}

fn count_failure(settings: &Settings, key: Option<&str>) -> Result<()> {
    let failures = match key {
        Some(key) if settings.paths.data_dir_exists() => {
            open::store(settings)?.write(|tx| agent_sessions::record_failure(tx, key))?
        }
        Some(_) => None,
        None => match open::reader(settings)? {
            Some(reader) => Some(agent_sessions::total_failures(reader.connection())?),
            None => Some(0),
        },
    };
    let none = || failed(format!("no session is stored under '{}'", key.unwrap_or_default()));
    super::print(&format!("{}\n", failures.ok_or_else(none)?))
}

fn sweep(settings: &Settings, before: i64, dry_run: bool) -> Result<()> {
    let mut keys = Vec::new();
    if dry_run {
        let unused = all(settings)?.into_iter().filter(|s| s.last_used_at_epoch < before);
        keys.extend(unused.map(|session| session.key));
    } else if settings.paths.data_dir_exists() {
        let mut store = open::store(settings)?;
        loop {
            let swept = store.write(|tx| agent_sessions::sweep(tx, before))?;
            let more = swept.len() == agent_sessions::MAX_ROWS;
            keys.extend(swept);
            if !more {
                break;
            }
        }
    }
    let done = if dry_run { "would remove" } else { "removed" };
    let n = count(keys.len() as u64, "session");
    super::print(&format!("{}{done} {n}\n", join_lines(&keys)))
}

/// The transcripts whose session is not stored. A session that the sweep removes counts as not stored.
///
/// # Errors
/// If there are some and no session is stored: the store may be another one than the transcripts
/// belong to. `force` allows it.
fn orphans(
    settings: &Settings,
    dir: &Path,
    idle: Duration,
    before: i64,
    force: bool,
) -> Result<Vec<PathBuf>> {
    let stored = all(settings)?.into_iter().filter(|s| s.last_used_at_epoch >= before);
    let live: BTreeSet<String> = stored.map(|s| s.agent_session_id.to_lowercase()).collect();
    let orphans = transcripts::orphans(dir, &live, idle)?;
    if live.is_empty() && !orphans.is_empty() && !force {
        let n = count(orphans.len() as u64, "transcript");
        let all =
            format!("no session is stored, so that {n} in {} would be removed", dir.display());
        return Err(failed(all)
            .hint("`memctl status` shows which data dir is used; --force removes them anyway"));
    }
    Ok(orphans)
}

fn remove_transcripts(orphans: &[PathBuf], dry_run: bool) -> Result<()> {
    if !dry_run {
        for path in orphans {
            fs::remove_file(path).context(format!("cannot remove {}", path.display()))?;
        }
    }
    let paths: Vec<String> = orphans.iter().map(|path| path.display().to_string()).collect();
    let done = if dry_run { "would remove" } else { "removed" };
    let n = count(paths.len() as u64, "transcript");
    super::print(&format!("{}{done} {n}\n", join_lines(&paths)))
}

fn live(settings: &Settings, json: bool) -> Result<()> {
    let ids = match open::reader(settings)? {
        Some(reader) => agent_sessions::session_ids(reader.connection())?,
        None => Vec::new(),
    };
    if json {
        return super::print_json(&ids);
    }
    super::print(&join_lines(&ids))
}

fn all(settings: &Settings) -> Result<Vec<AgentSession>> {
    Ok(match open::reader(settings)? {
        Some(reader) => agent_sessions::list(reader.connection(), KeyPattern::default())?,
        None => Vec::new(),
    })
}

fn join_lines(items: &[String]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

/// Creates the data dir. Returns the settings with its paths.
fn writable(settings: &Settings) -> Result<Settings> {
    let mut settings = settings.clone();
    settings.paths.create().context("cannot create the data dir")?;
    Ok(settings)
}
