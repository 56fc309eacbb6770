//! The queue across sessions, for the command line and recovery: counts, lists, and the operations
//! retry, abort and reset.

use rusqlite::{Connection, Row, Transaction, params};

use super::error::Result;
use super::queue::{MAX_DEFER_MS, mark_processed};

/// The `error` of an aborted message.
pub const ABORTED: &str = "aborted";

/// Maximum number of rows that one transaction deletes.
const MAX_ROWS: i64 = 500;

/// Messages by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pending: u64,
    pub processing: u64,
    pub processed: u64,
    /// Not distilled, and not given up by the user.
    pub failed: u64,
    /// Given up by the user.
    pub aborted: u64,
}

/// Counts messages of one session, or of all.
pub fn counts(conn: &Connection, session_id: Option<i64>) -> Result<Counts> {
    let which = if session_id.is_some() { "session_id = ?1" } else { "?1 IS NULL" };
    let mut rows = conn.prepare_cached(&format!(
        "SELECT iif(status = 'failed' AND error IS '{ABORTED}', '{ABORTED}', status), count(*)
         FROM pending_messages WHERE {which} GROUP BY 1"
    ))?;
    let rows =
        rows.query_map([session_id], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    let mut counts = Counts::default();
    for row in rows {
        let (status, n) = row?;
        match status.as_str() {
            "pending" => counts.pending = n as u64,
            "processing" => counts.processing = n as u64,
            "processed" => counts.processed = n as u64,
            "failed" => counts.failed = n as u64,
            ABORTED => counts.aborted = n as u64,
            _ => {}
        }
    }
    Ok(counts)
}

/// Number of unfinished messages of a session: pending and processing.
pub fn count_unfinished(conn: &Connection, session_id: i64) -> Result<u64> {
    let n: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM pending_messages
             WHERE status IN ('pending', 'processing') AND session_id = ?1",
        )?
        .query_row([session_id], |r| r.get(0))?;
    Ok(n as u64)
}

/// Whether a session other than `except` has unfinished messages, or is active without an event
/// since `before`.
pub fn other_sessions_have_work(
    conn: &Connection,
    except: Option<i64>,
    before: i64,
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pending_messages
               WHERE status IN ('pending', 'processing') AND session_id IS NOT ?1)
             OR EXISTS (SELECT 1 FROM sessions
               WHERE status = 'active' AND last_event_epoch < ?2 AND id IS NOT ?1)",
        )?
        .query_row(params![except, before], |r| r.get(0))?)
}

/// A session with unfinished messages.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionWork {
    pub session_id: i64,
    pub client: String,
    pub content_session_id: String,
    /// The first backend of the session.
    pub backend: Option<String>,
    pub unfinished: u64,
    /// Time from which the next message may be claimed, or 0 if it may be claimed now.
    pub not_before_epoch: i64,
}

/// Sessions with unfinished messages, other than `except`. The session with the newest event comes
/// first.
///
/// The next message of a session is its oldest one that did not fail alone, or one that did and is
/// due earlier. A deferral of more than an hour is ignored (see `MAX_DEFER_MS`).
pub fn sessions_with_work(
    conn: &Connection,
    except: Option<i64>,
    now: i64,
) -> Result<Vec<SessionWork>> {
    // With min(id), SQLite takes the bare column `due` from the row with the lowest id.
    let mut rows = conn.prepare(
        "WITH open AS MATERIALIZED (SELECT session_id, id, retry_count > 0 AS alone,
             iif(not_before_epoch > ?2 AND not_before_epoch <= ?2 + ?3, not_before_epoch, 0) AS due
           FROM pending_messages
           WHERE status IN ('pending', 'processing') AND session_id IS NOT ?1),
         part AS (SELECT session_id, count(*) AS n, min(due) AS due FROM open
                    WHERE alone GROUP BY session_id
                  UNION ALL SELECT session_id, n, due FROM
                   (SELECT session_id, count(*) AS n, min(id), due FROM open
                    WHERE NOT alone GROUP BY session_id))
         SELECT s.id, s.client, s.content_session_id, s.backend, sum(part.n), min(part.due)
         FROM part JOIN sessions s ON s.id = part.session_id
         GROUP BY s.id ORDER BY s.last_event_epoch DESC, s.id DESC",
    )?;
    let rows = rows.query_map(params![except, now, MAX_DEFER_MS], |r| {
        Ok(SessionWork {
            session_id: r.get(0)?,
            client: r.get(1)?,
            content_session_id: r.get(2)?,
            backend: r.get(3)?,
            unfinished: r.get::<_, i64>(4)? as u64,
            not_before_epoch: r.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A message as `memctl queue` shows it, without its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub id: i64,
    pub client: String,
    pub content_session_id: String,
    pub project: Option<String>,
    pub event: String,
    pub tool_name: Option<String>,
    pub prompt_number: i64,
    pub status: String,
    pub retry_count: i64,
    pub claims: i64,
    pub not_before_epoch: Option<i64>,
    pub error: Option<String>,
    pub worker_pid: Option<i64>,
    pub created_at_epoch: i64,
    pub completed_at_epoch: Option<i64>,
}

impl Item {
    /// The status, or `aborted` for a failed message that the user gave up.
    pub fn shown_status(&self) -> &str {
        match self.error.as_deref() {
            Some(ABORTED) if self.status == "failed" => ABORTED,
            _ => &self.status,
        }
    }
}

const ITEM: &str = "SELECT m.id, s.client, m.content_session_id, p.name, m.event, m.tool_name,
   m.prompt_number, m.status, m.retry_count, m.claims, m.not_before_epoch, m.error, m.worker_pid,
   m.created_at_epoch, m.completed_at_epoch
 FROM pending_messages m JOIN sessions s ON s.id = m.session_id
 LEFT JOIN projects p ON p.id = s.project_id";

fn item(r: &Row) -> rusqlite::Result<Item> {
    Ok(Item {
        id: r.get(0)?,
        client: r.get(1)?,
        content_session_id: r.get(2)?,
        project: r.get(3)?,
        event: r.get(4)?,
        tool_name: r.get(5)?,
        prompt_number: r.get(6)?,
        status: r.get(7)?,
        retry_count: r.get(8)?,
        claims: r.get(9)?,
        not_before_epoch: r.get(10)?,
        error: r.get(11)?,
        worker_pid: r.get(12)?,
        created_at_epoch: r.get(13)?,
        completed_at_epoch: r.get(14)?,
    })
}

fn items(conn: &Connection, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Item>> {
    let mut rows = conn.prepare(&format!("{ITEM} {rest}"))?;
    let rows = rows.query_map(params, item)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Failed and unfinished messages: failed first, then processing, then pending; oldest first.
pub fn open_items(conn: &Connection, session_id: Option<i64>, limit: usize) -> Result<Vec<Item>> {
    items(
        conn,
        "WHERE m.status IN ('failed', 'processing', 'pending')
           AND (?1 IS NULL OR m.session_id = ?1)
         ORDER BY CASE m.status WHEN 'failed' THEN 0 WHEN 'processing' THEN 1 ELSE 2 END, m.id
         LIMIT ?2",
        params![session_id, limit as i64],
    )
}

/// The message with this id.
pub fn item_of(conn: &Connection, id: i64) -> Result<Option<Item>> {
    Ok(items(conn, "WHERE m.id = ?1", params![id])?.pop())
}

/// Unfinished messages created before `before`, oldest first.
pub fn stuck(
    conn: &Connection,
    session_id: Option<i64>,
    before: i64,
    limit: usize,
) -> Result<Vec<Item>> {
    items(
        conn,
        "WHERE m.status IN ('pending', 'processing') AND m.created_at_epoch < ?2
           AND (?1 IS NULL OR m.session_id = ?1)
         ORDER BY m.id LIMIT ?3",
        params![session_id, before, limit as i64],
    )
}

/// The messages processed last, newest first.
pub fn recent(conn: &Connection, session_id: Option<i64>, limit: usize) -> Result<Vec<Item>> {
    items(
        conn,
        "WHERE m.status = 'processed' AND (?1 IS NULL OR m.session_id = ?1)
         ORDER BY m.completed_at_epoch DESC, m.id DESC LIMIT ?2",
        params![session_id, limit as i64],
    )
}

/// The messages that the user selected.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    Ids(&'a [i64]),
    Session(i64),
    All,
}

/// Makes failed and deferred messages pending and resets their counters, if they were created before
/// `before`. Aborted messages have no payload and are not changed. Returns the number of changed
/// messages.
pub fn retry(tx: &Transaction, which: Selection, before: i64) -> Result<u64> {
    let sql = format!(
        "UPDATE pending_messages SET status = 'pending', retry_count = 0, claims = 0, error = NULL,
           not_before_epoch = NULL, waits_for = NULL, worker_pid = NULL,
           started_processing_at_epoch = NULL, completed_at_epoch = NULL
         WHERE (status = 'failed' AND error IS NOT '{ABORTED}'
             OR status = 'pending' AND (retry_count > 0 OR claims > 0 OR not_before_epoch NOTNULL))
           AND created_at_epoch < {before}"
    );
    update_selected(tx, &sql, which)
}

/// Marks messages `failed` and deletes their payload. Returns the number of changed messages.
pub fn abort(tx: &Transaction, which: Selection, now: i64) -> Result<u64> {
    let sql = format!(
        "UPDATE pending_messages SET status = 'failed', error = '{ABORTED}',
           completed_at_epoch = {now}, tool_input = NULL, tool_response = NULL, cwd = NULL,
           files = NULL, last_assistant_message = NULL, not_before_epoch = NULL, worker_pid = NULL
         WHERE (status IN ('pending', 'processing')
             OR status = 'failed' AND error IS NOT '{ABORTED}')"
    );
    update_selected(tx, &sql, which)
}

/// Makes the processing messages of a session pending again, if they were created before `before`.
/// The caller holds the session lock: a live worker would distill them a second time. Returns the
/// number of changed messages.
pub fn reset(tx: &Transaction, messages: &Processing, before: i64) -> Result<u64> {
    let sql = format!(
        "UPDATE pending_messages SET status = 'pending', worker_pid = NULL,
           started_processing_at_epoch = NULL
         WHERE status = 'processing' AND created_at_epoch < {before}"
    );
    update_selected(tx, &sql, Selection::Ids(&messages.ids))
}

/// The processing messages of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Processing {
    pub client: String,
    pub content_session_id: String,
    pub ids: Vec<i64>,
}

/// The processing messages among the selected ones that were created before `before`, by session.
pub fn processing(conn: &Connection, which: Selection, before: i64) -> Result<Vec<Processing>> {
    let session = match which {
        Selection::Session(id) => Some(id),
        Selection::All | Selection::Ids(_) => None,
    };
    let is_selected = |id: &i64| match which {
        Selection::Ids(ids) => ids.contains(id),
        Selection::All | Selection::Session(_) => true,
    };
    let mut rows = conn.prepare(
        "SELECT m.id, s.client, s.content_session_id
         FROM pending_messages m JOIN sessions s ON s.id = m.session_id
         WHERE m.status = 'processing' AND (?1 IS NULL OR m.session_id = ?1)
           AND m.created_at_epoch < ?2 ORDER BY m.session_id, m.id",
    )?;
    let rows =
        rows.query_map(params![session, before], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    let mut found: Vec<Processing> = Vec::new();
    for row in rows {
        let (id, client, content_session_id): (i64, String, String) = row?;
        if !is_selected(&id) {
            continue;
        }
        match found.last_mut() {
            Some(last)
                if last.client == client && last.content_session_id == content_session_id =>
            {
                last.ids.push(id);
            }
            _ => found.push(Processing { client, content_session_id, ids: vec![id] }),
        }
    }
    Ok(found)
}

/// Takes aborted messages off the list of failed ones: they become processed messages, which keep
/// their ids. Changes at most 500 messages and returns their number.
pub fn clear_aborted(tx: &Transaction, now: i64) -> Result<u64> {
    let mut aborted = tx.prepare(&format!(
        "SELECT id FROM pending_messages WHERE status = 'failed' AND error = '{ABORTED}' LIMIT ?1"
    ))?;
    let ids =
        aborted.query_map([MAX_ROWS], |r| r.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    ids.iter().try_for_each(|id| mark_processed(tx, *id, now))?;
    Ok(ids.len() as u64)
}

fn update_selected(tx: &Transaction, sql: &str, which: Selection) -> Result<u64> {
    let changed = match which {
        Selection::All => tx.execute(sql, [])?,
        Selection::Session(id) => tx.execute(&format!("{sql} AND session_id = ?1"), [id])?,
        Selection::Ids(ids) => {
            let mut statement = tx.prepare(&format!("{sql} AND id = ?1"))?;
            let mut changed = 0;
            for id in ids {
                changed += statement.execute([id])?;
            }
            changed
        }
    };
    Ok(changed as u64)
}

/// Deletes messages that were processed or failed more than `keep` milliseconds ago, if their session
/// has ended and had no event since. A repeat of such an event is no longer recognized. Deletes at
/// most 500 rows and returns their number.
pub fn delete_old(tx: &Transaction, keep: i64, now: i64) -> Result<u64> {
    let n = tx.execute(
        "DELETE FROM pending_messages WHERE id IN
           (SELECT m.id FROM sessions s JOIN pending_messages m ON m.session_id = s.id
            WHERE s.status <> 'active' AND s.last_event_epoch < ?1
              AND m.status IN ('processed', 'failed') AND m.completed_at_epoch < ?1 LIMIT ?2)",
        params![now - keep, MAX_ROWS],
    )?;
    Ok(n as u64)
}

#[cfg(test)]
mod tests;
