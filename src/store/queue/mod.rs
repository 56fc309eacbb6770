//! The queue of one session as its worker uses it: claiming, failing, deferring and
//! releasing. `commit` completes a batch; `queue_admin` serves the command line and recovery.
//!
//! Messages are claimed in the order of `accept`, so a `summarize` is never distilled before the
//! observations that precede it. A batch that fails is retried in smaller batches, finally of one
//! message each. A message whose worker died several times is claimed alone, and finally fails.
//! A deferral (a rate limit, a backoff) does not count as a failure.
//!
//! Two counters of a row distinguish failures from crashes. `retry_count` counts the failures of
//! the message when it was distilled alone. `claims` counts claims since the message last failed or
//! was released, so it grows when workers die while they process it. Either counter can make a
//! message `failed`.

mod fence;

use memctl_proto::Event;
use memctl_proto::event::SeenFile;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::batch_context;
use super::error::Result;
use crate::activity::PromptCost;
use crate::config;
use crate::memory::{Batch, Cause, Message};
pub use fence::Fence;

/// A message with this many claims and no failure is a suspect: it may crash its workers.
const SUSPECT_CLAIMS: i64 = 3;
/// A suspect that was claimed alone this often fails instead of being claimed again.
const MAX_CLAIMS_ALONE: i64 = 5;
/// A message fails for good after this many failures alone.
const MAX_FAILURES_ALONE: i64 = 3;
/// A `not_before_epoch` further ahead than this is ignored: the clock was set back after it was
/// written.
pub(super) const MAX_DEFER_MS: i64 = 3_600_000;

/// The limits of one claim.
#[derive(Clone, Copy, Debug)]
pub struct ClaimLimits {
    /// A batch with this many events is full.
    pub events: usize,
    /// A batch with this many bytes of text is full.
    pub bytes: usize,
    /// Also claim a batch that is not full and has no `summarize`.
    pub flush: bool,
    /// Maximum number of messages. The worker halves it after a batch has failed.
    pub limit: usize,
    pub measure: BatchMeasure,
}

/// How a message counts against the limits of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMeasure {
    /// One event with the bytes of all its texts.
    Size,
    /// Its cost in a model's prompt, as `accept` stored it. Without a stored cost, its size.
    PromptCost,
}

impl BatchMeasure {
    /// The measure for the configured backends.
    pub fn configured(agent: &config::Agent) -> BatchMeasure {
        if agent.uses_model() { BatchMeasure::PromptCost } else { BatchMeasure::Size }
    }

    /// Returns what `accept` stores with the event. `None` if no model is configured, because parsing
    /// the event only for its size takes time and memory.
    pub fn cost_to_store(self, event: &Event) -> Option<PromptCost> {
        match self {
            BatchMeasure::Size => None,
            BatchMeasure::PromptCost => PromptCost::from_event(event),
        }
    }

    fn of(self, message: &Message, stored: Option<PromptCost>) -> PromptCost {
        let m = message;
        let texts = [&m.tool_input, &m.tool_response, &m.last_assistant_message];
        let size =
            || PromptCost { events: 1, bytes: texts.into_iter().flatten().map(String::len).sum() };
        match self {
            BatchMeasure::Size => size(),
            BatchMeasure::PromptCost if m.cause.summarizes() => {
                PromptCost::from_last_message(m.last_assistant_message.as_deref())
            }
            BatchMeasure::PromptCost => stored.unwrap_or_else(size),
        }
    }
}

/// Maximum number of messages in a batch, whatever their size.
const MAX_MESSAGES: usize = 256;

#[derive(Debug)]
pub enum Claim {
    Batch(Box<Batch>),
    /// The next message is deferred until this time.
    NotBefore(i64),
    /// Nothing to claim: the queue is empty, the batch would not be full, or the session's last
    /// batch is still being processed.
    Nothing,
}

/// A pending message, and the columns that decide whether it may be claimed.
struct Candidate {
    message: Message,
    retries: i64,
    claims: i64,
    not_before: Option<i64>,
    cost: Option<PromptCost>,
}

impl Candidate {
    /// The time until which the message is deferred.
    fn deferred_until(&self, now: i64) -> Option<i64> {
        self.not_before.filter(|&at| at > now && at <= now + MAX_DEFER_MS)
    }
}

/// The columns that [`message`] and [`candidate`] read.
pub(super) const SELECT: &str = "SELECT id, event, turn_id, prompt_number, agent_id, agent_type,
   tool_name, tool_input, tool_response, cwd, last_assistant_message, created_at_epoch,
   retry_count, claims, not_before_epoch, files, prompt_events, prompt_bytes
   FROM pending_messages";

pub(super) fn message(r: &Row) -> rusqlite::Result<Message> {
    let event: String = r.get(1)?;
    Ok(Message {
        id: r.get(0)?,
        cause: Cause::parse(&event).unwrap_or(Cause::Tool),
        turn_id: r.get(2)?,
        prompt_number: r.get(3)?,
        agent_id: r.get(4)?,
        agent_type: r.get(5)?,
        tool_name: r.get(6)?,
        tool_input: r.get(7)?,
        tool_response: r.get(8)?,
        cwd: r.get(9)?,
        files: files(r.get(15)?),
        last_assistant_message: r.get(10)?,
        created_at_epoch: r.get(11)?,
    })
}

fn candidate(r: &Row) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        message: message(r)?,
        retries: r.get(12)?,
        claims: r.get(13)?,
        not_before: r.get(14)?,
        cost: cost(r.get(16)?, r.get(17)?),
    })
}

fn cost(events: Option<i64>, bytes: Option<i64>) -> Option<PromptCost> {
    let number = |n: Option<i64>| usize::try_from(n?).ok();
    Some(PromptCost { events: number(events)?, bytes: number(bytes)? })
}

/// The files of a tool use, as `accept` wrote them. Empty if the JSON is invalid.
fn files(json: Option<String>) -> Vec<SeenFile> {
    json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// Claims the next batch: the oldest pending messages up to the first `summarize`, or up to the
/// limits.
pub fn claim(
    tx: &Transaction,
    session_id: i64,
    limits: &ClaimLimits,
    pid: u32,
    now: i64,
) -> Result<Claim> {
    let is_processing: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pending_messages
             WHERE session_id = ?1 AND status = 'processing')",
        )?
        .query_row([session_id], |r| r.get(0))?;
    if is_processing {
        return Ok(Claim::Nothing);
    }
    let Next { messages, deferred_until, previously_claimed } =
        next_messages(tx, session_id, limits, now)?;
    if messages.is_empty() {
        return Ok(deferred_until.map_or(Claim::Nothing, Claim::NotBefore));
    }
    let mut mark = tx.prepare_cached(
        "UPDATE pending_messages SET status = 'processing', claims = claims + 1, worker_pid = ?2,
           started_processing_at_epoch = ?3, not_before_epoch = NULL, waits_for = NULL
         WHERE id = ?1",
    )?;
    for message in &messages {
        mark.execute(params![message.id, pid, now])?;
    }
    let batch = batch_context::load(tx, session_id, messages)?;
    Ok(Claim::Batch(Box::new(Batch { previously_claimed, ..batch })))
}

/// The messages to claim, or the time until which the next one is deferred.
#[derive(Default)]
struct Next {
    messages: Vec<Message>,
    deferred_until: Option<i64>,
    /// One of the messages was claimed before.
    previously_claimed: bool,
}

fn next_messages(
    tx: &Transaction,
    session_id: i64,
    limits: &ClaimLimits,
    now: i64,
) -> Result<Next> {
    let mut statement = tx.prepare_cached(&format!(
        "{SELECT} WHERE session_id = ?1 AND status = 'pending' ORDER BY id"
    ))?;
    let mut rows = statement.query([session_id])?;
    let limit = limits.limit.clamp(1, MAX_MESSAGES);
    let (mut next, mut events, mut bytes) = (Next::default(), 0, 0);
    while let Some(row) = rows.next()? {
        let mut head = candidate(row)?;
        let summarizes = head.message.cause.summarizes();
        if summarizes && skip_superseded(tx, session_id, &head.message, now)? {
            continue;
        }
        if head.claims >= SUSPECT_CLAIMS + MAX_CLAIMS_ALONE {
            fail_crashed(tx, head.message.id, now)?;
            continue;
        }
        if let Some(at) = head.deferred_until(now) {
            next.deferred_until = Some(next.deferred_until.map_or(at, |until| until.min(at)));
            if head.retries > 0 {
                continue; // A message that failed alone does not block the ones behind it.
            }
            // Don't wait for a fuller batch: the next message is deferred.
            return Ok(next);
        }
        if head.retries > 0 || head.claims >= SUSPECT_CLAIMS {
            if next.messages.is_empty() {
                next.previously_claimed = head.claims > 0;
                next.messages.push(reread(tx, head.message)?);
            }
            return Ok(next);
        }
        let cost = limits.measure.of(&head.message, head.cost);
        bytes += cost.bytes;
        events += cost.events;
        if !next.messages.is_empty() && bytes > limits.bytes {
            return Ok(next);
        }
        if summarizes {
            head.message = reread(tx, head.message)?;
        }
        next.previously_claimed |= head.claims > 0;
        next.messages.push(head.message);
        let full = events >= limits.events || next.messages.len() >= limit || bytes >= limits.bytes;
        if summarizes || full {
            return Ok(next);
        }
    }
    if !limits.flush {
        next.messages.clear();
    }
    Ok(next)
}

/// Marks a `summarize` processed if a later one of the same prompt is pending. Returns whether
/// there was one. If the later one has no text, as after a `late` closing, it inherits the
/// assistant's message. The error text of a failed Stop is not inherited.
fn skip_superseded(tx: &Transaction, session_id: i64, message: &Message, now: i64) -> Result<bool> {
    let later: Option<i64> = tx
        .prepare_cached(
            "SELECT min(id) FROM pending_messages
             WHERE session_id = ?1 AND status = 'pending' AND message_type = 'summarize'
               AND prompt_number = ?2 AND id > ?3",
        )?
        .query_row(params![session_id, message.prompt_number, message.id], |r| r.get(0))?;
    let Some(later) = later else { return Ok(false) };
    if message.cause != Cause::StopFailed {
        tx.prepare_cached(
            "UPDATE pending_messages SET last_assistant_message =
               (SELECT last_assistant_message FROM pending_messages WHERE id = ?2)
             WHERE id = ?1 AND last_assistant_message IS NULL",
        )?
        .execute([later, message.id])?;
    }
    mark_processed(tx, message.id, now)?;
    Ok(true)
}

/// Marks a message processed. It keeps its ids, so that a late repeat is recognized, and loses its
/// payload.
///
/// `REPLACE` deletes the row and inserts it again. An update in place would leave the page nearly
/// empty, because SQLite merges pages only where a row is deleted: 350 events of real sessions took
/// 670 KB in this table with an update, and take 98 KB with `REPLACE`.
pub(super) fn mark_processed(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    tx.prepare_cached(
        "REPLACE INTO pending_messages (id, event_id, session_id, content_session_id, turn_id,
           tool_use_id, agent_id, agent_type, message_type, event, tool_name, prompt_number,
           status, retry_count, claims, created_at_epoch, started_processing_at_epoch,
           completed_at_epoch)
         SELECT id, event_id, session_id, content_session_id, turn_id, tool_use_id, agent_id,
           agent_type, message_type, event, tool_name, prompt_number, 'processed', retry_count,
           claims, created_at_epoch, started_processing_at_epoch, ?2
         FROM pending_messages WHERE id = ?1",
    )?
    .execute([id, now])?;
    Ok(())
}

/// Reads the text of a `summarize` again: [`skip_superseded`] may have written it after the row was
/// read.
fn reread(tx: &Transaction, mut message: Message) -> Result<Message> {
    message.last_assistant_message = tx
        .prepare_cached("SELECT last_assistant_message FROM pending_messages WHERE id = ?1")?
        .query_row([message.id], |r| r.get(0))?;
    Ok(message)
}

fn fail_crashed(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE pending_messages SET status = 'failed', error = 'its worker died',
           worker_pid = NULL, completed_at_epoch = ?2 WHERE id = ?1",
    )?
    .execute([id, now])?;
    Ok(())
}

/// Whether a failed batch had one message or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    Single,
    Several,
}

/// The result of [`fail`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Number of messages that became `failed` and are not retried.
    pub ended: u64,
    /// The other messages are deferred until this time.
    pub not_before: i64,
}

/// Returns a batch that could not be distilled to the queue, with a backoff: 1 s for several
/// messages; 1 s and then 2 s for one. At its third failure alone a message becomes `failed` and
/// keeps its payload.
pub fn fail(
    tx: &Transaction,
    session_id: i64,
    ids: &[i64],
    reason: &str,
    size: BatchSize,
    now: i64,
) -> Result<Failed> {
    let mut failed = Failed { ended: 0, not_before: now + 1000 };
    let alone = i64::from(size == BatchSize::Single);
    for id in ids {
        let retries: Option<i64> = tx
            .prepare_cached(
                "UPDATE pending_messages SET retry_count = retry_count + ?2, claims = 0,
                   error = ?3, worker_pid = NULL, started_processing_at_epoch = NULL
                 WHERE id = ?1 AND session_id = ?4 AND status = 'processing'
                 RETURNING retry_count",
            )?
            .query_row(params![id, alone, reason, session_id], |r| r.get(0))
            .optional()?;
        let Some(retries) = retries else { continue };
        if alone == 1 && retries >= MAX_FAILURES_ALONE {
            tx.prepare_cached(
                "UPDATE pending_messages SET status = 'failed', completed_at_epoch = ?2
                 WHERE id = ?1",
            )?
            .execute([*id, now])?;
            failed.ended += 1;
            continue;
        }
        if alone == 1 {
            failed.not_before = now + (1000 << (retries - 1).clamp(0, 10));
        }
        tx.prepare_cached(
            "UPDATE pending_messages SET status = 'pending', not_before_epoch = ?2 WHERE id = ?1",
        )?
        .execute([*id, failed.not_before])?;
    }
    Ok(failed)
}

/// Why and how long a batch is deferred.
#[derive(Clone, Debug, Default)]
pub struct Deferral {
    pub reason: String,
    /// The batch is due at this time, in milliseconds since the epoch,
    pub until: i64,
    /// or when this changes. See [`deferrals`](super::deferrals).
    pub waits_for: Option<String>,
}

/// Defers a batch for an external reason, such as a rate limit. This counts neither as a failure
/// nor as a claim.
pub fn defer(tx: &Transaction, session_id: i64, ids: &[i64], deferral: &Deferral) -> Result<()> {
    let Deferral { reason, until, waits_for } = deferral;
    let mut defer = tx.prepare_cached(
        "UPDATE pending_messages SET status = 'pending', claims = max(claims - 1, 0),
           worker_pid = NULL, started_processing_at_epoch = NULL, not_before_epoch = ?3, error = ?4,
           waits_for = ?5
         WHERE id = ?1 AND session_id = ?2 AND status = 'processing'",
    )?;
    for id in ids {
        defer.execute(params![id, session_id, until, reason, waits_for])?;
    }
    Ok(())
}

/// Releases all messages that the session's worker has claimed.
pub fn release_all(tx: &Transaction, session_id: i64) -> Result<()> {
    let mut ids = tx.prepare_cached(
        "SELECT id FROM pending_messages WHERE session_id = ?1 AND status = 'processing'",
    )?;
    let ids = ids.query_map([session_id], |r| r.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    release(tx, session_id, &ids)
}

/// Returns a batch to the queue as if it had never been claimed. `session_id` is checked because
/// SQLite may reuse the id of a forgotten message for a message of another session.
pub fn release(tx: &Transaction, session_id: i64, ids: &[i64]) -> Result<()> {
    for id in ids {
        tx.prepare_cached(
            "UPDATE pending_messages SET status = 'pending', claims = max(claims - 1, 0),
               worker_pid = NULL, started_processing_at_epoch = NULL
             WHERE id = ?1 AND session_id = ?2 AND status = 'processing'",
        )?
        .execute([*id, session_id])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
