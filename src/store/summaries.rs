//! Reads session summaries. `commit` and `private` write them.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::observations::{json, list};
use super::private::PRIVATE;
use crate::memory::Summary;

/// One row of `session_summaries`. Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryRow {
    pub id: i64,
    pub uuid: String,
    pub external_id: Option<String>,
    pub session_id: Option<i64>,
    pub project_id: Option<i64>,
    pub prompt_number: i64,
    pub turn_id: Option<String>,
    pub summary: Summary,
    pub backend: String,
    /// Written by the local rules until the configured backend answers.
    pub provisional: bool,
    /// Never included in a context.
    pub hidden: bool,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
}

/// Parses a short name like `s37`.
pub fn parse_id(name: &str) -> Option<i64> {
    let digits = name.strip_prefix('s')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Finds a summary by its short name (`s37`) or uuid.
pub fn by_name(conn: &Connection, name: &str) -> rusqlite::Result<Option<SummaryRow>> {
    match parse_id(name) {
        Some(id) => by_id(conn, id),
        None => {
            conn.prepare_cached(&select("WHERE uuid = ?1"))?.query_row([name], from_row).optional()
        }
    }
}

pub fn by_id(conn: &Connection, id: i64) -> rusqlite::Result<Option<SummaryRow>> {
    conn.prepare_cached(&select("WHERE id = ?1"))?.query_row([id], from_row).optional()
}

/// A session's summaries, newest prompt first.
pub fn of_session(
    conn: &Connection,
    session_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<SummaryRow>> {
    let tail = "WHERE session_id = ?1 ORDER BY prompt_number DESC LIMIT ?2";
    rows(conn, tail, (session_id, limit as i64))
}

/// The project's newest summaries for a context, newest first. Summaries of the sessions in
/// `excluded_sessions` are left out.
pub fn newest_for_context(
    conn: &Connection,
    project_id: i64,
    excluded_sessions: &[i64],
    limit: usize,
) -> rusqlite::Result<Vec<SummaryRow>> {
    conn.prepare_cached(&context_sql())?
        .query_map((project_id, json(excluded_sessions), limit as i64), from_row)?
        .collect()
}

pub(super) fn context_sql() -> String {
    select(&format!(
        "WHERE project_id = ?1 AND NOT hidden AND request <> '{PRIVATE}'
           AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?2)))
         ORDER BY id DESC LIMIT ?3"
    ))
}

fn select(tail: &str) -> String {
    format!(
        "SELECT id, uuid, external_id, session_id, project_id, prompt_number, turn_id, request,
           investigated, learned, completed, next_steps, notes, files_read, files_modified,
           backend, provisional, hidden, created_at_epoch, changed_at_epoch
         FROM session_summaries {tail}"
    )
}

fn rows<P: Params>(conn: &Connection, tail: &str, params: P) -> rusqlite::Result<Vec<SummaryRow>> {
    conn.prepare_cached(&select(tail))?.query_map(params, from_row)?.collect()
}

fn from_row(row: &Row) -> rusqlite::Result<SummaryRow> {
    Ok(SummaryRow {
        id: row.get(0)?,
        uuid: row.get(1)?,
        external_id: row.get(2)?,
        session_id: row.get(3)?,
        project_id: row.get(4)?,
        prompt_number: row.get(5)?,
        turn_id: row.get(6)?,
        summary: Summary {
            request: row.get(7)?,
            investigated: row.get(8)?,
            learned: row.get(9)?,
            completed: row.get(10)?,
            next_steps: row.get(11)?,
            notes: row.get(12)?,
            files_read: list(row, 13)?,
            files_modified: list(row, 14)?,
        },
        backend: row.get(15)?,
        provisional: row.get(16)?,
        hidden: row.get(17)?,
        created_at_epoch: row.get(18)?,
        changed_at_epoch: row.get(19)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema/001-tables.sql")).unwrap();
        conn.execute_batch(
            r#"INSERT INTO projects (id, name, root) VALUES (1, 'one', '/one');
             INSERT INTO sessions (id, uuid, client, content_session_id, status, started_at_epoch,
                 last_event_epoch)
               VALUES (1, 'a', 'c', 'a', 'failed', 0, 0), (2, 'b', 'c', 'b', 'active', 0, 0);
             INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number,
                 external_id, request, files_modified, backend, provisional, hidden,
                 created_at_epoch, changed_at_epoch)
               VALUES (1, 'u1', 1, 1, 1, NULL, 'first', '["a.rs"]', 'extractive', 1, 0, 10, 99),
                 (2, 'u2', 1, 1, 2, NULL, 'second', '[]', 'extractive', 0, 1, 20, 20),
                 (3, 'u3', 2, 1, 1, NULL, '[private]', '[]', 'extractive', 0, 0, 30, 30),
                 (4, 'u4', NULL, 1, 0, 'x:1', 'imported', '[]', 'import', 0, 0, 40, 40);"#,
        )
        .unwrap();
        conn
    }

    fn ids(rows: Vec<SummaryRow>) -> Vec<i64> {
        rows.iter().map(|r| r.id).collect()
    }

    #[test]
    fn short_names_are_parsed() {
        let check = |name, expected| assert_eq!(parse_id(name), expected, "{name}");
        check("s37", Some(37));
        check("37", None);
        check("o37", None);
        check("s", None);
        check("s-3", None);
    }

    #[test]
    fn a_row_is_read_by_short_name_and_uuid() {
        let conn = open();
        let row = by_name(&conn, "s1").unwrap().unwrap();
        assert_eq!(by_name(&conn, "u1").unwrap().unwrap(), row);
        assert_eq!(row.summary.request, "first");
        assert_eq!(row.summary.files_modified, ["a.rs"]);
        assert!(row.provisional && !row.hidden);
        assert_eq!(by_name(&conn, "s9").unwrap(), None);
    }

    #[test]
    fn a_session_lists_its_newest_prompt_first() {
        let conn = open();
        assert_eq!(ids(of_session(&conn, 1, 9).unwrap()), [2, 1]);
    }

    #[test]
    fn hidden_and_private_rows_are_not_in_the_context() {
        let conn = open();
        assert_eq!(ids(newest_for_context(&conn, 1, &[], 9).unwrap()), [4, 1]);
        assert_eq!(ids(newest_for_context(&conn, 1, &[1, 2], 9).unwrap()), [4]);
    }
}
