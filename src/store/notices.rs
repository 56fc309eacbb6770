//! What the user must be told once, kept until it no longer holds. Whether it has been told is
//! kept elsewhere: those who tell it write no database.

use rusqlite::{Connection, Transaction, params};

use super::error::Result;

const PREFIX: &str = "notice:";

/// Remembers `text` under its kind; another text of the same kind takes its place.
pub fn put(tx: &Transaction, kind: &str, text: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![format!("{PREFIX}{kind}"), text],
    )?;
    Ok(())
}

/// Forgets the notices whose kinds begin with `family`, but for those that begin with `stay`.
pub fn clear(tx: &Transaction, family: &str, stay: &str) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM meta WHERE substr(key, 1, length(?1)) = ?1
           AND substr(key, 1, length(?2)) <> ?2",
    )?
    .execute([format!("{PREFIX}{family}"), format!("{PREFIX}{stay}")])?;
    Ok(())
}

/// Kinds and texts, by kind.
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
    use crate::store::testing::{memory, write};

    #[test]
    fn one_text_of_each_kind() {
        let mut conn = memory();
        write(&mut conn, |tx| {
            put(tx, "setup", "no key")?;
            put(tx, "disk", "full")?;
            put(tx, "setup", "wrong key")
        });
        let told = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
        assert_eq!(list(&conn).unwrap(), [told("disk", "full"), told("setup", "wrong key")]);
        write(&mut conn, |tx| {
            put(tx, "budget:1", "spent")?;
            put(tx, "budget:2", "spent")?;
            clear(tx, "budget:", "budget:2")
        });
        let kinds: Vec<String> = list(&conn).unwrap().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["budget:2", "disk", "setup"]);
    }
}
