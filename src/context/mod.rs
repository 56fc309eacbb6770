//! What the next session is told: one Markdown block, chosen from the store within a budget.
//!
//! The block is a function of the store, the work tree's branch and its changed files. No clock,
//! no counter and no chance has a part in it, so that it stays byte for byte the same while the
//! memory does, and with it the client's prompt cache. Recency counts from the project's newest
//! row; whatever has run out has done so when something newer was stored.
//!
//! What memory says is untrusted: `render` makes it harmless. What rests on the web, what was
//! superseded and what is hidden never leave the store (`store::observations`, `summaries`).

pub mod budget;
mod markdown;
mod rank;
mod render;
mod similarity;
pub mod start;
mod steps;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

pub use render::{Chosen, render};

use crate::store::observations::{self, Headline};
use crate::store::summaries;

/// Whom the block is for.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub project_id: Option<i64>,
    /// Only rows that changed after this time, in milliseconds since the epoch: what a conversation
    /// that goes on has not been told yet.
    pub newer_than: Option<i64>,
    /// Sessions whose rows are left out: their conversation holds them already.
    pub not_sessions: Vec<i64>,
    /// Most tokens, estimated.
    pub tokens: usize,
    pub branch: Option<String>,
    /// Paths from the project's root.
    pub changed_files: Vec<String>,
}

/// What a session is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Empty when there is nothing to tell.
    pub text: String,
    /// When the newest row that was considered last changed: up to here the conversation has been
    /// told. Nothing where no row was considered.
    pub newest_epoch: Option<i64>,
}

/// The block for a session.
pub fn tell(conn: &Connection, ask: &Ask) -> rusqlite::Result<Context> {
    let chosen = choose(conn, ask)?;
    Ok(Context { text: render(&chosen, ask.tokens), newest_epoch: chosen.newest_epoch })
}

// How much is looked at: each bound holds whatever the store has grown to.
const NEWEST: usize = 200;
const WANTED: usize = 100;
const CHANGED_FILES: usize = 30;
const ABOUT_CHANGED: usize = 100;
const SUMMARIES: usize = 24;

/// The rows that matter for `ask`, best first.
pub fn choose(conn: &Connection, ask: &Ask) -> rusqlite::Result<Chosen> {
    let mut headlines = candidates(conn, ask)?;
    let mut summaries = match ask.project_id {
        Some(id) => summaries::newest_for_context(conn, id, &ask.not_sessions, SUMMARIES)?,
        None => Vec::new(),
    };
    // A transcript from before may have been taken in after today's work.
    summaries.sort_by_key(|s| Reverse((s.created_at_epoch, s.id)));
    let of_project = headlines.iter().filter(|h| h.project_id == ask.project_id);
    let newest_made = of_project
        .map(|h| h.created_at_epoch)
        .chain(summaries.iter().map(|s| s.created_at_epoch))
        .max()
        .or(headlines.iter().map(|h| h.created_at_epoch).max());
    if let Some(told) = ask.newer_than {
        headlines.retain(|h| h.changed_at_epoch > told);
        summaries.retain(|s| s.changed_at_epoch > told);
    }
    let newest_epoch = headlines
        .iter()
        .map(|h| h.changed_at_epoch)
        .chain(summaries.iter().map(|s| s.changed_at_epoch))
        .max();
    let focus = rank::Focus::new(ask.branch.as_deref(), &ask.changed_files);
    Ok(Chosen {
        steps: steps::open(&summaries, &headlines),
        headlines: rank::best_first(headlines, &focus, newest_made.unwrap_or_default()),
        summaries,
        newest_epoch,
    })
}

/// The user's own, and the project's newest, pinned and those about changed files; by id.
fn candidates(conn: &Connection, ask: &Ask) -> rusqlite::Result<Vec<Headline>> {
    let without = &ask.not_sessions;
    let mut found = observations::user_for_context(conn, without, WANTED)?;
    if let Some(id) = ask.project_id {
        found.extend(observations::newest_for_context(conn, id, without, NEWEST)?);
        found.extend(observations::pinned_for_context(conn, id, without, WANTED)?);
        let known: BTreeSet<i64> = found.iter().map(|h| h.id).collect();
        let changed: BTreeSet<&str> = ask.changed_files.iter().map(String::as_str).collect();
        let changed: Vec<&str> = changed.into_iter().take(CHANGED_FILES).collect();
        let mut about = observations::naming(conn, &changed)?;
        about.retain(|id| !known.contains(id));
        found.extend(observations::for_context_among(conn, id, &about, without, ABOUT_CHANGED)?);
    }
    let by_id: BTreeMap<i64, Headline> = found.into_iter().map(|h| (h.id, h)).collect();
    Ok(by_id.into_values().collect())
}

#[cfg(test)]
mod tests;
