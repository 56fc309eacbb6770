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
    }
}
