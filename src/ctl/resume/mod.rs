//! `memctl resume`: the store of agents' sessions that dispatchers take up again.

mod import;
mod key;
mod legacy;
mod transcripts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::format::{age, count};
use super::style::ID;
use super::table::{Cell, Column, column, table};
use super::terminal;
use crate::clock;
use crate::config::{Settings, parse_duration};
use crate::failure::{Context, Result, failed, usage};
use crate::store::agent_sessions::{self, AgentSession, Matching};
use crate::store::{LockWait, Reader, Store};

/// How long the store may be another's.
const STORE: Duration = Duration::from_secs(10);

const HELP: &str = "\
Examples
  key=$(memctl resume key github claude owner/repo 12)
  memctl resume set \"$key\" ID       after a run
  id=$(memctl resume get \"$key\")    before the next one
  memctl resume failed \"$key\"       the agent did not know it any more
  memctl resume drop --prefix github:claude:owner/repo:
  memctl resume import --rename bot=claude
  memctl resume sweep --transcripts DIR --dry-run

Keys of list --json
  key                 what it is kept under
  agent_session_id    the agent's own id of it
  failures            how often it was refused
  last_used_at_epoch  milliseconds; created_at_epoch as well
";

const COLUMNS: [Column; 5] = [
    column("KEY").cut(16),
    column("SESSION").cut(13),
    column("FAILED").right(),
    column("USED").right(),
    column("AGE").right().dispensable(1),
];

/// Keep the sessions that other programs' agents take up again
///
/// For programs that run agents and want to go on where one stopped. memctl's own agents keep no
/// conversation.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// List what is kept, used last first
    List {
        #[command(flatten)]
        which: Which,
        /// Print an array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print the session of a key, and note that it was used
    Get {
        key: String,
        /// Note nothing
        #[arg(long)]
        peek: bool,
    },
    /// Keep a session under a key
    Set { key: String, session: String },
    /// Forget a key, or all that begin and end so
    Drop {
        #[arg(conflicts_with_all = ["prefix", "suffix"])]
        key: Option<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Print the key of an agent's session: forge, agent, repository, issue
    Key { forge: String, agent: String, repo: String, issue: String },
    /// Note that an agent refused a session, and print how often; without a key of all
    Failed { key: Option<String> },
    /// Forget what was not used for long, and transcripts that nobody can take up
    Sweep {
        /// Unused for so long; without it resume.max_age
        #[arg(long, value_name = "TIME", value_parser = time)]
        max_age: Option<Duration>,
        /// Remove ID.jsonl files from this folder too, where no such session is kept
        #[arg(long, value_name = "DIR")]
        transcripts: Option<PathBuf>,
        /// Spare transcripts that were written within so long
        #[arg(long, value_name = "TIME", value_parser = time, default_value = "1h")]
        idle: Duration,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the ids of all sessions that are kept
    Live {
        /// Print an array
        #[arg(long)]
        json: bool,
    },
    /// Take in a sessions.json of before, and remove it
    Import(import::Args),
}

#[derive(clap::Args)]
struct Which {
    /// Keys that begin so; every character stands for itself
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Keys that end so
    #[arg(long, default_value = "", hide_default_value = true)]
    suffix: String,
}

impl Which {
    fn matching(&self) -> Matching<'_> {
        Matching { prefix: &self.prefix, suffix: &self.suffix }
    }
}

fn time(text: &str) -> std::result::Result<Duration, &'static str> {
    parse_duration(text).ok_or("write 30min, 6h or 2d")
}

/// Keys are stable; more may come.
#[derive(Serialize)]
struct Row<'a> {
    key: &'a str,
    agent_session_id: &'a str,
    failures: u64,
    last_used_at_epoch: i64,
    created_at_epoch: i64,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.what {
        What::List { which, json } => list(settings, which.matching(), *json),
        What::Get { key, peek } => get(settings, key, *peek),
        What::Set { key, session } => set(settings, key, session),
        What::Drop { key, which } => drop(settings, key.as_deref(), which.matching()),
        What::Key { forge, agent, repo, issue } => {
            let key = key::build(forge, agent, repo, issue).map_err(usage)?;
            super::print(&format!("{key}\n"))
        }
        What::Failed { key } => refused(settings, key.as_deref()),
        What::Sweep { max_age, transcripts, idle, dry_run } => {
            let max_age = max_age.unwrap_or(settings.config.resume_max_age);
            let before = clock::now_ms().saturating_sub(max_age.as_millis() as i64);
            sweep(settings, before, *dry_run)?;
            match transcripts {
                Some(dir) => sweep_transcripts(settings, dir, *idle, before, *dry_run),
                None => Ok(()),
            }
        }
        What::Live { json } => live(settings, *json),
        What::Import(args) => import::run(settings, args),
    }
}

fn list(settings: &Settings, which: Matching, json: bool) -> Result<()> {
    let found = match reader(settings)? {
        Some(reader) => agent_sessions::list(reader.connection(), which).context("database")?,
        None => Vec::new(),
    };
    if json {
        let rows: Vec<Row> = found.iter().map(row).collect();
        return super::print_json(&rows);
    }
    if found.is_empty() {
        return super::print("no session is kept\n");
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
    let none = || failed(format!("no session is kept under '{key}'"));
    let reader = reader(settings)?.ok_or_else(none)?;
    let found = agent_sessions::get(reader.connection(), key).context("database")?;
    let session = found.ok_or_else(none)?;
    if !peek {
        let now = clock::now_ms();
        open(settings)?.write(|tx| agent_sessions::touch(tx, key, now)).context("database")?;
    }
    super::print(&format!("{}\n", session.agent_session_id))
}

fn set(settings: &Settings, key: &str, session: &str) -> Result<()> {
    key::check("key", key).map_err(usage)?;
    key::check("session", session).map_err(usage)?;
    let now = clock::now_ms();
    let mut store = open(&writable(settings)?)?;
    store.write(|tx| agent_sessions::set(tx, key, session, now)).context("database")
}

fn drop(settings: &Settings, key: Option<&str>, which: Matching) -> Result<()> {
    if key.is_none() && which.prefix.is_empty() && which.suffix.is_empty() {
        return Err(usage("nothing is named").hint("a key, or --prefix, or --suffix"));
    }
    let mut dropped = 0;
    if settings.paths.exist() {
        let mut store = open(settings)?;
        loop {
            let n = store
                .write(|tx| match key {
                    Some(key) => agent_sessions::drop_key(tx, key).map(usize::from),
                    None => agent_sessions::drop_matching(tx, which),
                })
                .context("database")?;
            dropped += n;
            if n < agent_sessions::PIECE {
                break;
            }
        }
    }
    super::print(&format!("{} dropped\n", count(dropped as u64, "session")))
}

fn refused(settings: &Settings, key: Option<&str>) -> Result<()> {
    let failures = match key {
        Some(key) if settings.paths.exist() => {
            open(settings)?.write(|tx| agent_sessions::failed(tx, key)).context("database")?
        }
        Some(_) => None,
        None => match reader(settings)? {
            Some(reader) => {
                Some(agent_sessions::failures(reader.connection()).context("database")?)
            }
            None => Some(0),
        },
    };
    let none = || failed(format!("no session is kept under '{}'", key.unwrap_or_default()));
    super::print(&format!("{}\n", failures.ok_or_else(none)?))
}

fn sweep(settings: &Settings, before: i64, dry_run: bool) -> Result<()> {
    let mut keys = Vec::new();
    if dry_run {
        let unused = all(settings)?.into_iter().filter(|s| s.last_used_at_epoch < before);
        keys.extend(unused.map(|session| session.key));
    } else if settings.paths.exist() {
        let mut store = open(settings)?;
        loop {
            let swept = store.write(|tx| agent_sessions::sweep(tx, before)).context("database")?;
            let more = swept.len() == agent_sessions::PIECE;
            keys.extend(swept);
            if !more {
                break;
            }
        }
    }
    let done = if dry_run { "would be dropped" } else { "dropped" };
    let n = count(keys.len() as u64, "session");
    super::print(&format!("{}{n} {done}\n", lines(&keys)))
}

/// What the sweep before it would drop, when that only says so, is not live either.
fn sweep_transcripts(
    settings: &Settings,
    dir: &Path,
    idle: Duration,
    before: i64,
    dry_run: bool,
) -> Result<()> {
    let kept = all(settings)?.into_iter().filter(|s| s.last_used_at_epoch >= before);
    let live: BTreeSet<String> = kept.map(|session| session.agent_session_id).collect();
    let dead = transcripts::dead(dir, &live, idle)?;
    if !dry_run {
        for path in &dead {
            fs::remove_file(path).context(path.display())?;
        }
    }
    let paths: Vec<String> = dead.iter().map(|path| path.display().to_string()).collect();
    let done = if dry_run { "would be removed" } else { "removed" };
    let n = count(paths.len() as u64, "transcript");
    super::print(&format!("{}{n} {done}\n", lines(&paths)))
}

fn live(settings: &Settings, json: bool) -> Result<()> {
    let ids = match reader(settings)? {
        Some(reader) => agent_sessions::live(reader.connection()).context("database")?,
        None => Vec::new(),
    };
    if json {
        return super::print_json(&ids);
    }
    super::print(&lines(&ids))
}

fn all(settings: &Settings) -> Result<Vec<AgentSession>> {
    match reader(settings)? {
        Some(reader) => agent_sessions::list(reader.connection(), Matching::default()),
        None => Ok(Vec::new()),
    }
    .context("database")
}

fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

fn reader(settings: &Settings) -> Result<Option<Reader>> {
    Reader::open(&settings.paths, super::PATIENCE).context("database")
}

fn open(settings: &Settings) -> Result<Store> {
    Store::open_within(&settings.paths, LockWait::Within(STORE)).context("database")
}

/// The same settings, with a data dir.
fn writable(settings: &Settings) -> Result<Settings> {
    let mut settings = settings.clone();
    settings.paths.create().context("data dir")?;
    Ok(settings)
}
