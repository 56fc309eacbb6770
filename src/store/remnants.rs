//! Searches the database for what `forget --verify` must not find any more.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rusqlite::Connection;

use super::error::Result;
use super::forget::{ForgetSet, contains};
use crate::text::Needle;

/// Lengths in bytes of a passage, and how many [`passages`] returns. Short lines are not distinctive.
const MIN_PASSAGE: usize = 24;
const MAX_PASSAGE: usize = 200;
const MAX_PASSAGES: usize = 20;

/// The texts of a revision.
const EARLIER_SUMMARY: &str = "content ->> 'learned', content ->> 'completed', content ->> 'notes'";
const EARLIER_OBSERVATION: &str = "content ->> 'title', content ->> 'narrative'";

/// Distinctive passages of the rows, to search for after they are deleted: the longest lines of
/// prompts, answers, memories and their earlier texts.
pub fn passages(conn: &Connection, set: &ForgetSet) -> Result<Vec<String>> {
    let mut passages = BTreeSet::new();
    for (columns, table, key, ids) in [
        ("prompt_text", "user_prompts", "id", &set.prompts),
        ("request, learned, completed, notes", "session_summaries", "id", &set.summaries),
        ("title, narrative", "observations", "id", &set.observations),
        ("last_assistant_message", "pending_messages", "id", &set.events),
        (EARLIER_SUMMARY, "revisions", "summary_id", &set.summaries),
        (EARLIER_OBSERVATION, "revisions", "observation_id", &set.observations),
        (EARLIER_SUMMARY, "revisions", "id", &set.versions),
        (EARLIER_OBSERVATION, "revisions", "id", &set.versions),
    ] {
        let mut row = conn.prepare(&format!("SELECT {columns} FROM {table} WHERE {key} = ?1"))?;
        let n_columns = row.column_count();
        for id in ids {
            let mut rows = row.query([id])?;
            while let Some(row) = rows.next()? {
                for column in 0..n_columns {
                    let text: Option<String> = row.get(column)?;
                    let lines = text.iter().flat_map(|text| text.lines()).map(str::trim);
                    let longest = lines.max_by_key(|line| line.len()).unwrap_or_default();
                    let end = longest.floor_char_boundary(MAX_PASSAGE);
                    if end >= MIN_PASSAGE {
                        passages.insert((Reverse(end), longest[..end].to_owned()));
                    }
                }
            }
        }
    }
    Ok(passages.into_iter().take(MAX_PASSAGES).map(|(_, passage)| passage).collect())
}

/// The columns of any table that contain one of the texts, as `table.column`.
pub fn columns_with(conn: &Connection, needles: &[Needle]) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut tables = conn.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    for table in tables.query_map([], |r| r.get::<_, String>(0))? {
        let table = table?;
        let mut rows = conn.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let with_text = (0..columns.len()).filter(|i| contains(row, *i, needles));
            found.extend(with_text.map(|i| format!("{table}.{}", columns[i])));
        }
    }
    Ok(found.into_iter().collect())
}
