//! What every removal does around its own work: it asks, holds the store lock, shows its progress and
//! wakes the workers.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::{Args, Outcome, not_rewritten, undo};
use crate::config::Settings;
use crate::ctl::ask;
use crate::ctl::drain::SessionName;
use crate::ctl::progress::Progress;
use crate::deliver::{self, probe};
use crate::failure::Result;
use crate::paths::session_key;
use crate::spool;
use crate::store::forget::ForgetCounts;
use crate::store::{self, Locked, Store};

/// What was removed.
pub struct Removed {
    pub count: ForgetCounts,
    /// Spooled events and dead letters that cannot be restored.
    pub spooled: u64,
    /// Until when the rest can be restored, in milliseconds since the epoch.
    pub until: Option<i64>,
    pub affected: BTreeSet<SessionName>,
    /// Passages of the removed texts.
    pub passages: Vec<String>,
    pub rewritten: store::Result<()>,
}

/// Runs `remove` under the store lock, closes the database and wakes the workers of the affected
/// sessions. Returns passages of the removed texts too.
pub fn run(
    settings: &Settings,
    args: &Args,
    mut store: Store,
    remove: impl FnOnce(&mut Locked, &Progress) -> Result<Removed>,
) -> Result<(Outcome, Vec<String>)> {
    let progress = Progress::new("forgetting");
    let removed = store.locked(|locked| Ok(remove(locked, &progress)));
    drop(progress);
    let Removed { count, spooled, until, affected, passages, rewritten } = removed??;
    let mut outcome = Outcome { count, spooled, until, ..Outcome::of(args) };
    outcome.left.extend(rewritten.err().map(not_rewritten));
    spool::remove_stale_tmp(&settings.paths);
    // Close the database before a worker is spawned: SQLite connections must not cross a fork. Then
    // wake the workers: they reload the status of their sessions, and claim dropped batches again.
    drop(store);
    for (client, session) in &affected {
        deliver::wake(settings, &session_key(client, session), probe::TIMEOUT);
    }
    Ok((outcome, passages))
}

/// Counts the rows of `total` that are done, and shows the count.
pub fn counting(progress: &Progress, total: u64) -> impl Fn() {
    let n_done = Cell::new(0);
    move || {
        n_done.set(total.min(n_done.get() + 1));
        progress.set(|| format!("forgetting: {} of {total} items", n_done.get()));
    }
}

/// Rewrites the database, if something was deleted for good.
pub fn rewrite(locked: &mut Locked, progress: &Progress) -> store::Result<()> {
    progress.set(|| "rewriting the database".into());
    locked.remove_purged_remnants()
}

/// Asks whether to remove `what`, of which `list` shows the beginning. `hint` says what the user may
/// want instead.
///
/// # Errors
/// Exit code 2 without a terminal.
pub fn confirm(list: &str, what: &str, until: Option<i64>, hint: Option<&str>) -> Result<bool> {
    if ask::is_interactive() {
        hint.into_iter().for_each(crate::ctl::note);
        return match until {
            Some(_) => ask::confirm(&format!("{list}Forget {what}?")),
            None => ask::confirm(&format!("{list}Delete {what}? There is no undo.")),
        };
    }
    list.lines().for_each(crate::ctl::eprint_line);
    let verb = if until.is_some() { "forget" } else { "delete" };
    let refused = undo::needs_yes(&format!("this would {verb} {what}"));
    Err(match hint {
        Some(hint) => refused.hint(hint),
        None => refused,
    })
}
