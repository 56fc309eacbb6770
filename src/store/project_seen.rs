//! What the sessions of a project have seen of third parties, for a note that a model hands in.

use rusqlite::{Connection, params};

use super::error::Result;
use super::{queue, seen_text};
use crate::memory::{Batch, Message};

/// What the project's sessions of the last week have seen: a batch for each, with the tool uses that are
/// not distilled yet.
///
/// # Errors
/// The database.
pub fn of_project(conn: &Connection, project_id: i64, now: i64) -> Result<Vec<Batch>> {
    let sessions: Vec<(i64, String)> = conn
        .prepare_cached(
            "SELECT id, client FROM sessions WHERE project_id = ?1 AND last_event_epoch >= ?2
             ORDER BY last_event_epoch DESC LIMIT 20",
        )?
        .query_map(params![project_id, now - seen_text::KEEP], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut waiting = conn.prepare_cached(&format!(
        "{} WHERE session_id = ?1 AND status IN ('pending', 'processing') ORDER BY id",
        queue::SELECT
    ))?;
    let mut batches = Vec::new();
    for (id, client) in sessions {
        let messages = waiting.query_map([id], queue::message)?;
        let messages: Vec<Message> = messages.collect::<rusqlite::Result<_>>()?;
        batches.push(Batch {
            client,
            messages,
            seen: seen_text::load(conn, id)?,
            ..Batch::default()
        });
    }
    Ok(batches)
}
