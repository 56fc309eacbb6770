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

/// Distinctive passages of the rows, to search for after they are deleted: the longest lines of
/// prompts, answers and memories.
pub fn passages(conn: &Connection, set: &ForgetSet) -> Result<Vec<String>> {
    let mut passages = BTreeSet::new();
    for (table, ids, columns) in [
        ("user_prompts", &set.prompts, &["prompt_text"][..]),
        ("session_summaries", &set.summaries, &["request", "learned", "completed", "notes"]),
        ("observations", &set.observations, &["title", "narrative"]),
        ("pending_messages", &set.events, &["last_assistant_message"]),
    ] {
        let mut row =
            conn.prepare(&format!("SELECT {} FROM {table} WHERE id = ?1", columns.join(", ")))?;
        for id in ids {
            let mut rows = row.query([id])?;
            let Some(row) = rows.next()? else { continue };
            for column in 0..columns.len() {
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
