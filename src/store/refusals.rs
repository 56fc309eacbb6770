//! Backends that will not be asked again before their settings change: which, and why. The user is
//! told once, and `doctor` at any time.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::notices;

/// Kinds of the notices: this, and the backend's name.
const NOTICE: &str = "agent:";
const PREFIX: &str = "agent-refused:";

/// Remembers that `backend` cannot be used with settings of this `fingerprint`, and why.
pub fn record(tx: &Transaction, backend: &str, fingerprint: &str, why: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![format!("{PREFIX}{backend}"), format!("{fingerprint} {why}")])?;
    let told = format!("the memory agent {backend} cannot be used: {why}; its events wait");
    notices::put(tx, &format!("{NOTICE}{backend}"), &told)
}

/// Why it is not asked, as long as its settings stand as they did.
pub fn reason(conn: &Connection, backend: &str, fingerprint: &str) -> Result<Option<String>> {
    let known: Option<String> = conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([format!("{PREFIX}{backend}")], |r| r.get(0))
        .optional()?;
    let same = known.as_deref().and_then(|text| text.split_once(' '));
    Ok(same.filter(|(then, _)| *then == fingerprint).map(|(_, why)| why.to_owned()))
}

/// Whether it was ever refused and has not answered since.
pub fn is_refused(conn: &Connection, backend: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)")?
        .query_row([format!("{PREFIX}{backend}")], |r| r.get(0))?)
}

/// It has answered: what was said of it holds no longer, and what waited for that reason waits no
/// more.
pub fn clear(tx: &Transaction, backend: &str) -> Result<()> {
    release_deferred(tx, Some(backend))?;
    tx.prepare_cached("DELETE FROM meta WHERE key = ?1")?
        .execute([format!("{PREFIX}{backend}")])?;
    notices::clear(tx, &format!("{NOTICE}{backend}"), "\u{0}")
}

/// What waits because `backend` was refused, or any, is due now: something has changed.
pub fn release_deferred(tx: &Transaction, backend: Option<&str>) -> Result<()> {
    let mut known = tx.prepare_cached(
        "SELECT substr(value, instr(value, ' ') + 1) FROM meta
         WHERE key = ?1 OR ?1 ISNULL AND substr(key, 1, length(?2)) = ?2",
    )?;
    let key = backend.map(|backend| format!("{PREFIX}{backend}"));
    let reasons = known.query_map(params![key, PREFIX], |r| r.get::<_, String>(0))?;
    let mut release = tx.prepare_cached(
        "UPDATE pending_messages SET not_before_epoch = NULL
         WHERE status = 'pending' AND retry_count = 0 AND not_before_epoch NOTNULL AND error = ?1",
    )?;
    for why in reasons {
        release.execute([why?])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{memory, write};

    #[test]
    fn a_refusal_holds_until_the_settings_change_or_it_answers() {
        let mut conn = memory();
        write(&mut conn, |tx| {
            record(tx, "gemini", "one", "no key")?;
            record(tx, "openai", "one", "wrong key")
        });
        let why =
            |conn: &Connection, backend, fingerprint| reason(conn, backend, fingerprint).unwrap();
        assert_eq!(why(&conn, "gemini", "one").as_deref(), Some("no key"));
        assert_eq!(why(&conn, "gemini", "two"), None);
        // Something else than the refusal holds the other three.
        conn.execute_batch(
            "INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch,
               last_event_epoch) VALUES (1, 'u', 'c', 's', 0, 0)",
        )
        .unwrap();
        for (n, (error, retries)) in
            [("no key", 0), ("wrong key", 0), ("the rate limit", 0), ("no key", 1)]
                .into_iter()
                .enumerate()
        {
            conn.execute(
                "INSERT INTO pending_messages (id, event_id, session_id, content_session_id, event,
                   message_type, error, retry_count, not_before_epoch, created_at_epoch)
                 VALUES (?1, ?1, 1, 's', 'tool', 'observation', ?2, ?3, 99, 0)",
                params![n as i64 + 1, error, retries],
            )
            .unwrap();
        }
        let held = |conn: &Connection| {
            let sql =
                "SELECT group_concat(id) FROM pending_messages WHERE not_before_epoch NOTNULL";
            conn.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap()
        };
        assert_eq!(notices::list(&conn).unwrap().len(), 2);
        write(&mut conn, |tx| clear(tx, "gemini"));
        assert_eq!(held(&conn), "2,3,4");
        write(&mut conn, |tx| release_deferred(tx, None));
        assert_eq!(held(&conn), "3,4");
        assert_eq!(why(&conn, "gemini", "one"), None);
        assert_eq!(why(&conn, "openai", "one").as_deref(), Some("wrong key"));
        assert_eq!(notices::list(&conn).unwrap().len(), 1);
    }
}
