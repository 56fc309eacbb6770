//! What older memories say about the work at hand: rows about the files that are changed now, and rows that
//! answer the name of the branch or what the last session left open.
//!
//! The search is that of [`recall`]. Only rows from before the sessions that the block chooses by their age
//! are searched, so a project with few sessions is not searched at all. Without confidence nothing is told.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::branches::{Branches, Place};
use super::earlier::Earlier;
use super::filler::Filler;
use super::found::{Focus, Found};
use super::lines::{MISSES, Texts};
use super::seen::Seen;
use super::{Query, Screens, Selection, Told, recalled};
use crate::freshness::{self, Freshness};
use crate::recall::{self, Filters, Hit, Request, RowKind};
use crate::store::observations::Headline;
use crate::store::words::RowId;
use crate::store::{self, StoreError};

/// Most rows about one changed file, and about all of them.
const OF_FILE: usize = 2;
const ABOUT_FILES: usize = 6;
/// A row of more files says little about each of them.
const MAX_FILES: usize = 12;
/// Most rows that a search adds. Their scores are at least this share of the best one.
const OF_SEARCH: usize = 2;
const NEAR: f64 = 0.6;
/// A row that has only one word of the query answers it if the word is in about one of twenty rows.
const RARE: f64 = 3.0;
/// The beginning of a longer text is searched for, in bytes.
const MAX_QUERY: usize = 400;
/// Position in the lengths of a session's line: 300 characters.
const LENGTH: usize = 3;

/// A memory about the work at hand.
#[derive(Clone, Debug)]
pub enum Related {
    Row(Box<Headline>),
    /// A single turn, as a session.
    Turn(Box<Told>),
}

impl Related {
    /// `o412`, `s37`.
    pub fn name(&self) -> String {
        match self {
            Related::Row(row) => format!("o{}", row.id),
            Related::Turn(told) => format!("s{}", told.session.id()),
        }
    }
}

/// Takes the best rows about changed files out of `found`. The last session, by its key, tells its own.
pub fn about_files(
    found: &mut Found,
    focus: &Focus,
    freshness: &Freshness,
    last: Option<i64>,
) -> Vec<Related> {
    let mut n_of_file: BTreeMap<String, usize> = BTreeMap::new();
    let mut related = Vec::new();
    for rows in [&mut found.discoveries, &mut found.changes] {
        let n_left = ABOUT_FILES - related.len();
        let taken = rows.extract_if(.., |row| {
            let files: Vec<&str> = focus.changed_in(row).collect();
            let is_wanted = files.iter().any(|f| n_of_file.get(*f).is_none_or(|n| *n < OF_FILE))
                && row.files_read.len() + row.files_modified.len() <= MAX_FILES
                && (last.is_none() || row.session_id != last)
                && !freshness.is_gone(row.id);
            if is_wanted {
                files.iter().for_each(|f| *n_of_file.entry((*f).to_owned()).or_default() += 1);
            }
            is_wanted
        });
        related.extend(taken.take(n_left).map(|row| Related::Row(Box::new(row))));
    }
    related
}

/// Searches for what the branch and the last session are about, among rows from before `since`. An error
/// of the index only costs these rows.
pub fn search(
    conn: &Connection,
    query: &Query,
    selection: &Selection,
    focus: &Focus,
    branches: &Branches,
    screens: &Screens,
    since: i64,
) -> store::Result<Vec<Related>> {
    let mut related: Vec<Related> = Vec::new();
    let told: Vec<i64> = selection.sessions().filter_map(|told| told.session.session_id).collect();
    for text in texts(selection, focus) {
        let hits = match hits(conn, query, &text, since) {
            Err(e @ StoreError::Schema(_)) => return Err(e),
            hits => hits.unwrap_or_default(),
        };
        for hit in hits {
            let session = hit.stored.session_id;
            if session.is_some_and(|id| told.contains(&id) || query.not_sessions.contains(&id)) {
                continue;
            }
            let found = read(conn, &hit, query, branches, screens)?;
            let is_known = |new: &Related| related.iter().any(|known| known.name() == new.name());
            related.extend(found.filter(|new| !is_known(new)));
        }
    }
    Ok(related)
}

/// What to search for: the words of the branch, and the first open end of the last session. What it has
/// done says less about the next one: its title mostly finds work of the same kind.
fn texts(selection: &Selection, focus: &Focus) -> Vec<String> {
    let open = selection.open.iter().find(|left| left.sessions_ago == 0);
    let left = open.map_or("", |left| left.open.text.as_str());
    let left = &left[..left.floor_char_boundary(MAX_QUERY)];
    [focus.branch_words(), left].into_iter().filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

fn hits(conn: &Connection, query: &Query, text: &str, since: i64) -> store::Result<Vec<Hit>> {
    let request = Request {
        query: text,
        project: query.project_id,
        filters: Filters {
            kinds: vec![RowKind::Observation, RowKind::Summary],
            before: Some(since),
            ..Filters::default()
        },
        limit: OF_SEARCH,
        for_injection: true,
    };
    let found = recall::search(conn, &request)?;
    // A block must not change while the index is being built.
    if found.incomplete || found.confidence < recall::SURE {
        return Ok(Vec::new());
    }
    let is_rare = |word: &str| found.words.iter().any(|w| w.word == word && w.idf >= RARE);
    let answers = |hit: &Hit| {
        let words = &hit.explain.words;
        words.len() >= 2 || words.iter().any(|(word, _)| is_rare(word))
    };
    let best = found.hits.first().map_or(0.0, |hit| hit.score);
    Ok(found.hits.into_iter().filter(|hit| hit.score >= best * NEAR && answers(hit)).collect())
}

/// The row of a hit, if it is about this branch and may be told.
fn read(
    conn: &Connection,
    hit: &Hit,
    query: &Query,
    branches: &Branches,
    screens: &Screens,
) -> store::Result<Option<Related>> {
    let RowId { kind, id } = hit.stored.row;
    let (related, head, at) = match kind {
        RowKind::Observation => {
            let Some(row) = recalled::readable_row(conn, id, screens, query.now)? else {
                return Ok(None);
            };
            let (head, at) = (row.head.clone(), row.created_at_epoch);
            (Related::Row(Box::new(row)), head, at)
        }
        RowKind::Summary => {
            let Some((told, _)) = recalled::readable_turn(conn, id, screens)? else {
                return Ok(None);
            };
            let (head, at) = (told.session.head.clone(), told.session.ended_at_epoch);
            (Related::Turn(Box::new(told)), head, at)
        }
        _ => return Ok(None),
    };
    let is_here = branches.place(head.as_ref(), at) == Place::Here;
    Ok(is_here.then_some(related))
}

/// What became of the files of rows that a search found. Takes those out whose files are gone.
pub fn compare_files(
    conn: &Connection,
    query: &Query,
    related: &mut Vec<Related>,
) -> rusqlite::Result<Freshness> {
    let id = |related: &Related| match related {
        Related::Row(row) => Some(row.id),
        Related::Turn(_) => None,
    };
    let ids: Vec<i64> = related.iter().filter_map(id).collect();
    let Some(root) = query.root.filter(|_| !ids.is_empty()) else {
        return Ok(Freshness::default());
    };
    let freshness = freshness::of_rows(conn, root, query.repository, &ids)?;
    related.retain(|related| id(related).is_none_or(|id| !freshness.is_gone(id)));
    Ok(freshness)
}

/// Tells the memories.
pub fn related(texts: &Texts, filler: &mut Filler, seen: &mut Seen) {
    let mut misses = 0;
    for related in &texts.selection.related {
        let line = match related {
            Related::Row(row) => {
                let selection = texts.selection;
                let result = selection.results.text(RowId::observation(row.id));
                let text = recalled::text_of(row, None);
                let (offset, freshness) = (selection.utc_offset, &selection.freshness);
                recalled::row_line(row, result, &text, offset, freshness, seen)
            }
            Related::Turn(told) => Earlier::new(told).line(LENGTH, seen),
        };
        let Some((line, said)) = line else { continue };
        if filler.push(line, related.name()) {
            said.iter().for_each(|text| seen.add(text));
            seen.add_turn(match related {
                Related::Row(row) => texts.selection.results.turn(RowId::observation(row.id)),
                Related::Turn(told) => Some(told.session.id()),
            });
        } else {
            misses += 1;
        }
        if misses == MISSES {
            break;
        }
    }
}
