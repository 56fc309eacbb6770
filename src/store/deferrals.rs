//! Messages that wait for a backend or a budget. The texts in `waits_for` come from the memory agent; the
//! store only compares them.

use rusqlite::{Connection, Transaction, params};

use super::error::Result;

/// What the deferred messages of a session wait for, or those of all sessions.
pub fn waited_for(conn: &Connection, session_id: Option<i64>) -> Result<Vec<String>> {
    let mut rows = conn.prepare_cached(
        "SELECT DISTINCT waits_for FROM pending_messages
         WHERE status = 'pending' AND waits_for NOTNULL AND (?1 IS NULL OR session_id = ?1)",
    )?;
    let rows = rows.query_map([session_id], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes the messages due that wait for one of these. Returns their number.
pub fn release(tx: &Transaction, waited_for: &[String]) -> Result<u64> {
    let mut release = tx.prepare_cached(
        "UPDATE pending_messages SET not_before_epoch = NULL, waits_for = NULL
         WHERE status = 'pending' AND waits_for = ?1",
    )?;
    let mut released = 0;
    for text in waited_for {
        released += release.execute([text])? as u64;
    }
    Ok(released)
}

/// Deferred messages with the same reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub waits_for: Option<String>,
    pub reason: String,
    pub events: u64,
    /// When the first of them is due, in milliseconds since the epoch.
    pub until: i64,
}

/// The messages that are deferred at `now`, by what they wait for and why.
pub fn waiting(conn: &Connection, now: i64) -> Result<Vec<Waiting>> {
    let mut rows = conn.prepare_cached(
        "SELECT waits_for, ifnull(error, ''), count(*), min(not_before_epoch) FROM pending_messages
         WHERE status = 'pending' AND not_before_epoch > ?1 AND not_before_epoch <= ?1 + ?2
           AND retry_count = 0
         GROUP BY 1, 2 ORDER BY 4",
    )?;
    let rows = rows.query_map(params![now, super::queue::MAX_DEFER_MS], |r| {
        Ok(Waiting {
            waits_for: r.get(0)?,
            reason: r.get(1)?,
            events: r.get::<_, i64>(2)? as u64,
            until: r.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
