//! What the commands that change memories share: the store, the memories with these names, and the line
//! that tells what was done.

use std::time::Duration;

use super::lookup::{self, Memory};
use crate::clock;
use crate::config::Settings;
use crate::failure::{Context, Result, failed};
use crate::store::links;
use crate::store::marks::{self, Feedback, Marks, MemoryId};
use crate::store::rejected::{self, Reason};
use crate::store::{LockWait, Store};
use crate::text::{collapse_spaces, sanitize, truncate};

/// How long to wait for the store lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length of a title in a message.
const MAX_TITLE: usize = 60;

/// Opens the store to change it.
///
/// # Errors
/// If nothing is stored.
pub fn open(settings: &Settings) -> Result<Store> {
    if !settings.paths.data_dir_exists() {
        return Err(failed("nothing is stored yet"));
    }
    Store::open_within(&settings.paths, LockWait::Within(LOCK_TIMEOUT)).context("database")
}

/// `"Releases are cut from main" (o412)`.
pub fn titled(memory: &Memory) -> String {
    format!("{} ({})", shortened(&memory.title), memory.id)
}

/// The beginning of a text, on one line and in quotation marks.
pub fn shortened(text: &str) -> String {
    format!("\"{}\"", truncate(&sanitize(&collapse_spaces(text)), MAX_TITLE))
}

/// Changes the marks of memories in one transaction. Prints a line for each: what was done, and how it is
/// undone, or that nothing changed.
pub fn mark(
    settings: &Settings,
    names: &[String],
    change: impl Fn(&mut Marks),
    said: impl Fn(&Memory) -> String,
    unchanged: &str,
) -> Result<()> {
    for (memory, changed) in set_marks(settings, names, change)? {
        let line = match changed {
            true => said(&memory),
            false => format!("{} {unchanged}", titled(&memory)),
        };
        super::print(&format!("{line}\n"))?;
    }
    Ok(())
}

/// Changes the marks of memories in one transaction. Returns each with whether it has changed.
pub fn set_marks(
    settings: &Settings,
    names: &[String],
    change: impl Fn(&mut Marks),
) -> Result<Vec<(Memory, bool)>> {
    let mut store = open(settings)?;
    let find = |name: &String| lookup::memory(store.connection(), name);
    let memories = names.iter().map(find).collect::<Result<Vec<Memory>>>()?;
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
                    if let MemoryId::Observation(id) = memory.id {
                        links::release_replaced(tx, id, now)?;
                    }
                }
                (true, false) => {
                    rejected::accept_again(tx, memory.id)?;
                    if let MemoryId::Observation(id) = memory.id {
                        links::reconcile(tx, &[id], now)?;
                    }
                }
                _ => {}
            }
        }
        Ok(changed)
    });
    Ok(memories.into_iter().zip(changed.context("database")?).collect())
}
