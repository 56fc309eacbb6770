//! The rows that have a word.

use std::ops::RangeInclusive;

use rusqlite::{Connection, params};

use crate::store::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// The rowids in `range` of rows that have the stem, or a word that begins with it: at most `limit`.
pub fn postings(
    conn: &Connection,
    stem: &str,
    is_prefix: bool,
    range: &RangeInclusive<i64>,
    order: Order,
    limit: usize,
) -> Result<Vec<i64>> {
    let sql = match order {
        Order::NewestFirst => {
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid DESC LIMIT ?4"
        }
        Order::OldestFirst => {
            "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3
             ORDER BY rowid LIMIT ?4"
        }
    };
    // A stem has no quotation mark.
    let expression = if is_prefix { format!("\"{stem}\"*") } else { format!("\"{stem}\"") };
    let mut rows = conn.prepare_cached(sql)?;
    let mut rows = rows.query(params![expression, range.start(), range.end(), limit as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row.get(0)?);
    }
    Ok(found)
}
