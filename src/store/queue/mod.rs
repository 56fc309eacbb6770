//! The queue of one session, seen by its worker: whose it is, what comes next, what became of it.
//!
//! Order is the order of `accept`: a `summarize` is never distilled before the observations in
//! front of it. A message that fails is tried again, at last alone; one whose workers die with it
//! is claimed alone, and given up at last. Waiting is no failure.
//!
//! Of a row: `claims` counts claims since it last failed or was given back in good order;
//! `retry_count` counts failures alone, the only ones that lead to `failed`.

use memctl_proto::event::SeenFile;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::commit;
use super::error::{Result, StoreError};
use super::lock::FileId;
use crate::memory::{Batch, Cause, Message};

/// Claims without a failure after which a message is taken to have killed its workers.
const SUSPECT: i64 = 3;
/// Claims alone with which a suspect is given up when it dies once more.
const DEATHS_ALONE: i64 = 5;
/// Failures alone that end a message.
const FAILURES_ALONE: i64 = 3;
/// A waiting time further ahead is not believed: the clock has been set back.
pub(super) const BELIEVED_MS: i64 = 3_600_000;

/// Holds a session against a second worker, where locks do not work.
///
/// The first transaction that finds the session's row takes a generation; every later one checks
/// that it is still the newest.
#[derive(Clone, Debug)]
pub struct Fence {
    client: String,
    session: String,
    taken: Option<Taken>,
    /// The file it was taken in.
    file: Option<FileId>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    session_id: i64,
    generation: i64,
}

impl Fence {
    /// `session`: the client's session id.
    pub fn new(client: &str, session: &str) -> Fence {
        Fence { client: client.into(), session: session.into(), taken: None, file: None }
    }

    /// The session's row id, once a transaction has found it.
    pub fn session(&self) -> Option<i64> {
        self.taken.map(|taken| taken.session_id)
    }

    /// In another file, where the one it was taken in has been set aside or taken away, an equal
    /// number is another owner's.
    pub(super) fn stands_in(&mut self, file: Option<FileId>) {
        if self.file != file {
            self.taken = None;
            self.file = file;
        }
    }

    /// Begins a write transaction: the session's row id, `None` while it has no row.
    ///
    /// Taking the generation puts whatever an earlier worker had in hand back into the queue.
    /// When the transaction rolls back, what this changed in `self` must go with it:
    /// [`Store::fenced`](super::Store::fenced) sees to that.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody took the session after us.
    pub fn enter(&mut self, tx: &Transaction, now: i64) -> Result<Option<i64>> {
        let row: Option<(i64, i64)> = tx
            .prepare_cached(
                "SELECT id, generation FROM sessions
                 WHERE client = ?1 AND content_session_id = ?2",
            )?
            .query_row([&self.client, &self.session], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()?;
        let Some((session_id, generation)) = row else {
            self.taken = None;
            return Ok(None);
        };
        match self.taken {
            Some(taken) if taken.session_id == session_id => {
                if taken.generation != generation {
                    return Err(StoreError::Fenced);
                }
            }
            _ => {
                tx.execute(
                    "UPDATE sessions SET generation = generation + 1, restarts = restarts + 1
                     WHERE id = ?1",
                    [session_id],
                )?;
                tx.execute(
                    "UPDATE pending_messages SET status = 'pending', worker_pid = NULL,
                       started_processing_at_epoch = NULL
                     WHERE session_id = ?1 AND status = 'processing'",
                    [session_id],
                )?;
                tracing::debug!(session_id, generation = generation + 1, now, "fence taken");
                self.taken = Some(Taken { session_id, generation: generation + 1 });
            }
        }
        Ok(Some(session_id))
    }
}

/// How much a claim takes.
#[derive(Clone, Copy, Debug)]
pub struct ClaimLimits {
    /// So many events make a batch without a `summarize`.
    pub events: usize,
    /// So many bytes of text do, too.
    pub bytes: usize,
    /// Take what there is, however little.
    pub flush: bool,
    /// Never more messages than this: halved by the worker after a batch has failed.
    pub limit: usize,
    /// What a message counts: events and bytes.
    pub weigh: fn(&Message) -> (usize, usize),
}

/// Each message is one event, with all its texts.
pub fn plain_weight(m: &Message) -> (usize, usize) {
    let texts = [&m.tool_input, &m.tool_response, &m.last_assistant_message];
    (1, texts.into_iter().flatten().map(String::len).sum())
}

/// However little they weigh, more messages than this are never in one batch.
const MESSAGES: usize = 256;

#[derive(Debug)]
pub enum Claim {
    Batch(Box<Batch>),
    /// What comes next waits until then.
    NotBefore(i64),
    /// Nothing to do: the queue is empty, too little is in it, or a batch is in work.
    Nothing,
}

/// A waiting message, and what decides whether its turn has come.
struct Waiting {
    message: Message,
    retries: i64,
    claims: i64,
    not_before: Option<i64>,
}

impl Waiting {
    fn waits(&self, now: i64) -> Option<i64> {
        self.not_before.filter(|&at| at > now && at <= now + BELIEVED_MS)
    }
}

/// What [`message`] and [`waiting`] read.
pub(super) const SELECT: &str = "SELECT id, event, turn_id, prompt_number, agent_id, agent_type,
   tool_name, tool_input, tool_response, cwd, last_assistant_message, created_at_epoch,
   retry_count, claims, not_before_epoch, files FROM pending_messages";

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

fn waiting(r: &Row) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        message: message(r)?,
        retries: r.get(12)?,
        claims: r.get(13)?,
        not_before: r.get(14)?,
    })
}

/// What `accept` wrote of a tool's files; nothing of what nobody can read.
fn files(json: Option<String>) -> Vec<SeenFile> {
    json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// Claims what comes next: everything up to the first `summarize`, in pieces when that is much.
pub fn claim(
    tx: &Transaction,
    session_id: i64,
    take: &ClaimLimits,
    pid: u32,
    now: i64,
) -> Result<Claim> {
    let in_work: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pending_messages
             WHERE session_id = ?1 AND status = 'processing')",
        )?
        .query_row([session_id], |r| r.get(0))?;
    if in_work {
        return Ok(Claim::Nothing);
    }
    let Next { messages, until, previously_claimed } = next(tx, session_id, take, now)?;
    if messages.is_empty() {
        return Ok(until.map_or(Claim::Nothing, Claim::NotBefore));
    }
    let mut stamp = tx.prepare_cached(
        "UPDATE pending_messages SET status = 'processing', claims = claims + 1, worker_pid = ?2,
           started_processing_at_epoch = ?3, not_before_epoch = NULL
         WHERE id = ?1",
    )?;
    for message in &messages {
        stamp.execute(params![message.id, pid, now])?;
    }
    let batch = commit::load_batch_context(tx, session_id, messages)?;
    Ok(Claim::Batch(Box::new(Batch { previously_claimed, ..batch })))
}

/// The messages whose turn has come; or until when the next one waits.
#[derive(Default)]
struct Next {
    messages: Vec<Message>,
    until: Option<i64>,
    /// One of them was in hand before.
    previously_claimed: bool,
}

fn next(tx: &Transaction, session_id: i64, take: &ClaimLimits, now: i64) -> Result<Next> {
    let mut statement = tx.prepare_cached(&format!(
        "{SELECT} WHERE session_id = ?1 AND status = 'pending' ORDER BY id"
    ))?;
    let mut rows = statement.query([session_id])?;
    let limit = take.limit.clamp(1, MESSAGES);
    let (mut next, mut events, mut bytes) = (Next::default(), 0, 0);
    while let Some(row) = rows.next()? {
        let mut head = waiting(row)?;
        let summarizes = head.message.cause.summarizes();
        if summarizes && superseded(tx, session_id, &head.message, now)? {
            continue;
        }
        if head.claims >= SUSPECT + DEATHS_ALONE {
            give_up(tx, head.message.id, now)?;
            continue;
        }
        if let Some(at) = head.waits(now) {
            next.until = Some(next.until.map_or(at, |u| u.min(at)));
            if head.retries > 0 {
                continue; // failed alone: holds nobody up
            }
            // Whoever is in front of it need not wait for company that cannot come.
            return Ok(next);
        }
        if head.retries > 0 || head.claims >= SUSPECT {
            if next.messages.is_empty() {
                next.previously_claimed = head.claims > 0;
                next.messages.push(reread(tx, head.message)?);
            }
            return Ok(next);
        }
        let (event, weight) = (take.weigh)(&head.message);
        bytes += weight;
        events += event;
        if !next.messages.is_empty() && bytes > take.bytes {
            return Ok(next);
        }
        if summarizes {
            head.message = reread(tx, head.message)?;
        }
        next.previously_claimed |= head.claims > 0;
        next.messages.push(head.message);
        let full = events >= take.events || next.messages.len() >= limit || bytes >= take.bytes;
        if summarizes || full {
            return Ok(next);
        }
    }
    if !take.flush {
        next.messages.clear();
    }
    Ok(next)
}

/// A later `summarize` of the same prompt waits: this one is done with. The assistant's words
/// pass on to that one if it has none, as a late closing has not; an error's text does not.
fn superseded(tx: &Transaction, session_id: i64, message: &Message, now: i64) -> Result<bool> {
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
    commit::mark_processed(tx, message.id, now)?;
    Ok(true)
}

/// The text of a `summarize` may have come to it while the rows were read.
fn reread(tx: &Transaction, mut message: Message) -> Result<Message> {
    message.last_assistant_message = tx
        .prepare_cached("SELECT last_assistant_message FROM pending_messages WHERE id = ?1")?
        .query_row([message.id], |r| r.get(0))?;
    Ok(message)
}

fn give_up(tx: &Transaction, id: i64, now: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE pending_messages SET status = 'failed', error = 'its worker died',
           worker_pid = NULL, completed_at_epoch = ?2 WHERE id = ?1",
    )?
    .execute([id, now])?;
    Ok(())
}

/// Whether a batch that failed had one message or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    Single,
    Several,
}

/// What became of messages that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// So many are tried no more.
    pub ended: u64,
    /// The others not before then.
    pub not_before: i64,
}

/// The batch could not be distilled. It goes back into the queue and waits: together 1 s, alone
/// 1 s and 2 s; the third failure alone ends a message, and its payload is kept.
pub fn fail(
    tx: &Transaction,
    session_id: i64,
    ids: &[i64],
    reason: &str,
    company: BatchSize,
    now: i64,
) -> Result<Failed> {
    let mut failed = Failed { ended: 0, not_before: now + 1000 };
    let alone = i64::from(company == BatchSize::Single);
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
        if alone == 1 && retries >= FAILURES_ALONE {
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

/// The batch waits for a reason that is not its own, until then: no failure, counted nowhere.
pub fn defer(
    tx: &Transaction,
    session_id: i64,
    ids: &[i64],
    reason: &str,
    until: i64,
) -> Result<()> {
    let mut defer = tx.prepare_cached(
        "UPDATE pending_messages SET status = 'pending', claims = max(claims - 1, 0),
           worker_pid = NULL, started_processing_at_epoch = NULL, not_before_epoch = ?3, error = ?4
         WHERE id = ?1 AND session_id = ?2 AND status = 'processing'",
    )?;
    for id in ids {
        defer.execute(params![id, session_id, until, reason])?;
    }
    Ok(())
}

/// Whatever the session's worker has in hand, as [`release`].
pub fn release_all(tx: &Transaction, session_id: i64) -> Result<()> {
    let mut ids = tx.prepare_cached(
        "SELECT id FROM pending_messages WHERE session_id = ?1 AND status = 'processing'",
    )?;
    let ids = ids.query_map([session_id], |r| r.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    release(tx, session_id, &ids)
}

/// The worker gives its batch back in good order: as if it had never been claimed. What was
/// forgotten meanwhile has left its id to another session's message.
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
