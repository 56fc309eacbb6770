//! Stores the result of a batch: observations, summary and processed messages in one transaction.

mod summary;

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::columns::Columns;
use super::error::Result;
use super::links::{self, Kind};
use super::rejected::Rejected;
use super::words::{self, RowId};
use super::{memory_use, new_uuid, queue, seen_text, tombstones, turn_evidence};
use crate::memory::{Batch, Change, Distilled, Evidence, Message, Observation, Origin};
use crate::project::PathBase;
use crate::truth;
pub(super) use summary::{NewSummary, SummaryKind, of_prompt, write_summary};

/// The outcome of [`complete`].
#[derive(Debug, PartialEq)]
pub enum Completed {
    Stored {
        /// Row ids of the observations that the user had not rejected. A duplicate has the id of the
        /// existing row.
        observations: Vec<i64>,
        summary: Option<i64>,
    },
    /// A message of the batch was retried, aborted or forgotten after the claim. Nothing was
    /// stored, and the other messages were released.
    Dropped,
}

/// Names of the backends that produced the stored rows.
#[derive(Clone, Copy, Debug)]
pub struct Attribution {
    pub observations: &'static str,
    pub summary: &'static str,
    /// Stored with the session, unless it already has a backend.
    pub session: &'static str,
}

impl Attribution {
    #[cfg(test)]
    pub fn all_by(backend: &'static str) -> Attribution {
        Attribution { observations: backend, summary: backend, session: backend }
    }
}

/// Stores the result of a batch and marks its messages processed.
pub fn complete(
    tx: &Transaction,
    session_id: i64,
    batch: &Batch,
    distilled: &Distilled,
    attribution: Attribution,
    now: i64,
) -> Result<Completed> {
    let ids: Vec<i64> = batch.messages.iter().map(|m| m.id).collect();
    if !all_processing(tx, session_id, &ids)? {
        queue::release(tx, session_id, &ids)?;
        return Ok(Completed::Dropped);
    }
    // This must come first: it replaces the message rows, and the new observations refer to them.
    for id in &ids {
        queue::mark_processed(tx, *id, now)?;
    }
    let mut observations = Vec::new();
    let rejected = Rejected::load(tx)?;
    for observation in &distilled.observations {
        let cleaned = match rejected.is_empty() {
            true => None,
            false => match rejected.clean_observation(observation) {
                Some(cleaned) => Some(cleaned),
                None => continue,
            },
        };
        let observation = cleaned.as_ref().unwrap_or(observation);
        observations.push(store_observation(
            tx,
            session_id,
            observation,
            batch,
            distilled.evidence.as_deref().unwrap_or(&batch.evidence),
            attribution.observations,
            now,
        )?);
    }
    links::reconcile(tx, &observations, now)?;
    let summary = match (&distilled.summary, batch.messages.last()) {
        (Some(summary), Some(last)) if last.cause.summarizes() => write_summary(
            tx,
            session_id,
            last,
            &NewSummary {
                summary,
                turn: distilled.turn.as_deref(),
                backend: attribution.summary,
                kind: SummaryKind::Final,
            },
            now,
        )?,
        _ => None,
    };
    if let (Some(turn), Some(last)) = (&distilled.turn, batch.messages.last()) {
        summary::finish_earlier(tx, session_id, last.prompt_number, turn, now)?;
    }
    if summary.is_some() {
        memory_use::count(tx, session_id)?;
    }
    if let Some(seen) = &distilled.seen {
        seen_text::store(tx, session_id, seen)?;
    }
    if let (Some(evidence), Some(last)) = (&distilled.evidence, batch.messages.last()) {
        turn_evidence::store(tx, session_id, last.prompt_number, evidence)?;
    }
    tx.prepare_cached(
        "UPDATE sessions SET restarts = 0, backend = ifnull(backend, ?2) WHERE id = ?1",
    )?
    .execute(params![session_id, attribution.session])?;
    Ok(Completed::Stored { observations, summary })
}

fn all_processing(tx: &Transaction, session_id: i64, ids: &[i64]) -> Result<bool> {
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

/// Stores one observation. If the session has it already, only its sources are added.
fn store_observation(
    tx: &Transaction,
    session_id: i64,
    observation: &Observation,
    batch: &Batch,
    evidence: &Evidence,
    backend: &str,
    now: i64,
) -> Result<i64> {
    let hash = content_hash(observation);
    let sources = sources(batch, observation);
    // The time of the newest source. An old transcript or a spooled event is older than `now`.
    let newest_source = sources.iter().map(|m| m.created_at_epoch).max();
    let at = newest_source.filter(|at| *at > 0).map_or(now, |at| at.min(now));
    let head = batch.head.as_ref();
    let columns = content(observation, backend)
        .set("uuid", new_uuid(now))
        .set("content_hash", &hash)
        .set("branch", head.map(|head| &head.branch))
        .set("head", head.map(|head| &head.commit))
        .set("created_at_epoch", at)
        .set("changed_at_epoch", now);
    let added: Option<i64> = tx
        .prepare_cached(&format!(
            "INSERT INTO observations (id, session_id, project_id, {})
             SELECT {}, id, project_id, {} FROM sessions WHERE id = ?
             ON CONFLICT (session_id, content_hash) WHERE external_id IS NULL DO NOTHING
             RETURNING id",
            columns.names(),
            tombstones::UNUSED_OBSERVATION,
            columns.places()
        ))?
        .query_row(columns.bind(&[session_id]), |r| r.get(0))
        .optional()?;
    let id = match added {
        Some(id) => {
            words::add(tx, RowId::observation(id))?;
            id
        }
        None => tx
            .prepare_cached(
                "SELECT id FROM observations
                 WHERE session_id = ?1 AND content_hash = ?2 AND external_id IS NULL",
            )?
            .query_row(params![session_id, hash], |r| r.get(0))?,
    };
    put_files(tx, id, observation, batch, &sources, evidence)?;
    // A turn of several batches also has sources in the batches before this one.
    let in_batch = sources.iter().map(|m| m.id);
    for source in in_batch.chain(observation.sources.iter().copied()) {
        tx.prepare_cached(
            "INSERT INTO observation_sources (observation_id, pending_message_id)
             SELECT ?1, id FROM pending_messages WHERE id = ?2 AND session_id = ?3
             ON CONFLICT DO NOTHING",
        )?
        .execute([id, source, session_id])?;
    }
    for old in &observation.replaces {
        supersede(tx, session_id, *old, id, now)?;
    }
    Ok(id)
}

/// The columns that the observation itself decides.
fn content<'a>(o: &'a Observation, backend: &'a str) -> Columns<'a> {
    Columns::default()
        .set("origin", o.origin.as_str())
        .set("prompt_number", o.prompt_number)
        .set("agent_id", &o.agent_id)
        .set("agent_type", &o.agent_type)
        .set("type", &o.kind)
        .set("title", &o.title)
        .set("subtitle", &o.subtitle)
        .set("narrative", &o.narrative)
        .set("facts", json(&o.facts))
        .set("concepts", json(&o.concepts))
        .set("files_read", json(&o.files_read))
        .set("files_modified", json(&o.files_modified))
        .set("names", json(&o.names))
        .set("backend", backend)
        .set("tokens", tokens(o))
        .set("quarantined", o.quarantined)
}

/// Stores the observation's files with their hashes.
fn put_files(
    tx: &Transaction,
    id: i64,
    o: &Observation,
    batch: &Batch,
    sources: &[&Message],
    evidence: &Evidence,
) -> Result<()> {
    // A file that was only read has no source. Its hash is that of its last event in the turn.
    let root = batch.project_root.as_deref();
    let mut blobs: BTreeMap<String, &str> =
        evidence.blobs.iter().map(|(path, blob)| (path.clone(), blob.as_str())).collect();
    blobs.extend(last_blobs(&batch.messages, root));
    blobs.extend(last_blobs(sources.iter().copied(), root));
    // The claim about a removed file does not depend on its content.
    for file in evidence.files.iter().filter(|file| file.change == Change::Removed) {
        blobs.remove(&file.path);
    }
    let mut added = tx.prepare_cached(
        "INSERT INTO observation_files (observation_id, path, role, blob)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET blob = ifnull(excluded.blob, blob)",
    )?;
    for (role, paths) in [("read", &o.files_read), ("modified", &o.files_modified)] {
        for path in paths {
            added.execute(params![id, path, role, blobs.get(path)])?;
        }
    }
    Ok(())
}

/// The messages that the observation was made from: those it names, or the whole batch if it names
/// none of it.
fn sources<'a>(batch: &'a Batch, o: &Observation) -> Vec<&'a Message> {
    let named: Vec<&Message> =
        batch.messages.iter().filter(|m| o.sources.contains(&m.id)).collect();
    if named.is_empty() { batch.messages.iter().collect() } else { named }
}

/// Supersedes an earlier observation of the session, unless it has a more trusted origin or the user has
/// edited it. The new one inherits its marks, its sources, and its files with their blob hashes.
fn supersede(tx: &Transaction, session_id: i64, old: i64, new: i64, now: i64) -> Result<()> {
    let origin = |id: i64| -> Result<Option<Origin>> {
        let sql = "SELECT origin FROM observations
           WHERE id = ?1 AND session_id = ?2 AND external_id IS NULL
             AND NOT EXISTS (SELECT 1 FROM revisions WHERE observation_id = ?1)";
        let mut row = tx.prepare_cached(sql)?;
        let word: Option<String> = row.query_row([id, session_id], |r| r.get(0)).optional()?;
        Ok(word.map(|word| Origin::parse(&word).unwrap_or(Origin::Web)))
    };
    let (Some(of_old), Some(of_new)) = (origin(old)?, origin(new)?) else { return Ok(()) };
    if !truth::may_replace(of_new, of_old) || !links::supersede(tx, old, new, Kind::Rewrites, now)?
    {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE observations SET pinned = max(observations.pinned, old.pinned),
           hidden = max(observations.hidden, old.hidden)
         FROM (SELECT pinned, hidden FROM observations WHERE id = ?1) AS old
         WHERE observations.id = ?2",
    )?
    .execute([old, new])?;
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

/// The last blob hash of each file in `messages`, by the file's path relative to the project.
fn last_blobs<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    root: Option<&Path>,
) -> BTreeMap<String, &'a str> {
    let mut blobs = BTreeMap::new();
    for message in messages {
        let place = PathBase { root, cwd: message.cwd.as_deref().map(Path::new) };
        for file in &message.files {
            blobs.insert(place.relative(&file.path), file.blob.as_str());
        }
    }
    blobs
}

/// Hash of type, title, narrative and files. Two observations of a session with the same hash are
/// duplicates.
pub(super) fn content_hash(o: &Observation) -> String {
    let mut hash = Sha256::new();
    let narrative = o.narrative.as_deref().unwrap_or_default();
    let files = [json(&o.files_read), json(&o.files_modified)];
    for part in [o.kind.as_str(), o.title.as_str(), narrative, &files[0], &files[1]] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// Estimated tokens of all texts, at four bytes per token.
pub(super) fn tokens(o: &Observation) -> i64 {
    let texts = [Some(&o.title), o.subtitle.as_ref(), o.narrative.as_ref()];
    let texts = texts.into_iter().flatten().chain(&o.facts).map(|t| t.len() + 1).sum::<usize>();
    texts.div_ceil(4) as i64
}

pub(super) fn json(list: &[String]) -> String {
    serde_json::to_string(list).expect("strings serialize to JSON")
}

#[cfg(test)]
mod tests;
