//! Builds the Markdown block that a new session starts with, within a token budget.
//!
//! The block is a function of the store, the work tree's branch and its changed files. It depends
//! on no clock, no counter and no random number. While the memory stays the same, the block has the
//! same bytes, and the client's prompt cache stays valid. Recency and expiry are relative to the
//! project's newest row.
//!
//! Stored text is untrusted: [`markdown`] makes it inert, and [`screen`] removes what reads like an
//! instruction to the model. The queries in `store::observations` and `store::summaries` exclude
//! hidden, quarantined and superseded rows and those of origin `web`. The words of tools, pages and
//! servers are in none of the columns that a block tells: `provenance` and the local rules keep them
//! in the narrative and the facts of observations, which `memctl show` prints.

pub mod budget;
mod markdown;
mod rank;
mod render;
mod screen;
mod similarity;
pub mod start;
mod steps;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

pub use render::{Selection, render};

use crate::capture;
use crate::store::observations::{self, Headline};
use crate::store::summaries;

/// Which rows a block may contain, and how long it may be.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub project_id: Option<i64>,
    /// Only rows that changed after this time, in milliseconds since the epoch. Set for a
    /// conversation that continues.
    pub newer_than: Option<i64>,
    /// Rows of these sessions are left out, because the conversation contains what they describe.
    pub not_sessions: Vec<i64>,
    /// The limit on the block's estimated tokens.
    pub max_tokens: usize,
    pub branch: Option<String>,
    /// Paths relative to the project's root.
    pub changed_files: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Empty if no row was selected.
    pub text: String,
    /// The latest `changed_at_epoch` of the candidate rows; `None` without candidates. The next
    /// block of this conversation contains only rows that changed later.
    pub newest_epoch: Option<i64>,
}

/// Builds the block for a session.
pub fn build(conn: &Connection, query: &Query) -> rusqlite::Result<Block> {
    let selection = select(conn, query)?;
    let text = capture::without_secrets(&render(&selection, query.max_tokens));
    Ok(Block { text, newest_epoch: selection.newest_epoch })
}

// Limits on the rows read. They bound the time of a build, however large the store is.
const NEWEST: usize = 200;
const PINNED: usize = 100;
const USER_SCOPE: usize = 100;
const CHANGED_FILES: usize = 30;
const ABOUT_CHANGED: usize = 100;
const SUMMARIES: usize = 24;

/// Selects the rows of a block: summaries newest first, observations best first.
pub fn select(conn: &Connection, query: &Query) -> rusqlite::Result<Selection> {
    let mut headlines = candidates(conn, query)?;
    let mut summaries = match query.project_id {
        Some(id) => summaries::newest_for_context(conn, id, &query.not_sessions, SUMMARIES)?,
        None => Vec::new(),
    };
    // Ids follow the order of commits, and a replayed transcript has new ids but old times.
    summaries.sort_by_key(|s| Reverse((s.created_at_epoch, s.id)));
    let of_project = headlines.iter().filter(|h| h.project_id == query.project_id);
    let newest_created = of_project
        .map(|h| h.created_at_epoch)
        .chain(summaries.iter().map(|s| s.created_at_epoch))
        .max()
        .or(headlines.iter().map(|h| h.created_at_epoch).max());
    if let Some(epoch) = query.newer_than {
        headlines.retain(|h| h.changed_at_epoch > epoch);
        summaries.retain(|s| s.changed_at_epoch > epoch);
    }
    let newest_epoch = headlines
        .iter()
        .map(|h| h.changed_at_epoch)
        .chain(summaries.iter().map(|s| s.changed_at_epoch))
        .max();
    screen::screen(&mut summaries, &mut headlines, observations::unscreened(conn)?);
    let focus = rank::Focus::new(query.branch.as_deref(), &query.changed_files);
    Ok(Selection {
        steps: steps::open(&summaries, &headlines),
        headlines: rank::best_first(headlines, &focus, newest_created.unwrap_or_default()),
        summaries,
        newest_epoch,
    })
}

/// Observations of scope `user`, and the project's newest ones, pinned ones and those about changed
/// files. Sorted by id, without duplicates.
fn candidates(conn: &Connection, query: &Query) -> rusqlite::Result<Vec<Headline>> {
    let excluded = &query.not_sessions;
    let mut found = observations::user_for_context(conn, excluded, USER_SCOPE)?;
    if let Some(id) = query.project_id {
        found.extend(observations::newest_for_context(conn, id, excluded, NEWEST)?);
        found.extend(observations::pinned_for_context(conn, id, excluded, PINNED)?);
        let known: BTreeSet<i64> = found.iter().map(|h| h.id).collect();
        let changed: BTreeSet<&str> = query.changed_files.iter().map(String::as_str).collect();
        let changed: Vec<&str> = changed.into_iter().take(CHANGED_FILES).collect();
        let mut about = observations::mentioning(conn, &changed)?;
        about.retain(|id| !known.contains(id));
        found.extend(observations::for_context_among(conn, id, &about, excluded, ABOUT_CHANGED)?);
    }
    let by_id: BTreeMap<i64, Headline> = found.into_iter().map(|h| (h.id, h)).collect();
    Ok(by_id.into_values().collect())
}

#[cfg(test)]
mod tests;
