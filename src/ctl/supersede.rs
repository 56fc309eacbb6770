//! `memctl supersede`: says that one memory replaces another one, and undoes what was found out about this
//! when a memory was stored.

use rusqlite::Connection;

use super::change::say_undoable;
use super::open;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Failure, Result, failed, usage};
use crate::store::links::{self, Kind};
use crate::store::observations::{self, ObservationRow};
use crate::store::{projects, summaries};

const HELP: &str = "\
Examples
  memctl supersede o12 o40       o40 replaces o12: sessions get o40 only
  memctl supersede --undo o12    Sessions get o12 again

Keys of --json
  id                 The memory that is out, or in again
  superseded_by      The memory that replaces it, or did
  kind               replaces, copies (says the same) or rewrites (describes the same turn again)
  undone             Whether this was undone
";

/// Replace a memory by another one, or undo that
///
/// A newer statement about the same thing replaces an older one by itself, and copies of one statement count
/// once. The older memory stays stored: `memctl show` prints it and what took its place.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The memory that no longer holds, and the one that replaces it
    #[arg(value_name = "ID", required = true, num_args = 1..=2)]
    ids: Vec<String>,
    /// Put a memory back that another one has replaced; it is not replaced by the same one again
    #[arg(long)]
    undo: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let given = (args.undo, args.ids.len());
    if !matches!(given, (true, 1) | (false, 2)) {
        return Err(usage(match args.undo {
            true => "--undo takes one id",
            false => {
                "two ids are needed: the memory that is replaced, and the one that replaces it"
            }
        }));
    }
    let mut store = open::to_change(settings)?;
    let rows =
        args.ids.iter().map(|name| find(store.connection(), name)).collect::<Result<Vec<_>>>()?;
    let now = clock::now_ms();
    let old = rows[0].id;
    let (new, kind) = match rows.get(1) {
        None => {
            let link = store.write(|tx| links::undo(tx, old, now))?;
            let link = link.ok_or_else(|| failed(format!("no memory has replaced o{old}")))?;
            (link.id, link.kind)
        }
        Some(new) if new.id == old => {
            return Err(usage(format!("o{old} cannot replace itself")));
        }
        Some(new) => {
            check_projects(store.connection(), &rows[0], new)?;
            let new = new.id;
            let done = store.write(|tx| links::supersede_by_user(tx, old, new, now));
            if !done? {
                return Err(failed(format!(
                    "o{new} cannot replace o{old}: o{new} is replaced itself, by o{old} or by what \
                     o{old} replaced in the end"
                ))
                .hint(format!("`memctl supersede --undo o{new}` puts o{new} back first")));
            }
            (new, Kind::Replaces)
        }
    };
    if args.json {
        return super::print_json(&serde_json::json!({
            "id": format!("o{old}"), "superseded_by": format!("o{new}"), "kind": kind.as_str(),
            "undone": args.undo,
        }));
    }
    match (args.undo, kind) {
        (false, _) => {
            say_undoable(&format!("o{new} replaces o{old}"), &format!("supersede --undo o{old}"))
        }
        (true, Kind::Copies) => super::say(&format!("o{old} counts beside o{new} again")),
        (true, _) => super::say(&format!("o{old} holds again, beside o{new}")),
    }
}

/// # Errors
/// If the new memory is not included wherever the old one was.
fn check_projects(conn: &Connection, old: &ObservationRow, new: &ObservationRow) -> Result<()> {
    let is_global = |row: &ObservationRow| row.scope == "user";
    if is_global(new) || !is_global(old) && new.project_id == old.project_id {
        return Ok(());
    }
    let place = |row: &ObservationRow| -> Result<String> {
        Ok(match (is_global(row), row.project_id) {
            (true, _) => "holds in all projects".into(),
            (false, None) => "belongs to no project".into(),
            (false, Some(id)) => {
                format!("belongs to project {}", projects::name(conn, id)?)
            }
        })
    };
    let (of_old, of_new) = (place(old)?, place(new)?);
    Err(usage(format!("o{} {of_old}, and o{} {of_new}", old.id, new.id))
        .hint("a memory replaces one of its own project; `memctl hide` only takes one out"))
}

fn find(conn: &Connection, name: &str) -> Result<ObservationRow> {
    if let Some(row) = summaries::by_name(conn, name)? {
        return Err(usage(format!("s{} is a summary; only observations can be replaced", row.id))
            .hint(format!("`memctl hide s{}` keeps its turn out of the context", row.id)));
    }
    let unknown = || -> Failure {
        failed(format!("no memory has the id '{name}'"))
            .hint("ids look like o412; `memctl context` prints those of this project")
    };
    observations::by_name(conn, name)?.ok_or_else(unknown)
}
