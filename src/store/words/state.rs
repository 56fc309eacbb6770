//! Which rows are in the index. It is built in pieces, oldest rows first.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{RowId, RowKind};
use crate::store::error::Result;
use crate::terms;

/// Key in `meta`.
const KEY: &str = "words";

/// The state of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The version of the words in it. 0: it must be built again.
    pub version: u32,
    /// Up to which id the rows of each kind are in the index, and up to which they were stored when its
    /// building began. Later rows are in the index.
    progress: [(i64, i64); 3],
}

impl State {
    /// Whether the row is in the index if it has words.
    pub fn covers(&self, row: RowId) -> bool {
        let (done, end) = self.progress[row.kind as usize];
        self.version == terms::VERSION && (row.id <= done || row.id > end)
    }

    /// Whether the index has all rows.
    pub fn is_complete(&self) -> bool {
        self.version == terms::VERSION && self.progress.iter().all(|(done, end)| done >= end)
    }

    /// How much of the rows that were stored when its building began is in the index.
    pub fn percent(&self) -> i64 {
        let (done, all) = self
            .progress
            .iter()
            .fold((0, 0), |(done, all), (of, end)| (done + (*of).min(*end), all + end));
        if all == 0 { 100 } else { done * 100 / all }
    }

    /// The next rows to index: those of a kind with an id above the second value.
    pub(super) fn next(&self) -> Option<(RowKind, i64, i64)> {
        RowKind::ALL.into_iter().find_map(|kind| {
            let (done, end) = self.progress[kind as usize];
            (done < end).then_some((kind, done, end))
        })
    }

    pub(super) fn set_done(&mut self, kind: RowKind, id: i64) {
        self.progress[kind as usize].0 = id;
    }
}

/// The state as stored. An index without one must be built.
pub fn state(conn: &Connection) -> Result<State> {
    let text: Option<String> = conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([KEY], |r| r.get(0))
        .optional()?;
    Ok(text.and_then(|text| parse(&text)).unwrap_or_default())
}

fn parse(text: &str) -> Option<State> {
    let numbers: Vec<i64> = text.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let [version, a, b, c, d, e, f] = numbers[..] else { return None };
    Some(State { version: version.try_into().ok()?, progress: [(a, b), (c, d), (e, f)] })
}

pub(super) fn store(tx: &Transaction, state: &State) -> Result<()> {
    let [(a, b), (c, d), (e, f)] = state.progress;
    tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![KEY, format!("{} {a} {b} {c} {d} {e} {f}", state.version)])?;
    Ok(())
}

/// Makes the next maintenance build the index from its beginning.
pub(super) fn invalidate(tx: &Transaction) -> Result<()> {
    store(tx, &State::default())
}

/// The state of an empty index: the rows that are stored now are not in it.
pub(super) fn begin(tx: &Transaction) -> Result<State> {
    let mut state = State { version: terms::VERSION, ..State::default() };
    for kind in RowKind::ALL {
        let sql = format!("SELECT ifnull(max(id), 0) FROM {}", kind.table());
        state.progress[kind as usize].1 = tx.query_row(&sql, [], |r| r.get(0))?;
    }
    store(tx, &state)?;
    Ok(state)
}
