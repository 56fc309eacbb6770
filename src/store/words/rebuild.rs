//! Builds the index in pieces, so that events wait only for one of them.

use rusqlite::{Transaction, params};

use super::row::RowId;
use super::state::{self, State, state};
use super::{insert, repair};
use crate::store::Locked;
use crate::store::error::Result;
use crate::{terms, testpoint};

/// Rows in one transaction.
const PIECE: i64 = 500;

/// Whether the index lacks rows, and this program can add them.
pub fn is_due(conn: &rusqlite::Connection) -> Result<bool> {
    let state = state(conn)?;
    Ok(state.version <= terms::VERSION && !state.is_complete())
}

/// Adds the next rows to an index that lacks some. Returns whether it still lacks some.
pub fn rebuild_piece(locked: &mut Locked) -> Result<bool> {
    if !is_due(locked.connection())? {
        return Ok(false);
    }
    let is_complete = locked.write(|tx| {
        let mut state = state(tx)?;
        if state.version != terms::VERSION {
            state = repair::clear(tx)?;
        }
        index_next(tx, &mut state)?;
        state::store(tx, &state)?;
        Ok(state.is_complete())
    })?;
    testpoint::at("words.rebuilt");
    Ok(!is_complete)
}

/// Builds a damaged index again, and adds all missing rows.
pub fn complete(locked: &mut Locked) -> Result<()> {
    locked.write(|tx| match repair::is_intact(tx)? {
        true => Ok(()),
        false => state::invalidate(tx),
    })?;
    while rebuild_piece(locked)? {}
    Ok(())
}

fn index_next(tx: &Transaction, state: &mut State) -> Result<()> {
    let Some((kind, done, end)) = state.next() else { return Ok(()) };
    let sql =
        format!("SELECT id FROM {} WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3", kind.table());
    let mut ids = tx.prepare_cached(&sql)?;
    let ids = ids.query_map(params![done, end, PIECE], |r| r.get(0))?;
    let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
    for &id in &ids {
        insert(tx, RowId { kind, id })?;
    }
    let is_last = (ids.len() as i64) < PIECE;
    state.set_done(kind, ids.last().copied().filter(|_| !is_last).unwrap_or(end));
    Ok(())
}
