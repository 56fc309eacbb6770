//! The request of an earlier turn that a later turn refers to is copied into it (`Turn::re`), because the later
//! one says little without it. The copy is removed when its source is forgotten.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, params};
use serde_json::Value;

use super::error::Result;
use super::forgotten::record::{Content, Record};
use super::summaries;
use super::words::{self, RowId};
use crate::memory::Turn;

/// The summaries of a session with a copy of a text that no earlier turn has, except those that are `gone`.
pub(super) fn without_source(
    conn: &Connection,
    session_id: i64,
    gone: &BTreeSet<i64>,
) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(
        "SELECT id, turn FROM session_summaries WHERE session_id = ?1 AND turn NOTNULL
         ORDER BY prompt_number, id",
    )?;
    let mut rows = rows.query([session_id])?;
    let (mut earlier, mut found): (Vec<Turn>, Vec<i64>) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (id, json): (i64, String) = (row.get(0)?, row.get(1)?);
        let Ok(turn) = serde_json::from_str::<Turn>(&json) else { continue };
        if gone.contains(&id) {
            continue;
        }
        let has_source = turn.re.is_empty() || earlier.iter().any(|other| turn.refers_to(other));
        found.extend((!has_source).then_some(id));
        earlier.push(turn);
    }
    Ok(found)
}

/// Whether an earlier turn of the session has the text that `turn` refers to.
pub(super) fn has_source(
    conn: &Connection,
    session_id: i64,
    prompt_number: i64,
    turn: &Turn,
) -> Result<bool> {
    let earlier = summaries::turns_before(conn, session_id, &[prompt_number])?;
    Ok(earlier.iter().any(|earlier| turn.refers_to(earlier)))
}

/// Removes the copy from a summary and from its earlier texts, and records what it changes.
pub(super) fn remove(tx: &Transaction, record: &Record, summary: i64, now: i64) -> Result<()> {
    let mut row = tx
        .prepare_cached("SELECT turn, title, request FROM session_summaries WHERE id = ?1")?
        .query_row([summary], |r| {
            Ok(Texts { turn: r.get(0)?, title: r.get(1)?, request: r.get(2)? })
        })?;
    let Some(copy) = row.take_copy() else { return Ok(()) };
    let columns = ["turn", "title", "request", "changed_at_epoch"];
    record.changed(tx, "session_summaries", &columns, summary)?;
    words::changing(tx, &[RowId::summary(summary)], || {
        tx.prepare_cached(
            "UPDATE session_summaries SET turn = ?2, title = ?3, request = ?4,
               changed_at_epoch = ?5 WHERE id = ?1",
        )?
        .execute(params![summary, row.turn, row.title, row.request, now])?;
        Ok(())
    })?;
    let mut revisions =
        tx.prepare_cached("SELECT id, content FROM revisions WHERE summary_id = ?1")?;
    let revisions = revisions.query_map([summary], |r| Ok((r.get(0)?, r.get(1)?)))?;
    for (id, content) in revisions.collect::<rusqlite::Result<Vec<(i64, String)>>>()? {
        record.changed(tx, "revisions", &["content"], id)?;
        tx.prepare_cached("UPDATE revisions SET content = ?2 WHERE id = ?1")?
            .execute(params![id, revision_without(&content, &copy)])?;
    }
    Ok(())
}

/// The columns of a summary that contain the copy.
struct Texts {
    turn: Option<String>,
    title: String,
    request: String,
}

impl Texts {
    /// Removes the copy. Returns it, or `None` if there is none.
    fn take_copy(&mut self) -> Option<String> {
        let mut turn: Turn = serde_json::from_str(self.turn.as_deref()?).ok()?;
        let copy = turn.forget_re()?;
        self.turn = Some(serde_json::to_string(&turn).expect("a turn serializes to JSON"));
        self.title = Turn::without_re(&self.title, &copy);
        self.request = Turn::without_re(&self.request, &copy);
        Some(copy)
    }
}

/// The JSON of a revision without the copy.
fn revision_without(content: &str, copy: &str) -> String {
    let Ok(mut columns) = serde_json::from_str::<Content>(content) else {
        return content.to_owned();
    };
    for name in ["title", "request"] {
        if let Some(Value::String(text)) = columns.get_mut(name) {
            *text = Turn::without_re(text, copy);
        }
    }
    if let Some(Value::String(json)) = columns.get_mut("turn")
        && let Ok(mut turn) = serde_json::from_str::<Turn>(json)
    {
        turn.forget_re();
        *json = serde_json::to_string(&turn).expect("a turn serializes to JSON");
    }
    serde_json::to_string(&columns).expect("columns serialize to JSON")
}
