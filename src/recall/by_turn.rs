//! One hit for each turn: the rows of a turn say the same in several forms.

use std::collections::HashMap;

use rusqlite::Connection;

use super::{Hit, RowId};
use crate::store::{self, turns};

/// Leaves the best row of each turn, with the ids of the others, and at most `limit` rows. The hits come best
/// first. A decision is a row of its own: it holds beyond its turn.
pub fn by_turn(
    conn: &Connection,
    hits: Vec<Hit>,
    limit: usize,
) -> store::Result<Vec<(Hit, Vec<RowId>)>> {
    let mut turns: HashMap<(i64, i64), usize> = HashMap::new();
    let mut kept: Vec<(Hit, Vec<RowId>)> = Vec::new();
    for hit in hits {
        let turn = match hit.stored.kind.as_str() {
            "decision" => None,
            _ => turns::of_row(conn, hit.stored.row)?,
        };
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
