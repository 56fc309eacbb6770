//! Ends the undo of a `forget`: [`restore`] puts back what it removed, and [`purge`] deletes it for good,
//! after `forget.undo` or with `forget --now`. [`super::forgotten`] has what can be restored.

pub mod restore;

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::Locked;
use super::error::Result;
use super::forget::{ForgetCounts, ForgetSet, MAX_ROWS};
use super::forgotten::mark_purged;
use super::forgotten::record::Content;
use crate::text::Needle;

/// Tables with texts that `forget --query` searches. A newer row may keep one of them from being
/// restored, and thus from being selected.
const SEARCHED: [&str; 6] = [
    "user_prompts",
    "session_summaries",
    "observations",
    "pending_messages",
    "turn_evidence",
    "revisions",
];

/// A time of `forget` that is further ahead than this was written before the clock was set back.
const MAX_AHEAD: i64 = 3_600_000;

/// A `forget` that can be undone. Times are milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten {
    pub id: i64,
    pub at_epoch: i64,
    pub until_epoch: i64,
}

/// All that can be undone, the newest first.
pub fn list(conn: &Connection) -> Result<Vec<Forgotten>> {
    let mut rows = conn.prepare(
        "SELECT id, at_epoch, until_epoch FROM forgotten f
         WHERE EXISTS (SELECT 1 FROM forgotten_rows WHERE forgotten_id = f.id) ORDER BY id DESC",
    )?;
    let rows = rows.query_map([], |r| {
        Ok(Forgotten { id: r.get(0)?, at_epoch: r.get(1)?, until_epoch: r.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many sessions, prompts and memories can be restored. Events are not counted.
pub fn counts(conn: &Connection) -> Result<ForgetCounts> {
    let count = |table: &str| -> Result<u64> {
        let sql = "SELECT count(*) FROM forgotten_rows WHERE table_name = ?1
           AND (change = 'deleted' OR change = 'changed' AND table_name = 'user_prompts')";
        Ok(conn.prepare_cached(sql)?.query_row([table], |r| r.get::<_, i64>(0))? as u64)
    };
    let texts = "SELECT count(*) FROM forgotten_rows WHERE change = 'replaced'";
    Ok(ForgetCounts {
        sessions: count("sessions")?,
        prompts: count("user_prompts")?,
        summaries: count("session_summaries")?,
        observations: count("observations")?,
        versions: conn.query_row(texts, [], |r| r.get::<_, i64>(0))? as u64,
        events: 0,
    })
}

/// Deletes for good what can no longer be undone. Returns whether there was something.
pub fn end_expired(locked: &mut Locked, now: i64) -> Result<bool> {
    let conn = locked.connection();
    let is_due = "SELECT EXISTS (SELECT 1 FROM forgotten WHERE until_epoch <= ?1 OR at_epoch > ?2)";
    if !conn.query_row(is_due, [now, now + MAX_AHEAD], |r| r.get(0))? {
        return Ok(false);
    }
    locked.write(|tx| {
        tx.execute(
            "UPDATE forgotten SET at_epoch = ?1, until_epoch = ?1 + (until_epoch - at_epoch)
             WHERE at_epoch > ?2",
            [now, now + MAX_AHEAD],
        )?;
        Ok(())
    })?;
    let expired = "SELECT r.id FROM forgotten_rows r JOIN forgotten f ON f.id = r.forgotten_id
       WHERE f.until_epoch <= ?1 ORDER BY r.id";
    let rows = row_ids(locked.connection(), expired, [now])?;
    purge(locked, &rows)
}

/// Deletes for good all that can be undone.
pub fn end_all(locked: &mut Locked) -> Result<bool> {
    let rows = row_ids(locked.connection(), "SELECT id FROM forgotten_rows ORDER BY id", [])?;
    purge(locked, &rows)
}

/// The ids in `forgotten_rows` of the rows in `set`, of what belongs to them, and of each row with one
/// of the texts. [`restore::with_restored`] finds the set.
pub fn selected(conn: &Connection, set: &mut ForgetSet, texts: &[Needle]) -> Result<Vec<i64>> {
    let mut rows = conn.prepare(
        "SELECT id, table_name, row_id, content, forgotten_id, change FROM forgotten_rows",
    )?;
    let mut rows = rows.query([])?;
    let mut found = Vec::new();
    // Of each `forget`: copies of its requests that it removed from other turns.
    let (mut copies, mut selected): (Vec<(i64, i64)>, BTreeSet<i64>) = Default::default();
    while let Some(row) = rows.next()? {
        let (table, id): (String, Option<i64>) = (row.get(1)?, row.get(2)?);
        let content: String = row.get(3)?;
        let content: Content = serde_json::from_str(&content).unwrap_or_default();
        let refers = |column: &str| content.get(column).and_then(Value::as_i64);
        let parents = [
            (table.as_str(), id),
            ("sessions", refers("session_id")),
            ("observations", refers("observation_id")),
            ("observations", refers("old_id")),
            ("observations", refers("new_id")),
            ("session_summaries", refers("summary_id")),
            ("projects", refers("project_id")),
        ];
        let is_in_set = parents.iter().any(|(t, id)| id.is_some_and(|id| set.has_row(t, id)));
        let has_text = |value: &Value| value.as_str().is_some_and(|s| Needle::any_in(texts, s));
        let is_searched = !texts.is_empty() && SEARCHED.contains(&table.as_str());
        if is_in_set || (is_searched && content.values().any(has_text)) {
            found.push(row.get(0)?);
            selected.insert(row.get(4)?);
        } else if row.get::<_, String>(5)? == "changed"
            && (content.contains_key("turn") || table == "revisions")
        {
            copies.push((row.get(0)?, row.get(4)?));
        }
    }
    let copies = copies.into_iter().filter(|(_, forgotten)| selected.contains(forgotten));
    found.extend(copies.map(|(row, _)| row));
    Ok(found)
}

/// Deletes these rows of `forgotten_rows`. Returns whether there was one.
pub fn purge(locked: &mut Locked, rows: &[i64]) -> Result<bool> {
    for chunk in rows.chunks(MAX_ROWS) {
        locked.write(|tx| {
            mark_purged(tx)?;
            let mut delete = tx.prepare_cached("DELETE FROM forgotten_rows WHERE id = ?1")?;
            chunk.iter().try_for_each(|id| delete.execute([id]).map(drop))?;
            Ok(())
        })?;
    }
    locked.write(remove_empty)?;
    Ok(!rows.is_empty())
}

fn remove_empty(tx: &Transaction) -> Result<()> {
    tx.execute(
        "DELETE FROM forgotten WHERE id NOT IN (SELECT forgotten_id FROM forgotten_rows)",
        [],
    )?;
    Ok(())
}

fn row_ids(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<i64>> {
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map(params, |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests;
