//! Search and recall: which rows fit a text, how well, and how sure that is.
//!
//! The index of words selects rows ([`select`]), and their texts decide the order ([`score`]). The same
//! numbers, divided by what the query could have scored at most, are the confidence. Nothing here
//! contains SQL. `docs/internals/search.md` explains the algorithm.

mod by_turn;
pub mod known;
mod parts;
mod query;
mod score;
mod select;
mod snippet;
mod sums;
mod terms;
mod wanted;

use std::ops::Range;

use rusqlite::Connection;

use crate::clock;
use crate::memory::Origin;
use crate::store::words;
pub use crate::store::words::{RowId, RowKind, StoredRow};
use crate::store::{self};
pub use by_turn::{Unit, by_turn, turn_of, unit_of};
pub use wanted::Wanted;

/// A search.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The text as typed: words, `"phrases"`, `-word`, `prefix*` and filters such as `type:decision`. For
    /// an injection it is a text, without operators.
    pub query: &'a str,
    /// The project to search, with the rows that hold in every project. `None`: all projects.
    pub project: Option<i64>,
    /// Filters beside those in the text.
    pub filters: Filters,
    /// Maximum number of hits.
    pub limit: usize,
    /// Leaves out what is never told unasked: rows of origin `web`, quarantined, hidden, superseded and
    /// expired ones.
    pub for_injection: bool,
}

/// Conditions on rows. A row must meet all that are set; an empty list is not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    pub kinds: Vec<RowKind>,
    /// Types of observations.
    pub types: Vec<String>,
    pub origins: Vec<Origin>,
    /// Paths, or the ends or directories of paths.
    pub files: Vec<String>,
    /// The client's id of the session, or the beginning of it.
    pub session: Option<String>,
    /// The client's id of a session to leave out.
    pub not_session: Option<String>,
    pub branch: Option<String>,
    /// Created at this time or later, in milliseconds since the epoch.
    pub after: Option<i64>,
    /// Created before this time.
    pub before: Option<i64>,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How sure it is that the hits answer the query, from 0 to 1. From [`SURE`] on, a row is told unasked.
    pub confidence: f64,
    /// The words of the query that were looked up, in its order.
    pub words: Vec<QueryWord>,
    /// The index is being built, so rows are missing.
    pub incomplete: bool,
    /// How many entries of the index were read.
    pub postings: usize,
    /// What looks like a filter and was searched as text, such as `after:soon`, and why.
    pub not_filters: Vec<(String, &'static str)>,
}

/// From this confidence on, memories are told without being asked for.
pub const SURE: f64 = 0.8;

/// A row that fits the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub stored: StoredRow,
    pub score: f64,
    pub snippet: Snippet,
    pub explain: Explain,
}

/// A part of a row's text that shows why the row was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snippet {
    /// One line.
    pub text: String,
    /// The words of the query in it, as ranges of bytes, in order and apart.
    pub highlights: Vec<Range<usize>>,
}

/// The parts of a score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explain {
    /// The words of the query that the row has, with how often.
    pub words: Vec<(String, usize)>,
    pub row: f64,
    pub passage: f64,
    pub pairs: f64,
    /// What the sum of the parts is multiplied by: pins, origin, what is superseded.
    pub factor: f64,
    /// The row contains the text of the query as it was typed. Such rows come first.
    pub verbatim: bool,
}

/// A word of the query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryWord {
    pub word: String,
    /// About how many rows have it.
    pub rows: u64,
    pub idf: f64,
    /// The weight that its place and number in the query give it.
    pub weight: f64,
}

/// Finds the rows that fit the request.
///
/// # Errors
/// An error of the store. The text of a query causes none.
pub fn search(conn: &Connection, request: &Request) -> store::Result<Found> {
    words::reading(conn, || search_in_snapshot(conn, request))
}

fn search_in_snapshot(conn: &Connection, request: &Request) -> store::Result<Found> {
    let incomplete = !words::state(conn)?.is_complete();
    let query = query::Query::parse(conn, request, clock::now_ms())?;
    let mut found = find(conn, &query, request)?;
    if found.hits.is_empty() && query.has_conditions() {
        // Quoted text that no row has is searched as words.
        found = find(conn, &query.without_conditions(), request)?;
    }
    found.incomplete = incomplete;
    found.not_filters = query.not_filters;
    Ok(found)
}

fn find(conn: &Connection, query: &query::Query, request: &Request) -> store::Result<Found> {
    let mut selected = select::select(conn, query, request)?;
    let scored = score::score(conn, query, &mut selected, request)?;
    let hit = |scored: score::Scored| {
        let (stored, terms) = (scored.row, &selected.terms);
        let snippet = snippet::snippet(&stored.document, stored.title(), terms, query);
        Hit { stored, score: scored.score, snippet, explain: scored.explain }
    };
    Ok(Found {
        hits: scored.rows.into_iter().take(request.limit).map(hit).collect(),
        confidence: scored.confidence,
        words: selected.query_words(),
        incomplete: false,
        not_filters: Vec::new(),
        postings: selected.postings,
    })
}

#[cfg(test)]
mod tests;
