//! What the user decided about a memory: pinned, hidden, and whether it was helpful, stale or wrong.
//! Each mark can be taken back. A wrong memory is also [`super::rejected`].

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::error::Result;
use super::words::RowId;

/// The row id of a memory, which can be marked and edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryId {
    Observation(i64),
    Summary(i64),
}

/// The short name: `o412`, `s37`.
impl fmt::Display for MemoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryId::Observation(id) => write!(f, "o{id}"),
            MemoryId::Summary(id) => write!(f, "s{id}"),
        }
    }
}

impl MemoryId {
    /// Table and row id.
    pub(super) fn row(self) -> (&'static str, i64) {
        match self {
            MemoryId::Observation(id) => ("observations", id),
            MemoryId::Summary(id) => ("session_summaries", id),
        }
    }

    /// The column of other tables that refers to it.
    pub(super) fn reference(self) -> &'static str {
        match self {
            MemoryId::Observation(_) => "observation_id",
            MemoryId::Summary(_) => "summary_id",
        }
    }

    pub(super) fn uuid(self, conn: &Connection) -> Result<Option<String>> {
        let (table, id) = self.row();
        let mut uuid = conn.prepare_cached(&format!("SELECT uuid FROM {table} WHERE id = ?1"))?;
        Ok(uuid.query_row([id], |r| r.get(0)).optional()?)
    }
}

impl From<MemoryId> for RowId {
    fn from(memory: MemoryId) -> RowId {
        match memory {
            MemoryId::Observation(id) => RowId::observation(id),
            MemoryId::Summary(id) => RowId::summary(id),
        }
    }
}

/// What the user says about a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// It gets a small weight.
    Helpful,
    /// It comes last.
    Stale,
    /// No session receives it, nor a later memory that states the same.
    Wrong,
}

impl Feedback {
    pub const ALL: [Feedback; 3] = [Feedback::Helpful, Feedback::Stale, Feedback::Wrong];

    pub fn as_str(self) -> &'static str {
        match self {
            Feedback::Helpful => "helpful",
            Feedback::Stale => "stale",
            Feedback::Wrong => "wrong",
        }
    }

    fn parse(text: &str) -> Option<Feedback> {
        Feedback::ALL.into_iter().find(|feedback| feedback.as_str() == text)
    }
}

/// The marks of a memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub pinned: bool,
    /// Not in a context. It can be searched and shown.
    pub hidden: bool,
    pub feedback: Option<Feedback>,
}

impl Marks {
    /// Whether a context may contain the memory.
    pub fn is_told(self) -> bool {
        !self.hidden && self.feedback != Some(Feedback::Wrong)
    }

    pub fn is_stale(self) -> bool {
        self.feedback == Some(Feedback::Stale)
    }
}

/// The columns of [`read`] for a query of `session_summaries`.
pub(super) const OF_SUMMARY: &str = "
   (SELECT pinned FROM summary_marks WHERE summary_id = session_summaries.id),
   (SELECT hidden FROM summary_marks WHERE summary_id = session_summaries.id),
   (SELECT feedback FROM summary_marks WHERE summary_id = session_summaries.id)";

/// Reads three columns: pinned, hidden and feedback.
pub(super) fn read(row: &Row, column: usize) -> rusqlite::Result<Marks> {
    let flag = |n| row.get::<_, Option<bool>>(column + n).map(Option::unwrap_or_default);
    let feedback: Option<String> = row.get(column + 2)?;
    Ok(Marks {
        pinned: flag(0)?,
        hidden: flag(1)?,
        feedback: feedback.as_deref().and_then(Feedback::parse),
    })
}

/// The marks of a memory. `None` if there is no such row.
pub fn of(conn: &Connection, memory: MemoryId) -> Result<Option<Marks>> {
    let (table, id) = memory.row();
    let columns = match memory {
        MemoryId::Observation(_) => "pinned, hidden, feedback",
        MemoryId::Summary(_) => OF_SUMMARY,
    };
    let mut marks = conn.prepare_cached(&format!("SELECT {columns} FROM {table} WHERE id = ?1"))?;
    Ok(marks.query_row([id], |row| read(row, 0)).optional()?)
}

/// Sets the marks of a memory. A conversation that continues receives what was pinned meanwhile.
pub fn set(tx: &Transaction, memory: MemoryId, marks: Marks, now: i64) -> Result<()> {
    let before = of(tx, memory)?.unwrap_or_default();
    let Marks { pinned, hidden, feedback } = marks;
    let feedback = feedback.map(Feedback::as_str);
    match memory {
        MemoryId::Observation(id) => tx.execute(
            "UPDATE observations SET pinned = ?2, hidden = ?3, feedback = ?4 WHERE id = ?1",
            params![id, pinned, hidden, feedback],
        )?,
        MemoryId::Summary(id) if marks == Marks::default() => {
            tx.execute("DELETE FROM summary_marks WHERE summary_id = ?1", [id])?
        }
        MemoryId::Summary(id) => tx.execute(
            "INSERT INTO summary_marks (summary_id, pinned, hidden, feedback)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
               pinned = excluded.pinned, hidden = excluded.hidden, feedback = excluded.feedback",
            params![id, pinned, hidden, feedback],
        )?,
    };
    if pinned && !before.pinned {
        touch(tx, memory, now)?;
    }
    Ok(())
}

/// Notes that a memory has changed.
pub(super) fn touch(tx: &Transaction, memory: MemoryId, now: i64) -> Result<()> {
    let (table, id) = memory.row();
    tx.execute(&format!("UPDATE {table} SET changed_at_epoch = ?2 WHERE id = ?1"), [id, now])?;
    Ok(())
}

/// The few marks come first, whatever SQLite knows about the sizes of the tables.
pub(super) const PINNED_SESSIONS: &str = "SELECT DISTINCT s.session_id FROM summary_marks m
    CROSS JOIN session_summaries s ON s.id = m.summary_id
    WHERE m.pinned AND s.project_id = ?1 AND s.session_id NOTNULL AND NOT s.hidden
    ORDER BY s.session_id DESC LIMIT 20";

/// The sessions of the project with a pinned summary, newest first.
pub fn pinned_sessions(conn: &Connection, project_id: i64) -> rusqlite::Result<Vec<i64>> {
    let mut sessions = conn.prepare_cached(PINNED_SESSIONS)?;
    sessions.query_map([project_id], |r| r.get(0))?.collect()
}
