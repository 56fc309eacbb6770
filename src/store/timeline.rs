//! Prompts and memories in the order in which they were made.

use std::cmp::Ordering;

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
const ROWS: &str = "
  SELECT p.created_at_epoch AS at, 0 AS rank, p.id AS id, 'prompt' AS kind,
    ifnull(p.prompt_text, ?1) AS text, p.session_id AS session_id, s.project_id AS project_id
  FROM user_prompts p JOIN sessions s ON s.id = p.session_id
  UNION ALL SELECT created_at_epoch, 1, id, type, title, session_id, project_id FROM observations
  WHERE superseded_by IS NULL
  UNION ALL SELECT created_at_epoch, 2, id, 'summary',
    substr(coalesce(nullif(completed, ''), nullif(notes, ''), nullif(learned, ''),
      nullif(title, ''), request), 1, 400), session_id, project_id
  FROM session_summaries WHERE NOT hidden";

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
    at(conn, rank, id)
}

/// The row of this rank with this id.
fn at(conn: &Connection, rank: i64, id: i64) -> Result<Option<Entry>> {
    let sql = format!(
        "{SELECT} ({ROWS}) r LEFT JOIN sessions s ON s.id = r.session_id
         WHERE r.rank = ?2 AND r.id = ?3"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![PRIVATE, rank, id], entry).optional()?)
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

/// Rows of the sessions of a project.
const OF_SESSIONS: &str = "session_id IN (SELECT id FROM sessions WHERE project_id = ?1)";

fn rows(
    conn: &Connection,
    scope: Scope,
    position: Position,
    limit: usize,
    (side, order): (&str, &str),
) -> Result<Vec<Entry>> {
    let (id, owner, of_prompts) = match scope {
        Scope::Project(id) => (id, "project_id = ?1", OF_SESSIONS),
        Scope::Session(id) => (id, "session_id = ?1", "session_id = ?1"),
    };
    // Each table is read in the order of an index, up to the limit. Of rows of the same time, those of lower
    // ranks and those with smaller ids come first.
    let [prompt, observation, summary] = [0, 1, 2].map(|rank| match rank.cmp(&position.rank) {
        Ordering::Less => i64::MAX,
        Ordering::Equal => position.id,
        Ordering::Greater => -1,
    });
    let nearest = |table: &str, rank: i64, condition: &str| {
        format!(
            "SELECT * FROM (SELECT created_at_epoch AS at, {rank} AS rank, id FROM {table}
             WHERE {condition} AND (created_at_epoch, id) {side} (?2, ?{})
             ORDER BY created_at_epoch {order}, id {order} LIMIT ?3)",
            rank + 4
        )
    };
    // A prompt that is private or forgotten has no text and is left out.
    let of_owner = |prompts: &str, memories: &str| {
        [
            nearest("user_prompts", 0, &format!("{prompts} AND prompt_text NOTNULL")),
            nearest("observations", 1, &format!("{memories} AND superseded_by IS NULL")),
            nearest("session_summaries", 2, &format!("{memories} AND NOT hidden")),
        ]
    };
    let mut parts = of_owner(of_prompts, owner).to_vec();
    if let Scope::Project(_) = scope {
        let told = told::turn_in("?1", "");
        let prompts = format!("{told} AND NOT {OF_SESSIONS}");
        parts.extend(of_owner(&prompts, &format!("{told} AND project_id IS NOT ?1")));
    }
    let sql = format!(
        "{} ORDER BY at {order}, rank {order}, id {order} LIMIT ?3",
        parts.join(" UNION ALL ")
    );
    let mut positions = conn.prepare_cached(&sql)?;
    let limit = limit as i64;
    let positions = positions
        .query_map(params![id, position.at_epoch, limit, prompt, observation, summary], |r| {
            Ok((r.get::<_, i64>(1)?, r.get::<_, i64>(2)?))
        })?;
    let mut found = Vec::new();
    for row in positions {
        let (rank, id) = row?;
        found.extend(at(conn, rank, id)?);
    }
    Ok(found)
}
