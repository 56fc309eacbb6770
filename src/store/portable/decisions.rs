//! What refers to rows: further projects in which turns are told, and what the user decided: marks of
//! summaries, links between observations, closed steps and rejected statements. Statements are salted hashes,
//! and leave the file with their salt.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::line::{Inserted, Line, Object};
use crate::store::error::Result;
use crate::store::forgotten::{UNUSED_CLOSED_STEP, UNUSED_REJECTED};
use crate::store::rejected;

const LINKS: [&str; 3] = ["replaces", "copies", "rewrites"];
const REASONS: [&str; 3] = ["feedback", "forget", "edit"];
/// Length of a fingerprint, and the longest salt.
const FINGERPRINT: usize = 32;
const MAX_SALT: usize = 64;

/// The kind of a turn that is told in a further project.
pub const TOLD: &str = "told";

/// A kind of lines: its query has a line as JSON per row. `?1` is a project or NULL, `?2` the salt of the
/// store.
struct Kind {
    kind: &'static str,
    sql: &'static str,
}

const KINDS: [Kind; 4] = [
    // An export of one project also has the lines of the projects in which its turns are told.
    Kind {
        kind: TOLD,
        sql: "SELECT json_object('session', s.uuid, 'prompt', t.prompt_number, 'project',
                (SELECT min(key) FROM project_keys WHERE project_id = t.project_id))
              FROM turn_projects t JOIN sessions s ON s.id = t.session_id
              WHERE (?1 IS NULL OR s.project_id = ?1) AND ?2 NOTNULL ORDER BY s.uuid, t.prompt_number,
                (SELECT min(key) FROM project_keys WHERE project_id = t.project_id)",
    },
    Kind {
        kind: "link",
        sql: "SELECT json_object('old', o.uuid, 'new', n.uuid, 'link', l.kind,
                'at_epoch', l.at_epoch, 'undone_at_epoch', l.undone_at_epoch)
              FROM observation_links l JOIN observations o ON o.id = l.old_id
              JOIN observations n ON n.id = l.new_id
              WHERE (?1 IS NULL OR o.project_id = ?1) AND ?2 NOTNULL
              ORDER BY l.at_epoch, o.uuid, n.uuid",
    },
    Kind {
        kind: "closed_step",
        sql: "SELECT json_object('summary', s.uuid, 'salt', ifnull(c.salt, ?2),
                'fingerprint', c.fingerprint, 'at_epoch', c.at_epoch)
              FROM closed_steps c JOIN session_summaries s ON s.id = c.summary_id
              WHERE ?1 IS NULL OR s.project_id = ?1
              ORDER BY c.at_epoch, s.uuid, c.fingerprint",
    },
    // The memory that made a rejection may be gone. Then its project is not known.
    Kind {
        kind: "rejection",
        sql: "SELECT json_object('memory', r.uuid, 'salt', ifnull(r.salt, ?2),
                'fingerprint', r.fingerprint, 'hint', r.hint, 'reason', r.reason,
                'at_epoch', r.at_epoch)
              FROM rejected r
              WHERE ?1 IS NULL
                OR EXISTS (SELECT 1 FROM observations o WHERE o.uuid = r.uuid AND o.project_id = ?1)
                OR EXISTS (SELECT 1 FROM session_summaries s
                           WHERE s.uuid = r.uuid AND s.project_id = ?1)
              ORDER BY r.at_epoch, r.uuid, r.reason, r.fingerprint",
    },
];

/// Visits the lines of told turns, links, closed steps and rejections.
pub fn visit(
    conn: &Connection,
    project_id: Option<i64>,
    mut visit: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let salt = rejected::salt(conn)?;
    for Kind { kind, sql } in &KINDS {
        let mut rows = conn.prepare(sql)?;
        let mut rows = rows.query(params![project_id, salt])?;
        while let Some(row) = rows.next()? {
            let json: String = row.get(0)?;
            if visit(&Object::of_kind(kind, &json)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The marks of a summary as JSON. `None` without marks.
pub fn marks(conn: &Connection, summary: i64) -> Result<Option<String>> {
    let marks = conn
        .prepare_cached("SELECT pinned, hidden, feedback FROM summary_marks WHERE summary_id = ?1")?
        .query_row([summary], |r| {
            let (pinned, hidden): (bool, bool) = (r.get(0)?, r.get(1)?);
            let feedback: Option<String> = r.get(2)?;
            Ok(json!({"pinned": pinned, "hidden": hidden, "feedback": feedback}).to_string())
        })
        .optional()?;
    Ok(marks)
}

/// Stores the marks of a summary that was inserted.
pub fn insert_marks(tx: &Transaction, summary: i64, marks: &Value) -> Result<()> {
    if !marks.is_object() {
        return Ok(());
    }
    let feedback = marks["feedback"].as_str().filter(|f| ["helpful", "stale", "wrong"].contains(f));
    tx.prepare_cached(
        "INSERT INTO summary_marks (summary_id, pinned, hidden, feedback) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![summary, marks["pinned"] == true, marks["hidden"] == true, feedback])?;
    Ok(())
}

/// Inserts a line of another type than those with rows of their own.
pub fn insert(tx: &Transaction, kind: &str, line: &Line) -> Result<Inserted> {
    match kind {
        "link" => insert_link(tx, line),
        "closed_step" => insert_closed_step(tx, line),
        "rejection" => insert_rejection(tx, line),
        _ => Ok(Inserted::Unknown),
    }
}

fn insert_link(tx: &Transaction, line: &Line) -> Result<Inserted> {
    let (old, new) = (observation(tx, &line.text("old"))?, observation(tx, &line.text("new"))?);
    let kind = line.text("link");
    let (Some(old), Some(new)) = (old, new) else { return Ok(Inserted::Unknown) };
    if !LINKS.contains(&kind.as_str()) || old == new {
        return Ok(Inserted::Unknown);
    }
    let at = line.value("at_epoch").as_i64().unwrap_or_default();
    let n = tx
        .prepare_cached(
            "INSERT INTO observation_links (old_id, new_id, kind, at_epoch, undone_at_epoch)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![old, new, kind, at, line.value("undone_at_epoch").as_i64()])?;
    Ok(new_or_known(n))
}

fn insert_closed_step(tx: &Transaction, line: &Line) -> Result<Inserted> {
    let summary = id(tx, "session_summaries", &line.text("summary"))?;
    let (Some(summary), Some((salt, fingerprint))) = (summary, hash(tx, line)?) else {
        return Ok(Inserted::Unknown);
    };
    let at = line.value("at_epoch").as_i64().unwrap_or_default();
    let n = tx
        .prepare_cached(&format!(
            "INSERT INTO closed_steps (id, summary_id, fingerprint, at_epoch, salt)
             SELECT {UNUSED_CLOSED_STEP}, ?1, ?2, ?3, ?4 WHERE NOT EXISTS
               (SELECT 1 FROM closed_steps WHERE summary_id = ?1 AND fingerprint = ?2)"
        ))?
        .execute(params![summary, fingerprint, at, salt])?;
    Ok(new_or_known(n))
}

fn insert_rejection(tx: &Transaction, line: &Line) -> Result<Inserted> {
    let (uuid, reason) = (line.text("memory"), line.text("reason"));
    let hint = line.value("hint").as_u64().and_then(|hint| u16::try_from(hint).ok());
    let (Some(hint), Some((salt, fingerprint))) = (hint, hash(tx, line)?) else {
        return Ok(Inserted::Unknown);
    };
    // The rejection of an edit ends with the row.
    let is_edit = reason == "edit";
    let observation = if is_edit { observation(tx, &uuid)? } else { None };
    let summary = if is_edit { id(tx, "session_summaries", &uuid)? } else { None };
    if !REASONS.contains(&reason.as_str()) || is_edit && observation.or(summary).is_none() {
        return Ok(Inserted::Unknown);
    }
    let at = line.value("at_epoch").as_i64().unwrap_or_default();
    let n = tx
        .prepare_cached(&format!(
            "INSERT INTO rejected
               (id, fingerprint, hint, uuid, reason, observation_id, summary_id, at_epoch, salt)
             SELECT {UNUSED_REJECTED}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS
               (SELECT 1 FROM rejected WHERE fingerprint = ?1 AND uuid = ?3 AND reason = ?4)"
        ))?
        .execute(params![fingerprint, hint, uuid, reason, observation, summary, at, salt])?;
    Ok(new_or_known(n))
}

/// Salt and fingerprint of a line. No salt: it is the one of this store. `None` if it is not of an export.
fn hash(conn: &Connection, line: &Line) -> Result<Option<(Option<String>, String)>> {
    let (salt, fingerprint) = (line.text("salt"), line.text("fingerprint"));
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_valid = fingerprint.len() == FINGERPRINT
        && is_hex(&fingerprint)
        && salt.len() <= MAX_SALT
        && is_hex(&salt);
    if !is_valid {
        return Ok(None);
    }
    let salt = Some(salt).filter(|salt| !salt.is_empty());
    let own = rejected::salt(conn)?;
    Ok(Some((salt.filter(|salt| *salt != own), fingerprint)))
}

fn new_or_known(n_rows: usize) -> Inserted {
    if n_rows > 0 { Inserted::New } else { Inserted::Known }
}

fn observation(conn: &Connection, uuid: &str) -> Result<Option<i64>> {
    id(conn, "observations", uuid)
}

fn id(conn: &Connection, table: &str, uuid: &str) -> Result<Option<i64>> {
    let mut id = conn.prepare_cached(&format!("SELECT id FROM {table} WHERE uuid = ?1"))?;
    Ok(id.query_row([uuid], |r| r.get(0)).optional()?)
}
