//! What came of the turns of rows, for those who list rows.

use rusqlite::Connection;

use super::Screens;
use super::results::Results;
use crate::store;
use crate::store::words::RowId;

/// One sentence for each of these rows of a project: what its turn found, did or answered. A row without such
/// a sentence has none.
pub fn answers(
    conn: &Connection,
    rows: &[RowId],
    project: Option<i64>,
) -> store::Result<Vec<String>> {
    let results = Results::of(conn, rows, project, &Screens::load(conn)?, None)?;
    Ok(rows.iter().map(|row| results.text(*row).to_owned()).collect())
}
