//! The rows of a session around a row, by time, then by kind and id.

use std::cmp::Ordering;
use std::sync::OnceLock;

use rusqlite::{Connection, params};

use super::load::StoredRow;
use super::row::{RowId, RowKind};
use crate::store::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Before,
    After,
}

/// The rows beside a row of a session, the nearest first.
#[derive(Debug, Default)]
pub struct Beside {
    before: Vec<RowId>,
    after: Vec<RowId>,
}

impl Beside {
    pub fn of(&self, side: Side) -> &[RowId] {
        match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        }
    }
}

/// At most `limit` rows on each side of a row.
pub fn neighbours(conn: &Connection, row: &StoredRow, limit: usize) -> Result<Beside> {
    let Some(session) = row.session_id else { return Ok(Beside::default()) };
    // Of rows of the same time, those of earlier kinds and those with smaller ids come first.
    let [a, b, c] = RowKind::ALL.map(|kind| match kind.cmp(&row.row.kind) {
        Ordering::Less => i64::MAX,
        Ordering::Equal => row.row.id,
        Ordering::Greater => -1,
    });
    let mut rows = conn.prepare_cached(sql())?;
    let mut rows = rows.query(params![session, row.created_at_epoch, limit as i64, a, b, c])?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    while let Some(r) = rows.next()? {
        let kind = RowKind::ALL[usize::from(r.get::<_, u8>(1)?)];
        let side = if r.get(0)? { &mut before } else { &mut after };
        side.push((r.get::<_, i64>(2)?, RowId { kind, id: r.get(3)? }));
    }
    before.sort_unstable_by(|a, b| b.cmp(a));
    after.sort_unstable();
    let nearest = |rows: Vec<(i64, RowId)>| rows.into_iter().map(|r| r.1).take(limit).collect();
    Ok(Beside { before: nearest(before), after: nearest(after) })
}

/// One statement for both sides and all tables. SQLite reads an index for each, and sorts nothing.
fn sql() -> &'static str {
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| {
        let beside = |(is_before, operator, order): (u8, &str, &str), kind: RowKind| {
            let (number, id, table) = (kind.number(), kind.number() + 4, kind.table());
            format!(
                "SELECT * FROM (SELECT {is_before}, {number}, created_at_epoch, id FROM {table}
                   WHERE session_id = ?1 AND (created_at_epoch, id) {operator} (?2, ?{id})
                   ORDER BY created_at_epoch {order}, id {order} LIMIT ?3)"
            )
        };
        let sides = [(1, "<", "DESC"), (0, ">", "ASC")];
        let all = sides.into_iter().flat_map(|side| RowKind::ALL.map(|kind| beside(side, kind)));
        all.collect::<Vec<_>>().join(" UNION ALL ")
    })
}
