//! Reads session summaries. `commit` and `private` write them.

use std::ops::{ControlFlow, RangeInclusive};

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::marks::{self, Marks, OF_SUMMARY};
use super::observations::{json, list};
use super::told;
use crate::memory::{PRIVATE, Summary, Turn};

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
    /// The turn as data. `None` in rows of older releases and of imports.
    pub turn: Option<Box<Turn>>,
    pub title: String,
    pub backend: String,
    /// Written by the local rules until the configured backend answers.
    pub provisional: bool,
    /// Never included in a context: the turn is private.
    pub hidden: bool,
    pub marks: Marks,
    /// The user has changed its text.
    pub edited: bool,
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

/// Minutes east of UTC on the user's machine at the end of a session's newest turn.
pub fn utc_offset(conn: &Connection, session_id: i64) -> rusqlite::Result<i32> {
    let offset: Option<Option<i32>> = conn
        .prepare_cached(
            "SELECT json_extract(turn, '$.utc_offset') FROM session_summaries
             WHERE session_id = ?1 AND json_valid(turn) ORDER BY prompt_number DESC LIMIT 1",
        )?
        .query_row([session_id], |row| row.get(0))
        .optional()?;
    Ok(offset.flatten().unwrap_or_default())
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

/// What the choice of sessions for a context needs to know about one turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnHead {
    /// Id of the summary.
    pub id: i64,
    pub session_id: Option<i64>,
    /// The beginning of the request.
    pub request: String,
    /// Whether the user wrote the prompt.
    pub by_user: bool,
    /// The summary reports work.
    pub has_done: bool,
    /// The summary has an answer, a cause or a next step.
    pub has_answer: bool,
    pub tool_uses: u32,
    pub created_at_epoch: i64,
    pub changed_at_epoch: i64,
}

/// Visits the project's turns for a context, newest first, until `visit` breaks. Hidden turns and
/// those of the sessions in `excluded_sessions` are left out.
pub fn visit_heads_for_context(
    conn: &Connection,
    project_id: i64,
    excluded_sessions: &[i64],
    mut visit: impl FnMut(TurnHead) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(&heads_sql())?;
    let mut rows = statement.query((project_id, json(excluded_sessions)))?;
    while let Some(row) = rows.next()? {
        let head = TurnHead {
            id: row.get(0)?,
            session_id: row.get(1)?,
            request: row.get(2)?,
            by_user: row.get(3)?,
            has_done: row.get(4)?,
            has_answer: row.get(5)?,
            tool_uses: row.get(6)?,
            created_at_epoch: row.get(7)?,
            changed_at_epoch: row.get(8)?,
        };
        if visit(head).is_break() {
            break;
        }
    }
    Ok(())
}

pub(super) fn heads_sql() -> String {
    let heads = |condition: &str| {
        format!(
            "SELECT id, session_id, substr(request, 1, 240), sender = 'user', completed <> '',
               learned <> '' OR next_steps <> '' OR notes <> '', tool_uses, created_at_epoch,
               changed_at_epoch
             FROM session_summaries
             WHERE {condition} AND NOT hidden AND request <> '{PRIVATE}'
               AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?2)))"
        )
    };
    format!(
        "{} UNION ALL {} ORDER BY 8 DESC, 1 DESC",
        heads("project_id = ?1"),
        heads(&format!("project_id IS NOT ?1 AND {}", told::turn_in("?1", "")))
    )
}

/// The newest turns of a session for the context of a project, oldest first. If there are more than
/// `limit`, the first two as well: they say what the session is about.
///
/// Of a row, only the keys, times, marks and the turn are read, and the texts if there is no turn.
pub fn of_session_for_context(
    conn: &Connection,
    session_id: i64,
    project_id: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Vec<SummaryRow>> {
    let read = |order, limit: usize| -> rusqlite::Result<Vec<SummaryRow>> {
        conn.prepare_cached(&of_session_sql(order))?
            .query_map((project_id, session_id, limit as i64), from_row_for_context)?
            .collect()
    };
    let mut rows = read("DESC", limit)?;
    rows.reverse();
    if rows.len() == limit {
        let mut first = read("ASC", 2)?;
        first.retain(|row| rows.iter().all(|newer| newer.id != row.id));
        rows.splice(0..0, first);
    }
    Ok(rows)
}

/// The turns of the prompts of a session with these numbers, oldest first.
pub fn of_prompts_for_context(
    conn: &Connection,
    session_id: i64,
    numbers: RangeInclusive<i64>,
) -> rusqlite::Result<Vec<SummaryRow>> {
    let columns = columns_for_context();
    let sql = format!(
        "SELECT {columns} FROM session_summaries
         WHERE session_id = ?1 AND prompt_number BETWEEN ?2 AND ?3 AND external_id IS NULL
           AND NOT hidden AND request <> '{PRIVATE}' ORDER BY prompt_number"
    );
    conn.prepare_cached(&sql)?
        .query_map((session_id, numbers.start(), numbers.end()), from_row_for_context)?
        .collect()
}

/// The newest turns of a project that were made after a time.
pub fn later_for_context(
    conn: &Connection,
    project_id: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<SummaryRow>> {
    let columns = columns_for_context();
    let sql = format!(
        "SELECT {columns} FROM session_summaries
         WHERE project_id = ?1 AND created_at_epoch > ?2 AND NOT hidden AND request <> '{PRIVATE}'
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?3"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map((project_id, after, limit as i64), from_row_for_context)?;
    let mut rows: Vec<SummaryRow> = rows.collect::<rusqlite::Result<_>>()?;
    rows.retain(|row| row.marks.is_told());
    Ok(rows)
}

/// The times of those of the turns of [`later_for_context`] that the user asked for. The turns are not read.
pub fn times_of_user_for_context(
    conn: &Connection,
    project_id: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let sql = format!(
        "SELECT created_at_epoch, sender = 'user', {OF_SUMMARY} FROM session_summaries
         WHERE project_id = ?1 AND created_at_epoch > ?2 AND NOT hidden AND request <> '{PRIVATE}'
         ORDER BY created_at_epoch DESC, id DESC LIMIT ?3"
    );
    let mut rows = conn.prepare_cached(&sql)?;
    let rows = rows.query_map((project_id, after, limit as i64), |row| {
        let is_told = row.get::<_, bool>(1)? && marks::read(row, 2)?.is_told();
        Ok(is_told.then_some(row.get(0)?))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// Summaries from another program are told only for a session that has none of its own.
pub(super) fn of_session_sql(order: &str) -> String {
    let columns = columns_for_context();
    format!(
        "SELECT {columns} FROM session_summaries
         WHERE session_id = ?2 AND (project_id IS ?1 OR {}) AND NOT hidden AND request <> '{PRIVATE}'
           AND (external_id IS NULL OR NOT EXISTS (SELECT 1 FROM session_summaries own
                WHERE own.session_id = ?2 AND own.external_id IS NULL))
         ORDER BY prompt_number {order}, id {order} LIMIT ?3",
        told::turn_in("?1", "")
    )
}

/// The columns of [`from_row_for_context`].
fn columns_for_context() -> String {
    format!(
        "id, session_id, provisional, created_at_epoch, changed_at_epoch, turn, {OF_SUMMARY},
           request, learned, completed, next_steps, notes, files_modified"
    )
}

fn from_row_for_context(row: &Row) -> rusqlite::Result<SummaryRow> {
    let turn = turn(row, 5)?.map(Box::new);
    let summary = match turn {
        Some(_) => Summary::default(),
        None => Summary {
            request: row.get(9)?,
            learned: row.get(10)?,
            completed: row.get(11)?,
            next_steps: row.get(12)?,
            notes: row.get(13)?,
            files_modified: list(row, 14)?,
            ..Summary::default()
        },
    };
    Ok(SummaryRow {
        id: row.get(0)?,
        session_id: row.get(1)?,
        provisional: row.get(2)?,
        created_at_epoch: row.get(3)?,
        changed_at_epoch: row.get(4)?,
        marks: marks::read(row, 6)?,
        summary,
        turn,
        ..SummaryRow::default()
    })
}

const EDITED: &str = "EXISTS (SELECT 1 FROM revisions WHERE summary_id = session_summaries.id)";

fn select(tail: &str) -> String {
    format!(
        "SELECT id, uuid, external_id, session_id, project_id, prompt_number, turn_id, request,
           investigated, learned, completed, next_steps, notes, files_read, files_modified,
           backend, provisional, hidden, created_at_epoch, changed_at_epoch, turn, title,
           {OF_SUMMARY}, {EDITED} FROM session_summaries {tail}"
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
        turn: turn(row, 20)?.map(Box::new),
        title: row.get(21)?,
        marks: marks::read(row, 22)?,
        edited: row.get(25)?,
    })
}

/// A damaged turn counts as none: one damaged row must not hide all others.
pub(super) fn turn(row: &Row, column: usize) -> rusqlite::Result<Option<Turn>> {
    let json = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(json.and_then(|json| serde_json::from_slice(json).ok()))
}

/// The number of turns that [`turn`] counts as none. Reads all of them.
pub fn count_unreadable_turns(conn: &Connection) -> rusqlite::Result<u64> {
    let mut rows = conn.prepare("SELECT turn FROM session_summaries WHERE turn NOTNULL")?;
    let mut rows = rows.query([])?;
    let mut n = 0;
    while let Some(row) = rows.next()? {
        n += u64::from(turn(row, 0)?.is_none());
    }
    Ok(n)
}

/// The turn of a prompt that has stopped before.
pub(super) fn turn_of_prompt(
    conn: &Connection,
    session_id: i64,
    number: i64,
) -> rusqlite::Result<Option<Turn>> {
    let found = conn
        .prepare_cached(
            "SELECT turn FROM session_summaries
             WHERE session_id = ?1 AND prompt_number = ?2 AND external_id IS NULL AND NOT hidden",
        )?
        .query_row([session_id, number], |row| turn(row, 0))
        .optional()?;
    Ok(found.flatten())
}

/// The session's turns before the one that has the prompts `numbers`, oldest first. At most
/// twelve.
pub(super) fn turns_before(
    conn: &Connection,
    session_id: i64,
    numbers: &[i64],
) -> rusqlite::Result<Vec<Turn>> {
    const TURNS: i64 = 12;
    let first = numbers.iter().min().copied().unwrap_or_default();
    let mut rows = conn.prepare_cached(
        "SELECT turn FROM session_summaries
         WHERE session_id = ?1 AND prompt_number < ?2 AND NOT hidden AND external_id IS NULL
         ORDER BY prompt_number DESC LIMIT ?3",
    )?;
    let rows = rows.query_map((session_id, first, TURNS), |row| turn(row, 0))?;
    let mut turns: Vec<Turn> =
        rows.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
    turns.reverse();
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::in_memory_db;

    fn open() -> Connection {
        let conn = in_memory_db();
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
        let heads = |excluded: &[i64], limit: usize| {
            let mut ids = Vec::new();
            visit_heads_for_context(&conn, 1, excluded, |head| {
                ids.push(head.id);
                if ids.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            ids
        };
        assert_eq!(heads(&[], 9), [4, 1]);
        assert_eq!(heads(&[], 1), [4]);
        assert_eq!(heads(&[1, 2], 9), [4]);
        assert_eq!(ids(of_session_for_context(&conn, 1, Some(1), 9).unwrap()), [1]);
    }
}
