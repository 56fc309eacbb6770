//! Open and closed prompts. The transaction that closes prompts also enqueues one `summarize` for
//! each turn it closes.
//!
//! A prompt is open while `finalized_at_epoch` is null. An observation that arrives for a closed
//! prompt reopens it: `finalized_at_epoch` becomes null and `finalized_by` stays. This
//! distinguishes a reopened prompt from one that was never closed.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use uuid::Uuid;

use super::error::Result;
use super::forgotten::UNUSED_MESSAGE;
use super::words::RowId;
use super::{new_uuid, private};
use crate::memory::Cause;

/// The session and the prompt number of a row. `None`: it belongs to no turn, as rows of scripts.
pub fn of_row(conn: &Connection, row: RowId) -> Result<Option<(i64, i64)>> {
    let sql = format!("SELECT session_id, prompt_number FROM {} WHERE id = ?1", row.kind.table());
    let mut turn = conn.prepare_cached(&sql)?;
    let turn: Option<(Option<i64>, i64)> =
        turn.query_row([row.id], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    Ok(turn.and_then(|(session, number)| Some((session?, number))).filter(|turn| turn.1 > 0))
}

/// The reason why a prompt was closed. Stored in `user_prompts.finalized_by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    Stop,
    StopFailed,
    /// A prompt of another turn arrived.
    Interrupted,
    End,
    /// A `finalize` request.
    Finalize,
    /// The worker closes reopened prompts at the end of its linger and before it shuts down.
    Late,
    /// The worker's idle watchdog (`worker.idle_timeout`).
    Idle,
    /// The worker's wall-clock watchdog (`worker.max_age`).
    Age,
}

impl ClosedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            ClosedBy::Stop => "stop",
            ClosedBy::StopFailed => "stop_failed",
            ClosedBy::Interrupted => "interrupted",
            ClosedBy::End => "end",
            ClosedBy::Finalize => "finalize",
            ClosedBy::Late => "late",
            ClosedBy::Idle => "idle",
            ClosedBy::Age => "age",
        }
    }

    /// Whether the client says how the turn ended.
    fn is_outcome(self) -> bool {
        matches!(self, ClosedBy::Stop | ClosedBy::StopFailed | ClosedBy::Finalize)
    }

    /// The cause of the `summarize` that the closing enqueues. The watchdogs count as an
    /// interruption, because only a turn without a Stop stays open that long.
    fn cause(self) -> Cause {
        match self {
            ClosedBy::Stop | ClosedBy::Finalize => Cause::Stop,
            ClosedBy::StopFailed => Cause::StopFailed,
            ClosedBy::Interrupted | ClosedBy::Idle | ClosedBy::Age => Cause::Interrupted,
            ClosedBy::End => Cause::End,
            ClosedBy::Late => Cause::Late,
        }
    }
}

/// The open prompts that [`close_open`] closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichPrompts {
    All,
    /// Only prompts that were closed before.
    Reopened,
}

/// Number of open prompts of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPrompts {
    pub never_closed: u64,
    pub reopened: u64,
}

impl OpenPrompts {
    pub fn any(self) -> bool {
        self.never_closed + self.reopened > 0
    }
}

pub fn open_prompts(conn: &Connection, session_id: i64) -> Result<OpenPrompts> {
    let mut counts = conn.prepare_cached(
        "SELECT count(*), count(finalized_by) FROM user_prompts
         WHERE session_id = ?1 AND finalized_at_epoch IS NULL",
    )?;
    let (all, reopened): (i64, i64) =
        counts.query_row([session_id], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(OpenPrompts { never_closed: (all - reopened) as u64, reopened: reopened as u64 })
}

/// Closes open prompts without an event, for the worker. Returns their number.
pub fn close_open(
    tx: &Transaction,
    session_id: i64,
    by: ClosedBy,
    now: i64,
    which: WhichPrompts,
) -> Result<u64> {
    let mut open = all_open(tx, session_id)?;
    if which == WhichPrompts::Reopened {
        open.retain(|p| p.finalized_by.is_some());
    }
    close(tx, session_id, &open, by, None, now)?;
    Ok(open.len() as u64)
}

/// The columns of a prompt that concern turns.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub id: i64,
    pub number: i64,
    pub turn: Option<String>,
    pub private: bool,
    pub closed: bool,
    pub finalized_by: Option<String>,
}

const COLUMNS: &str =
    "id, prompt_number, turn_id, private, finalized_at_epoch IS NOT NULL, finalized_by";

fn prompt(row: &Row) -> rusqlite::Result<Prompt> {
    Ok(Prompt {
        id: row.get(0)?,
        number: row.get(1)?,
        turn: row.get(2)?,
        private: row.get(3)?,
        closed: row.get(4)?,
        finalized_by: row.get(5)?,
    })
}

pub(super) fn all_open(tx: &Transaction, session_id: i64) -> Result<Vec<Prompt>> {
    let mut rows = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM user_prompts
         WHERE session_id = ?1 AND finalized_at_epoch IS NULL ORDER BY prompt_number"
    ))?;
    let rows = rows.query_map([session_id], prompt)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn newest(tx: &Transaction, session_id: i64) -> Result<Option<Prompt>> {
    Ok(tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM user_prompts
             WHERE session_id = ?1 ORDER BY prompt_number DESC LIMIT 1"
        ))?
        .query_row([session_id], prompt)
        .optional()?)
}

pub(super) fn newest_of_turn(
    tx: &Transaction,
    session_id: i64,
    turn: &str,
) -> Result<Option<Prompt>> {
    Ok(tx
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM user_prompts
             WHERE session_id = ?1 AND turn_id = ?2 ORDER BY prompt_number DESC LIMIT 1"
        ))?
        .query_row(params![session_id, turn], prompt)
        .optional()?)
}

/// The prompt that an event of this turn belongs to: the newest of the turn. If the turn has none,
/// the newest of the session.
pub(super) fn prompt_of_turn(
    tx: &Transaction,
    session_id: i64,
    turn: Option<&str>,
) -> Result<Option<Prompt>> {
    if let Some(turn) = turn
        && let Some(prompt) = newest_of_turn(tx, session_id, turn)?
    {
        return Ok(Some(prompt));
    }
    newest(tx, session_id)
}

/// Lets the outcome of a turn replace an earlier one: a watchdog or a failed Stop may have closed its
/// prompts before.
pub(super) fn supersede_outcome(
    tx: &Transaction,
    session_id: i64,
    prompt: &Prompt,
    by: ClosedBy,
    now: i64,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE user_prompts SET finalized_at_epoch = ?4, finalized_by = ?5
         WHERE session_id = ?1 AND (id = ?2 OR turn_id = ?3) AND finalized_by <> ?5",
    )?
    .execute(params![session_id, prompt.id, prompt.turn, now, by.as_str()])?;
    Ok(())
}

/// Marks prompts closed, without a `summarize`.
pub(super) fn mark_closed(
    tx: &Transaction,
    prompts: &[Prompt],
    by: ClosedBy,
    now: i64,
) -> Result<()> {
    let mut close = tx.prepare_cached(
        "UPDATE user_prompts SET finalized_at_epoch = ?2, finalized_by = ?3
         WHERE id = ?1 AND finalized_at_epoch IS NULL",
    )?;
    for prompt in prompts {
        close.execute(params![prompt.id, now, by.as_str()])?;
    }
    Ok(())
}

/// Closes `open` and enqueues a `summarize` for the newest prompt of each of its turns.
///
/// A prompt that was reopened keeps its outcome: unless the client reports a new one, it is closed as
/// [`ClosedBy::Late`].
///
/// The ids of these messages derive from the id of the causing `event`, so a repeat of the event
/// enqueues nothing.
pub(super) fn close(
    tx: &Transaction,
    session_id: i64,
    open: &[Prompt],
    by: ClosedBy,
    event: Option<Uuid>,
    now: i64,
) -> Result<()> {
    let mut enqueued: Vec<i64> = Vec::new();
    for prompt in open {
        let by =
            if prompt.finalized_by.is_some() && !by.is_outcome() { ClosedBy::Late } else { by };
        mark_closed(tx, std::slice::from_ref(prompt), by, now)?;
        let newest = match &prompt.turn {
            Some(turn) => newest_of_turn(tx, session_id, turn)?,
            None => None,
        };
        let newest = newest.unwrap_or_else(|| prompt.clone());
        if enqueued.contains(&newest.number) {
            continue;
        }
        enqueued.push(newest.number);
        let event_id = match event {
            Some(event) => Uuid::new_v5(&event, newest.number.to_string().as_bytes()).to_string(),
            None => new_uuid(now),
        };
        let request =
            Summarize { event_id, cause: by.cause(), turn: newest.turn.clone(), text: None };
        enqueue_summarize(tx, session_id, Some(&newest), &request, now, now)?;
    }
    Ok(())
}

/// A `summarize` message to enqueue.
pub(super) struct Summarize {
    pub event_id: String,
    pub cause: Cause,
    pub turn: Option<String>,
    /// The assistant's last message, or the error text of a failed Stop.
    pub text: Option<String>,
}

/// Enqueues a `summarize`. For a private prompt only the ids are kept, and a hidden placeholder
/// replaces the summary. Returns `false` if the event id was already stored.
pub(super) fn enqueue_summarize(
    tx: &Transaction,
    session_id: i64,
    prompt: Option<&Prompt>,
    request: &Summarize,
    at: i64,
    now: i64,
) -> Result<bool> {
    let private = prompt.is_some_and(|p| p.private);
    let number = prompt.map_or(0, |p| p.number);
    let added = tx
        .prepare_cached(&format!(
            "INSERT INTO pending_messages (id, event_id, session_id, content_session_id, turn_id,
               message_type, event, last_assistant_message, prompt_number, status,
               created_at_epoch, completed_at_epoch)
             SELECT {UNUSED_MESSAGE}, ?1, id, content_session_id, ?3, 'summarize', ?4, ?5, ?6, ?7, ?8, ?9
             FROM sessions WHERE id = ?2
             ON CONFLICT DO NOTHING",
        ))?
        .execute(params![
            request.event_id,
            session_id,
            request.turn,
            request.cause.as_str(),
            request.text.as_deref().filter(|_| !private),
            number,
            if private { "processed" } else { "pending" },
            at,
            private.then_some(now),
        ])?;
    if private && added > 0 {
        private::hide_summary(tx, session_id, number, request.turn.as_deref(), now)?;
    }
    Ok(added > 0)
}
