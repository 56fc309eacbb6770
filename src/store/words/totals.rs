//! How many rows and words the index has, by scope and kind.

use rusqlite::{Connection, Transaction, params};

use super::row::{RowId, RowKind, Scope};
use crate::store::error::Result;

/// Shorter rows count as this many words: a word in a short row says no more about it.
pub const MIN_WORDS: i64 = 60;

/// The rows of one kind in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub scope: Scope,
    pub kind: RowKind,
    pub rows: i64,
    /// Sum over the rows of their words, at least [`MIN_WORDS`] each.
    pub words: i64,
    /// Every id of the rows is in this range.
    pub first_id: i64,
    pub last_id: i64,
}

/// All totals, sorted by scope.
pub fn totals(conn: &Connection) -> Result<Vec<Total>> {
    let mut rows = conn.prepare_cached(
        "SELECT scope, kind, n_rows, n_words, first_id, last_id FROM word_totals WHERE n_rows > 0",
    )?;
    let rows = rows.query_map([], |r| {
        let (scope, kind): (i64, i64) = (r.get(0)?, r.get(1)?);
        Ok((scope, kind, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
    })?;
    let mut totals = Vec::new();
    for row in rows {
        let (scope, number, rows, words, first_id, last_id) = row?;
        let kind = RowKind::ALL.into_iter().find(|kind| kind.number() == number);
        let Some(kind) = kind else { continue };
        let scope = Scope { project: scope >> 1, unasked: scope & 1 == 1 };
        totals.push(Total { scope, kind, rows, words, first_id, last_id });
    }
    Ok(totals)
}

/// Adds a row to the totals, or subtracts it.
pub(super) fn count(
    tx: &Transaction,
    scope: Scope,
    row: RowId,
    rows: i64,
    words: i64,
) -> Result<()> {
    let words = rows * words.max(MIN_WORDS);
    tx.prepare_cached(
        "INSERT INTO word_totals (scope, kind, n_rows, n_words, first_id, last_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (scope, kind) DO UPDATE SET n_rows = max(n_rows + ?3, 0),
           n_words = max(n_words + ?4, 0), first_id = min(first_id, ?5), last_id = max(last_id, ?5)",
    )?
    .execute(params![scope.number(), row.kind.number(), rows, words, row.id])?;
    Ok(())
}
