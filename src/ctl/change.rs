//! What the commands that change memories share: the store, the memories with these names, and the line
//! that tells what was done.

use unicode_width::UnicodeWidthStr;

use super::lookup::{self, Memory};
use super::{open, terminal};
use crate::clock;
use crate::config::Settings;
use crate::failure::Result;
use crate::store::links;
use crate::store::marks::{self, Feedback, Marks};
use crate::store::rejected::{self, Reason};
use crate::store::words::{RowId, RowKind};
use crate::text::{collapse_spaces, sanitize, truncate};

/// Maximum length of a title in a message.
const MAX_TITLE: usize = 60;

/// `"Releases are cut from main" (o412)`.
pub fn titled(memory: &Memory) -> String {
    format!("{} ({})", shortened(&memory.title), memory.id)
}

/// The beginning of a text, on one line and in quotation marks.
pub fn shortened(text: &str) -> String {
    format!("\"{}\"", truncate(&sanitize(&collapse_spaces(text)), MAX_TITLE))
}

/// Says what was done, and which command takes it back. On a narrow terminal the command has a line of its
/// own, so that it can be copied.
pub fn say_undoable(done: &str, undo: &str) -> Result<()> {
    let undo = format!("Undo: memctl {undo}");
    let columns = done.width() + ". ".len() + undo.width();
    let fits = terminal::width().is_none_or(|width| columns <= width.min(terminal::READABLE));
    super::say(&format!("{done}.{}{undo}", if fits { ' ' } else { '\n' }))
}

/// The arguments of a command that sets or removes a mark.
#[derive(clap::Args)]
pub struct MarkArgs {
    /// Ids of observations (o412) and summaries (s37), also of other projects
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Take the mark back
    #[arg(long)]
    undo: bool,
}

/// How far a change of a summary reaches.
#[derive(Clone, Copy, PartialEq)]
pub enum Reach {
    Memory,
    /// The observations of its turn change, too.
    Turn,
}

/// What a command says about a mark.
pub struct MarkWords {
    /// The name of the command.
    pub verb: &'static str,
    /// `pinned`
    pub set: &'static str,
    pub removed: fn(&str) -> String,
    pub is_set: &'static str,
    pub is_not_set: &'static str,
    pub reach: Reach,
}

/// Sets a mark of memories, or removes it with `--undo`.
pub fn set_or_undo(
    settings: &Settings,
    args: &MarkArgs,
    words: &MarkWords,
    change: impl Fn(&mut Marks, bool),
) -> Result<()> {
    let sets = !args.undo;
    let unchanged = if sets { words.is_set } else { words.is_not_set };
    mark(
        settings,
        (&args.ids, words.reach),
        |marks| change(marks, sets),
        unchanged,
        |memory| match sets {
            true => say_undoable(
                &format!("{} {}", words.set, titled(memory)),
                &format!("{} --undo {}", words.verb, memory.id),
            ),
            false => super::say(&(words.removed)(&titled(memory))),
        },
    )
}

/// Changes the marks of memories in one transaction. Prints a line for each: what was done, and how it is
/// undone, or that nothing changed.
pub fn mark(
    settings: &Settings,
    memories: (&[String], Reach),
    change: impl Fn(&mut Marks),
    unchanged: &str,
    say: impl Fn(&Memory) -> Result<()>,
) -> Result<()> {
    for (memory, changed) in set_marks(settings, memories, change)? {
        match changed {
            true => say(&memory)?,
            false => super::say(&format!("{} {unchanged}", titled(&memory)))?,
        }
    }
    Ok(())
}

/// Changes the marks of memories in one transaction. Returns each with whether it has changed.
pub fn set_marks(
    settings: &Settings,
    (names, reach): (&[String], Reach),
    change: impl Fn(&mut Marks),
) -> Result<Vec<(Memory, bool)>> {
    let mut store = open::to_change(settings)?;
    let mut memories = Vec::new();
    for name in names {
        let memory = lookup::memory(store.connection(), name)?;
        let rest = match reach {
            Reach::Memory => Vec::new(),
            Reach::Turn => lookup::observations_of(store.connection(), memory.id)?,
        };
        memories.push(memory);
        memories.extend(rest);
    }
    let now = clock::now_ms();
    let changed = store.write(|tx| {
        let mut changed = Vec::new();
        for memory in &memories {
            let before = marks::of(tx, memory.id)?.unwrap_or_default();
            let mut after = before;
            change(&mut after);
            changed.push(before != after);
            if before == after {
                continue;
            }
            marks::set(tx, memory.id, after, now)?;
            let is_wrong = |marks: Marks| marks.feedback == Some(Feedback::Wrong);
            match (is_wrong(before), is_wrong(after)) {
                (false, true) => {
                    rejected::reject(tx, memory.id, Reason::Feedback, now)?;
                    if let RowId { kind: RowKind::Observation, id } = memory.id {
                        links::release_replaced(tx, id, now)?;
                    }
                }
                (true, false) => {
                    rejected::accept_again(tx, memory.id)?;
                    if let RowId { kind: RowKind::Observation, id } = memory.id {
                        links::reconcile(tx, &[id], now)?;
                    }
                }
                _ => {}
            }
        }
        Ok(changed)
    });
    Ok(memories.into_iter().zip(changed?).collect())
}
