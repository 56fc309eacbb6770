//! Sessions and their prompts: creating a session row, and looking sessions up by identity, by the
//! prefix of an id that a user types, or by activity.

use memctl_proto::event::{Event, Process};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use super::error::Result;
use super::{forgotten, new_uuid, told, tombstones};

#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub id: i64,
    pub uuid: String,
    pub client: String,
    /// The client's own id.
    pub content_session_id: String,
    pub parent_session_id: Option<i64>,
    pub project_id: Option<i64>,
    /// Name of the project.
    pub project: Option<String>,
    pub cwd: Option<String>,
    /// `active`, `completed` or `failed`.
    pub status: String,
    pub end_reason: Option<String>,
    /// Number of the newest prompt.
    pub prompts: i64,
    /// Workers started since a worker last completed a batch or shut down in order.
    pub restarts: i64,
    pub backend: Option<String>,
    pub client_pid: Option<i64>,
    pub client_start: Option<i64>,
    pub context_epoch: Option<i64>,
    pub started_at_epoch: i64,
    pub last_event_epoch: i64,
    pub completed_at_epoch: Option<i64>,
}

impl Session {
    /// The client process that the latest event named.
    pub fn client_process(&self) -> Option<Process> {
        let (pid, start) = self.client_pid.zip(self.client_start)?;
        Some(Process { pid: pid.try_into().ok()?, start: start as u64 })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredPrompt {
    pub id: i64,
    pub session_id: i64,
    pub number: i64,
    pub turn_id: Option<String>,
    /// `None` if the prompt is private.
    pub text: Option<String>,
    pub created_at_epoch: i64,
    pub finalized_at_epoch: Option<i64>,
    pub finalized_by: Option<String>,
}

const SELECT: &str = "SELECT s.id, s.uuid, s.client, s.content_session_id, s.parent_session_id,
   s.project_id, p.name, s.cwd, s.status, s.end_reason, s.prompt_counter, s.restarts, s.backend,
   s.client_pid, s.client_start, s.context_epoch, s.started_at_epoch, s.last_event_epoch,
   s.completed_at_epoch
 FROM sessions s LEFT JOIN projects p ON p.id = s.project_id";

fn session(r: &Row) -> rusqlite::Result<Session> {
    Ok(Session {
        id: r.get(0)?,
        uuid: r.get(1)?,
        client: r.get(2)?,
        content_session_id: r.get(3)?,
        parent_session_id: r.get(4)?,
        project_id: r.get(5)?,
        project: r.get(6)?,
        cwd: r.get(7)?,
        status: r.get(8)?,
        end_reason: r.get(9)?,
        prompts: r.get(10)?,
        restarts: r.get(11)?,
        backend: r.get(12)?,
        client_pid: r.get(13)?,
        client_start: r.get(14)?,
        context_epoch: r.get(15)?,
        started_at_epoch: r.get(16)?,
        last_event_epoch: r.get(17)?,
        completed_at_epoch: r.get(18)?,
    })
}

/// Row id of the session with this identity: the client and the client's session id.
pub fn id_of(conn: &Connection, client: &str, content_session_id: &str) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT id FROM sessions WHERE client = ?1 AND content_session_id = ?2")?
        .query_row([client, content_session_id], |r| r.get(0))
        .optional()?)
}

/// The part of a session that a worker reads after each of its transactions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brief {
    pub id: i64,
    pub active: bool,
    /// Number of the newest prompt, or 0 if there is none.
    pub prompts: i64,
    /// The client process that the latest event named.
    pub client: Option<Process>,
}

/// The [`Brief`] of the session with this identity.
pub fn brief(conn: &Connection, client: &str, content_session_id: &str) -> Result<Option<Brief>> {
    Ok(conn
        .prepare_cached(
            "SELECT id, status = 'active', prompt_counter, client_pid, client_start FROM sessions
             WHERE client = ?1 AND content_session_id = ?2",
        )?
        .query_row([client, content_session_id], |r| {
            let (pid, start): (Option<i32>, Option<i64>) = (r.get(3)?, r.get(4)?);
            let client = pid.zip(start).map(|(pid, start)| Process { pid, start: start as u64 });
            Ok(Brief { id: r.get(0)?, active: r.get(1)?, prompts: r.get(2)?, client })
        })
        .optional()?)
}

/// The session with this identity.
pub fn find(conn: &Connection, client: &str, content_session_id: &str) -> Result<Option<Session>> {
    match id_of(conn, client, content_session_id)? {
        Some(id) => get(conn, id),
        None => Ok(None),
    }
}

pub fn get(conn: &Connection, id: i64) -> Result<Option<Session>> {
    Ok(conn
        .prepare_cached(&format!("{SELECT} WHERE s.id = ?1"))?
        .query_row([id], session)
        .optional()?)
}

/// The sessions whose id starts with a prefix.
#[derive(Debug)]
pub enum PrefixMatch {
    None,
    One(Box<Session>),
    /// Several sessions, the newest first.
    Many(Vec<Session>),
}

/// Finds a session by a prefix of the client's session id, or by `CLIENT:PREFIX`. A complete id is
/// ambiguous only if two clients use it.
pub fn by_prefix(conn: &Connection, name: &str) -> Result<PrefixMatch> {
    let of_client = name.split_once(':').map(|(client, prefix)| (Some(client), prefix));
    for (client, prefix) in std::iter::once((None, name)).chain(of_client) {
        if prefix.is_empty() {
            continue;
        }
        for condition in ["= ?1", "BETWEEN ?1 AND ?1 || char(1114111)"] {
            let condition = format!(
                "WHERE s.content_session_id {condition} AND (?2 IS NULL OR s.client = ?2)
                 ORDER BY s.last_event_epoch DESC, s.id DESC"
            );
            let mut found = rows(conn, &condition, params![prefix, client])?;
            match found.len() {
                0 => {}
                1 => return Ok(PrefixMatch::One(Box::new(found.remove(0)))),
                _ => return Ok(PrefixMatch::Many(found)),
            }
        }
    }
    Ok(PrefixMatch::None)
}

/// Conditions on the sessions that [`list`] returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub project_id: Option<i64>,
    /// Also sessions of other projects of which a turn is told in the project.
    pub told: bool,
    /// Only sessions that have not ended.
    pub active: bool,
}

/// At most `limit` sessions, the one with the newest event first.
pub fn list(conn: &Connection, filter: Filter, limit: usize) -> Result<Vec<Session>> {
    let told = match filter.told {
        true => format!("OR {}", told::session_in("?1", "s.id")),
        false => String::new(),
    };
    let condition = format!(
        "WHERE (?1 IS NULL OR s.project_id = ?1 {told}) AND (NOT ?2 OR s.status = 'active')
         ORDER BY s.last_event_epoch DESC, s.id DESC LIMIT ?3"
    );
    rows(conn, &condition, params![filter.project_id, filter.active, limit as i64])
}

/// The clients with an event at this time or later, in milliseconds since the epoch.
pub fn clients_since(conn: &Connection, since: i64) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT client FROM sessions WHERE last_event_epoch >= ?1 ORDER BY client";
    let mut rows = conn.prepare(sql)?;
    let rows = rows.query_map([since], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many memories a session has. Private turns and superseded observations are not counted.
pub fn count_memories(conn: &Connection, session_id: i64) -> Result<u64> {
    Ok(conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM observations
                     WHERE session_id = ?1 AND superseded_by IS NULL)
                  + (SELECT count(*) FROM session_summaries WHERE session_id = ?1 AND NOT hidden)",
        )?
        .query_row([session_id], |r| r.get::<_, i64>(0))? as u64)
}

/// Active sessions without an event since `before`. Recovery ends them if they have no worker.
pub fn inactive_since(conn: &Connection, before: i64, limit: usize) -> Result<Vec<Session>> {
    rows(
        conn,
        "WHERE s.status = 'active' AND s.last_event_epoch < ?1
         ORDER BY s.last_event_epoch DESC LIMIT ?2",
        params![before, limit as i64],
    )
}

fn rows(conn: &Connection, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Session>> {
    let mut rows = conn.prepare(&format!("{SELECT} {rest}"))?;
    let rows = rows.query_map(params, session)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Prompts of a session, oldest first.
pub fn prompts(conn: &Connection, session_id: i64) -> Result<Vec<StoredPrompt>> {
    let mut rows =
        conn.prepare(&format!("{SELECT_PROMPT} WHERE session_id = ?1 ORDER BY prompt_number"))?;
    let rows = rows.query_map([session_id], stored_prompt)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Finds a prompt by its short name (`p88`) or uuid.
pub fn prompt_by_name(conn: &Connection, name: &str) -> Result<Option<StoredPrompt>> {
    let id: Option<i64> = name.strip_prefix('p').and_then(|digits| digits.parse().ok());
    Ok(conn
        .prepare(&format!("{SELECT_PROMPT} WHERE id = ?1 OR uuid = ?2"))?
        .query_row(params![id, name], stored_prompt)
        .optional()?)
}

const SELECT_PROMPT: &str = "SELECT id, prompt_number, turn_id, prompt_text, created_at_epoch,
   finalized_at_epoch, finalized_by, session_id FROM user_prompts";

fn stored_prompt(r: &Row) -> rusqlite::Result<StoredPrompt> {
    Ok(StoredPrompt {
        id: r.get(0)?,
        number: r.get(1)?,
        turn_id: r.get(2)?,
        text: r.get(3)?,
        created_at_epoch: r.get(4)?,
        finalized_at_epoch: r.get(5)?,
        finalized_by: r.get(6)?,
        session_id: r.get(7)?,
    })
}

/// The row id of a session's prompt with this number.
pub fn prompt_id(conn: &Connection, session_id: i64, number: i64) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT id FROM user_prompts WHERE session_id = ?1 AND prompt_number = ?2")?
        .query_row([session_id, number], |r| r.get(0))
        .optional()?)
}

/// Whether the session has a prompt with this event id.
pub fn has_prompt_event(conn: &Connection, session_id: i64, event_id: &str) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM user_prompts WHERE session_id = ?1 AND event_id = ?2)",
        )?
        .query_row(params![session_id, event_id], |r| r.get(0))?)
}

/// Whether an event of any session is stored.
pub fn has_event(conn: &Connection, event: Uuid) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM user_prompts WHERE event_id = ?1)
                 OR EXISTS (SELECT 1 FROM pending_messages WHERE event_id = ?1)",
        )?
        .query_row([event.to_string()], |r| r.get(0))?)
}

/// Whether the session was forgotten after this time (milliseconds since the epoch).
pub fn was_forgotten_after(
    conn: &Connection,
    client: &str,
    session: &str,
    at: i64,
) -> Result<bool> {
    Ok(tombstones::forgotten_at(conn, client, session)?.is_some_and(|forgotten| at <= forgotten))
}

/// The parent of a fork: the session of the same client process that has this turn.
pub fn parent_of_fork(
    conn: &Connection,
    client: &str,
    process: Process,
    turn: &str,
    fork: i64,
) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached(
            "SELECT s.id FROM sessions s
             WHERE s.client = ?1 AND s.client_pid = ?2 AND s.client_start = ?3 AND s.id <> ?5
               AND (EXISTS (SELECT 1 FROM user_prompts p
                            WHERE p.session_id = s.id AND p.turn_id = ?4)
                 OR EXISTS (SELECT 1 FROM pending_messages m
                            WHERE m.session_id = s.id AND m.turn_id = ?4))
             ORDER BY s.last_event_epoch DESC, s.id DESC LIMIT 1",
        )?
        .query_row(params![client, process.pid, process.start as i64, turn, fork], |r| r.get(0))
        .optional()?)
}

/// Inserts the row of a new session. The generation of a forgotten session starts from the time it
/// was forgotten: row ids are reused, and a worker's old token must not match the new row.
pub fn insert(tx: &Transaction, event: &Event, forgotten: Option<i64>, now: i64) -> Result<i64> {
    let at = event.at.min(now);
    let continued = match forgotten {
        Some(_) => forgotten::session(tx, &event.client, &event.session)?,
        None => None,
    };
    tx.prepare_cached(&format!(
        "INSERT INTO sessions (id, uuid, client, content_session_id, cwd, generation,
           prompt_counter, started_at_epoch, last_event_epoch)
         VALUES (ifnull(?1, {}), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        forgotten::UNUSED_SESSION
    ))?
    .execute(params![
        continued.map(|(id, _)| id),
        new_uuid(now),
        event.client,
        event.session,
        event.cwd,
        forgotten.unwrap_or(0),
        continued.map_or(0, |(_, prompts)| prompts),
        at
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Makes a `failed` session `completed` if the turn that its end had to close has stopped since.
pub fn complete_if_finished(tx: &Transaction, id: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE sessions SET status = 'completed' WHERE id = ?1 AND status = 'failed'
         AND NOT EXISTS (SELECT 1 FROM user_prompts WHERE session_id = ?1 AND finalized_by = 'end')",
    )?
    .execute([id])?;
    Ok(())
}

/// Clears the crash counter at an orderly shutdown of the worker.
pub fn reset_restarts(tx: &Transaction, session_id: i64) -> Result<()> {
    tx.execute("UPDATE sessions SET restarts = 0 WHERE id = ?1 AND restarts <> 0", [session_id])?;
    Ok(())
}

/// Records whose account the session's own worker uses: `CLAUDE_CONFIG_DIR`, empty for the default.
pub fn record_account(tx: &Transaction, session_id: i64, account: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE sessions SET agent_account = ?2 WHERE id = ?1 AND agent_account IS NOT ?2",
    )?
    .execute(params![session_id, account])?;
    Ok(())
}

/// The recorded account of a session.
pub fn account(conn: &Connection, client: &str, session: &str) -> Result<Option<String>> {
    let found = conn
        .prepare_cached(
            "SELECT agent_account FROM sessions WHERE client = ?1 AND content_session_id = ?2",
        )?
        .query_row([client, session], |r| r.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// Whether no session has an account other than the default one.
pub fn all_have_default_account(conn: &Connection) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM sessions WHERE agent_account <> '')";
    Ok(conn.prepare_cached(sql)?.query_row([], |r| r.get(0))?)
}

/// Records the memory agent's own id of this session. A session keeps its first backend.
pub fn set_memory_session(
    tx: &Transaction,
    session_id: i64,
    memory_session_id: &str,
    backend: &str,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE sessions SET memory_session_id = ?2, backend = ifnull(backend, ?3) WHERE id = ?1",
    )?
    .execute(params![session_id, memory_session_id, backend])?;
    Ok(())
}

#[cfg(test)]
mod tests;
