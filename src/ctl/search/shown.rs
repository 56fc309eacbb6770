//! A hit with what is printed of it beside the row itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::Connection;

use crate::activity::looks_like_code;
use crate::clock;
use crate::ctl::format::{age, day};
use crate::failure::Result;
use crate::memory::Origin;
use crate::recall::{Explain, Hit, RowId, SURE};
use crate::store::notes::EXTERNAL;
use crate::store::projects;
use crate::store::words::{self, Side};

/// A younger row is dated by its age, an older one by its day.
const RECENT: i64 = 7 * 86_400_000;

/// Of at most this many words, a query is no question.
const MAX_KEYWORDS: usize = 2;

/// The share of the best score below which a row is no answer beside a sure one.
const WEAK: f64 = 0.3;

/// A hit with what is printed of it beside the row.
#[derive(Clone, Debug)]
pub struct Shown {
    pub hit: Hit,
    /// That of the query.
    pub confidence: f64,
    /// Name of the project.
    pub project: Option<String>,
    /// `3d ago`, or the day if that is longer ago.
    pub when: String,
    /// The local day.
    pub day: String,
    pub age: String,
    pub is_expired: bool,
    /// It has no word of the query: a row beside it fits.
    pub is_beside: bool,
    /// The query is one name, which other rows have as a whole.
    pub is_partial: bool,
    /// Further rows of its turn that were found.
    pub same_turn: Vec<RowId>,
}

impl Shown {
    /// `names`: the names of projects that are known by now.
    pub fn new(
        conn: &Connection,
        hit: Hit,
        confidence: f64,
        names: &mut HashMap<i64, String>,
    ) -> Result<Shown> {
        let project = match hit.stored.project_id {
            None => None,
            Some(id) => {
                if let Entry::Vacant(entry) = names.entry(id) {
                    entry.insert(projects::name(conn, id)?);
                }
                names.get(&id).cloned()
            }
        };
        let (now, at) = (clock::now_ms(), hit.stored.created_at_epoch);
        let (day, age) = (day(at), age(at, now));
        let when = if now - at < RECENT { format!("{age} ago") } else { day.clone() };
        let is_expired = hit.stored.is_expired(now);
        let is_beside = hit.explain.words.is_empty() && hit.score > 0.0;
        Ok(Shown {
            hit,
            confidence,
            project,
            when,
            day,
            age,
            is_expired,
            is_beside,
            is_partial: false,
            same_turn: Vec::new(),
        })
    }

    /// The id that a script gave the row.
    pub fn external_id(&self) -> Option<&str> {
        let id = self.hit.stored.external_id.as_deref()?;
        Some(id.strip_prefix(EXTERNAL).unwrap_or(id))
    }
}

/// Marks the rows that only have parts of a path or an identifier, if others have it as a whole. Those come
/// first.
pub fn mark_partial(query: &str, shown: &mut [Shown]) {
    let name = query.trim().trim_end_matches(['.', '?']);
    let is_name = name.contains(['/', '.']) || name.contains("::") || looks_like_code(name);
    if name.contains(char::is_whitespace) || !is_name {
        return;
    }
    if shown.iter().any(|shown| shown.hit.explain.verbatim) {
        shown.iter_mut().for_each(|shown| shown.is_partial = !shown.hit.explain.verbatim);
    }
}

/// Rows beside one that fits answer a question. For one or two words, they are noise if another row has
/// these words.
pub fn without_beside(words: usize, shown: Vec<Shown>) -> Vec<Shown> {
    let is_question = words > MAX_KEYWORDS || shown.iter().all(|shown| shown.is_beside);
    shown.into_iter().filter(|shown| is_question || !shown.is_beside).collect()
}

/// Without the rows that share little with the query, if the first ones are a sure answer. Text of the web
/// stays: it is scaled below the others, whatever it says.
pub fn without_weak(mut shown: Vec<Shown>) -> Vec<Shown> {
    let score = |shown: &Shown| {
        let Explain { row, passage, pairs, factor, .. } = &shown.hit.explain;
        (row + passage + pairs) * factor
    };
    let best = shown.iter().map(score).fold(0.0, f64::max);
    let is_exempt = |shown: &Shown| {
        shown.is_beside || shown.hit.explain.verbatim || shown.hit.stored.origin == Origin::Web
    };
    let is_sure = shown.iter().any(|shown| shown.confidence >= SURE);
    shown.retain(|shown| !is_sure || is_exempt(shown) || score(shown) >= best * WEAK);
    shown
}

/// A row beside a hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    pub row: RowId,
    pub title: String,
}

/// Both oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Around {
    pub before: Vec<Neighbour>,
    pub after: Vec<Neighbour>,
}

/// The rows of the same session beside a hit.
pub fn around(conn: &Connection, shown: &Shown, n: usize) -> Result<Option<Around>> {
    if n == 0 {
        return Ok(None);
    }
    let beside = words::neighbours(conn, &shown.hit.stored, n)?;
    let rows = |side| -> crate::store::Result<Vec<Neighbour>> {
        let mut rows = Vec::new();
        for &row in beside.of(side) {
            let Some(found) = words::load(conn, row)?.filter(|row| !row.hidden) else { continue };
            rows.push(Neighbour { row, title: found.title().trim().to_owned() });
        }
        Ok(rows)
    };
    let mut before = rows(Side::Before)?;
    before.reverse();
    Ok(Some(Around { before, after: rows(Side::After)? }))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::recall::{RowKind, Snippet, StoredRow};
    use crate::store::words::{Document, Scope};

    /// A hit for tests of its output.
    pub fn shown() -> Shown {
        let stored = StoredRow {
            row: RowId { kind: RowKind::Observation, id: 7 },
            scope: Scope { project: 1, unasked: false },
            document: Document { title: "A\tb\nc".into(), ..Document::default() },
            external_id: Some("jsonl:12".into()),
            project_id: Some(1),
            session_id: None,
            session: None,
            kind: "note".into(),
            origin: Origin::User,
            branch: None,
            files: Vec::new(),
            pinned: false,
            quarantined: false,
            hidden: false,
            superseded: false,
            expires_at_epoch: None,
            created_at_epoch: 0,
        };
        let hit =
            Hit { stored, score: 2.5, snippet: Snippet::default(), explain: Explain::default() };
        Shown {
            hit,
            confidence: 0.5,
            project: Some("app".into()),
            when: "3d ago".into(),
            day: "1970-01-01".into(),
            age: "3d".into(),
            is_expired: false,
            is_beside: false,
            is_partial: false,
            same_turn: Vec::new(),
        }
    }

    #[test]
    fn weak_rows_are_left_out_beside_a_sure_answer() {
        let check = |confidence: f64, expected: &[f64]| {
            let scored = |row: f64| {
                let explain = Explain { row, factor: 1.0, ..Explain::default() };
                Shown { hit: Hit { explain, ..shown().hit }, confidence, ..shown() }
            };
            let mut all = [10.0, 3.0, 2.9, 0.5].map(scored).to_vec();
            all[3].hit.stored.origin = Origin::Web;
            let left: Vec<f64> =
                without_weak(all).iter().map(|shown| shown.hit.explain.row).collect();
            assert_eq!(left, expected, "{confidence}");
        };
        check(0.9, &[10.0, 3.0, 0.5]);
        check(0.5, &[10.0, 3.0, 2.9, 0.5]);
    }

    #[test]
    fn only_a_name_that_other_rows_have_as_a_whole_makes_rows_partial() {
        let check = |query: &str, verbatim: [bool; 2], expected: bool| {
            let mut all = [shown(), shown()];
            all[0].hit.explain.verbatim = verbatim[0];
            all[1].hit.explain.verbatim = verbatim[1];
            mark_partial(query, &mut all);
            assert_eq!((all[0].is_partial, all[1].is_partial), (false, expected), "{query}");
        };
        check("pool.py", [true, false], true);
        check("src/pool.py", [true, true], false);
        check("parse_empty", [false, false], false);
        check("parseEmpty", [true, false], true);
        check("retry", [true, false], false);
        check("retry the pool.py", [true, false], false);
    }
}
