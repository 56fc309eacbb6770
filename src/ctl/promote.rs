//! `memctl promote`: tells a memory of a project in all projects.

use super::change::{say_undoable, titled};
use super::lookup::{self, Memory};
use super::open;
use crate::clock;
use crate::config::Settings;
use crate::failure::{Result, failed, usage};
use crate::memory::Origin;
use crate::store::words::{RowId, RowKind};
use crate::store::{observations, scope};

const HELP: &str = "\
Examples
  memctl promote o412         Sessions of all projects receive this memory
  memctl promote --undo o412  Only the sessions of its project receive it again
";

/// Include memories in the context of all projects
///
/// Only you can do this: no model, hook or import does. `memctl remember --global` stores a new note for
/// all projects.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Ids of observations (o412), also of other projects
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Include them only in their own projects again
    #[arg(long)]
    undo: bool,
}

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let mut store = open::to_change(settings)?;
    let find = |name: &String| lookup::memory(store.connection(), name);
    let memories = args.ids.iter().map(find).collect::<Result<Vec<Memory>>>()?;
    for memory in &memories {
        check(store.connection(), memory, args.undo)?;
    }
    let now = clock::now_ms();
    let changed = store.write(|tx| {
        let set = |memory: &Memory| match memory.id.kind {
            RowKind::Observation => scope::set(tx, memory.id.id, !args.undo, now),
            RowKind::Summary | RowKind::Prompt => Ok(false),
        };
        memories.iter().map(set).collect::<crate::store::Result<Vec<bool>>>()
    });
    for (memory, changed) in memories.iter().zip(changed?) {
        let (what, id) = (titled(memory), memory.id);
        let line = match (changed, args.undo) {
            (true, false) => {
                let done = format!("all projects receive {what}");
                say_undoable(&done, &format!("promote --undo {id}"))?;
                continue;
            }
            (true, true) => format!("only its project receives {what}"),
            (false, false) => format!("{what} is for all projects already"),
            (false, true) => format!("{what} is not for all projects"),
        };
        super::say(&line)?;
    }
    Ok(())
}

fn check(conn: &rusqlite::Connection, memory: &Memory, undo: bool) -> Result<()> {
    let RowId { kind: RowKind::Observation, id } = memory.id else {
        return Err(usage(format!("{} is a summary, which belongs to its session", memory.id))
            .hint("`memctl remember --global` stores a note for all projects"));
    };
    let row = observations::by_id(conn, id)?;
    let Some(row) = row else { return Err(failed(format!("o{id} was forgotten"))) };
    if undo && row.project_id.is_none() {
        return Err(failed(format!("o{id} belongs to no project"))
            .hint(format!("`memctl hide o{id}` keeps it out of the context")));
    }
    if !undo && (row.observation.quarantined || row.observation.origin == Origin::Web) {
        return Err(failed(format!(
            "no session receives o{id}: third parties may have written it"
        ))
        .hint("`memctl remember --global` stores what you say in your words"));
    }
    Ok(())
}
