//! Orders the candidates by their texts: how often the words occur, the best passage, and words that
//! stand together.

mod scan;

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::Connection;
use scan::Scan;

use super::parts::{Part, is_on};
use super::query::Query;
use super::select::{Selected, accepted};
use super::{Explain, Request};
use crate::memory::Origin;
use crate::store;
use crate::store::words::{self, Beside, RowId, Side, StoredRow, neighbours};
use crate::text::Needle;

/// Words in a passage, and the distance between two of them in a long row.
const PASSAGE: usize = 200;
const STEP: usize = 100;

/// A shorter row's passage reaches into its neighbours until it has this many words.
const FULL_PASSAGE: usize = 150;

/// The neighbours of so many candidates are candidates, too.
const MAX_WITH_NEIGHBOURS: usize = 30;

/// An injection tells a few rows: the passages of so many reach into their neighbours, the best by themselves.
const MAX_INJECTED_WITH_NEIGHBOURS: usize = 10;

/// At most so many neighbours on each side are in a passage.
const MAX_NEIGHBOURS: usize = 8;

/// Shorter rows count as this many words.
const MIN_WORDS: f64 = 60.0;

const PASSAGE_WEIGHT: f64 = 0.5;
const PAIR_WEIGHT: f64 = 0.17;

/// A longer query is not looked for as a whole, in bytes.
const MAX_VERBATIM: usize = 300;

/// How many of the best rows decide the confidence.
const DECISIVE: usize = 3;

/// Rows of origin `web` come after all others that have this share of the best score, however many they
/// are and whatever they contain.
const WEB_SHARE: f64 = 0.25;

/// The neighbours' part of a short row's passage counts less for the confidence than for the order. In a
/// store of one-line facts, words that many rows share are near each other everywhere.
const NEIGHBOURS_SHARE: f64 = 0.25;

/// A row that shares so many words with the query is about the same thing. One or two words of a longer query
/// are shared by chance, however rare they are in the store.
const ENOUGH_WORDS: usize = 5;
/// A query of fewer words has fewer to share. So many more count, because it says less.
const MISSING_WORDS: usize = 2;
/// The share of what the query could have scored at which the confidence is one half.
const HALF_SURE: f64 = 0.08;

const PINNED_FACTOR: f64 = 1.05;
const OLD_FACTOR: f64 = 0.9;

/// A candidate with its score.
pub struct Scored {
    pub row: StoredRow,
    pub score: f64,
    pub explain: Explain,
    /// Its share in the confidence.
    strength: f64,
}

#[derive(Default)]
pub struct Ranking {
    /// Best first.
    pub rows: Vec<Scored>,
    pub confidence: f64,
}

pub fn score(
    conn: &Connection,
    query: &Query,
    selected: &mut Selected,
    request: &Request,
) -> store::Result<Ranking> {
    let mut rows = std::mem::take(&mut selected.candidates);
    let selected = &*selected;
    let is_short = !query.text.is_empty() && query.text.len() <= MAX_VERBATIM;
    let raw = is_short.then(|| Needle::new(&query.text));
    let mut scorer =
        Scorer { conn, selected, query, raw, scans: HashMap::new(), beside: HashMap::new() };
    let mut scored = Vec::new();
    if request.for_injection {
        // A row that is told unasked has words of the text itself.
        for row in rows {
            scored.push(scorer.score(row, Passage::Own)?);
        }
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        let rest = scored.split_off(scored.len().min(MAX_INJECTED_WITH_NEIGHBOURS));
        rows = scored.into_iter().map(|scored| scored.row).collect();
        scored = rest;
    } else {
        let beside = scorer.candidates_beside(&rows, request)?;
        rows.extend(beside);
    }
    for row in rows {
        scored.push(scorer.score(row, Passage::WithNeighbours)?);
    }
    // A query without words has its candidates by other means.
    scored.retain(|found| found.score > 0.0 || selected.terms.list.is_empty());
    let top = scored.iter().map(|scored| scored.score).fold(0.0, f64::max);
    for scored in scored.iter_mut().filter(|scored| scored.explain.verbatim) {
        scored.score += top;
    }
    lower_web(&mut scored);
    scored.sort_by(|a, b| {
        let newest = || b.row.created_at_epoch.cmp(&a.row.created_at_epoch);
        b.score.total_cmp(&a.score).then_with(newest).then_with(|| b.row.row.cmp(&a.row.row))
    });
    let n_words = selected.terms.list.len().max(6) as f64;
    let best = scored.iter().take(DECISIVE).map(|scored| scored.strength).fold(0.0, f64::max);
    let share = match selected.whole > 0.0 {
        true => best / selected.whole * (n_words / 6.0).powf(0.2),
        false => 0.0,
    };
    let confidence = share / (share + HALF_SURE);
    Ok(Ranking { rows: scored, confidence })
}

fn lower_web(scored: &mut [Scored]) {
    let is_web = |scored: &Scored| scored.row.origin == Origin::Web;
    let best = |of_web: bool| {
        let of_side = scored.iter().filter(|scored| is_web(scored) == of_web);
        of_side.map(|scored| scored.score).fold(0.0, f64::max)
    };
    let (others, web) = (best(false), best(true));
    if others == 0.0 || web == 0.0 {
        return;
    }
    let factor = (WEB_SHARE * others / web).min(1.0);
    for scored in scored.iter_mut().filter(|scored| is_web(scored)) {
        scored.score *= factor;
        scored.explain.factor *= factor;
    }
}

/// What a short row's passage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    Own,
    WithNeighbours,
}

struct Scorer<'a> {
    conn: &'a Connection,
    selected: &'a Selected,
    query: &'a Query,
    /// The text of the query as it was typed, if it is short.
    raw: Option<Needle>,
    scans: HashMap<RowId, Rc<Scan>>,
    beside: HashMap<RowId, Rc<Beside>>,
}

impl Scorer<'_> {
    fn scan(&mut self, row: &StoredRow) -> Rc<Scan> {
        let scan = self.scans.entry(row.row);
        let new = || Scan::new(&row.document, row.scope.unasked, &self.selected.terms);
        scan.or_insert_with(|| Rc::new(new())).clone()
    }

    /// Short neighbours of the first candidates: the answer often stands beside the words of the question.
    fn candidates_beside(
        &mut self,
        rows: &[StoredRow],
        request: &Request,
    ) -> store::Result<Vec<StoredRow>> {
        let mut added: Vec<StoredRow> = Vec::new();
        // Without words there is no passage that neighbours could complete.
        let n = if self.selected.terms.list.is_empty() { 0 } else { MAX_WITH_NEIGHBOURS };
        for stored in rows.iter().take(n) {
            let len = self.scan(stored).len;
            let beside = self.beside(stored, len)?;
            for side in [Side::Before, Side::After] {
                for &row in beside.of(side).iter().take(1) {
                    if rows.iter().chain(&added).any(|known| known.row == row) {
                        continue;
                    }
                    let near = accepted(self.conn, self.query, request, row)?;
                    let Some(near) = near else { continue };
                    if self.scan(&near).len < FULL_PASSAGE {
                        added.push(near);
                    }
                }
            }
        }
        Ok(added)
    }

    fn score(&mut self, row: StoredRow, passage: Passage) -> store::Result<Scored> {
        let scan = self.scan(&row);
        let Selected { weights, mean, n, terms, .. } = self.selected;
        let floor = if is_on(Part::Floor) { MIN_WORDS } else { 0.0 };
        let k = 0.35 + 0.65 * (scan.len as f64).max(floor) / mean;
        let counts = scan.counts(weights.len());
        let value = |counts: &[u32], f: &dyn Fn(f64) -> f64| -> f64 {
            let counted = counts.iter().zip(weights).filter(|(tf, _)| **tf > 0);
            counted.map(|(tf, weight)| weight * f(f64::from(*tf)).ln()).fold(0.0, |sum, x| sum + x)
        };
        let of_row = value(&counts, &|tf| 1.0 + tf / k);
        let in_passage = |counts: &[u32]| value(counts, &|tf| 1.0 + 2.0 * tf);
        let passage = match scan.len {
            len if len > PASSAGE => {
                let windows = scan.windows(weights.len(), PASSAGE, STEP).into_iter();
                windows.max_by(|a, b| in_passage(a).total_cmp(&in_passage(b))).unwrap_or_default()
            }
            len if len >= FULL_PASSAGE || passage == Passage::Own => counts.clone(),
            _ if !is_on(Part::Neighbours) => counts.clone(),
            _ => self.with_neighbours(&row, &scan, counts.clone())?,
        };
        let best = in_passage(&passage);
        let n_pairs = scan.pairs(terms);
        let pair_weight = if is_on(Part::Pairs) { PAIR_WEIGHT * (1.0 + n).ln() } else { 0.0 };
        let passage_weight = if is_on(Part::Passages) { PASSAGE_WEIGHT } else { 0.0 };
        let pairs =
            pair_weight * n_pairs.iter().map(|n| (1.0 + f64::from(*n) / k).ln()).sum::<f64>();
        let n_distinct = n_pairs.iter().filter(|n| **n > 0).count() as f64;
        let own = if scan.len > PASSAGE { &passage } else { &counts };
        // A name as a whole repeats its parts.
        let parts = |counts: &[u32]| -> Vec<u32> {
            let counted = counts.iter().zip(&terms.list);
            counted.map(|(n, term)| if term.counts() { *n } else { 0 }).collect()
        };
        let strength = NEIGHBOURS_SHARE * in_passage(&parts(&passage))
            + (1.0 - NEIGHBOURS_SHARE) * in_passage(&parts(own))
            + pair_weight * n_distinct;
        let n_shared = parts(&counts).iter().filter(|tf| **tf > 0).count().min(ENOUGH_WORDS);
        let n_wanted = (self.selected.n_counted + MISSING_WORDS).min(ENOUGH_WORDS);
        let factor = factor(&row, self.query.now);
        let has = |raw: &Needle| row.document.parts().iter().any(|part| raw.is_in(part));
        // A row without one of the words cannot contain the text.
        let has_words = counts.iter().all(|n| *n > 0);
        let verbatim = has_words && self.raw.as_ref().is_some_and(has);
        let words = terms.list.iter().zip(&counts).filter(|(_, n)| **n > 0);
        Ok(Scored {
            score: (of_row + passage_weight * best + pairs) * factor,
            strength: strength * n_shared as f64 / n_wanted as f64,
            explain: Explain {
                words: words.map(|(term, n)| (term.word.clone(), *n as usize)).collect(),
                row: of_row,
                passage: passage_weight * best,
                pairs,
                factor,
                verbatim,
            },
            row,
        })
    }

    /// The rows beside a row: enough for its passage.
    fn beside(&mut self, row: &StoredRow, len: usize) -> store::Result<Rc<Beside>> {
        if let Some(known) = self.beside.get(&row.row) {
            return Ok(known.clone());
        }
        let missing = FULL_PASSAGE.saturating_sub(len);
        let limit = (missing.div_ceil(2 * len.max(8)) + 1).min(MAX_NEIGHBOURS);
        let found = Rc::new(neighbours(self.conn, row, limit)?);
        self.beside.insert(row.row, found.clone());
        Ok(found)
    }

    /// Adds the words of the rows beside a short row until there are enough for a passage.
    fn with_neighbours(
        &mut self,
        row: &StoredRow,
        scan: &Scan,
        mut counts: Vec<u32>,
    ) -> store::Result<Vec<u32>> {
        let mut len = scan.len;
        let beside = self.beside(row, len)?;
        for i in 0..MAX_NEIGHBOURS {
            for side in [Side::Before, Side::After] {
                if len >= FULL_PASSAGE {
                    return Ok(counts);
                }
                let Some(near) = beside.of(side).get(i).copied() else { continue };
                let near = match self.scans.get(&near) {
                    Some(scan) => scan.clone(),
                    None => {
                        let Some(stored) = words::load(self.conn, near)? else { continue };
                        self.scan(&stored)
                    }
                };
                // What a third party wrote does not raise other rows.
                if near.unasked && !scan.unasked {
                    continue;
                }
                len += near.add_to(&mut counts, side, PASSAGE - len);
            }
        }
        Ok(counts)
    }
}

/// Pins and what is superseded move a row a little.
fn factor(row: &StoredRow, now: i64) -> f64 {
    let mut factor = 1.0;
    if row.pinned {
        factor *= PINNED_FACTOR;
    }
    if row.superseded || row.expires_at_epoch.is_some_and(|at| at <= now) {
        factor *= OLD_FACTOR;
    }
    factor
}
