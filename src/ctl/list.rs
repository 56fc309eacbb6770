//! `memctl list`: the sessions of this project or of all.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::Connection;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::format::{self, or_dash, short};
use super::lookup::{self, has_several_clients};
use super::open;
use super::style::{self, ID};
use super::table::{Cell, Column, column, table};
use super::terminal::{self, wrapped};
use crate::config::Settings;
use crate::context::{self, OpenStep, Outline};
use crate::failure::Result;
use crate::memory::PRIVATE;
use crate::store::sessions::{self, Filter, Session};
use crate::text::{collapse_spaces, escape};

const HELP: &str = "\
Examples
  memctl list                               The latest sessions of this project
  memctl list --all-projects -n 50          The latest 50 sessions of all projects
  memctl list --json | jq -r '.[].session'  Print only their ids

Keys of --json
  session           Session id of the client
  client            Name of the client
  project           Name of the project; null if it belongs to none
  status            active, completed or failed
  started_at_epoch  When it started, in milliseconds
  last_event_epoch  When its latest event arrived, in milliseconds
  title             What it is about; its first prompt until it is distilled
  outcome           Commits, files, checks and open steps in a few words; may be empty
  prompts           Number of prompts
  memories          Number of observations and summaries
  tool_uses         Number of tool uses
  commits           Number of commits
  files             Number of changed files
  open              Number of steps that it left open
";

/// List sessions, newest first: date, title, outcome and size
///
/// `memctl show SESSION` and `memctl timeline SESSION` print one of them.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Sessions of all projects
    #[arg(long, short, conflicts_with = "project")]
    all_projects: bool,
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Number of sessions
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 8] = [
    column("DATE"),
    column("SESSION").cut(8),
    column("CLIENT").dispensable(4),
    column("PROJECT").cut(6),
    column("TITLE").cut(12),
    column("OUTCOME"),
    column("PROMPTS").right().dispensable(2),
    column("MEMORIES").right().dispensable(2),
];

/// A session with what the list tells.
struct Listed {
    session: Session,
    outline: Outline,
    title: String,
    memories: u64,
    /// It belongs to another project than the one whose list this is.
    is_elsewhere: bool,
}

/// Columns of a date and a short id, with the gaps of four columns.
const BESIDE_TITLE: usize = 34;

/// Columns of a title that are read beside its outcome.
const MIN_TITLE: usize = 40;

impl Listed {
    fn outcome(&self) -> String {
        match (format::status(&self.session), self.outline.outcome()) {
            ("completed" | "failed", outcome) => outcome,
            (status, outcome) if outcome.is_empty() => status.to_owned(),
            (status, outcome) => format!("{status}, {outcome}"),
        }
    }
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let reader = open::reader(settings)?;
    let listed = match &reader {
        Some(reader) => read(reader.connection(), args)?,
        None => Vec::new(),
    };
    if args.json {
        return super::print_json(&listed.iter().map(object).collect::<Vec<_>>());
    }
    if listed.is_empty() {
        super::note(match args.all_projects {
            true => "nothing is stored yet",
            false => "nothing is stored for this project yet; --all-projects lists all sessions",
        });
        return Ok(());
    }
    let width = terminal::width();
    let ids: Vec<&str> = listed.iter().map(|l| l.session.content_session_id.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let mut columns = COLUMNS;
    let clients = listed.iter().map(|l| l.session.client.as_str());
    columns[2] = columns[2].only_if(has_several_clients(clients));
    let is_mixed = args.all_projects || listed.iter().any(|l| l.is_elsewhere);
    columns[3] = columns[3].only_if(is_mixed);
    let row = |l: &Listed| -> [Cell; 8] {
        let s = &l.session;
        let outcome = l.outcome();
        let failed = !l.outline.failing.is_empty() || !l.outline.ending.is_empty();
        let style = if failed { style::CAUTION } else { style::PLAIN };
        [
            format::at(s.started_at_epoch).into(),
            Cell::painted(short(&s.content_session_id, id_length), ID),
            s.client.as_str().into(),
            or_dash(&escape(s.project.as_deref().unwrap_or_default())).into(),
            or_dash(&l.title).into(),
            Cell::painted(or_dash(&outcome), style),
            s.prompts.to_string().into(),
            l.memories.to_string().into(),
        ]
    };
    let rows: Vec<[Cell; 8]> = listed.iter().map(row).collect();
    let outcomes: Vec<String> = listed.iter().map(Listed::outcome).collect();
    let outcome = outcomes.iter().map(|outcome| outcome.width()).max().unwrap_or_default();
    let title = listed.iter().map(|l| l.title.width()).max().unwrap_or_default().min(MIN_TITLE);
    let is_narrow = width.is_some_and(|width| width < BESIDE_TITLE + title + outcome);
    columns[5] = columns[5].only_if(!is_narrow);
    let table = table(&columns, &rows, width);
    if !is_narrow {
        return super::print(&table);
    }
    // An outcome that has no place beside its session stands below it.
    let mut lines = table.lines();
    let mut out = format!("{}\n", lines.next().unwrap_or_default());
    for (line, outcome) in lines.zip(&outcomes) {
        out.push_str(&format!("{line}\n"));
        if !outcome.is_empty() {
            out.push_str(&wrapped("    ", 4, outcome, width));
        }
    }
    super::print(&out)
}

fn read(conn: &Connection, args: &Args) -> Result<Vec<Listed>> {
    let project_id = match args.all_projects {
        true => None,
        false => match lookup::project_or_here(conn, args.project.as_deref())? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let filter = Filter { project_id, told: true, active: false };
    let sessions = sessions::list(conn, filter, args.limit as usize)?;
    // By project: a list of all projects reads each once.
    let mut open: BTreeMap<Option<i64>, Vec<OpenStep>> = BTreeMap::new();
    let mut rows = Vec::new();
    for session in sessions {
        let project = project_id.or(session.project_id);
        let open = match open.entry(project) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(lookup::open_ends(conn, project)?),
        };
        rows.push(listed(conn, session, project_id, open)?);
    }
    Ok(rows)
}

/// `project_id`: the project whose list this is. Of a session of another one, only the turns are told that
/// changed files there.
fn listed(
    conn: &Connection,
    session: Session,
    project_id: Option<i64>,
    open: &[OpenStep],
) -> Result<Listed> {
    let is_elsewhere = project_id.is_some() && session.project_id != project_id;
    let project_id = project_id.or(session.project_id);
    let outline = context::outline(conn, session.id, project_id, open)?;
    let title = title(conn, &session, &outline)?;
    let memories = sessions::count_memories(conn, session.id)?;
    Ok(Listed { session, outline, title, memories, is_elsewhere })
}

/// The title of a session on one line: that of its turns, else its first prompt.
pub fn title(conn: &Connection, session: &Session, outline: &Outline) -> Result<String> {
    if !outline.title.is_empty() {
        return Ok(collapse_spaces(&outline.title));
    }
    let prompts = sessions::prompts(conn, session.id)?;
    let first = prompts.into_iter().next();
    Ok(first.map_or(String::new(), |p| collapse_spaces(p.text.as_deref().unwrap_or(PRIVATE))))
}

fn object(l: &Listed) -> serde_json::Value {
    let (s, outline) = (&l.session, &l.outline);
    json!({
        "session": s.content_session_id, "client": s.client, "project": s.project,
        "status": s.status, "started_at_epoch": s.started_at_epoch,
        "last_event_epoch": s.last_event_epoch, "title": l.title, "outcome": outline.outcome(),
        "prompts": s.prompts, "memories": l.memories, "tool_uses": outline.tool_uses,
        "commits": outline.commits, "files": outline.files.len(), "open": outline.left.len(),
    })
}
