//! The rows of a session around a row, by time, then by kind and id.

use std::cmp::Ordering;

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
    // Of rows of the same time, those of earlier kinds and those with smaller ids come first.
    let [observation, summary, prompt] = RowKind::ALL.map(|kind| match kind.cmp(&row.row.kind) {
        Ordering::Less => i64::MAX,
        Ordering::Equal => row.row.id,
        Ordering::Greater => -1,
    });
    let sql = if side == Side::Before { BEFORE } else { AFTER };
    let mut rows = conn.prepare_cached(sql)?;
    let at = row.created_at_epoch;
    let mut rows = rows.query(params![session, at, observation, summary, prompt, limit as i64])?;
    let mut found = Vec::new();
    while let Some(r) = rows.next()? {
        let kind: i64 = r.get(0)?;
        let kind = RowKind::ALL.into_iter().find(|known| known.number() == kind);
        found.extend(kind.map(|kind| r.get(1).map(|id| RowId { kind, id })));
    }
    Ok(found.into_iter().collect::<rusqlite::Result<_>>()?)
}

macro_rules! beside {
    ($operator:literal, $order:literal) => {
        concat!(
            "SELECT kind, id FROM (
               SELECT * FROM (SELECT created_at_epoch AS at, 0 AS kind, id FROM observations
                 WHERE session_id = ?1 AND (created_at_epoch, id) ",
            $operator,
            " (?2, ?3)
                 ORDER BY created_at_epoch ",
            $order,
            ", id ",
            $order,
            " LIMIT ?6)
               UNION ALL
               SELECT * FROM (SELECT created_at_epoch, 1, id FROM session_summaries
                 WHERE session_id = ?1 AND (created_at_epoch, id) ",
            $operator,
            " (?2, ?4)
                 ORDER BY created_at_epoch ",
            $order,
            ", id ",
            $order,
            " LIMIT ?6)
               UNION ALL
               SELECT * FROM (SELECT created_at_epoch, 2, id FROM user_prompts
                 WHERE session_id = ?1 AND (created_at_epoch, id) ",
            $operator,
            " (?2, ?5)
                 ORDER BY created_at_epoch ",
            $order,
            ", id ",
            $order,
            " LIMIT ?6))
             ORDER BY at ",
            $order,
            ", kind ",
            $order,
            ", id ",
            $order,
            " LIMIT ?6"
        )
    };
}

const BEFORE: &str = beside!("<", "DESC");
const AFTER: &str = beside!(">", "ASC");
