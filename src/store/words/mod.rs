//! The index of words: which rows of a project have a word. All SQL on it is here.
//!
//! A row is indexed in the transaction that writes it. Whoever changes or deletes a row calls
//! [`remove`] before, because the index takes out the words that the row has then, and [`add`]
//! afterwards. [`state()`] tells which rows are in the index while it is built again.

mod compact;
mod document;
mod listing;
mod load;
mod names;
mod neighbours;
mod postings;
mod rebuild;
mod repair;
mod row;
mod scopes;
mod state;
mod totals;
mod traits;

use rusqlite::{Connection, Transaction, params};

use super::error::Result;
use crate::terms;
pub use compact::compact;
pub use document::Document;
pub use listing::{newest, of_sessions};
pub use load::{StoredRow, load};
pub use names::{Name, file_name, named};
pub use neighbours::{Beside, Side, neighbours};
pub use postings::{Expression, Order, postings};
pub use rebuild::{complete, is_due, rebuild_piece};
pub(super) use repair::{discard_damaged, ensure, is_own, note_damage};
pub use row::{ASKED, EVERYWHERE, RowId, RowKind, Scope, UNASKED, of_rowid};
pub use scopes::scopes;
pub use state::state;
pub use totals::{Total, totals};
pub use traits::traits;

/// Puts a row into the index, if it has words.
pub fn add(tx: &Transaction, row: RowId) -> Result<()> {
    match covers(tx, row)? {
        true => insert(tx, row),
        false => Ok(()),
    }
}

/// Takes a row out of the index. The row must be as it was when it was added.
pub fn remove(tx: &Transaction, row: RowId) -> Result<()> {
    if !covers(tx, row)? {
        return Ok(());
    }
    let Some(entry) = entry(tx, row)? else { return Ok(()) };
    for (rowid, scope) in entry.places {
        tx.prepare_cached("INSERT INTO words (words, rowid, text) VALUES ('delete', ?1, ?2)")?
            .execute(params![rowid, entry.text])?;
        totals::count(tx, scope, row, -1, entry.n_words as i64)?;
    }
    Ok(())
}

/// Runs `read` in one transaction: it sees one state of the store, and SQLite takes its lock once instead
/// of for each statement, which is most of the time of a search.
pub fn reading<T>(conn: &Connection, read: impl FnOnce() -> Result<T>) -> Result<T> {
    // The caller may have begun a transaction.
    let transaction = match conn.is_autocommit() {
        true => Some(conn.unchecked_transaction()?),
        false => None,
    };
    let found = read()?;
    if let Some(transaction) = transaction {
        // A rollback would make SQLite read the schema again.
        transaction.commit()?;
    }
    Ok(found)
}

/// Changes rows: takes them out of the index before, and puts them back afterwards.
pub fn changing<T>(
    tx: &Transaction,
    rows: &[RowId],
    change: impl FnOnce() -> Result<T>,
) -> Result<T> {
    if leave_to_rebuild(tx, rows.len())? {
        return change();
    }
    rows.iter().try_for_each(|row| remove(tx, *row))?;
    let changed = change()?;
    rows.iter().try_for_each(|row| add(tx, *row))?;
    Ok(changed)
}

/// Empties the index if many rows are to change: building it again is faster, and does not hold the store lock.
/// Returns whether it did.
pub fn leave_to_rebuild(tx: &Transaction, n_rows: usize) -> Result<bool> {
    let is_much = n_rows > MAX_CHANGED;
    if is_much {
        state::invalidate(tx)?;
    }
    Ok(is_much)
}

/// More rows are not changed in the index.
const MAX_CHANGED: usize = 5000;

/// The rows of a session.
pub fn of_session(tx: &Transaction, session_id: i64) -> Result<Vec<RowId>> {
    rows(tx, RowKind::ALL.map(|kind| (kind, "session_id = ?1")), session_id)
}

fn rows(tx: &Transaction, conditions: [(RowKind, &str); 3], value: i64) -> Result<Vec<RowId>> {
    let mut found = Vec::new();
    for (kind, condition) in conditions {
        let sql = format!("SELECT id FROM {} WHERE {condition}", kind.table());
        let mut ids = tx.prepare_cached(&sql)?;
        let ids = ids.query_map([value], |r| Ok(RowId { kind, id: r.get(0)? }))?;
        found.extend(ids.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// Whether the row is in the index if it has words.
fn covers(tx: &Transaction, row: RowId) -> Result<bool> {
    let state = state(tx)?;
    if state.version > terms::VERSION {
        // A later release wrote the index, and this one does not know its words.
        state::invalidate(tx)?;
    }
    Ok(state.covers(row))
}

fn insert(tx: &Transaction, row: RowId) -> Result<()> {
    let Some(entry) = entry(tx, row)? else { return Ok(()) };
    for (rowid, scope) in entry.places {
        tx.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?
            .execute(params![rowid, entry.text])?;
        totals::count(tx, scope, row, 1, entry.n_words as i64)?;
    }
    Ok(())
}

/// What the index holds of a row.
struct Entry {
    /// The rowids of the row, with their parts of the index.
    places: Vec<(i64, Scope)>,
    text: String,
    n_words: usize,
}

fn entry(tx: &Transaction, row: RowId) -> Result<Option<Entry>> {
    let Some(stored) = load(tx, row)? else { return Ok(None) };
    let (text, n_words) = stored.document.words();
    let words = [text].into_iter().chain(names::of_row(tx, &stored)?);
    let text = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Ok(None);
    }
    let scopes = scopes::scopes(tx, &stored)?;
    let place = |scope| row::rowid(scope, row).map(|rowid| (rowid, scope));
    let places = scopes.into_iter().filter_map(place).collect();
    Ok(Some(Entry { places, text, n_words }))
}

#[cfg(test)]
mod tests;
