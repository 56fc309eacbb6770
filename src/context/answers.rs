//! What came of the turns of rows, for those who list rows.

use rusqlite::Connection;

use super::Screens;
use super::results::Results;
use crate::store::rejected::Rejected;
use crate::store::words::RowId;
use crate::store::{self, observations};

/// One sentence for each of these rows of a project: what its turn found, did or answered. A row without such
/// a sentence has none.
pub fn answers(
    conn: &Connection,
    rows: &[RowId],
    project: Option<i64>,
) -> store::Result<Vec<String>> {
    let rejected = Rejected::load(conn)?;
    let screens = Screens { unscreened: observations::unscreened(conn)?, rejected: &rejected };
    let results = Results::of(conn, rows, project, &screens, None)?;
    Ok(rows.iter().map(|row| results.text(*row).to_owned()).collect())
}
