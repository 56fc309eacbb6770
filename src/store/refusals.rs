//! Backends that refused for a reason that only new settings can fix, such as an invalid key. They
//! are not called again until their settings change. The user gets one notice; `doctor` reports
//! the refusal at any time.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::notices;

/// Kinds of the notices: this prefix and the backend's name.
const NOTICE: &str = "agent:";
const PREFIX: &str = "agent-refused:";

/// Records why `backend` cannot be used with the settings of this `fingerprint`.
pub fn record(tx: &Transaction, backend: &str, fingerprint: &str, why: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![format!("{PREFIX}{backend}"), format!("{fingerprint} {why}")])?;
    let text = format!("the memory agent {backend} cannot be used: {why}; events stay queued");
    notices::put(tx, &format!("{NOTICE}{backend}"), &text)
}

/// Why the backend refused. `None` if its settings have changed since, or if it did not refuse.
pub fn reason(conn: &Connection, backend: &str, fingerprint: &str) -> Result<Option<String>> {
    let known: Option<String> = conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([format!("{PREFIX}{backend}")], |r| r.get(0))
        .optional()?;
    let recorded = known.as_deref().and_then(|text| text.split_once(' '));
    Ok(recorded.filter(|(settings, _)| *settings == fingerprint).map(|(_, why)| why.to_owned()))
}

/// Whether a refusal is recorded, with any settings.
pub fn is_refused(conn: &Connection, backend: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)")?
        .query_row([format!("{PREFIX}{backend}")], |r| r.get(0))?)
}

/// Deletes the refusal after the backend has answered, and releases the messages it deferred.
pub fn clear(tx: &Transaction, backend: &str) -> Result<()> {
    release_deferred(tx, Some(backend))?;
    tx.prepare_cached("DELETE FROM meta WHERE key = ?1")?
        .execute([format!("{PREFIX}{backend}")])?;
    // No kind starts with NUL, so nothing is excepted.
    notices::clear(tx, &format!("{NOTICE}{backend}"), "\u{0}")
}

/// Makes the messages due that a refusal of `backend` deferred, or a refusal of any backend. Returns
/// their number.
pub fn release_deferred(tx: &Transaction, backend: Option<&str>) -> Result<u64> {
    let mut known = tx.prepare_cached(
        "SELECT substr(value, instr(value, ' ') + 1) FROM meta
         WHERE key = ?1 OR ?1 ISNULL AND substr(key, 1, length(?2)) = ?2",
    )?;
    let key = backend.map(|backend| format!("{PREFIX}{backend}"));
    let reasons = known.query_map(params![key, PREFIX], |r| r.get::<_, String>(0))?;
    let mut release = tx.prepare_cached(
        "UPDATE pending_messages SET not_before_epoch = NULL, waits_for = NULL
         WHERE status = 'pending' AND retry_count = 0 AND not_before_epoch NOTNULL AND error = ?1",
    )?;
    let mut released = 0;
    for why in reasons {
        released += release.execute([why?])? as u64;
    }
    Ok(released)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{in_memory_db, write};

    #[test]
    fn a_refusal_holds_until_the_settings_change_or_the_backend_answers() {
        let mut conn = in_memory_db();
        write(&mut conn, |tx| {
            record(tx, "gemini", "one", "no key")?;
            record(tx, "openai", "one", "wrong key")
        });
        let why =
            |conn: &Connection, backend, fingerprint| reason(conn, backend, fingerprint).unwrap();
        assert_eq!(why(&conn, "gemini", "one").as_deref(), Some("no key"));
        assert_eq!(why(&conn, "gemini", "two"), None);
        // Only message 1 is deferred by gemini's refusal.
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
        let deferred = |conn: &Connection| {
            let sql =
                "SELECT group_concat(id) FROM pending_messages WHERE not_before_epoch NOTNULL";
            conn.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap()
        };
        assert_eq!(notices::list(&conn).unwrap().len(), 2);
        write(&mut conn, |tx| clear(tx, "gemini"));
        assert_eq!(deferred(&conn), "2,3,4");
        write(&mut conn, |tx| release_deferred(tx, None));
        assert_eq!(deferred(&conn), "3,4");
        assert_eq!(why(&conn, "gemini", "one"), None);
        assert_eq!(why(&conn, "openai", "one").as_deref(), Some("wrong key"));
        assert_eq!(notices::list(&conn).unwrap().len(), 1);
    }
}
