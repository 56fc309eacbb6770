//! Puts back what `forget` removed, the last removed row first: parents before their children.
//!
//! Rows that were stored since take precedence. A row is left out if a newer one has taken its place, or if
//! it belongs to a row that is gone for good.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, TransactionBehavior, params, params_from_iter};
use serde_json::Value;

use super::{Forgotten, remove_empty};
use crate::store::Locked;
use crate::store::error::Result;
use crate::store::forget::{ForgetSet, MAX_ROWS};
use crate::store::forget_text;
use crate::store::forgotten::record::{self, Content, REPLACED, sql};
use crate::store::projects;
use crate::store::references::References;
use crate::store::rejected;
use crate::store::told_turns::{self, ToldTurn};
use crate::store::tombstones;
use crate::store::words::{self, RowId, RowKind};

/// The tables of rows that `forget` strips of their texts and keeps.
const CHANGED: [&str; 2] = ["user_prompts", "pending_messages"];

const MEMORIES: [&str; 3] = ["user_prompts", "session_summaries", "observations"];

/// The rows that were restored.
#[derive(Debug, Default)]
pub struct Restored {
    pub set: ForgetSet,
    /// Number of prompts, summaries and observations that were left out.
    pub left_out: u64,
}

/// Restores what a `forget` removed, in several transactions.
///
/// # Errors
/// An I/O error. A second call restores the remaining rows.
pub fn restore(locked: &mut Locked, forgotten: Forgotten) -> Result<Restored> {
    let mut schema = Schema::load(locked.connection())?;
    let mut restored = Restored::default();
    while locked.write(|tx| {
        let n_rows = restore_rows(tx, &mut schema, forgotten.id, MAX_ROWS, &mut restored)?;
        crate::testpoint::at("undo.restored");
        Ok(n_rows == MAX_ROWS)
    })? {}
    locked.write(remove_empty)?;
    Ok(restored)
}

/// Runs `f` in a transaction in which all of `forgotten` is restored, the newest first, and rolls it
/// back.
pub fn with_restored<T>(
    locked: &mut Locked,
    forgotten: &[Forgotten],
    f: impl FnOnce(&Connection, Restored) -> T,
) -> Result<T> {
    let mut schema = Schema::load(locked.connection())?;
    let tx = locked.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut restored = Restored::default();
    for forgotten in forgotten {
        restore_rows(&tx, &mut schema, forgotten.id, usize::MAX, &mut restored)?;
    }
    let result = f(&tx, restored);
    tx.rollback()?;
    Ok(result)
}

/// Restores at most `limit` rows of a `forget` and returns their number.
fn restore_rows(
    tx: &Transaction,
    schema: &mut Schema,
    forgotten: i64,
    limit: usize,
    restored: &mut Restored,
) -> Result<usize> {
    let mut rows = tx.prepare_cached(
        "SELECT id, change, table_name, row_id, content FROM forgotten_rows
         WHERE forgotten_id = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = rows.query_map(params![forgotten, limit.min(i64::MAX as usize) as i64], |r| {
        let content: String = r.get(4)?;
        Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, content))
    })?;
    let rows =
        rows.collect::<rusqlite::Result<Vec<(i64, String, String, Option<i64>, String)>>>()?;
    let n_rows = rows.len();
    for (kept, change, table, id, content) in rows {
        let content = record::read(&content)?;
        let is_back = match (change.as_str(), id) {
            ("deleted", _) if table == "turn_projects" => tell(tx, &content)?,
            ("deleted", _) => insert(tx, schema, &table, content.clone())?,
            ("changed", None) => restore_identity(tx, &content)?,
            (REPLACED, Some(id)) => forget_text::restore(tx, &table, id, &content)?,
            (_, Some(id)) if is_changed_since(tx, &table, id, &content, forgotten)? => false,
            (_, Some(id)) => update(tx, schema, &table, id, &content)?,
            (_, None) => false,
        };
        // Other changed rows only get a reference back.
        let is_own = change == "deleted" || change == REPLACED || CHANGED.contains(&table.as_str());
        if let Some(id) = id.filter(|_| is_own) {
            note(tx, &table, id, &content, is_back, restored)?;
        }
        tx.prepare_cached("DELETE FROM forgotten_rows WHERE id = ?1")?.execute([kept])?;
    }
    Ok(n_rows)
}

/// Whether a summary that lost the copy of a forgotten request has another text since.
fn is_changed_since(
    tx: &Transaction,
    table: &str,
    id: i64,
    content: &Content,
    forgotten: i64,
) -> Result<bool> {
    let has_lost = table == "session_summaries" && content.contains_key("turn");
    let same =
        "SELECT 1 FROM session_summaries s JOIN forgotten f ON f.at_epoch = s.changed_at_epoch
       WHERE s.id = ?1 AND f.id = ?2";
    Ok(has_lost && !tx.prepare_cached(same)?.exists([id, forgotten])?)
}

/// Deletes the tombstone of a restored row and counts it.
fn note(
    tx: &Transaction,
    table: &str,
    id: i64,
    content: &Content,
    is_back: bool,
    restored: &mut Restored,
) -> Result<()> {
    if table == "pending_messages" {
        // A worker has claimed it, but not since it was restored.
        tx.prepare_cached(
            "UPDATE pending_messages SET status = 'pending', worker_pid = NULL,
               started_processing_at_epoch = NULL WHERE id = ?1 AND status = 'processing'",
        )?
        .execute([id])?;
        let is_unfinished =
            matches!(content.get("status").and_then(Value::as_str), Some("pending" | "processing"));
        if is_back && is_unfinished {
            restored.set.add_row(table, id);
        }
    } else if is_back && restored.set.add_row(table, id) {
        let uuid = content.get("uuid").and_then(Value::as_str).unwrap_or_default();
        tombstones::remove(tx, uuid)?;
        rejected::restore(tx, uuid)?;
    } else if MEMORIES.contains(&table) {
        restored.left_out += 1;
    }
    Ok(())
}

/// Tells a turn in a further project again. The project may have become part of another one.
fn tell(tx: &Transaction, content: &Content) -> Result<bool> {
    let number = |column| content.get(column).and_then(Value::as_i64);
    let (Some(project), Some(session), Some(prompt)) =
        (number("project_id"), number("session_id"), number("prompt_number"))
    else {
        return Ok(false);
    };
    let Some(project) = projects::whole(tx, project)? else { return Ok(false) };
    Ok(!told_turns::tell(tx, project, &[ToldTurn { session, prompt }])?.is_empty())
}

/// Inserts a deleted row. Returns `false` if a newer row has its place or a row that it needs is gone.
fn insert(tx: &Transaction, schema: &mut Schema, table: &str, content: Content) -> Result<bool> {
    let columns = schema.columns(tx, table)?.to_vec();
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in content.iter().filter(|(name, _)| columns.contains(name)) {
        let mut value = sql(value);
        if let (Some(key), Sql::Integer(parent)) = (schema.references.of(table, name), &value)
            && !key.has_parent(tx, *parent)?
        {
            if !key.nullable {
                return Ok(false);
            }
            value = Sql::Null;
        }
        names.push(name.as_str());
        values.push(value);
    }
    let places = vec!["?"; names.len()].join(", ");
    let names = names.join(", ");
    let statement =
        format!("INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT DO NOTHING");
    let is_new = tx.prepare_cached(&statement)?.execute(params_from_iter(values))? > 0;
    if let Some(row) = row_of(table, content.get("id").and_then(Value::as_i64)).filter(|_| is_new) {
        words::add(tx, row)?;
    }
    if !is_new && table == "sessions" {
        // The session has continued, so it has a row. It began earlier than that row knows.
        let started = content.get("started_at_epoch").and_then(Value::as_i64);
        let id = content.get("id").and_then(Value::as_i64);
        return Ok(tx
            .prepare_cached(
                "UPDATE sessions SET started_at_epoch = min(started_at_epoch, ?2) WHERE id = ?1",
            )?
            .execute(params![id, started])?
            > 0);
    }
    Ok(is_new)
}

/// Sets columns to their earlier values. Returns `false` if the row is gone.
fn update(
    tx: &Transaction,
    schema: &mut Schema,
    table: &str,
    id: i64,
    content: &Content,
) -> Result<bool> {
    let columns = schema.columns(tx, table)?.to_vec();
    if let Some(Value::String(uuid)) = content.get("superseded_by")
        && !tx.prepare_cached("SELECT 1 FROM observations WHERE uuid = ?1")?.exists([uuid])?
    {
        // The row that superseded it is gone for good.
        return Ok(false);
    }
    let (mut names, mut values) = (Vec::new(), vec![Sql::Integer(id)]);
    for (name, value) in content {
        if name == "id" || !columns.contains(name) {
            continue;
        }
        let value = sql(value);
        if let (Some(key), Sql::Integer(parent)) = (schema.references.of(table, name), &value)
            && !key.has_parent(tx, *parent)?
        {
            continue;
        }
        values.push(value);
        names.push(format!("{name} = ?{}", values.len()));
    }
    if names.is_empty() {
        return Ok(false);
    }
    let statement = format!("UPDATE {table} SET {} WHERE id = ?1", names.join(", "));
    let rows = Vec::from_iter(row_of(table, Some(id)));
    words::changing(tx, &rows, || {
        Ok(tx.prepare_cached(&statement)?.execute(params_from_iter(values))? > 0)
    })
}

/// The row in the index of words.
fn row_of(table: &str, id: Option<i64>) -> Option<RowId> {
    Some(RowId { kind: RowKind::of_table(table)?, id: id? })
}

fn restore_identity(tx: &Transaction, content: &Content) -> Result<bool> {
    let uuid = content.get("uuid").and_then(Value::as_str).unwrap_or_default();
    tombstones::set_identity(tx, uuid, content.get("at_epoch").and_then(Value::as_i64))?;
    Ok(true)
}

/// Columns and foreign keys of the tables.
struct Schema {
    references: References,
    columns: BTreeMap<String, Vec<String>>,
}

impl Schema {
    fn load(conn: &Connection) -> Result<Schema> {
        Ok(Schema { references: References::load(conn)?, columns: BTreeMap::new() })
    }

    fn columns(&mut self, conn: &Connection, table: &str) -> Result<&[String]> {
        if !self.columns.contains_key(table) {
            let mut names = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
            let names = names.query_map([table], |r| r.get(0))?;
            self.columns.insert(table.into(), names.collect::<rusqlite::Result<_>>()?);
        }
        Ok(&self.columns[table])
    }
}
