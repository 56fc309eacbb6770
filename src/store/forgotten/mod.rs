//! What `forget` removed and `forget --undo` can restore.
//!
//! A forgotten row leaves its table, so that no reader has to know about it. [`record`] writes it to
//! `forgotten_rows`, in the transaction that removes it. As long as it can be restored, its tombstone
//! refuses repeats of its events, and its id is not given to another row. [`super::undo`] restores it,
//! or deletes it for good.

pub mod record;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;

/// Key in `meta`: rows were deleted for good, and the database is not rewritten yet.
const PURGED: &str = "purged";

macro_rules! unused {
    ($table:literal) => {
        concat!(
            "(SELECT 1 + max(ifnull((SELECT max(id) FROM ",
            $table,
            "), 0),",
            " ifnull((SELECT max(row_id) FROM forgotten_rows WHERE table_name = '",
            $table,
            "'), 0)))"
        )
    };
}

/// SQL expressions for the next id of a table, higher than the ids of all rows that can be restored.
pub const UNUSED_SESSION: &str = unused!("sessions");
pub const UNUSED_MESSAGE: &str = unused!("pending_messages");
pub const UNUSED_PROJECT: &str = unused!("projects");
pub const UNUSED_REVISION: &str = unused!("revisions");
pub const UNUSED_REJECTED: &str = unused!("rejected");
pub const UNUSED_CLOSED_STEP: &str = unused!("closed_steps");
pub const UNUSED_PROJECT_CHANGE: &str = unused!("project_changes");

/// Row id and prompt counter of a forgotten session. If the session continues, its new row takes both:
/// the numbers of its prompts stay distinct.
pub fn session(conn: &Connection, client: &str, session: &str) -> Result<Option<(i64, i64)>> {
    Ok(conn
        .prepare_cached(
            "SELECT row_id, json_extract(content, '$.prompt_counter') FROM forgotten_rows
             WHERE table_name = 'sessions' AND json_extract(content, '$.client') = ?1
               AND json_extract(content, '$.content_session_id') = ?2
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row([client, session], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?)
}

/// Row id of the forgotten project with this key.
pub fn project(conn: &Connection, key: &str) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached(
            "SELECT json_extract(content, '$.project_id') FROM forgotten_rows
             WHERE table_name = 'project_keys' AND json_extract(content, '$.key') = ?1
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row([key], |r| r.get(0))
        .optional()?)
}

/// Records that the database must be rewritten.
pub fn mark_purged(tx: &Transaction) -> Result<()> {
    tx.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?1, '')", [PURGED])?;
    Ok(())
}

pub(super) fn unmark_purged(tx: &Transaction) -> Result<()> {
    tx.execute("DELETE FROM meta WHERE key = ?1", [PURGED])?;
    Ok(())
}

pub(super) fn is_marked_purged(conn: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM meta WHERE key = ?1)";
    Ok(conn.query_row(sql, params![PURGED], |r| r.get(0))?)
}
