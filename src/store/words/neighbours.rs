//! The rows of a session around a row, by time, then by kind and id.

use rusqlite::{Connection, params};

use super::load::StoredRow;
use super::row::{RowId, RowKind};
use crate::store::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Before,
    After,
}

/// At most `limit` rows beside a row of a session, the nearest first.
pub fn neighbours(
    conn: &Connection,
    row: &StoredRow,
    side: Side,
    limit: usize,
) -> Result<Vec<RowId>> {
    let Some(session) = row.session_id else { return Ok(Vec::new()) };
    let at = row.created_at_epoch;
    let mut found: Vec<(i64, RowKind, i64)> = Vec::new();
    for (kind, before, after) in TABLES {
        let sql = if side == Side::Before { before } else { after };
        // Of rows of the same time, those of earlier kinds and those with smaller ids come first.
        let (first, last) = match kind.cmp(&row.row.kind) {
            std::cmp::Ordering::Less => (i64::MAX, i64::MAX),
            std::cmp::Ordering::Equal => (row.row.id, row.row.id),
            std::cmp::Ordering::Greater => (-1, -1),
        };
        let id = if side == Side::Before { first } else { last };
        let mut rows = conn.prepare_cached(sql)?;
        let mut rows = rows.query(params![session, at, id, limit as i64])?;
        while let Some(r) = rows.next()? {
            found.push((r.get(0)?, kind, r.get(1)?));
        }
    }
    found.sort_unstable();
    if side == Side::Before {
        found.reverse();
    }
    Ok(found.into_iter().take(limit).map(|(_, kind, id)| RowId { kind, id }).collect())
}

const TABLES: [(RowKind, &str, &str); 3] = [
    (
        RowKind::Observation,
        "SELECT created_at_epoch, id FROM observations WHERE session_id = ?1
           AND (created_at_epoch, id) < (?2, ?3) ORDER BY created_at_epoch DESC, id DESC LIMIT ?4",
        "SELECT created_at_epoch, id FROM observations WHERE session_id = ?1
           AND (created_at_epoch, id) > (?2, ?3) ORDER BY created_at_epoch, id LIMIT ?4",
    ),
    (
        RowKind::Summary,
        "SELECT created_at_epoch, id FROM session_summaries WHERE session_id = ?1
           AND (created_at_epoch, id) < (?2, ?3) ORDER BY created_at_epoch DESC, id DESC LIMIT ?4",
        "SELECT created_at_epoch, id FROM session_summaries WHERE session_id = ?1
           AND (created_at_epoch, id) > (?2, ?3) ORDER BY created_at_epoch, id LIMIT ?4",
    ),
    (
        RowKind::Prompt,
        "SELECT created_at_epoch, id FROM user_prompts WHERE session_id = ?1
           AND (created_at_epoch, id) < (?2, ?3) ORDER BY created_at_epoch DESC, id DESC LIMIT ?4",
        "SELECT created_at_epoch, id FROM user_prompts WHERE session_id = ?1
           AND (created_at_epoch, id) > (?2, ?3) ORDER BY created_at_epoch, id LIMIT ?4",
    ),
];
