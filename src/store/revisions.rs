//! Edits of observations and summaries by the user. The text before an edit is kept as a revision, so that
//! it can be restored. [`change_text`] is the only function that changes the text of a stored memory.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::error::Result;
use super::forgotten::UNUSED_REVISION;
use super::forgotten::record::{self, Content};
use super::rejected::{self, Reason};
use super::words::{self, RowId, RowKind};
use super::{commit, observations, summaries};
use crate::memory::{Observation, Summary, Turn};
use crate::text::statement;

const OBSERVATION_COLUMNS: &str = "type, title, subtitle, narrative, facts, concepts, files_read,
   files_modified, expires_at_epoch, tokens";
const SUMMARY_COLUMNS: &str = "title, turn, request, investigated, learned, completed, next_steps,
   notes, files_read, files_modified";

/// The key of an observation's files in a revision: rows of `observation_files`.
const FILES: &str = "observation_files";

/// What the user can edit of a memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Editable {
    Observation { texts: Box<Observation>, expires_at_epoch: Option<i64> },
    Summary { texts: Summary, turn: Option<Box<Turn>> },
}

impl Editable {
    /// The current texts of a memory. `None` if there is no such row, or if it is a prompt.
    pub fn load(conn: &Connection, memory: RowId) -> Result<Option<Editable>> {
        Ok(match memory.kind {
            RowKind::Observation => {
                observations::by_id(conn, memory.id)?.map(|row| Editable::Observation {
                    texts: Box::new(row.observation),
                    expires_at_epoch: row.expires_at_epoch,
                })
            }
            RowKind::Summary => summaries::by_id(conn, memory.id)?
                .filter(|row| !row.hidden)
                .map(|row| Editable::Summary { texts: row.summary, turn: row.turn }),
            RowKind::Prompt => None,
        })
    }

    fn statements(&self) -> Vec<String> {
        match self {
            Editable::Observation { texts, .. } => rejected::of_observation(texts),
            Editable::Summary { texts, .. } => rejected::of_summary(texts),
        }
    }

    /// The columns of the row.
    fn columns(&self, tx: &Transaction, memory: RowId) -> Result<Content> {
        let list = |list: &[String]| Value::from(commit::json(list));
        let columns = match self {
            Editable::Observation { texts: o, expires_at_epoch } => json!({
                "type": o.kind, "title": o.title, "subtitle": o.subtitle,
                "narrative": o.narrative, "facts": list(&o.facts),
                "concepts": list(&o.concepts), "files_read": list(&o.files_read),
                "files_modified": list(&o.files_modified),
                "expires_at_epoch": expires_at_epoch, "tokens": commit::tokens(o),
                FILES: files(tx, memory, o)?,
            }),
            Editable::Summary { texts: s, turn } => {
                let title = turn.as_ref().map(|turn| turn.title.clone());
                let turn = turn
                    .as_ref()
                    .map(|turn| serde_json::to_string(turn).expect("a turn serializes to JSON"));
                json!({
                    "title": title.unwrap_or_default(), "turn": turn, "request": s.request,
                    "investigated": s.investigated, "learned": s.learned,
                    "completed": s.completed, "next_steps": s.next_steps, "notes": s.notes,
                    "files_read": list(&s.files_read),
                    "files_modified": list(&s.files_modified),
                })
            }
        };
        Ok(columns.as_object().cloned().unwrap_or_default())
    }
}

/// The files of an edited observation. Those that it had before keep their blob hash.
fn files(tx: &Transaction, memory: RowId, o: &Observation) -> Result<Value> {
    let before = stored_files(tx, memory)?;
    let mut files = Vec::new();
    for (role, paths) in [("read", &o.files_read), ("modified", &o.files_modified)] {
        for path in paths {
            let is_it = |file: &&Value| file["path"] == **path && file["role"] == role;
            let known = before.iter().find(is_it);
            let blob = known.map_or(Value::Null, |file| file["blob"].clone());
            files.push(json!({ "path": path, "role": role, "blob": blob }));
        }
    }
    Ok(files.into())
}

fn stored_files(conn: &Connection, memory: RowId) -> Result<Vec<Value>> {
    if memory.kind != RowKind::Observation {
        return Ok(Vec::new());
    }
    let mut rows = conn.prepare_cached(
        "SELECT path, role, blob FROM observation_files WHERE observation_id = ?1",
    )?;
    let rows = rows.query_map([memory.id], |r| {
        let (path, role): (String, String) = (r.get(0)?, r.get(1)?);
        Ok(json!({ "path": path, "role": role, "blob": r.get::<_, Option<String>>(2)? }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Changes the text of a memory to these columns, also in the index of words.
fn change_text(tx: &Transaction, memory: RowId, columns: &Content, now: i64) -> Result<()> {
    words::changing(tx, &[memory], || write_text(tx, memory, columns, now))
}

fn write_text(tx: &Transaction, memory: RowId, columns: &Content, now: i64) -> Result<()> {
    let (table, id) = (memory.kind.table(), memory.id);
    for (name, value) in columns.iter().filter(|(name, _)| *name != FILES) {
        let sql = format!("UPDATE {table} SET {name} = ?2, changed_at_epoch = ?3 WHERE id = ?1");
        tx.prepare_cached(&sql)?.execute(params![id, record::sql(value), now])?;
    }
    if let Some(files) = columns.get(FILES).and_then(Value::as_array) {
        tx.execute("DELETE FROM observation_files WHERE observation_id = ?1", [id])?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO observation_files (observation_id, path, role, blob)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?;
        for file in files {
            let text = |key: &str| file[key].as_str();
            insert.execute(params![id, text("path"), text("role"), text("blob")])?;
        }
    }
    Ok(())
}

/// Replaces the text of a memory and keeps the old one. Statements that only the old text has are
/// rejected, and those of the new text are accepted.
pub fn edit(tx: &Transaction, memory: RowId, new: &Editable, now: i64) -> Result<()> {
    let Some(old) = Editable::load(tx, memory)? else { return Ok(()) };
    let revision = keep(tx, memory, now)?;
    let columns = new.columns(tx, memory)?;
    change_text(tx, memory, &columns, now)?;
    let stated = new.statements();
    rejected::allow(tx, &stated)?;
    let stated: BTreeSet<Option<String>> = stated.iter().map(|text| statement(text)).collect();
    let mut dropped = old.statements();
    dropped.retain(|text| !stated.contains(&statement(text)));
    rejected::reject_texts(tx, memory, &dropped, Reason::Edit(revision), now)?;
    Ok(())
}

/// Stores the current text of a memory as a revision. Returns its id.
fn keep(tx: &Transaction, memory: RowId, now: i64) -> Result<i64> {
    let (table, id) = (memory.kind.table(), memory.id);
    let columns = match memory.kind {
        RowKind::Observation => OBSERVATION_COLUMNS,
        RowKind::Summary | RowKind::Prompt => SUMMARY_COLUMNS,
    };
    let mut row = tx.prepare(&format!("SELECT {columns} FROM {table} WHERE id = ?1"))?;
    let names: Vec<String> = row.column_names().map(str::to_owned).collect();
    let mut rows = row.query([id])?;
    let mut content = match rows.next()? {
        Some(row) => record::content(&names, row)?,
        None => Content::new(),
    };
    if memory.kind == RowKind::Observation {
        content.insert(FILES.into(), stored_files(tx, memory)?.into());
    }
    let sql = format!(
        "INSERT INTO revisions (id, {}, content, at_epoch) VALUES ({UNUSED_REVISION}, ?1, ?2, ?3)
         RETURNING id",
        memory.kind.reference()
    );
    let json = serde_json::to_string(&content).expect("columns serialize to JSON");
    Ok(tx.query_row(&sql, params![id, json, now], |r| r.get(0))?)
}

/// Restores the text before the newest edit. Returns `false` if the memory was not edited.
pub fn undo(tx: &Transaction, memory: RowId, now: i64) -> Result<bool> {
    let sql = format!(
        "SELECT id, content FROM revisions WHERE {} = ?1 ORDER BY id DESC LIMIT 1",
        memory.kind.reference()
    );
    let newest: Option<(i64, String)> =
        tx.query_row(&sql, [memory.id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let Some((revision, content)) = newest else { return Ok(false) };
    let content = record::read(&content)?;
    change_text(tx, memory, &content, now)?;
    delete(tx, revision)?;
    Ok(true)
}

/// The memory that a revision belongs to.
pub(super) fn memory_of(conn: &Connection, revision: i64) -> Result<Option<RowId>> {
    let mut memory =
        conn.prepare_cached("SELECT observation_id, summary_id FROM revisions WHERE id = ?1")?;
    let found: Option<(Option<i64>, Option<i64>)> =
        memory.query_row([revision], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let (observation, summary) = found.unwrap_or_default();
    Ok(observation.map(RowId::observation).or(summary.map(RowId::summary)))
}

/// Deletes a revision, and what it rejected.
pub(super) fn delete(tx: &Transaction, revision: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM rejected WHERE revision = ?1")?.execute([revision])?;
    tx.prepare_cached("DELETE FROM revisions WHERE id = ?1")?.execute([revision])?;
    Ok(())
}
