//! `memctl timeline`: prompts and memories in the order in which they were made.

use rusqlite::Connection;
use serde_json::json;

use super::lookup;
use super::style::{HEAD, ID, PLAIN};
use super::table::{Cell, Column, column, table};
use super::terminal;
use super::{format, open};
use crate::config::Settings;
use crate::failure::{Result, usage};
use crate::store::timeline::{self, Entry, Position, Scope};
use crate::text::collapse_spaces;

const HELP: &str = "\
Examples
  memctl timeline                  The latest prompts and memories of this project, oldest first
  memctl timeline o412             What happened before and after this observation
  memctl timeline s37 --limit 20   The same with more rows on each side
  memctl timeline 6f2b9c54         Everything of a session
  memctl timeline --project tally  Another project

Keys of --json
  id        Id of the prompt (p88), observation (o412) or summary (s37)
  kind      prompt, summary or the type of the observation
  at_epoch  When it was made, in milliseconds
  text      Text of the prompt, title of the observation, or what the turn did or answered
  session   Session id of the client; null if it belongs to none
  client    Name of the client; null if it belongs to no session
  anchor    true for the row that was asked for
";

/// Print what happened around a memory, or in this project
///
/// Oldest first. `memctl show ID` prints a row in full.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// A prompt (p88), an observation (o412) or a summary (s37) of any project, or a session [default: this
    /// project]
    #[arg(value_name = "ID", conflicts_with = "project")]
    id: Option<String>,
    /// The project, given as a directory or a name [default: the current directory]
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Number of rows, around a row: on each side [default: 20; around a row 8; of a session all]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: Option<u32>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

const COLUMNS: [Column; 4] = [
    column("TIME").cut(16),
    column("ID"),
    column("KIND").cut(7).dispensable(1),
    column("TEXT").cut(20),
];

/// Rows on each side of a row, and of a project.
const AROUND: usize = 8;
const OF_PROJECT: usize = 20;

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let Some(reader) = open::reader(settings)? else {
        return match (&args.id, args.json) {
            (None, true) => super::print_json(&json!([])),
            (None, false) => {
                super::note("nothing is stored yet");
                Ok(())
            }
            (Some(_), _) => Err(open::nothing_stored(settings)),
        };
    };
    let (rows, anchor) = select(reader.connection(), args)?;
    let is_anchor = |entry: &Entry| anchor == Some(entry.position);
    if args.json {
        let object = |entry: &Entry| {
            json!({
                "id": entry.name(), "kind": entry.kind, "at_epoch": entry.position.at_epoch,
                "text": entry.text, "session": entry.session, "client": entry.client,
                "anchor": is_anchor(entry),
            })
        };
        return super::print_json(&rows.iter().map(object).collect::<Vec<_>>());
    }
    if rows.is_empty() {
        super::note("nothing is stored for this project yet");
        return Ok(());
    }
    let cells = |entry: &Entry| -> [Cell; 4] {
        let style = if is_anchor(entry) { HEAD } else { PLAIN };
        let sign = if is_anchor(entry) { "> " } else { "" };
        [
            format::at(entry.position.at_epoch).into(),
            Cell::painted(entry.name(), ID),
            entry.kind.clone().into(),
            Cell::painted(format!("{sign}{}", collapse_spaces(&entry.text)), style),
        ]
    };
    super::print(&table(&COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>(), terminal::width()))
}

/// The rows, and the one that was asked for.
fn select(conn: &Connection, args: &Args) -> Result<(Vec<Entry>, Option<Position>)> {
    let limit = |default| args.limit.map_or(default, |n| n as usize);
    let Some(name) = &args.id else {
        let project = lookup::project_or_here(conn, args.project.as_deref())?;
        let Some(project) = project else { return Ok((Vec::new(), None)) };
        let rows =
            timeline::before(conn, Scope::Project(project), Position::LAST, limit(OF_PROJECT));
        return Ok((rows?, None));
    };
    if let Some(anchor) = timeline::find(conn, name)? {
        let position = anchor.position;
        let Some(scope) = anchor.scope() else { return Ok((vec![anchor], Some(position))) };
        let mut rows = timeline::before(conn, scope, position, limit(AROUND))?;
        rows.push(anchor);
        rows.extend(timeline::after(conn, scope, position, limit(AROUND))?);
        return Ok((rows, Some(position)));
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return Err(usage(format!("'{name}' may be an observation, a summary or a prompt"))
            .hint(format!("use o{name}, s{name} or p{name}")));
    }
    let scope = Scope::Session(lookup::session(conn, name)?.id);
    let rows = match args.limit {
        Some(n) => timeline::before(conn, scope, Position::LAST, n as usize),
        None => timeline::after(conn, scope, Position::FIRST, i64::MAX as usize),
    };
    Ok((rows?, None))
}
