//! Moves the rows of a large change in pieces, between which other processes write.
//!
//! A change begins with one transaction, which stores the plan. The rows follow, and a last transaction moves
//! what must not be separate from all of them. After each piece the store is one that users could have made:
//! some sessions are in one project, some in the other, and no project with rows lacks keys. If the command is
//! killed, the next command that changes projects, the next worker or `doctor --fix` goes on.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::moved::{self, Moved};
use super::{Change, get, rewrite, undo};
use crate::store::error::{Result, StoreError};
use crate::store::words;

/// Key in `meta`: the change whose rows are moving.
const MOVING: &str = "project_change_moving";

/// Rows in one transaction. Tests have few rows.
const PIECE: usize = if cfg!(test) { 4 } else { 500 };

/// How far a change is.
#[derive(Clone, Copy)]
struct Moving {
    change: i64,
    is_undo: bool,
    /// How many units of the plan have moved.
    done: usize,
    all: usize,
}

impl Moving {
    fn load(conn: &Connection) -> Result<Option<Moving>> {
        let text: Option<String> = conn
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([MOVING], |r| r.get(0))
            .optional()?;
        Ok(text.and_then(|text| {
            let numbers: Option<Vec<i64>> = text.split(' ').map(|n| n.parse().ok()).collect();
            let [change, is_undo, done, all] = numbers?[..] else { return None };
            let (done, all) = (done.try_into().ok()?, all.try_into().ok()?);
            Some(Moving { change, is_undo: is_undo != 0, done, all })
        }))
    }

    fn store(self, tx: &Transaction) -> Result<()> {
        let Moving { change, is_undo, done, all } = self;
        tx.prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![MOVING, format!("{change} {} {done} {all}", i64::from(is_undo))])?;
        Ok(())
    }
}

/// How much of a change that is not complete has moved, in percent. `None` if all changes are complete.
pub fn percent(conn: &Connection) -> Result<Option<usize>> {
    Ok(Moving::load(conn)?.map(|moving| moving.done * 100 / moving.all.max(1)))
}

/// # Errors
/// [`StoreError::Busy`] if another change is not complete.
pub(super) fn refuse_second(conn: &Connection) -> Result<()> {
    match Moving::load(conn)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Busy("another change of projects is not complete".into())),
    }
}

/// Moves the rows of a change whose plan is stored. Those of a large one are left to [`move_piece`].
pub(super) fn start(
    tx: &Transaction,
    id: i64,
    change: &Change,
    is_undo: bool,
    now: i64,
) -> Result<()> {
    let units: Vec<_> = change.moved.iter().flat_map(|moved| moved.units(is_undo)).collect();
    Moving { change: id, is_undo, done: 0, all: units.len() }.store(tx)?;
    words::leave_to_rebuild(tx, units.len())?;
    if moved::piece(tx, &units, PIECE)? == units.len() {
        while move_piece(tx, now)? {}
    }
    Ok(())
}

/// Moves the next rows of a change that is not complete. Returns whether more are left.
pub fn move_piece(tx: &Transaction, now: i64) -> Result<bool> {
    let Some(mut moving) = Moving::load(tx)? else { return Ok(false) };
    let Some(mut stored) = get(tx, moving.change)? else {
        // Its project was forgotten.
        return end(tx);
    };
    if move_planned(tx, &stored.change, &mut moving, now)?
        || move_unplanned(tx, &mut stored.change, &mut moving, now)?
    {
        moving.store(tx)?;
        return Ok(true);
    }
    match moving.is_undo {
        true => undo::complete(tx, &stored, now)?,
        false => {
            super::complete(tx, &mut stored.change, now)?;
            rewrite(tx, stored.id, &stored.change)?;
        }
    }
    end(tx)
}

fn end(tx: &Transaction) -> Result<bool> {
    tx.execute("DELETE FROM meta WHERE key = ?1", [MOVING])?;
    Ok(false)
}

fn move_planned(tx: &Transaction, change: &Change, moving: &mut Moving, now: i64) -> Result<bool> {
    let mut skipped = moving.done;
    for moved in &change.moved {
        let units = moved.units(moving.is_undo);
        let Some(left) = units.get(skipped..).filter(|left| !left.is_empty()) else {
            skipped -= units.len();
            continue;
        };
        let Some((from, to)) = ends(moved, moving.is_undo) else { return Ok(false) };
        let n = moved::piece(tx, left, PIECE)?;
        moved::move_units(tx, &left[..n], from, to, now)?;
        moving.done += n;
        return Ok(true);
    }
    Ok(false)
}

/// Moves what was stored since the plan. The undo of a change moves it back.
fn move_unplanned(
    tx: &Transaction,
    change: &mut Change,
    moving: &mut Moving,
    now: i64,
) -> Result<bool> {
    for moved in &mut change.moved {
        let Some((from, to)) = ends(moved, moving.is_undo) else { continue };
        let all = !moving.is_undo && change.merged.contains(&from);
        let mut units = moved.unplanned(tx, from, all, PIECE)?;
        units.truncate(moved::piece(tx, &units, PIECE)?);
        if units.is_empty() {
            continue;
        }
        moved::move_units(tx, &units, from, to, now)?;
        if !moving.is_undo {
            moved.add(&units);
            moving.done += units.len();
            moving.all += units.len();
            rewrite(tx, moving.change, change)?;
        }
        return Ok(true);
    }
    Ok(false)
}

/// The project that loses the rows, and the one that gets them.
fn ends(moved: &Moved, is_undo: bool) -> Option<(i64, i64)> {
    let to = moved.to?;
    Some(if is_undo { (to, moved.from) } else { (moved.from, to) })
}
