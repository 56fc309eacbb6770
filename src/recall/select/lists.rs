//! The rows that have a word of the query, read from the index within a budget.

use std::ops::RangeInclusive;

use rusqlite::Connection;

use super::place::Place;
use crate::store;
use crate::store::words::{ASKED, Expression, Order, postings};

/// The newest rows of each word are read in any case.
const FIRST: usize = 256;

/// The rows of one word in one range.
pub struct List {
    /// The word, as its position among the words of the query.
    pub term: usize,
    pub rows: Vec<i64>,
    /// About how many rows have the word.
    pub df: f64,
    range: RangeInclusive<i64>,
    is_whole: bool,
}

impl List {
    /// The newest rows of a word in a range, and about how many there are.
    pub fn newest(
        conn: &Connection,
        place: &Place,
        term: usize,
        word: &Expression,
        range: &RangeInclusive<i64>,
    ) -> store::Result<List> {
        let rows = postings(conn, word, range, Order::NewestFirst, FIRST)?;
        let is_whole = rows.len() < FIRST;
        let df = match rows.last() {
            Some(oldest) if !is_whole => {
                let (found, all) = (rows.len() as f64, place.rows_in(range));
                let in_part = place.rows_in(&(*oldest..=*range.end()));
                (found * all / in_part.max(found)).clamp(found, all)
            }
            _ => rows.len() as f64,
        };
        Ok(List { term, range: range.clone(), rows, df, is_whole })
    }

    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// The share of the store's rows that have a word.
pub fn share(conn: &Connection, place: &Place, word: &Expression) -> store::Result<f64> {
    if place.store_n == 0.0 {
        return Ok(0.0);
    }
    let newest = postings(conn, word, &ASKED, Order::NewestFirst, FIRST)?;
    if newest.len() < FIRST {
        return Ok(newest.len() as f64 / place.store_n);
    }
    let oldest = postings(conn, word, &ASKED, Order::OldestFirst, FIRST)?;
    let rows = match (newest.last(), oldest.last()) {
        (Some(low), Some(high)) if high < low => {
            place.rows_in(&(*low..=*ASKED.end())) + place.rows_in(&(0..=*high))
        }
        _ => place.store_n,
    };
    let found = (newest.len() + oldest.len()) as f64;
    Ok((found / rows.max(found)).min(1.0))
}

/// Reads the lists of the rarest words as a whole, while the budget lasts. `words`: those of the query.
/// Returns the number of postings that it read.
pub fn read_whole(
    conn: &Connection,
    words: &[Expression],
    lists: &mut [List],
    mut budget: usize,
) -> store::Result<usize> {
    let mut order: Vec<usize> = (0..lists.len()).filter(|i| !lists[*i].is_whole).collect();
    order.sort_by(|a, b| lists[*a].df.total_cmp(&lists[*b].df));
    let mut n_read = 0;
    for i in order {
        let list = &mut lists[i];
        if list.df > budget as f64 {
            break;
        }
        list.rows = postings(conn, &words[list.term], &list.range, Order::NewestFirst, budget)?;
        list.is_whole = list.rows.len() < budget;
        budget -= list.rows.len().min(budget);
        n_read += list.rows.len();
    }
    Ok(n_read)
}

/// Adds to the lists of common words which rows of the rare ones they have: a row with a rare word then has the sum of
/// all its words. SQLite intersects two lists 25 times faster than it returns their rows. Rare are the words that
/// [`read_whole`] has read. `budget`: how long the intersected lists are together, the shorter ones first. Returns
/// the number of rows that were read.
pub fn complete(
    conn: &Connection,
    words: &[Expression],
    lists: &mut [List],
    mut budget: usize,
) -> store::Result<usize> {
    let is_rare = |list: &List| list.is_whole || list.rows.len() > FIRST;
    let (rare, mut common): (Vec<usize>, Vec<usize>) =
        (0..lists.len()).partition(|i| is_rare(&lists[*i]));
    common.sort_by(|a, b| lists[*a].df.total_cmp(&lists[*b].df));
    let mut n_read = 0;
    for i in common {
        let (range, df) = (lists[i].range.clone(), lists[i].df as usize);
        let rare = || rare.iter().map(|i| &lists[*i]).filter(|list| list.range == range);
        let n_rare: usize = rare().map(|list| list.rows.len()).sum();
        if n_rare == 0 || df > budget {
            continue;
        }
        budget -= df;
        let any = Expression::or(rare().map(|list| &words[list.term]));
        let both = words[lists[i].term].and(&any);
        let rows = postings(conn, &both, &range, Order::OldestFirst, n_rare)?;
        n_read += rows.len();
        let list = &mut lists[i];
        list.rows.extend(rows);
        list.rows.sort_unstable();
        list.rows.dedup();
    }
    Ok(n_read)
}
