//! Selects candidates by the index: the rows with the largest sums of idf, within a budget of postings.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::Connection;

use super::query::{Projects, Query};
use super::sums::Sums;
use super::terms::Terms;
use super::{Filters, QueryWord, Request};
use crate::store;
use crate::store::words::{
    self, ASKED, EVERYWHERE, Order, RowId, Scope, StoredRow, Total, UNASKED, of_rowid, postings,
    totals,
};
use crate::text::Needle;

/// The newest rows of each word are read in any case.
const FIRST: usize = 256;

/// How many words of a query are looked up, and how many are used.
const MAX_LOOKED_UP: usize = 48;
pub const MAX_USED: usize = 32;

/// How many postings are read beyond the first ones, and from [`LARGE`] rows on.
const BUDGET: usize = 20_000;
const LARGE_BUDGET: usize = 60_000;
const LARGE: f64 = 500_000.0;

/// A project with fewer rows borrows this many from the whole store.
const SMALL: f64 = 2000.0;
const BORROWED: f64 = 100.0;

/// A project with fewer rows has the mean length of the store's rows.
const FEW: f64 = 100.0;

const MAX_CANDIDATES: usize = 100;
const MAX_UNASKED: usize = 30;

/// How many rows are looked at for candidates that meet the conditions.
const MAX_LOOKED_AT: usize = 3000;

/// The texts of the candidates, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// How many further rows are looked at for the text of the query, and how many are taken.
const MAX_LITERAL_LOOKED_AT: usize = 600;
const MAX_LITERAL: usize = 30;

/// If a condition selects no more rows, they are all looked at.
const MAX_NARROW: usize = 400;

/// What the index selected.
#[derive(Debug, Default)]
pub struct Selected {
    /// The words that are used, those that select most first.
    pub terms: Terms,
    /// `q · idf` of each of them.
    pub weights: Vec<f64>,
    /// Sum of the weights of all words, with those that no row has.
    pub whole: f64,
    /// Number of rows, with the borrowed ones.
    pub n: f64,
    /// Mean number of words of a row.
    pub mean: f64,
    /// Best first.
    pub candidates: Vec<StoredRow>,
    pub postings: usize,
    words: Vec<QueryWord>,
}

impl Selected {
    pub fn query_words(&self) -> Vec<QueryWord> {
        self.words.clone()
    }
}

/// The rows to search and their numbers.
struct Place {
    /// The rowids of rows that count.
    ranges: Vec<RangeInclusive<i64>>,
    /// Those of rows that are only told when asked for.
    unasked: Vec<RangeInclusive<i64>>,
    totals: Vec<Total>,
    n: f64,
    words: f64,
    store_n: f64,
    store_words: f64,
}

impl Place {
    fn new(conn: &Connection, query: &Query, request: &Request) -> store::Result<Place> {
        let totals = totals(conn)?;
        let (mut ranges, mut unasked) = (Vec::new(), Vec::new());
        match &query.projects {
            Projects::All => {
                ranges.push(ASKED);
                if !request.for_injection {
                    unasked.push(UNASKED);
                }
            }
            Projects::Some(ids) => {
                for &project in ids.iter().chain([&EVERYWHERE]) {
                    let range = |unasked| Scope { project, unasked }.range();
                    let exists =
                        |unasked| totals.iter().any(|t| t.scope == Scope { project, unasked });
                    if exists(false) {
                        ranges.push(range(false));
                    }
                    if exists(true) && !request.for_injection {
                        unasked.push(range(true));
                    }
                }
            }
        }
        let is_empty = |range: &RangeInclusive<i64>| {
            !totals.iter().any(|total| range.contains(total.scope.range().start()))
        };
        if ranges.iter().all(is_empty) {
            ranges = std::mem::take(&mut unasked);
        }
        let mut place =
            Place { ranges, unasked, n: 0.0, words: 0.0, store_n: 0.0, store_words: 0.0, totals };
        for total in &place.totals {
            if !total.scope.unasked {
                place.store_n += total.rows as f64;
                place.store_words += total.words as f64;
            }
            if place.ranges.iter().any(|range| range.contains(total.scope.range().start())) {
                place.n += total.rows as f64;
                place.words += total.words as f64;
            }
        }
        Ok(place)
    }

    /// About how many rows there are in a part of the index.
    fn rows_in(&self, part: &RangeInclusive<i64>) -> f64 {
        let rows = |total: &Total| {
            let scope = total.scope.range();
            if part.end() < scope.start() || scope.end() < part.start() {
                return 0.0;
            }
            if part.contains(scope.start()) && part.contains(scope.end()) {
                return total.rows as f64;
            }
            let id = |rowid: i64| (rowid.clamp(*scope.start(), *scope.end()) - scope.start()) >> 2;
            let first = id(*part.start()).max(total.first_id);
            let last = id(*part.end()).min(total.last_id);
            let span = (total.last_id - total.first_id + 1) as f64;
            total.rows as f64 * ((last - first + 1) as f64 / span).clamp(0.0, 1.0)
        };
        self.totals.iter().map(rows).sum()
    }
}

/// The rows of one word in one range.
struct List {
    term: usize,
    range: RangeInclusive<i64>,
    rows: Vec<i64>,
    /// About how many rows have the word.
    df: f64,
    is_whole: bool,
}

pub fn select(conn: &Connection, query: &Query, request: &Request) -> store::Result<Selected> {
    let mut selected =
        Selected { terms: Terms::of(&query.text, &query.prefixes), ..Selected::default() };
    if selected.terms.list.is_empty() {
        without_words(conn, query, request, &mut selected)?;
        return Ok(selected);
    }
    let place = Place::new(conn, query, request)?;
    if place.n == 0.0 {
        return Ok(selected);
    }
    let borrows = place.n < SMALL;
    selected.n = place.n + if borrows { BORROWED } else { 0.0 };
    let (n, words) = if place.n < FEW && place.store_n >= place.n {
        (place.store_n, place.store_words)
    } else {
        (place.n, place.words)
    };
    selected.mean = words / n;

    // The words that count most by their places.
    let mut looked_up: Vec<usize> = (0..selected.terms.list.len()).collect();
    looked_up.sort_by(|a, b| {
        let weight = |i: &usize| selected.terms.list[*i].weight;
        weight(b).total_cmp(&weight(a)).then(a.cmp(b))
    });
    looked_up.truncate(MAX_LOOKED_UP);

    let mut lists: Vec<List> = Vec::new();
    let mut idf = HashMap::new();
    let (mut used, mut unknown) = (Vec::new(), Vec::new());
    for &term in &looked_up {
        let known = &selected.terms.list[term];
        let mut df = 0.0;
        for range in &place.ranges {
            let list = first_rows(conn, &place, term, &known.stem, known.is_prefix, range)?;
            selected.postings += list.rows.len();
            df += list.df;
            if !list.rows.is_empty() {
                lists.push(list);
            }
        }
        let mut shown_df = df;
        let is_known = df > 0.0;
        if borrows {
            df += BORROWED * share(conn, &place, &known.stem, known.is_prefix)?;
        }
        shown_df = shown_df.min(place.n);
        let value = (1.0 + (selected.n - df + 0.5).max(0.0) / (df + 0.5)).ln();
        idf.insert(term, value);
        if is_known {
            used.push(term);
        } else if !known.is_whole {
            unknown.push(term);
        }
        selected.words.push(QueryWord {
            word: known.word.clone(),
            rows: shown_df.round() as u64,
            idf: value,
            weight: known.weight,
        });
    }
    limit_wholes(&selected.terms, &mut idf, &used);
    let weight = |term: &usize| selected.terms.list[*term].weight * idf[term];
    used.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
    used.truncate(MAX_USED);
    unknown.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
    unknown.truncate(MAX_USED - used.len().min(MAX_USED));
    let counted = used.iter().filter(|term| !selected.terms.list[**term].is_whole);
    selected.whole = counted.chain(&unknown).map(weight).sum();
    selected.weights = used.iter().map(weight).collect();

    lists.retain(|list| used.contains(&list.term));
    let budget = if place.n < LARGE { BUDGET } else { LARGE_BUDGET };
    read_whole(conn, &selected.terms, &mut lists, budget, &mut selected.postings)?;
    for range in &place.unasked {
        for &term in &used {
            let known = &selected.terms.list[term];
            let list = first_rows(conn, &place, term, &known.stem, known.is_prefix, range)?;
            selected.postings += list.rows.len();
            lists.push(list);
        }
    }
    let mut sums = Sums::default();
    for list in &lists {
        let weight = selected.terms.list[list.term].weight * idf[&list.term];
        for row in &list.rows {
            *sums.entry(*row).or_default() += weight;
        }
    }
    selected.terms.keep(&used);
    if let Some(rows) = narrow(conn, query)? {
        // Few rows meet the conditions: they are all looked at.
        take(conn, query, request, rows.into_iter(), MAX_NARROW, &mut selected)?;
        return Ok(selected);
    }
    // A flood of rows that are only told when asked for must not take the place of others.
    let is_unasked = |row: &i64| of_rowid(*row).is_some_and(|(scope, _)| scope.unasked);
    let (unasked, asked): (Vec<_>, Vec<_>) = sums.into_iter().partition(|(row, _)| is_unasked(row));
    take(conn, query, request, Ranked::new(asked), MAX_CANDIDATES, &mut selected)?;
    if !request.for_injection {
        take(conn, query, request, Ranked::new(unasked), MAX_UNASKED, &mut selected)?;
    }
    Ok(selected)
}

/// The rows with the largest sums, best first. They are sorted piece by piece: mostly the first is enough.
struct Ranked {
    /// Sums, ids and rowids; the rest is not sorted yet.
    rows: Vec<(f64, i64, i64)>,
    sorted: usize,
    next: usize,
}

impl Ranked {
    fn new(sums: Vec<(i64, f64)>) -> Ranked {
        let row = |(rowid, sum)| Some((sum, of_rowid(rowid)?.1.id, rowid));
        Ranked { rows: sums.into_iter().filter_map(row).collect(), sorted: 0, next: 0 }
    }
}

impl Iterator for Ranked {
    type Item = RowId;

    fn next(&mut self) -> Option<RowId> {
        const PIECE: usize = 200;
        if self.next == self.sorted {
            let best_first = |a: &(f64, i64, i64), b: &(f64, i64, i64)| {
                b.0.total_cmp(&a.0).then_with(|| (b.1, b.2).cmp(&(a.1, a.2)))
            };
            let rest = &mut self.rows[self.sorted..];
            let n = PIECE.min(rest.len());
            if n < rest.len() {
                rest.select_nth_unstable_by(n, best_first);
            }
            rest[..n].sort_unstable_by(best_first);
            self.sorted += n;
        }
        let row = self.rows.get(self.next).filter(|_| self.next < self.sorted)?;
        self.next += 1;
        Some(of_rowid(row.2)?.1)
    }
}

/// Takes the first rows that meet all conditions. Of the following ones, those that contain the text of
/// the query as it was typed, if it is more than words.
fn take(
    conn: &Connection,
    query: &Query,
    request: &Request,
    rows: impl Iterator<Item = RowId>,
    limit: usize,
    selected: &mut Selected,
) -> store::Result<()> {
    let literal = query.literal();
    let (mut n_taken, mut n_bytes, mut n_literal) = (0, 0, 0);
    for (i, row) in rows.take(MAX_LOOKED_AT).enumerate() {
        let is_full = n_taken >= limit || n_bytes > MAX_TEXT;
        if is_full && (literal.is_none() || i >= MAX_LITERAL_LOOKED_AT || n_literal == MAX_LITERAL)
        {
            break;
        }
        let Some(stored) = accepted(conn, query, request, row)? else { continue };
        if is_full {
            let has =
                |needle: &Needle| stored.document.parts().iter().any(|part| needle.is_in(part));
            if !literal.as_ref().is_some_and(has) {
                continue;
            }
            n_literal += 1;
        }
        n_taken += 1;
        n_bytes += stored.document.len();
        selected.candidates.push(stored);
    }
    Ok(())
}

/// The rows that a narrow condition selects, if there is one.
fn narrow(conn: &Connection, query: &Query) -> store::Result<Option<Vec<RowId>>> {
    let Some(session) = &query.filters.session else { return Ok(None) };
    let rows = words::of_sessions(conn, session, MAX_NARROW)?;
    Ok((rows.len() <= MAX_NARROW).then_some(rows))
}

/// Candidates for a query without words: the newest rows that meet its conditions and contain its text.
fn without_words(
    conn: &Connection,
    query: &Query,
    request: &Request,
    selected: &mut Selected,
) -> store::Result<()> {
    let literal = query.literal();
    if literal.is_none() && query.filters == Filters::default() {
        return Ok(());
    }
    let mut rows = Vec::new();
    match (narrow(conn, query)?, &query.projects) {
        (Some(found), _) => rows = found,
        (None, Projects::All) => rows = words::newest(conn, None, MAX_LOOKED_AT)?,
        (None, Projects::Some(ids)) => {
            for id in ids {
                rows.extend(words::newest(conn, Some(*id), MAX_LOOKED_AT)?);
            }
        }
    }
    let mut n_bytes = 0;
    for row in rows {
        let Some(stored) = accepted(conn, query, request, row)? else { continue };
        n_bytes += stored.document.len();
        let has = |needle: &Needle| stored.document.parts().iter().any(|part| needle.is_in(part));
        if literal.as_ref().is_none_or(has) {
            selected.candidates.push(stored);
        }
        if selected.candidates.len() == MAX_CANDIDATES || n_bytes > 4 * MAX_TEXT {
            break;
        }
    }
    Ok(())
}

/// A name as a whole counts as its rarest part: it is rarer than all of them.
fn limit_wholes(terms: &Terms, idf: &mut HashMap<usize, f64>, used: &[usize]) {
    let rarest = used.iter().filter(|term| !terms.list[**term].is_whole).map(|term| idf[term]);
    let rarest = rarest.fold(0.0, f64::max);
    for term in used.iter().filter(|term| terms.list[**term].is_whole) {
        if rarest > 0.0 {
            idf.entry(*term).and_modify(|value| *value = value.min(rarest));
        }
    }
}

/// The newest rows of a word in a range, and about how many there are.
fn first_rows(
    conn: &Connection,
    place: &Place,
    term: usize,
    stem: &str,
    is_prefix: bool,
    range: &RangeInclusive<i64>,
) -> store::Result<List> {
    let rows = postings(conn, stem, is_prefix, range, Order::NewestFirst, FIRST)?;
    let is_whole = rows.len() < FIRST;
    let df = match rows.last() {
        Some(oldest) if !is_whole => {
            let (found, all) = (rows.len() as f64, place.rows_in(range));
            (found * all / place.rows_in(&(*oldest..=*range.end())).max(found)).clamp(found, all)
        }
        _ => rows.len() as f64,
    };
    Ok(List { term, range: range.clone(), rows, df, is_whole })
}

/// The share of the store's rows that have a word.
fn share(conn: &Connection, place: &Place, stem: &str, is_prefix: bool) -> store::Result<f64> {
    if place.store_n == 0.0 {
        return Ok(0.0);
    }
    let newest = postings(conn, stem, is_prefix, &ASKED, Order::NewestFirst, FIRST)?;
    if newest.len() < FIRST {
        return Ok(newest.len() as f64 / place.store_n);
    }
    let oldest = postings(conn, stem, is_prefix, &ASKED, Order::OldestFirst, FIRST)?;
    let rows = match (newest.last(), oldest.last()) {
        (Some(low), Some(high)) if high < low => {
            place.rows_in(&(*low..=*ASKED.end())) + place.rows_in(&(0..=*high))
        }
        _ => place.store_n,
    };
    let found = (newest.len() + oldest.len()) as f64;
    Ok((found / rows.max(found)).min(1.0))
}

/// Reads the lists of the rarest words as a whole.
fn read_whole(
    conn: &Connection,
    terms: &Terms,
    lists: &mut [List],
    mut budget: usize,
    n_read: &mut usize,
) -> store::Result<()> {
    let mut order: Vec<usize> = (0..lists.len()).filter(|i| !lists[*i].is_whole).collect();
    order.sort_by(|a, b| lists[*a].df.total_cmp(&lists[*b].df));
    for i in order {
        let list = &mut lists[i];
        if list.df > budget as f64 {
            break;
        }
        let term = &terms.list[list.term];
        list.rows =
            postings(conn, &term.stem, term.is_prefix, &list.range, Order::NewestFirst, budget)?;
        budget -= list.rows.len().min(budget);
        *n_read += list.rows.len();
    }
    Ok(())
}

/// Reads a row, if it meets all conditions.
pub fn accepted(
    conn: &Connection,
    query: &Query,
    request: &Request,
    row: RowId,
) -> store::Result<Option<StoredRow>> {
    let stored = words::load(conn, row)?;
    Ok(stored.filter(|stored| query.accepts(stored, request.for_injection)))
}
