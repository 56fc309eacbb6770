//! What a memory agent is given with the messages it is told, and what is stored of its answer:
//! observations, summary and "message done" in one transaction.

mod summary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::error::Result;
use super::{new_uuid, projects, queue, tombstones};
use crate::memory::{
    Batch, Distilled, Earlier, Message, Observation, Origin, Prompt, Rolling, Summary,
};
use crate::project::Place;
pub(super) use summary::{SummaryKind, write_summary};

/// What a result came to.
#[derive(Debug, PartialEq)]
pub enum Completed {
    Stored {
        /// Row ids, one for each observation; a repeat has the id of the row that was there.
        observations: Vec<i64>,
        summary: Option<i64>,
    },
    /// A row of the batch was retried, aborted or forgotten meanwhile: nothing was stored, the
    /// other rows are back in the queue.
    Dropped,
}

/// Names of the backends behind what is stored.
#[derive(Clone, Copy, Debug)]
pub struct Attribution {
    pub observations: &'static str,
    pub summary: &'static str,
    /// The one that the session is begun with.
    pub session: &'static str,
}

impl Attribution {
    #[cfg(test)]
    pub fn one(backend: &'static str) -> Attribution {
        Attribution { observations: backend, summary: backend, session: backend }
    }
}

/// Stores what was made of a batch.
pub fn complete(
    tx: &Transaction,
    session_id: i64,
    batch: &Batch,
    distilled: &Distilled,
    by: Attribution,
    now: i64,
) -> Result<Completed> {
    let ids: Vec<i64> = batch.messages.iter().map(|m| m.id).collect();
    if !all_in_work(tx, session_id, &ids)? {
        queue::release(tx, session_id, &ids)?;
        return Ok(Completed::Dropped);
    }
    // First of all: what names a message as its source is named after it is written anew.
    for id in &ids {
        mark_processed(tx, *id, now)?;
    }
    let mut observations = Vec::new();
    for observation in &distilled.observations {
        observations.push(observe(tx, session_id, observation, batch, by.observations, now)?);
    }
    let summary = match (&distilled.summary, batch.messages.last()) {
        (Some(summary), Some(last)) if last.cause.summarizes() => {
            write_summary(tx, session_id, last, summary, by.summary, SummaryKind::Final, now)?
        }
        _ => None,
    };
    tx.prepare_cached(
        "UPDATE sessions SET restarts = 0, backend = ifnull(backend, ?2) WHERE id = ?1",
    )?
    .execute(params![session_id, by.session])?;
    Ok(Completed::Stored { observations, summary })
}

fn all_in_work(tx: &Transaction, session_id: i64, ids: &[i64]) -> Result<bool> {
    let mut status = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM pending_messages
         WHERE id = ?1 AND session_id = ?2 AND status = 'processing')",
    )?;
    for id in ids {
        if !status.query_row([*id, session_id], |r| r.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A message that is done keeps its ids, so that a late repeat is known, and loses its payload.
///
/// The row is taken out and put in again: shortened in place it would leave its page nearly
/// empty, for SQLite puts pages together only where a row goes (350 events of real sessions left
/// 670 KB in this table, and leave 98).
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

/// One observation; a repeat of one that is there adds its sources to it.
fn observe(
    tx: &Transaction,
    session_id: i64,
    observation: &Observation,
    batch: &Batch,
    backend: &str,
    now: i64,
) -> Result<i64> {
    let o = observation;
    let hash = content_hash(o);
    let sources = sources(batch, o);
    // When it happened, which for a transcript from before or a spooled event is not now.
    let happened = sources.iter().map(|m| m.created_at_epoch).max();
    let at = happened.filter(|at| *at > 0).map_or(now, |at| at.min(now));
    let added: Option<i64> = tx
        .prepare_cached(&format!(
            "INSERT INTO observations (id, uuid, session_id, project_id, origin, prompt_number,
               agent_id, agent_type, type, title, subtitle, narrative, facts, concepts,
               files_read, files_modified, backend, content_hash, tokens, created_at_epoch,
               changed_at_epoch)
             SELECT {}, ?1, id, project_id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
               ?16, ?17, ?18, ?19 FROM sessions WHERE id = ?2
             ON CONFLICT (session_id, content_hash) WHERE external_id IS NULL DO NOTHING
             RETURNING id",
            tombstones::UNUSED_OBSERVATION
        ))?
        .query_row(
            params![
                new_uuid(now),
                session_id,
                o.origin.as_str(),
                o.prompt_number,
                o.agent_id,
                o.agent_type,
                o.kind,
                o.title,
                o.subtitle,
                o.narrative,
                json(&o.facts),
                json(&o.concepts),
                json(&o.files_read),
                json(&o.files_modified),
                backend,
                hash,
                tokens(o),
                at,
                now,
            ],
            |r| r.get(0),
        )
        .optional()?;
    let id = match added {
        Some(id) => id,
        None => tx
            .prepare_cached(
                "SELECT id FROM observations
                 WHERE session_id = ?1 AND content_hash = ?2 AND external_id IS NULL",
            )?
            .query_row(params![session_id, hash], |r| r.get(0))?,
    };
    let blobs = blobs(&sources, batch.project_root.as_deref());
    let roles = [("read", &o.files_read), ("modified", &o.files_modified)];
    for (role, path) in roles.iter().flat_map(|(role, paths)| paths.iter().map(move |p| (role, p)))
    {
        tx.prepare_cached(
            "INSERT INTO observation_files (observation_id, path, role, blob)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET blob = ifnull(excluded.blob, blob)",
        )?
        .execute(params![id, path, role, blobs.get(path)])?;
    }
    for source in sources {
        tx.prepare_cached(
            "INSERT INTO observation_sources (observation_id, pending_message_id) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?
        .execute([id, source.id])?;
    }
    for old in &o.replaces {
        replace(tx, session_id, *old, id, now)?;
    }
    Ok(id)
}

/// The messages it was made of; all of the batch where it names none of them.
fn sources<'a>(batch: &'a Batch, o: &Observation) -> Vec<&'a Message> {
    let named: Vec<&Message> =
        batch.messages.iter().filter(|m| o.sources.contains(&m.id)).collect();
    if named.is_empty() { batch.messages.iter().collect() } else { named }
}

/// Puts an observation in the place of an earlier one of its session: what that was made of, and
/// what its files were like then, goes over to it.
fn replace(tx: &Transaction, session_id: i64, old: i64, new: i64, now: i64) -> Result<()> {
    let replaced = tx
        .prepare_cached(
            "UPDATE observations SET changed_at_epoch = ?4,
               superseded_by = (SELECT uuid FROM observations WHERE id = ?3)
             WHERE id = ?2 AND session_id = ?1 AND id <> ?3 AND external_id IS NULL",
        )?
        .execute([session_id, old, new, now])?;
    if replaced == 0 {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO observation_sources (observation_id, pending_message_id)
         SELECT ?2, pending_message_id FROM observation_sources WHERE observation_id = ?1
         ON CONFLICT DO NOTHING",
    )?
    .execute([old, new])?;
    tx.prepare_cached(
        "INSERT INTO observation_files (observation_id, path, role, blob)
         SELECT ?2, path, role, blob FROM observation_files WHERE observation_id = ?1
         ON CONFLICT DO UPDATE SET blob = ifnull(blob, excluded.blob)",
    )?
    .execute([old, new])?;
    Ok(())
}

/// What the files of an observation were like, by their names in it, when last seen in its sources.
fn blobs<'a>(sources: &[&'a Message], root: Option<&Path>) -> BTreeMap<String, &'a str> {
    let mut blobs = BTreeMap::new();
    for message in sources {
        let place = Place { root, cwd: message.cwd.as_deref().map(Path::new) };
        for file in &message.files {
            blobs.insert(place.relative(&file.path), file.blob.as_str());
        }
    }
    blobs
}

/// Over type, title, narrative and files: what makes two observations of a session one.
fn content_hash(o: &Observation) -> String {
    let mut hash = Sha256::new();
    let narrative = o.narrative.as_deref().unwrap_or_default();
    let files = [json(&o.files_read), json(&o.files_modified)];
    for part in [o.kind.as_str(), o.title.as_str(), narrative, &files[0], &files[1]] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// About what it costs to tell all of it: four bytes a token.
fn tokens(o: &Observation) -> i64 {
    let texts = [Some(&o.title), o.subtitle.as_ref(), o.narrative.as_ref()];
    let texts = texts.into_iter().flatten().chain(&o.facts).map(|t| t.len() + 1).sum::<usize>();
    texts.div_ceil(4) as i64
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).expect("a list of texts")
}

fn list(text: String) -> Vec<String> {
    serde_json::from_str(&text).unwrap_or_default()
}

/// The batch of these messages: with the prompts they belong to and what was made before.
pub(super) fn load_batch_context(
    tx: &Transaction,
    session_id: i64,
    messages: Vec<Message>,
) -> Result<Batch> {
    let mut numbers: Vec<i64> = messages.iter().map(|m| m.prompt_number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut prompts: Vec<Prompt> = Vec::new();
    for number in numbers {
        for prompt in prompts_of_turn(tx, session_id, number)? {
            if !prompts.iter().any(|p| p.number == prompt.number) {
                prompts.push(prompt);
            }
        }
    }
    prompts.sort_by_key(|p| p.number);
    let (mut earlier, mut previous, mut previous_turn) = (Vec::new(), None, None);
    if let Some(last) = messages.last() {
        let mut turn: Vec<i64> =
            prompts_of_turn(tx, session_id, last.prompt_number)?.iter().map(|p| p.number).collect();
        if turn.is_empty() {
            turn.push(last.prompt_number);
        }
        for number in turn {
            earlier.extend(observed(tx, session_id, number)?);
        }
    }
    if let Some(last) = messages.last().filter(|m| m.cause.summarizes()) {
        previous = tx
            .prepare_cached(&format!("{SUMMARY} AND prompt_number = ?2 AND external_id IS NULL"))?
            .query_row([session_id, last.prompt_number], |r| Ok((summary(r)?, r.get(8)?)))
            .optional()?
            .map(|(summary, turn)| {
                previous_turn = turn;
                summary
            });
    }
    Ok(Batch {
        project_root: projects::root_of(tx, session_id)?.map(PathBuf::from),
        messages,
        prompts,
        earlier,
        previous,
        previous_turn,
        rolling: rolling(tx, session_id)?,
        previously_claimed: false,
    })
}

fn prompts_of_turn(tx: &Transaction, session_id: i64, number: i64) -> Result<Vec<Prompt>> {
    let mut rows = tx.prepare_cached(
        "SELECT p.prompt_number, ifnull(p.prompt_text, '') FROM user_prompts n
         JOIN user_prompts p ON p.session_id = n.session_id
           AND (p.id = n.id OR p.turn_id = n.turn_id)
         WHERE n.session_id = ?1 AND n.prompt_number = ?2 ORDER BY p.prompt_number",
    )?;
    let rows = rows
        .query_map([session_id, number], |r| Ok(Prompt { number: r.get(0)?, text: r.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn observed(tx: &Transaction, session_id: i64, number: i64) -> Result<Vec<Earlier>> {
    let mut rows = tx.prepare_cached(
        "SELECT id, prompt_number, agent_id, origin, type, title, facts, files_read, files_modified,
           narrative FROM observations WHERE session_id = ?1 AND prompt_number = ?2 AND external_id IS NULL
           AND superseded_by IS NULL ORDER BY id",
    )?;
    let rows = rows.query_map([session_id, number], |r| {
        Ok(Earlier {
            id: r.get(0)?,
            prompt_number: r.get(1)?,
            agent_id: r.get(2)?,
            origin: Origin::parse(&r.get::<_, String>(3)?).unwrap_or_default(),
            kind: r.get(4)?,
            title: r.get(5)?,
            facts: list(r.get(6)?),
            files_read: list(r.get(7)?),
            files_modified: list(r.get(8)?),
            narrative: r.get(9)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const SUMMARY: &str = "SELECT request, investigated, learned, completed, next_steps, notes,
   files_read, files_modified, turn_id FROM session_summaries WHERE session_id = ?1 AND NOT hidden";

fn summary(r: &Row) -> rusqlite::Result<Summary> {
    Ok(Summary {
        request: r.get(0)?,
        investigated: r.get(1)?,
        learned: r.get(2)?,
        completed: r.get(3)?,
        next_steps: r.get(4)?,
        notes: r.get(5)?,
        files_read: list(r.get(6)?),
        files_modified: list(r.get(7)?),
    })
}

fn rolling(tx: &Transaction, session_id: i64) -> Result<Rolling> {
    let mut rows = tx.prepare_cached(&format!("{SUMMARY} ORDER BY prompt_number DESC LIMIT 2"))?;
    let summaries = rows.query_map([session_id], summary)?;
    let mut summaries = summaries.collect::<rusqlite::Result<Vec<_>>>()?;
    summaries.reverse();
    let mut rows = tx.prepare_cached(
        "SELECT title FROM observations WHERE session_id = ?1 AND external_id IS NULL
         ORDER BY prompt_number DESC, id DESC LIMIT 20",
    )?;
    let titles = rows.query_map([session_id], |r| r.get(0))?;
    let mut titles = titles.collect::<rusqlite::Result<Vec<_>>>()?;
    titles.reverse();
    Ok(Rolling { summaries, titles })
}

#[cfg(test)]
mod tests;
