//! Replaces a text in all rows that contain it. The rows stay. The text leaves a tombstone
//! ([`ForgottenTexts`]), so that it is replaced in what is stored later, too.

use std::collections::BTreeSet;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter};
use serde_json::Value;

use super::error::{Result, StoreError};
use super::forget::{EVENT_TEXTS, ForgetCounts, MAX_ROWS, OBSERVATION_TEXTS, SUMMARY_TEXTS};
use super::forgotten::record::{self, Content, Record};
use super::forgotten_texts::{ForgottenTexts, MARK};
use super::words::{self, RowId, RowKind};
use super::{Locked, tombstones};
use crate::memory::{Evidence, Turn};
use crate::testpoint;

/// A table with texts.
struct Table {
    name: &'static str,
    /// The column that identifies a row.
    key: &'static str,
    texts: &'static [&'static str],
    /// Its rows have the time of their last change.
    is_dated: bool,
}

const fn table(name: &'static str, texts: &'static [&'static str]) -> Table {
    Table { name, key: "id", texts, is_dated: false }
}

const TABLES: [Table; 7] = [
    table("user_prompts", &["prompt_text"]),
    table("pending_messages", &EVENT_TEXTS),
    Table { is_dated: true, ..table("session_summaries", &SUMMARY_TEXTS) },
    Table { is_dated: true, ..table("observations", &OBSERVATION_TEXTS) },
    table("revisions", &["content"]),
    Table { key: "session_id", ..table("turn_evidence", &["evidence"]) },
    table(RESTORABLE, &["content"]),
];

/// The rows that a `forget` removed and an undo restores.
const RESTORABLE: &str = "forgotten_rows";

/// A row with the text: the place of its table in [`TABLES`], and its key.
type Row = (usize, i64);

/// The rows that contain a text.
#[derive(Clone, Debug, Default)]
pub struct TextSet {
    rows: BTreeSet<Row>,
}

impl TextSet {
    /// `with_restorable`: also the rows that an undo would restore.
    ///
    /// # Errors
    /// Those of the database, and [`StoreError::Refused`] if the text is a word of the format in which
    /// rows are stored.
    pub fn find(
        conn: &Connection,
        texts: &ForgottenTexts,
        with_restorable: bool,
    ) -> Result<TextSet> {
        let mut rows = BTreeSet::new();
        for (at, table) in TABLES.iter().enumerate() {
            if table.name == RESTORABLE && !with_restorable {
                continue;
            }
            let sql =
                format!("SELECT {}, {} FROM {}", table.key, table.texts.join(", "), table.name);
            let mut stored = conn.prepare(&sql)?;
            let mut stored = stored.query([])?;
            while let Some(row) = stored.next()? {
                let changes = replaced(row, table, texts);
                if changes.iter().any(|change| !change.is_readable) {
                    let why = "the text is a word of the format in which rows are stored";
                    return Err(StoreError::Refused(why.into()));
                }
                if !changes.is_empty() {
                    rows.insert((at, row.get(0)?));
                }
            }
        }
        Ok(TextSet { rows })
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows of each kind contain the text.
    pub fn count(&self) -> ForgetCounts {
        let count = |names: &[&str]| {
            self.rows.iter().filter(|(at, _)| names.contains(&TABLES[*at].name)).count() as u64
        };
        ForgetCounts {
            sessions: 0,
            prompts: count(&["user_prompts"]),
            summaries: count(&["session_summaries"]),
            observations: count(&["observations"]),
            versions: count(&["revisions", RESTORABLE]),
            events: count(&["pending_messages", "turn_evidence"]),
        }
    }

    /// The observations, summaries and prompts.
    pub fn memories(&self) -> impl Iterator<Item = RowId> {
        self.rows.iter().filter_map(|(at, id)| row_id(&TABLES[*at], *id))
    }

    /// Client and id of the sessions with queued events of the set.
    pub fn affected_sessions(&self, conn: &Connection) -> Result<BTreeSet<(String, String)>> {
        let mut session = conn.prepare(
            "SELECT s.client, s.content_session_id FROM pending_messages m
             JOIN sessions s ON s.id = m.session_id WHERE m.id = ?1",
        )?;
        let mut found = BTreeSet::new();
        for (at, id) in &self.rows {
            if TABLES[*at].name == "pending_messages" {
                let names = session.query_map([id], |r| Ok((r.get(0)?, r.get(1)?)))?;
                found.extend(names.collect::<rusqlite::Result<Vec<_>>>()?);
            }
        }
        Ok(found)
    }
}

/// Replaces the text in the rows, in several transactions. `until`: how long this can be undone, in
/// milliseconds since the epoch. `on_row` is called for each row.
///
/// # Errors
/// An I/O error. A second call replaces it in the remaining rows.
pub fn replace(
    locked: &mut Locked,
    set: &TextSet,
    texts: &ForgottenTexts,
    until: Option<i64>,
    now: i64,
    on_row: &dyn Fn(),
) -> Result<()> {
    let record = Record::begin(locked, until, now)?;
    // First, so that what is stored meanwhile does not contain it.
    locked.write(|tx| {
        for uuid in texts.tombstones() {
            record.text(tx, &uuid)?;
            tombstones::put_text(tx, &uuid, now)?;
        }
        Ok(())
    })?;
    let rows: Vec<&Row> = set.rows.iter().collect();
    for chunk in rows.chunks(MAX_ROWS) {
        locked.write(|tx| {
            chunk.iter().try_for_each(|(at, id)| {
                on_row();
                let table = &TABLES[*at];
                words::changing(tx, &Vec::from_iter(row_id(table, *id)), || {
                    replace_in(tx, table, *id, texts, Some(&record), now)
                })
            })
        })?;
        testpoint::at("forget.replaced");
    }
    Ok(())
}

/// Replaces forgotten texts in a new row, before its words are added to the index: what is removed from the
/// index leaves traces until it is rewritten.
pub fn clean_new(tx: &Transaction, row: RowId, now: i64) -> Result<()> {
    let texts = ForgottenTexts::load(tx)?;
    match TABLES.iter().find(|table| table.name == row.kind.table()) {
        Some(table) if !texts.is_empty() => replace_in(tx, table, row.id, &texts, None, now),
        _ => Ok(()),
    }
}

/// Puts the earlier text back into the columns that have not changed since. Returns `false` if there is
/// none.
pub(super) fn restore(tx: &Transaction, name: &str, id: i64, kept: &Content) -> Result<bool> {
    let Some(table) = TABLES.iter().find(|table| table.name == name) else { return Ok(false) };
    let texts = ForgottenTexts::load(tx)?;
    let mut changes = Vec::new();
    for column in table.texts {
        let Some(Value::String(before)) = kept.get(*column) else { continue };
        let sql = format!("SELECT {column} FROM {name} WHERE {} = ?1", table.key);
        let now: Option<Option<String>> =
            tx.prepare_cached(&sql)?.query_row([id], |r| r.get(0)).optional()?;
        if now.flatten().is_some_and(|now| table.replaced(before, &texts) == Some(now)) {
            changes.push((*column, before.clone()));
        }
    }
    if changes.is_empty() {
        return Ok(false);
    }
    if name == "observations" {
        // The earlier paths are put back after the row.
        let sql = "DELETE FROM observation_files WHERE observation_id = ?1 AND instr(path, ?2)";
        tx.execute(sql, params![id, MARK])?;
    }
    let changed_at = kept.get("changed_at_epoch").and_then(Value::as_i64).unwrap_or_default();
    words::changing(tx, &Vec::from_iter(row_id(table, id)), || {
        write(tx, table, id, changes, changed_at)
    })?;
    Ok(true)
}

fn replace_in(
    tx: &Transaction,
    table: &Table,
    id: i64,
    texts: &ForgottenTexts,
    record: Option<&Record>,
    now: i64,
) -> Result<()> {
    let (name, key) = (table.name, table.key);
    let sql = format!("SELECT {key}, {} FROM {name} WHERE {key} = ?1", table.texts.join(", "));
    let changes = {
        let mut row = tx.prepare_cached(&sql)?;
        let mut row = row.query([id])?;
        match row.next()? {
            Some(row) => replaced(row, table, texts),
            None => Vec::new(),
        }
    };
    let changes = changes.into_iter().filter(|change| change.is_readable);
    let changes: Vec<_> = changes.map(|change| (change.column, change.text)).collect();
    if changes.is_empty() {
        return Ok(());
    }
    if let Some(record) = record {
        let mut columns: Vec<&str> = changes.iter().map(|(column, _)| *column).collect();
        columns.extend(table.is_dated.then_some("changed_at_epoch"));
        record.replaced(tx, name, key, &columns, id)?;
    }
    write(tx, table, id, changes, now)?;
    match name {
        // The worker that has claimed it still has the text. It drops the batch.
        "pending_messages" => {
            tx.prepare_cached(
                "UPDATE pending_messages SET status = 'pending', worker_pid = NULL,
                   started_processing_at_epoch = NULL WHERE id = ?1 AND status = 'processing'",
            )?
            .execute([id])?;
        }
        "observations" => replace_in_files(tx, id, texts)?,
        _ => {}
    }
    Ok(())
}

/// Sets columns of a row.
fn write(
    tx: &Transaction,
    table: &Table,
    id: i64,
    changes: Vec<(&'static str, String)>,
    changed_at: i64,
) -> Result<()> {
    let mut values = vec![Sql::Integer(id)];
    let mut assigned = Vec::new();
    let dated = table.is_dated.then_some(("changed_at_epoch", Sql::Integer(changed_at)));
    let changes = changes.into_iter().map(|(column, text)| (column, Sql::Text(text)));
    for (column, value) in changes.chain(dated) {
        values.push(value);
        assigned.push(format!("{column} = ?{}", values.len()));
    }
    let (name, key) = (table.name, table.key);
    let sql = format!("UPDATE {name} SET {} WHERE {key} = ?1", assigned.join(", "));
    tx.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// The files of an observation have a table, too, which is found by path.
fn replace_in_files(tx: &Transaction, observation: i64, texts: &ForgottenTexts) -> Result<()> {
    let mut paths =
        tx.prepare_cached("SELECT path FROM observation_files WHERE observation_id = ?1")?;
    let paths = paths.query_map([observation], |r| r.get(0))?;
    for path in paths.collect::<rusqlite::Result<Vec<String>>>()? {
        if let Some(replaced) = texts.replace(&path) {
            tx.execute(
                "UPDATE OR REPLACE observation_files SET path = ?3
                 WHERE observation_id = ?1 AND path = ?2",
                params![observation, path, replaced],
            )?;
        }
    }
    Ok(())
}

/// What a column becomes.
struct Change {
    column: &'static str,
    text: String,
    /// Not so if the text is a word of the column's format.
    is_readable: bool,
}

/// The columns of a row that contain one of the texts. The key of the row is in column 0.
fn replaced(row: &rusqlite::Row, table: &Table, texts: &ForgottenTexts) -> Vec<Change> {
    let mut changes = Vec::new();
    for (at, column) in table.texts.iter().enumerate() {
        let Ok(Some(before)) = row.get::<_, Option<String>>(at + 1) else { continue };
        if let Some(text) = table.replaced(&before, texts) {
            let is_readable = is_readable(column, &text) || !is_readable(column, &before);
            changes.push(Change { column, text, is_readable });
        }
    }
    changes
}

fn is_readable(column: &str, json: &str) -> bool {
    match column {
        "turn" => serde_json::from_str::<Turn>(json).is_ok(),
        "evidence" => serde_json::from_str::<Evidence>(json).is_ok(),
        _ => true,
    }
}

impl Table {
    /// What a text of the table becomes. `None` if it contains none of the texts.
    fn replaced(&self, text: &str, texts: &ForgottenTexts) -> Option<String> {
        match self.name {
            RESTORABLE | "revisions" => replace_in_columns(text, texts),
            _ => texts.replace(text),
        }
    }
}

/// Replaces the texts in the kept columns of a row.
fn replace_in_columns(json: &str, texts: &ForgottenTexts) -> Option<String> {
    let mut content = record::read(json).ok()?;
    let is_text = |column: &str| TABLES.iter().any(|table| table.texts.contains(&column));
    let columns = content.iter_mut().filter(|(column, _)| is_text(column));
    let is_changed = columns.fold(false, |any, (_, value)| match value {
        Value::String(_) => texts.replace_in_json(value) | any,
        _ => any,
    });
    is_changed.then(|| serde_json::to_string(&content).expect("columns serialize to JSON"))
}

fn row_id(table: &Table, id: i64) -> Option<RowId> {
    Some(RowId { kind: RowKind::of_table(table.name)?, id })
}
