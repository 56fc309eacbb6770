//! What the user decided about an observation or a summary: pinned, hidden, and whether it was helpful,
//! stale or wrong. A prompt has no marks.
//! Each mark can be taken back. A wrong memory is also [`super::rejected`].

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::error::Result;
use super::words::{RowId, RowKind};

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

/// The marks of a memory. `None` if there is no such row, or if it is a prompt.
pub fn of(conn: &Connection, memory: RowId) -> Result<Option<Marks>> {
    let columns = match memory.kind {
        RowKind::Observation => "pinned, hidden, feedback",
        RowKind::Summary => OF_SUMMARY,
        RowKind::Prompt => return Ok(None),
    };
    let sql = format!("SELECT {columns} FROM {} WHERE id = ?1", memory.kind.table());
    Ok(conn.prepare_cached(&sql)?.query_row([memory.id], |row| read(row, 0)).optional()?)
}

/// Sets the marks of a memory. A conversation that continues receives what was pinned meanwhile.
pub fn set(tx: &Transaction, memory: RowId, marks: Marks, now: i64) -> Result<()> {
    let Some(before) = of(tx, memory)? else { return Ok(()) };
    let id = memory.id;
    let Marks { pinned, hidden, feedback } = marks;
    let feedback = feedback.map(Feedback::as_str);
    match memory.kind {
        RowKind::Observation => tx.execute(
            "UPDATE observations SET pinned = ?2, hidden = ?3, feedback = ?4 WHERE id = ?1",
            params![id, pinned, hidden, feedback],
        )?,
        RowKind::Summary if marks == Marks::default() => {
            tx.execute("DELETE FROM summary_marks WHERE summary_id = ?1", [id])?
        }
        RowKind::Summary => tx.execute(
            "INSERT INTO summary_marks (summary_id, pinned, hidden, feedback)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
               pinned = excluded.pinned, hidden = excluded.hidden, feedback = excluded.feedback",
            params![id, pinned, hidden, feedback],
        )?,
        RowKind::Prompt => 0,
    };
    if pinned && !before.pinned {
        touch(tx, memory, now)?;
    }
    Ok(())
}

/// Notes that a memory has changed.
pub(super) fn touch(tx: &Transaction, memory: RowId, now: i64) -> Result<()> {
    let sql = format!("UPDATE {} SET changed_at_epoch = ?2 WHERE id = ?1", memory.kind.table());
    tx.execute(&sql, [memory.id, now])?;
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
