//! Which transcripts were imported, so that a later import reads only what is new.
//!
//! The rows of a session that was imported are those of a recorded one. They differ in their event ids:
//! an import derives them from the transcript, as UUIDs of version 5.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::{Store, tombstones};

/// A transcript that was imported to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Imported {
    /// The size that the file had.
    pub bytes: u64,
    /// Time of the last event that was imported.
    pub through_epoch: i64,
}

impl Store {
    /// Lets commits return before they are on disk. A power failure may then undo the latest ones, and
    /// damages nothing. For an import only: it can read its source again.
    pub fn commit_without_sync(&mut self) -> Result<()> {
        Ok(self.conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;")?)
    }
}

/// What is known about the transcript of a session.
pub fn find(conn: &Connection, client: &str, session: &str) -> Result<Option<Imported>> {
    Ok(conn
        .prepare_cached("SELECT bytes, through_epoch FROM imported WHERE identity = ?1")?
        .query_row([tombstones::identity(client, session)], |r| {
            Ok(Imported { bytes: r.get::<_, i64>(0)? as u64, through_epoch: r.get(1)? })
        })
        .optional()?)
}

/// Records that the transcript of a session was imported to its end.
pub fn record(tx: &Transaction, client: &str, session: &str, imported: Imported) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO imported (identity, bytes, through_epoch) VALUES (?1, ?2, ?3)
         ON CONFLICT (identity) DO UPDATE SET bytes = excluded.bytes,
           through_epoch = max(through_epoch, excluded.through_epoch)",
    )?
    .execute(params![
        tombstones::identity(client, session),
        imported.bytes as i64,
        imported.through_epoch
    ])?;
    Ok(())
}

/// Whether hooks have recorded a prompt of the session.
pub fn was_recorded_live(conn: &Connection, session_id: i64) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM user_prompts
             WHERE session_id = ?1 AND substr(event_id, 15, 1) <> '5')",
        )?
        .query_row([session_id], |r| r.get(0))?)
}

/// Number of sessions and projects that have a summary or an observation.
pub fn known(conn: &Connection) -> Result<(u64, u64)> {
    Ok(conn.query_row(
        "SELECT count(DISTINCT session_id), count(DISTINCT project_id) FROM session_summaries
         WHERE NOT hidden",
        [],
        |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64)),
    )?)
}
