//! Reads a row as search needs it.

use rusqlite::{Connection, OptionalExtension, Row};

use super::document::Document;
use super::row::{EVERYWHERE, RowId, RowKind, Scope};
use crate::memory::{Observation, Origin, PRIVATE, Summary};
use crate::store::error::Result;
use crate::store::observations::list;
use crate::store::summaries;

/// A row with everything that search filters by and that can be shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    pub row: RowId,
    pub scope: Scope,
    pub document: Document,
    pub external_id: Option<String>,
    pub project_id: Option<i64>,
    pub session_id: Option<i64>,
    /// The client's own id of the session.
    pub session: Option<String>,
    /// The type of an observation; `summary` and `prompt` for the others.
    pub kind: String,
    pub origin: Origin,
    pub branch: Option<String>,
    pub files: Vec<String>,
    pub pinned: bool,
    pub quarantined: bool,
    /// Never told unasked.
    pub hidden: bool,
    pub superseded: bool,
    pub expires_at_epoch: Option<i64>,
    pub created_at_epoch: i64,
}

impl StoredRow {
    /// The title. For a row without one, its first line.
    pub fn title(&self) -> &str {
        let Document { title, body, .. } = &self.document;
        let first_line = || body.trim_start().lines().next().unwrap_or_default();
        if title.is_empty() { first_line() } else { title }
    }

    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at_epoch.is_some_and(|at| at <= now)
    }
}

type ReadRow = fn(&Row) -> rusqlite::Result<Option<StoredRow>>;

/// Reads a row. `None` if it is gone or private.
pub fn load(conn: &Connection, row: RowId) -> Result<Option<StoredRow>> {
    let (sql, read): (&str, ReadRow) = match row.kind {
        RowKind::Observation => (OBSERVATION, observation),
        RowKind::Summary => (SUMMARY, summary),
        RowKind::Prompt => (PROMPT, prompt),
    };
    Ok(conn.prepare_cached(sql)?.query_row([row.id], read).optional()?.flatten())
}

const OBSERVATION: &str = "SELECT o.id, o.external_id, o.project_id, o.session_id,
   s.content_session_id, o.type, o.origin, o.branch, o.pinned, o.quarantined,
   o.superseded_by NOTNULL, o.expires_at_epoch, o.created_at_epoch, o.title, o.subtitle, o.narrative,
   o.facts, o.concepts, o.files_read, o.files_modified, o.names, o.scope,
   o.hidden OR ifnull(o.feedback = 'wrong', 0)
 FROM observations o LEFT JOIN sessions s ON s.id = o.session_id WHERE o.id = ?1";

fn observation(r: &Row) -> rusqlite::Result<Option<StoredRow>> {
    // An unknown origin counts as the least trusted one.
    let origin = Origin::parse(r.get_ref(6)?.as_str()?).unwrap_or(Origin::Web);
    let (project_id, quarantined): (Option<i64>, bool) = (r.get(2)?, r.get(9)?);
    let o = Observation {
        title: r.get(13)?,
        subtitle: r.get(14)?,
        narrative: r.get(15)?,
        facts: list(r, 16)?,
        concepts: list(r, 17)?,
        files_read: list(r, 18)?,
        files_modified: list(r, 19)?,
        names: list(r, 20)?,
        ..Observation::default()
    };
    let document = Document::of_observation(&o);
    let project = match r.get_ref(21)?.as_str()? {
        "user" => EVERYWHERE,
        _ => project_id.unwrap_or(0),
    };
    Ok(Some(StoredRow {
        row: RowId { kind: RowKind::Observation, id: r.get(0)? },
        scope: Scope { project, unasked: origin == Origin::Web || quarantined },
        document,
        external_id: r.get(1)?,
        project_id,
        session_id: r.get(3)?,
        session: r.get(4)?,
        kind: r.get(5)?,
        origin,
        branch: r.get(7)?,
        files: [o.files_modified, o.files_read].concat(),
        pinned: r.get(8)?,
        quarantined,
        hidden: r.get(22)?,
        superseded: r.get(10)?,
        expires_at_epoch: r.get(11)?,
        created_at_epoch: r.get(12)?,
    }))
}

const SUMMARY: &str =
    "SELECT m.id, m.external_id, m.project_id, m.session_id, s.content_session_id,
   m.created_at_epoch, m.hidden OR ifnull(marks.hidden OR marks.feedback = 'wrong', 0), m.title,
   m.request, m.investigated, m.learned, m.completed,
   m.next_steps, m.notes, m.files_read, m.files_modified, m.turn,
   ifnull(marks.pinned, 0)
 FROM session_summaries m LEFT JOIN sessions s ON s.id = m.session_id
   LEFT JOIN summary_marks marks ON marks.summary_id = m.id
 WHERE m.id = ?1";

fn summary(r: &Row) -> rusqlite::Result<Option<StoredRow>> {
    let summary = Summary {
        request: r.get(8)?,
        investigated: r.get(9)?,
        learned: r.get(10)?,
        completed: r.get(11)?,
        next_steps: r.get(12)?,
        notes: r.get(13)?,
        files_read: list(r, 14)?,
        files_modified: list(r, 15)?,
    };
    if summary.request == PRIVATE {
        return Ok(None);
    }
    let turn = summaries::turn(r, 16)?;
    let title: String = r.get(7)?;
    let project_id: Option<i64> = r.get(2)?;
    Ok(Some(StoredRow {
        row: RowId { kind: RowKind::Summary, id: r.get(0)? },
        scope: Scope { project: project_id.unwrap_or(0), unasked: false },
        document: Document::of_summary(&title, &summary, turn.as_ref()),
        external_id: r.get(1)?,
        project_id,
        session_id: r.get(3)?,
        session: r.get(4)?,
        kind: "summary".to_owned(),
        origin: Origin::Assistant,
        branch: turn.and_then(|turn| turn.head).map(|head| head.branch).filter(|b| !b.is_empty()),
        files: [summary.files_modified, summary.files_read].concat(),
        pinned: r.get(17)?,
        quarantined: false,
        hidden: r.get(6)?,
        superseded: false,
        expires_at_epoch: None,
        created_at_epoch: r.get(5)?,
    }))
}

const PROMPT: &str = "SELECT m.id, s.project_id, m.session_id, s.content_session_id,
   m.created_at_epoch, m.prompt_text
 FROM user_prompts m LEFT JOIN sessions s ON s.id = m.session_id
 WHERE m.id = ?1 AND NOT m.private AND m.prompt_text NOTNULL";

fn prompt(r: &Row) -> rusqlite::Result<Option<StoredRow>> {
    let project_id: Option<i64> = r.get(1)?;
    let text: String = r.get(5)?;
    Ok(Some(StoredRow {
        row: RowId { kind: RowKind::Prompt, id: r.get(0)? },
        scope: Scope { project: project_id.unwrap_or(0), unasked: false },
        document: Document::of_prompt(&text),
        external_id: None,
        project_id,
        session_id: r.get(2)?,
        session: r.get(3)?,
        kind: "prompt".to_owned(),
        origin: Origin::User,
        branch: None,
        files: Vec::new(),
        pinned: false,
        quarantined: false,
        hidden: false,
        superseded: false,
        expires_at_epoch: None,
        created_at_epoch: r.get(4)?,
    }))
}
