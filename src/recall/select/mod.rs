//! Selects candidates by the index: the rows with the largest sums of idf, within a budget of postings.

mod lists;
mod place;
mod ranked;

use std::collections::HashMap;

use lists::List;
use place::Place;
use ranked::Ranked;
use rusqlite::Connection;

use super::parts::{Part, is_on};
use super::query::{Projects, Query};
use super::sums::Sums;
use super::terms::{Term, Terms};
use super::{Filters, QueryWord, Request};
use crate::store;
use crate::store::words::{self, Expression, RowId, StoredRow, of_rowid};
use crate::text::Needle;

/// How many words of a query are looked up, and how many are used.
const MAX_LOOKED_UP: usize = 48;
pub const MAX_USED: usize = 32;

/// How many postings are read beyond the first ones, and from [`LARGE`] rows on.
const BUDGET: usize = 20_000;
const LARGE_BUDGET: usize = 60_000;
const LARGE: f64 = 500_000.0;

/// How many are read for a query with filters whose candidates do not meet them.
const FILTER_BUDGET: usize = 500_000;

/// A project with fewer rows borrows this many from the whole store.
const SMALL: f64 = 2000.0;
const BORROWED: f64 = 100.0;

/// A word that no row has says less in a small store, which has few of the words of its subject: half as much in
/// one of so many rows.
const UNSEEN: f64 = 30.0;

/// A project with fewer rows has the mean length of the store's rows.
const FEW: f64 = 100.0;

const MAX_CANDIDATES: usize = 100;
const MAX_UNASKED: usize = 30;

/// An injection tells few rows, and a hook pays for each of them with a process that has read nothing yet: a
/// microsecond for four postings, and twenty for a candidate.
const INJECTION_BUDGET: usize = 2_500;
/// The lists of more common words are intersected with those of rare words, up to this length together.
const INTERSECTED: usize = 60_000;
const MAX_INJECTION_CANDIDATES: usize = 30;

/// How many rows are read for candidates that meet the conditions, and how many are asked whether they
/// meet the filters.
const MAX_LOOKED_AT: usize = 3000;
const MAX_FILTERED: usize = 200_000;

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
    /// Sum of the weights of the words that count, with those that no row has.
    pub whole: f64,
    /// How many words these are.
    pub n_counted: usize,
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

    let mut words = vec![Expression::default(); selected.terms.list.len()];
    let mut lists: Vec<List> = Vec::new();
    let mut idf = HashMap::new();
    let (mut used, mut unknown) = (Vec::new(), Vec::new());
    for &term in &looked_up {
        let known = &selected.terms.list[term];
        words[term] = expression(conn, known)?;
        let word = &words[term];
        let mut df = 0.0;
        for range in &place.ranges {
            let list = List::newest(conn, &place, term, word, range)?;
            selected.postings += list.rows.len();
            df += list.df;
            if !list.rows.is_empty() {
                lists.push(list);
            }
        }
        let shown_df = df.min(place.n);
        let is_known = df > 0.0 || is_unasked(conn, &place, term, word)?;
        if borrows {
            df += BORROWED * lists::share(conn, &place, word)?;
        }
        if !is_known {
            // The store is a sample: a word that it does not have is as rare as one of a single row.
            df = 1.0 + if borrows { BORROWED / place.store_n.max(1.0) } else { 0.0 };
        }
        let value = match is_on(Part::Idf) {
            true => (1.0 + (selected.n - df + 0.5).max(0.0) / (df + 0.5)).ln(),
            false => 1.0,
        };
        idf.insert(term, value);
        if is_known {
            used.push(term);
        } else if known.counts_if_unknown() {
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
    let counted = used.iter().filter(|term| selected.terms.list[**term].counts());
    let known: f64 = counted.clone().map(weight).sum();
    let missing: f64 = unknown.iter().map(weight).sum();
    selected.n_counted = counted.count() + unknown.len();
    selected.whole = known + missing * place.n / (place.n + UNSEEN);
    selected.weights = used.iter().map(weight).collect();
    let weights: HashMap<usize, f64> = used.iter().map(|term| (*term, weight(term))).collect();

    selected.terms.keep(&used);
    if let Some(rows) = narrow(conn, query)? {
        // Few rows meet the conditions: they are all looked at.
        take(conn, query, request, rows.into_iter(), MAX_NARROW, &mut selected)?;
        return Ok(selected);
    }
    lists.retain(|list| used.contains(&list.term));
    let budget = match request.for_injection {
        true => INJECTION_BUDGET,
        false if place.n < LARGE => BUDGET,
        false => LARGE_BUDGET,
    };
    selected.postings += lists::read_whole(conn, &words, &mut lists, budget)?;
    if request.for_injection {
        selected.postings += lists::complete(conn, &words, &mut lists, INTERSECTED)?;
    }
    for range in &place.unasked {
        for &term in &used {
            let list = List::newest(conn, &place, term, &words[term], range)?;
            selected.postings += list.rows.len();
            lists.push(list);
        }
    }
    take_best(conn, query, request, sums(&lists, &weights), &mut selected)?;
    let is_cut = selected.candidates.len() < MAX_CANDIDATES && !lists.iter().all(List::is_whole);
    if is_cut && query.has_filters() && !request.for_injection {
        // Rows that meet the filters may be among those that were not read.
        selected.postings += lists::read_whole(conn, &words, &mut lists, FILTER_BUDGET)?;
        take_best(conn, query, request, sums(&lists, &weights), &mut selected)?;
    }
    Ok(selected)
}

fn expression(conn: &Connection, term: &Term) -> store::Result<Expression> {
    match term.is_prefix {
        true => Expression::prefix(conn, &term.stem),
        false => Ok(Expression::word(&term.stem)),
    }
}

/// Whether only rows that are never told unasked have the word.
fn is_unasked(
    conn: &Connection,
    place: &Place,
    term: usize,
    word: &Expression,
) -> store::Result<bool> {
    for range in &place.unasked {
        if !List::newest(conn, place, term, word, range)?.rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sum of the words' weights of each row.
fn sums(lists: &[List], weights: &HashMap<usize, f64>) -> Sums {
    let mut sums = Sums::default();
    for list in lists {
        let weight = weights[&list.term];
        for row in &list.rows {
            *sums.entry(*row).or_default() += weight;
        }
    }
    sums
}

/// Takes the rows with the largest sums as candidates.
fn take_best(
    conn: &Connection,
    query: &Query,
    request: &Request,
    sums: Sums,
    selected: &mut Selected,
) -> store::Result<()> {
    // A flood of rows that are only told when asked for must not take the place of others.
    let is_unasked = |row: &i64| of_rowid(*row).is_some_and(|(scope, _)| scope.unasked);
    let (unasked, asked): (Vec<_>, Vec<_>) = sums.into_iter().partition(|(row, _)| is_unasked(row));
    selected.candidates.clear();
    let limit = if request.for_injection { MAX_INJECTION_CANDIDATES } else { MAX_CANDIDATES };
    take(conn, query, request, Ranked::new(asked), limit, selected)?;
    if !request.for_injection {
        take(conn, query, request, Ranked::new(unasked), MAX_UNASKED, selected)?;
    }
    Ok(())
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
    let (mut n_looked_at, mut n_taken, mut n_bytes, mut n_literal) = (0, 0, 0, 0);
    for row in rows.take(MAX_FILTERED) {
        let is_full = n_taken >= limit || n_bytes > MAX_TEXT;
        let is_done =
            literal.is_none() || n_looked_at >= MAX_LITERAL_LOOKED_AT || n_literal == MAX_LITERAL;
        if n_looked_at == MAX_LOOKED_AT || is_full && is_done {
            break;
        }
        // The index has a row once for each project in which it is told.
        let is_taken = selected.candidates.iter().any(|taken| taken.row == row);
        if is_taken || !query.may_accept(conn, row)? {
            continue;
        }
        n_looked_at += 1;
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

/// Reads a row, if it meets all conditions.
pub fn accepted(
    conn: &Connection,
    query: &Query,
    request: &Request,
    row: RowId,
) -> store::Result<Option<StoredRow>> {
    let stored = words::load(conn, row)?;
    let Some(stored) = stored.filter(|stored| query.accepts(stored, request.for_injection)) else {
        return Ok(None);
    };
    Ok(query.is_in_projects(conn, &stored)?.then_some(stored))
}
