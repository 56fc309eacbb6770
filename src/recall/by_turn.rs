//! One hit for each turn: the rows of a turn say the same in several forms.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Hit, RowId, RowKind};
use crate::store::{self, observations, turns};

/// The turn of a row, by session and prompt number: readers get each turn once. `None` for rows of no turn, and
/// for decisions, which hold beyond their turn.
pub fn turn_of(conn: &Connection, row: RowId, kind: &str) -> store::Result<Option<(i64, i64)>> {
    match kind {
        "decision" => Ok(None),
        _ => turns::of_row(conn, row),
    }
}

/// What is told once in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Turn(i64, i64),
    Row(RowId),
}

/// The turn of a row, or the row if it stands for itself: see [`turn_of`].
pub fn unit_of(conn: &Connection, row: RowId) -> store::Result<Unit> {
    let headline = match row.kind {
        RowKind::Observation => observations::headline(conn, row.id)?,
        _ => None,
    };
    let turn = turn_of(conn, row, headline.as_ref().map_or("", |h| &h.kind))?;
    Ok(turn.map_or(Unit::Row(row), |(session, number)| Unit::Turn(session, number)))
}

/// Leaves the best row of each turn, with the ids of the others, and at most `limit` rows. The hits come best
/// first.
pub fn by_turn(
    conn: &Connection,
    hits: Vec<Hit>,
    limit: usize,
) -> store::Result<Vec<(Hit, Vec<RowId>)>> {
    let mut turns: HashMap<(i64, i64), usize> = HashMap::new();
    let mut kept: Vec<(Hit, Vec<RowId>)> = Vec::new();
    for hit in hits {
        let turn = turn_of(conn, hit.stored.row, &hit.stored.kind)?;
        match turn.and_then(|turn| turns.get(&turn).copied()) {
            Some(at) => kept[at].1.push(hit.stored.row),
            None if kept.len() == limit => break,
            None => {
                turns.extend(turn.map(|turn| (turn, kept.len())));
                kept.push((hit, Vec::new()));
            }
        }
    }
    Ok(kept)
}
