//! Prompts and memories in the order in which they were made.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Result;
use super::told;
use crate::memory::PRIVATE;

/// What is in a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Project(i64),
    Session(i64),
}

/// The position of a row: its time, its kind, and its row id. Of one instant, a prompt precedes what was
/// made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub at_epoch: i64,
    rank: i64,
    id: i64,
}

impl Position {
    /// Before all rows and after all rows.
    pub const FIRST: Position = Position { at_epoch: i64::MIN, rank: 0, id: 0 };
    pub const LAST: Position = Position { at_epoch: i64::MAX, rank: 0, id: 0 };
}

/// A row of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub position: Position,
    /// `prompt`, `summary` or the type of an observation.
    pub kind: String,
    pub text: String,
    /// The client's id of the session.
    pub session: Option<String>,
    pub client: Option<String>,
    project_id: Option<i64>,
    session_id: Option<i64>,
}

impl Entry {
    /// The short name: `o412`, `s37`, `p88`.
    pub fn name(&self) -> String {
        let letter = ['p', 'o', 's'][self.position.rank as usize];
        format!("{letter}{}", self.position.id)
    }

    /// The project or session that surrounds it.
    pub fn scope(&self) -> Option<Scope> {
        self.project_id.map(Scope::Project).or(self.session_id.map(Scope::Session))
    }
}

/// All rows. The text of a summary is what was done or answered: the prompt has the request. Rank 0: prompts, 1: observations, 2: summaries.
fn all_rows() -> String {
    let told = |row| told::turn_in("?2", row);
    format!(
        "
  SELECT p.created_at_epoch AS at, 0 AS rank, p.id AS id, 'prompt' AS kind,
    ifnull(p.prompt_text, ?1) AS text, p.session_id AS session_id, s.project_id AS project_id
  FROM user_prompts p JOIN sessions s ON s.id = p.session_id
  WHERE ?2 IS NULL OR s.project_id = ?2 OR {}
  UNION ALL SELECT created_at_epoch, 1, id, type, title, session_id, project_id FROM observations
  WHERE superseded_by IS NULL AND (?2 IS NULL OR project_id = ?2 OR {})
  UNION ALL SELECT created_at_epoch, 2, id, 'summary',
    substr(coalesce(nullif(completed, ''), nullif(notes, ''), nullif(learned, ''),
      nullif(title, ''), request), 1, 400), session_id, project_id
  FROM session_summaries WHERE NOT hidden AND (?2 IS NULL OR project_id = ?2 OR {})",
        told("p."),
        told(""),
        told("")
    )
}

fn entry(r: &Row) -> rusqlite::Result<Entry> {
    Ok(Entry {
        position: Position { at_epoch: r.get(0)?, rank: r.get(1)?, id: r.get(2)? },
        kind: r.get(3)?,
        text: r.get(4)?,
        session_id: r.get(5)?,
        project_id: r.get(6)?,
        session: r.get(7)?,
        client: r.get(8)?,
    })
}

const SELECT: &str = "SELECT r.at, r.rank, r.id, r.kind, r.text, r.session_id, r.project_id,
   s.content_session_id, s.client FROM";

/// The row with this short name.
pub fn find(conn: &Connection, name: &str) -> Result<Option<Entry>> {
    let rank = match name.as_bytes().first() {
        Some(b'p') => 0,
        Some(b'o') => 1,
        Some(b's') => 2,
        _ => return Ok(None),
    };
    let digits = &name[1..];
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let Some(id) = is_number.then(|| digits.parse::<i64>().ok()).flatten() else {
        return Ok(None);
    };
    let sql = format!(
        "{SELECT} ({}) r LEFT JOIN sessions s ON s.id = r.session_id
         WHERE r.rank = ?3 AND r.id = ?4",
        all_rows()
    );
    Ok(conn.prepare(&sql)?.query_row(params![PRIVATE, None::<i64>, rank, id], entry).optional()?)
}

/// At most `limit` rows before a position, the nearest ones, oldest first.
pub fn before(
    conn: &Connection,
    scope: Scope,
    position: Position,
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut rows = rows(conn, scope, position, limit, ("<", "DESC"))?;
    rows.reverse();
    Ok(rows)
}

/// At most `limit` rows after a position, the nearest ones, oldest first.
pub fn after(
    conn: &Connection,
    scope: Scope,
    position: Position,
    limit: usize,
) -> Result<Vec<Entry>> {
    rows(conn, scope, position, limit, (">", "ASC"))
}

fn rows(
    conn: &Connection,
    scope: Scope,
    position: Position,
    limit: usize,
    (side, order): (&str, &str),
) -> Result<Vec<Entry>> {
    let (project, session) = match scope {
        Scope::Project(id) => (Some(id), None),
        Scope::Session(id) => (None, Some(id)),
    };
    let sql = format!(
        "{SELECT} ({}) r LEFT JOIN sessions s ON s.id = r.session_id
         WHERE (?3 IS NULL OR r.session_id = ?3) AND (r.at, r.rank, r.id) {side} (?4, ?5, ?6)
         ORDER BY r.at {order}, r.rank {order}, r.id {order} LIMIT ?7",
        all_rows()
    );
    let mut rows = conn.prepare(&sql)?;
    let Position { at_epoch, rank, id } = position;
    let rows = rows
        .query_map(params![PRIVATE, project, session, at_epoch, rank, id, limit as i64], entry)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
