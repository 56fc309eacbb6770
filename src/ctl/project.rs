//! `memctl project`: which directories share a memory.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::change::open;
use super::format::{age, or_dash};
use super::table::{Cell, Column, column, table};
use super::terminal;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::project;
use crate::store::projects::{self, KnownProject};
use crate::store::{Reader, claims, places};
use crate::text::escape;

const HELP: &str = "\
Examples
  memctl project list               List all projects
  memctl project link               Let this directory share the memory of the origin it names
  memctl project link --to tally    Let this directory share the memory of another project
  memctl project unlink             Give this directory a memory of its own

Keys of list --json
  name              Name of the project
  root              Directory of its latest session
  keys              Origin URLs (git:) and directories (dir:) that belong to it
  separate          true if the directory was separated with unlink
  sessions          Number of sessions
  observations      Number of observations
  last_event_epoch  Time of the last event in milliseconds; null without a session
";

const COLUMNS: [Column; 5] = [
    column("PROJECT").cut(12),
    column("SESSIONS").right().dispensable(1),
    column("OBSERVATIONS").right().dispensable(2),
    column("LAST").right(),
    column("DIRECTORY").cut(16).keep_end(),
];

/// Show and change which directories share a memory
///
/// Clones and work trees of a repository share one memory. Anybody can write an origin into a folder's
/// .git, so a new directory joins a known project only if it has a commit that a session of the
/// project had checked out, or if git's own link leads from the repository to it. Otherwise its memory
/// is separate until you link it. A directory that is moved, renamed or made a repository keeps its
/// memory. `memctl doctor` lists projects that are likely one.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List all projects, last used first
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Let a directory share the memory of the project that it claims
    Link {
        /// Directory [default: the current one]
        dir: Option<PathBuf>,
        /// The project, given as a directory or a name [default: the origin in the directory's .git]
        #[arg(long, value_name = "PROJECT")]
        to: Option<String>,
    },
    /// Give a directory a memory of its own
    Unlink {
        /// Directory [default: the current one]
        dir: Option<PathBuf>,
    },
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    match &args.action {
        Action::List { json } => list(settings, *json),
        Action::Link { dir, to } => link(settings, dir.as_deref(), to.as_deref()),
        Action::Unlink { dir } => unlink(settings, dir.as_deref()),
    }
}

fn list(settings: &Settings, as_json: bool) -> Result<()> {
    let reader = Reader::open(&settings.paths, super::READ_TIMEOUT).context("database")?;
    let known = match &reader {
        Some(reader) => projects::list(reader.connection()).context("database")?,
        None => Vec::new(),
    };
    if as_json {
        let object = |p: &KnownProject| {
            json!({
                "name": p.name, "root": p.root, "keys": p.keys, "separate": p.separate,
                "sessions": p.sessions, "observations": p.observations,
                "last_event_epoch": p.last_event_epoch,
            })
        };
        return super::print_json(&known.iter().map(object).collect::<Vec<_>>());
    }
    if known.is_empty() {
        return super::print("no projects\n");
    }
    let now = clock::now_ms();
    let row = |p: &KnownProject| -> [Cell; 5] {
        [
            or_dash(&escape(&p.name)).into(),
            p.sessions.to_string().into(),
            p.observations.to_string().into(),
            p.last_event_epoch.map_or("-".into(), |epoch| age(epoch, now)).into(),
            or_dash(&escape(&p.root)).into(),
        ]
    };
    let rows: Vec<[Cell; 5]> = known.iter().map(row).collect();
    super::print(&table(&COLUMNS, &rows, terminal::width()))
}

fn link(settings: &Settings, dir: Option<&Path>, to: Option<&str>) -> Result<()> {
    let (dir, mut store) = (resolve(dir)?, open(settings)?);
    let claimed = project::identify(&dir);
    let shown = escape(&claimed.root);
    let own_key = claimed.keys.last().cloned().unwrap_or_default();
    let conn = store.connection();
    let examined = claims::examine(conn, &claimed).context("database")?;
    let id = match (to, examined.refused) {
        (Some(name), _) => super::lookup::project(conn, name)?,
        (None, Some(refused)) => refused.id,
        (None, None) => match projects::find(conn, &claimed).context("database")? {
            Some(id) if claimed.keys.len() > 1 => id,
            found => {
                let why = match found {
                    Some(_) => "names no origin",
                    None => "and its origin are not known",
                };
                return Err(failed(format!("{shown} {why}"))
                    .hint("--to names another project; `memctl project list` lists them"));
            }
        },
    };
    let name = projects::name(conn, id).context("database")?;
    if projects::find(conn, &examined.project).context("database")? == Some(id) {
        return super::print(&format!("{shown} belongs to project {name} already\n"));
    }
    let now = clock::now_ms();
    store.write(|tx| claims::link(tx, &own_key, id, now)).context("database")?;
    super::print(&format!("{shown} belongs to project {name} now\n"))
}

fn unlink(settings: &Settings, dir: Option<&Path>) -> Result<()> {
    let (dir, mut store) = (resolve(dir)?, open(settings)?);
    let claimed = project::identify(&dir);
    let shown = escape(&claimed.root);
    let conn = store.connection();
    let examined = claims::examine(conn, &claimed).context("database")?;
    let Some(id) = projects::find(conn, &examined.project).context("database")? else {
        return Err(failed(format!("nothing is stored for {shown}"))
            .hint("`memctl project list` lists the projects"));
    };
    let own_key = claimed.keys.last().cloned().unwrap_or_default();
    let keys = places::keys_of(&own_key, &claimed.root);
    if projects::is_alone(conn, id, &keys).context("database")? {
        return super::print(&format!("{shown} is a project of its own already\n"));
    }
    store.write(|tx| claims::unlink(tx, &claimed)).context("database")?;
    super::print(&format!("{shown} is a project of its own now\n"))
}

fn resolve(dir: Option<&Path>) -> Result<PathBuf> {
    match dir {
        Some(dir) => dir.canonicalize().map_err(|e| usage(format!("{}: {e}", dir.display()))),
        None => std::env::current_dir().context("current directory"),
    }
}
