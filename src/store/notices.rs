//! Notices for the user, kept in `meta` until they no longer apply. Hooks show them. A hook does
//! not write the database, so it records in a separate file which notices it has shown.

use rusqlite::{Connection, Transaction, params};

use super::error::Result;

const PREFIX: &str = "notice:";

/// Stores `text` under its kind, and replaces an earlier text of that kind.
pub fn put(tx: &Transaction, kind: &str, text: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![format!("{PREFIX}{kind}"), text],
    )?;
    Ok(())
}

/// Deletes the notices whose kinds start with `family`, except those that start with `except`.
pub fn clear(tx: &Transaction, family: &str, except: &str) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM meta WHERE substr(key, 1, length(?1)) = ?1
           AND substr(key, 1, length(?2)) <> ?2",
    )?
    .execute([format!("{PREFIX}{family}"), format!("{PREFIX}{except}")])?;
    Ok(())
}

/// All kinds and texts, sorted by kind.
pub fn list(conn: &Connection) -> Result<Vec<(String, String)>> {
    let mut rows = conn.prepare(
        "SELECT substr(key, length(?1) + 1), value FROM meta
         WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key",
    )?;
    let rows = rows.query_map([PREFIX], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{in_memory_db, write};

    #[test]
    fn a_kind_has_one_text() {
        let mut conn = in_memory_db();
        write(&mut conn, |tx| {
            put(tx, "setup", "no key")?;
            put(tx, "disk", "full")?;
            put(tx, "setup", "wrong key")
        });
        let notice = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
        assert_eq!(list(&conn).unwrap(), [notice("disk", "full"), notice("setup", "wrong key")]);
        write(&mut conn, |tx| {
            put(tx, "budget:1", "spent")?;
            put(tx, "budget:2", "spent")?;
            clear(tx, "budget:", "budget:2")
        });
        let kinds: Vec<String> = list(&conn).unwrap().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["budget:2", "disk", "setup"]);
    }
}
