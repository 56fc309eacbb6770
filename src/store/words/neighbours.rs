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
    let mut found: Vec<(i64, RowId)> = Vec::new();
    for kind in RowKind::ALL {
        // Of rows of the same time, those of earlier kinds and those with smaller ids come first.
        let id = match kind.cmp(&row.row.kind) {
            Ordering::Less => i64::MAX,
            Ordering::Equal => row.row.id,
            Ordering::Greater => -1,
        };
        let mut rows = conn.prepare_cached(&sql(kind, side))?;
        let mut rows = rows.query(params![session, row.created_at_epoch, id, limit as i64])?;
        while let Some(r) = rows.next()? {
            found.push((r.get(0)?, RowId { kind, id: r.get(1)? }));
        }
    }
    found.sort_unstable();
    if side == Side::Before {
        found.reverse();
    }
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

/// One statement for each table: SQLite reads an index, and sorts nothing.
fn sql(kind: RowKind, side: Side) -> String {
    let (operator, order) = match side {
        Side::Before => ("<", "DESC"),
        Side::After => (">", "ASC"),
    };
    format!(
        "SELECT created_at_epoch, id FROM {}
         WHERE session_id = ?1 AND (created_at_epoch, id) {operator} (?2, ?3)
         ORDER BY created_at_epoch {order}, id {order} LIMIT ?4",
        kind.table()
    )
}
