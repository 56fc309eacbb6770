//! The rows that search finds, their short names, and their place in the index.

use std::fmt;
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension};

use crate::store::error::Result;

/// The project number of rows that hold in every project: scope `user`.
pub const EVERYWHERE: i64 = MAX_PROJECT;

const MAX_PROJECT: i64 = (1 << 22) - 1;
const MAX_ID: i64 = (1 << 37) - 1;
const PROJECT_SHIFT: u32 = 40;
const UNASKED_BIT: u32 = 62;

/// The rowids of all rows that may be told unasked, and of all others.
pub const ASKED: RangeInclusive<i64> = 0..=(1 << UNASKED_BIT) - 1;
pub const UNASKED: RangeInclusive<i64> = 1 << UNASKED_BIT..=i64::MAX;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    Observation,
    Summary,
    Prompt,
}

impl RowKind {
    pub const ALL: [RowKind; 3] = [RowKind::Observation, RowKind::Summary, RowKind::Prompt];

    pub(in crate::store) fn number(self) -> i64 {
        self as i64
    }

    pub(in crate::store) fn table(self) -> &'static str {
        match self {
            RowKind::Observation => "observations",
            RowKind::Summary => "session_summaries",
            RowKind::Prompt => "user_prompts",
        }
    }

    /// The column of other tables that refers to a row of this kind.
    pub(in crate::store) fn reference(self) -> &'static str {
        match self {
            RowKind::Observation => "observation_id",
            RowKind::Summary => "summary_id",
            RowKind::Prompt => "prompt_id",
        }
    }

    /// The first letter of the short name.
    fn letter(self) -> char {
        match self {
            RowKind::Observation => 'o',
            RowKind::Summary => 's',
            RowKind::Prompt => 'p',
        }
    }

    /// The kind of the rows of a table.
    pub(in crate::store) fn of_table(table: &str) -> Option<RowKind> {
        RowKind::ALL.into_iter().find(|kind| kind.table() == table)
    }
}

/// A row of the store. Its short name is `o412`, `s37` or `p88`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    pub kind: RowKind,
    pub id: i64,
}

impl RowId {
    pub fn observation(id: i64) -> RowId {
        RowId { kind: RowKind::Observation, id }
    }

    pub fn summary(id: i64) -> RowId {
        RowId { kind: RowKind::Summary, id }
    }

    pub fn prompt(id: i64) -> RowId {
        RowId { kind: RowKind::Prompt, id }
    }

    /// Reads a short name. `None` if it is none, whether or not there is such a row.
    pub fn parse(name: &str) -> Option<RowId> {
        let kind = RowKind::ALL.into_iter().find(|kind| name.starts_with(kind.letter()))?;
        let digits = &name[1..];
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let id = is_number.then(|| digits.parse().ok()).flatten()?;
        Some(RowId { kind, id })
    }

    pub(in crate::store) fn uuid(self, conn: &Connection) -> Result<Option<String>> {
        let sql = format!("SELECT uuid FROM {} WHERE id = ?1", self.kind.table());
        Ok(conn.prepare_cached(&sql)?.query_row([self.id], |r| r.get(0)).optional()?)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.letter(), self.id)
    }
}

/// A part of the index: the rows of a project that may be injected, or those that never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// 0: none.
    pub project: i64,
    /// Never injected: origin `web`, or it reads like an instruction.
    pub unasked: bool,
}

impl Scope {
    pub(super) fn number(self) -> i64 {
        self.project << 1 | i64::from(self.unasked)
    }

    fn first(self) -> i64 {
        i64::from(self.unasked) << UNASKED_BIT | self.project << PROJECT_SHIFT
    }

    /// The rowids of the scope.
    pub fn range(self) -> RangeInclusive<i64> {
        self.first()..=self.first() | ((1 << PROJECT_SHIFT) - 1)
    }
}

/// The rowid of a row in the index. `None` if an id is too large for it.
pub(super) fn rowid(scope: Scope, row: RowId) -> Option<i64> {
    let fits = (0..=MAX_PROJECT).contains(&scope.project) && (0..=MAX_ID).contains(&row.id);
    fits.then(|| scope.first() | row.id << 2 | row.kind.number())
}

/// The scope and the row of a rowid of the index.
pub fn of_rowid(rowid: i64) -> Option<(Scope, RowId)> {
    let kind = RowKind::ALL.into_iter().find(|kind| kind.number() == rowid & 3)?;
    let unasked = UNASKED.contains(&rowid);
    let scope = Scope { project: (rowid & ASKED.end()) >> PROJECT_SHIFT, unasked };
    Some((scope, RowId { kind, id: (rowid & ((1 << PROJECT_SHIFT) - 1)) >> 2 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rowid_tells_scope_and_row() {
        for project in [0, 1, 77, EVERYWHERE] {
            for unasked in [false, true] {
                for kind in RowKind::ALL {
                    let (scope, row) = (Scope { project, unasked }, RowId { kind, id: 123_456 });
                    let id = rowid(scope, row).unwrap();
                    assert_eq!(of_rowid(id), Some((scope, row)));
                    assert!(scope.range().contains(&id));
                }
            }
        }
        let row = RowId { kind: RowKind::Summary, id: 37 };
        assert_eq!(rowid(Scope { project: 1 << 40, unasked: false }, row), None);
    }

    #[test]
    fn a_short_name_is_read_as_it_is_written() {
        for row in [RowId::observation(412), RowId::summary(37), RowId::prompt(88)] {
            assert_eq!(RowId::parse(&row.to_string()), Some(row));
        }
        assert_eq!(RowId::summary(37).to_string(), "s37");
        for other in ["", "o", "412", "x4", "o-1", "o+1", "o4x", "é4", "o99999999999999999999"] {
            assert_eq!(RowId::parse(other), None, "{other}");
        }
    }
}
