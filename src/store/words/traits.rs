//! What filters ask of a row, without its texts: thousands of rows are asked for one that fits.

use rusqlite::{Connection, OptionalExtension};

use super::row::{RowId, RowKind};
use crate::memory::Origin;
use crate::store::error::Result;

#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// The type of an observation; `summary` and `prompt` for the others.
    pub kind: String,
    pub origin: Origin,
    /// The client's own id of the session.
    pub session: Option<String>,
    /// The paths as JSON, one list after the other.
    pub paths: String,
    pub created_at_epoch: i64,
}

/// The traits of a row. `None` if it is gone.
pub fn traits(conn: &Connection, row: RowId) -> Result<Option<Traits>> {
    let sql = match row.kind {
        RowKind::Observation => {
            "SELECT o.type, o.origin, s.content_session_id, o.files_read || o.files_modified,
               o.created_at_epoch
             FROM observations o LEFT JOIN sessions s ON s.id = o.session_id WHERE o.id = ?1"
        }
        RowKind::Summary => {
            "SELECT 'summary', 'assistant', s.content_session_id, m.files_read || m.files_modified,
               m.created_at_epoch
             FROM session_summaries m LEFT JOIN sessions s ON s.id = m.session_id WHERE m.id = ?1"
        }
        RowKind::Prompt => {
            "SELECT 'prompt', 'user', s.content_session_id, '', m.created_at_epoch
             FROM user_prompts m LEFT JOIN sessions s ON s.id = m.session_id WHERE m.id = ?1"
        }
    };
    let read = |r: &rusqlite::Row| {
        let origin: String = r.get(1)?;
        Ok(Traits {
            kind: r.get(0)?,
            origin: Origin::parse(&origin).unwrap_or(Origin::Web),
            session: r.get(2)?,
            paths: r.get(3)?,
            created_at_epoch: r.get(4)?,
        })
    };
    Ok(conn.prepare_cached(sql)?.query_row([row.id], read).optional()?)
}
