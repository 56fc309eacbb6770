//! Creates the index again when it is damaged, missing, or of another version.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::state::{self, State, state};
use crate::store::error::{Result, StoreError};
use crate::terms;
use crate::text::collapse_spaces;

/// The SQL of the index in the schema.
const SQL: &str = "CREATE VIRTUAL TABLE words USING fts5(text, content='', detail=none, columnsize=0, tokenize='ascii')";

/// Bytes of a part of the index. To read the newest rows of a word, SQLite decodes the last part of its list as a
/// whole. A page of the database has four of them; with parts as large as a page, that is most of the time of a
/// short query.
const PART: i64 = 1000;

/// The tables in which SQLite keeps the index.
const SHADOWS: [&str; 3] = ["words_data", "words_idx", "words_config"];

/// Whether a virtual table is the index of words, as a migration step creates it.
pub fn is_own(name: &str, sql: &str) -> bool {
    name == "words" && collapse_spaces(sql) == SQL
}

/// Begins to build the index if its words are of an earlier version, it was damaged, or the rows have
/// changed.
pub fn ensure(tx: &Transaction, rows_changed: bool) -> Result<()> {
    if rows_changed || state(tx)?.version < terms::VERSION {
        clear(tx)?;
    }
    Ok(())
}

/// Whether SQLite finds no damage in the index. Reads all of it.
pub fn is_intact(conn: &Connection) -> Result<bool> {
    match conn.execute("INSERT INTO words (words) VALUES ('integrity-check')", []) {
        Ok(_) => Ok(true),
        Err(e) => match StoreError::from(e) {
            StoreError::Schema(_) | StoreError::Refused(_) | StoreError::Bug(_) => Ok(false),
            e => Err(e),
        },
    }
}

/// After a transaction has failed: if the index is damaged, it is no longer used, and built again.
pub fn note_damage(conn: &mut Connection, error: &StoreError) {
    // A constraint of a table of memctl names it. SQLite's check does not find this damage.
    let is_certain = matches!(error, StoreError::Refused(why) if why == "constraint failed");
    if !is_certain && !matches!(error, StoreError::Schema(_)) {
        return;
    }
    let note = |conn: &mut Connection| -> Result<()> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_certain || !is_intact(&tx)? {
            state::invalidate(&tx)?;
        }
        Ok(tx.commit()?)
    };
    // If this fails, the next transaction reports the damage again.
    let _ = note(conn);
}

/// Empties the index and begins to build it.
pub fn clear(tx: &Transaction) -> Result<State> {
    if tx.execute("INSERT INTO words (words) VALUES ('delete-all')", []).is_err() {
        discard(tx)?;
        tx.execute_batch(SQL)?;
        tx.execute_batch("INSERT INTO words (words, rank) VALUES ('secure-delete', 1)")?;
    }
    tx.execute("INSERT INTO words (words, rank) VALUES ('pgsz', ?1)", [PART])?;
    tx.execute("DELETE FROM word_totals", [])?;
    state::begin(tx)
}

/// Removes the index if a part of it is missing. The migration step creates it again.
pub fn discard_damaged(tx: &Transaction) -> Result<()> {
    let exists = |name: &str| -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
        Ok(tx.query_row(sql, [name], |r| r.get(0))?)
    };
    let mut n_parts = 0;
    for part in SHADOWS.iter().chain(&["words"]) {
        n_parts += usize::from(exists(part)?);
    }
    let is_whole = n_parts == SHADOWS.len() + 1 && can_be_read(tx);
    if n_parts > 0 && !is_whole {
        discard(tx)?;
    }
    if exists("meta")? && !(is_whole && exists("word_totals")?) {
        tx.execute("DELETE FROM meta WHERE key = 'words'", [])?;
    }
    Ok(())
}

fn can_be_read(conn: &Connection) -> bool {
    let sql = "SELECT rowid FROM words WHERE words MATCH 'a' ORDER BY rowid DESC LIMIT 1";
    let Ok(mut first) = conn.prepare(sql) else { return false };
    first.query([]).and_then(|mut rows| rows.next().map(drop)).is_ok()
}

/// Drops the index with all its parts.
fn discard(tx: &Transaction) -> Result<()> {
    if tx.execute_batch("DROP TABLE words").is_err() {
        // SQLite cannot open the index, so that only its entry in the schema can be removed.
        tx.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
        let removed = tx.execute_batch(
            "PRAGMA writable_schema = ON;
             DELETE FROM sqlite_schema WHERE type = 'table' AND name = 'words';
             PRAGMA writable_schema = RESET;",
        );
        let dropped = removed.and_then(|()| {
            SHADOWS.iter().try_for_each(|t| tx.execute_batch(&format!("DROP TABLE IF EXISTS {t}")))
        });
        tx.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        dropped?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ensure;
    use crate::store::testing::in_memory_db;

    #[test]
    fn a_missing_part_of_the_index_is_created_again() {
        for damage in [
            "DROP TABLE words_config",
            "DROP TABLE words_data",
            "DROP TABLE words_idx",
            "DROP TABLE words",
            "DELETE FROM words_config",
        ] {
            let mut conn = in_memory_db();
            conn.execute_batch("INSERT INTO words (rowid, text) VALUES (1, 'a b')").unwrap();
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
            conn.execute_batch(damage).unwrap();
            conn.execute_batch("DELETE FROM meta WHERE key = 'schema'").unwrap();
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).unwrap();
            ensure::ensure(&mut conn, ensure::Journal::Wal)
                .unwrap_or_else(|e| panic!("{damage}: {e}"));
            conn.execute_batch("INSERT INTO words (rowid, text) VALUES (2, 'a b')")
                .unwrap_or_else(|e| panic!("{damage}: {e}"));
            assert!(can_be_read(&conn), "{damage}");
            assert!(state(&conn).unwrap().is_complete(), "{damage}");
            let secure: i64 = conn
                .query_row("SELECT v FROM words_config WHERE k = 'secure-delete'", [], |r| r.get(0))
                .unwrap();
            assert_eq!(secure, 1, "{damage}");
            let fails = conn.execute_batch("UPDATE words_data SET block = ''").is_err();
            assert!(fails, "{damage}: the connection is in defensive mode");
        }
    }
}
