//! The rows that a query searches: ranges of the index, with the numbers of their rows and words.

use std::ops::RangeInclusive;

use rusqlite::Connection;

use crate::memory::Origin;
use crate::recall::Request;
use crate::recall::query::{Projects, Query};
use crate::store;
use crate::store::words::{ASKED, EVERYWHERE, Scope, Total, UNASKED, totals};

/// The rows to search and their numbers.
pub struct Place {
    /// The rowids of rows that count.
    pub ranges: Vec<RangeInclusive<i64>>,
    /// Those of rows that are only told when asked for.
    pub unasked: Vec<RangeInclusive<i64>>,
    totals: Vec<Total>,
    pub n: f64,
    pub words: f64,
    pub store_n: f64,
    pub store_words: f64,
}

impl Place {
    pub fn new(conn: &Connection, query: &Query, request: &Request) -> store::Result<Place> {
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
        let origins = &query.filters.origins;
        let is_web = !origins.is_empty() && origins.iter().all(|origin| *origin == Origin::Web);
        if is_web || ranges.iter().all(is_empty) {
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
    pub fn rows_in(&self, part: &RangeInclusive<i64>) -> f64 {
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
