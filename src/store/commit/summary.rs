//! Writes the summary of a prompt. A prompt has one summary row, which each summary rewrites.

use std::borrow::Cow;

use rusqlite::{OptionalExtension, Transaction, params};

use super::super::columns::Columns;
use super::super::error::Result;
use super::super::rejected::Rejected;
use super::super::words::{self, RowId};
use super::super::{copied_requests, new_uuid, tombstones};
use super::json;
use crate::memory::{Ending, Message, Sender, Summary, Turn};

/// Whether the configured backend wrote the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum SummaryKind {
    Final,
    /// Written by the local rules until the backend answers. It never replaces a final summary.
    Provisional,
}

/// A summary to be written.
pub(in crate::store) struct NewSummary<'a> {
    pub summary: &'a Summary,
    pub turn: Option<&'a Turn>,
    /// The name of the backend that wrote it.
    pub backend: &'a str,
    pub kind: SummaryKind,
}

/// Inserts the summary row of the message's prompt, or rewrites it and keeps its ids. Returns the
/// row id, or `None` if a provisional summary would replace a final one, or if the user has edited it.
pub(in crate::store) fn write_summary(
    tx: &Transaction,
    session_id: i64,
    message: &Message,
    new: &NewSummary,
    now: i64,
) -> Result<Option<i64>> {
    let NewSummary { summary: s, turn, backend, kind } = *new;
    let rejected = Rejected::load(tx)?;
    let (mut s, mut turn) = (Cow::Borrowed(s), turn.map(Cow::Borrowed));
    if !rejected.is_empty() {
        rejected.clean_summary(s.to_mut());
        turn.iter_mut().for_each(|turn| rejected.clean_turn(turn.to_mut()));
    }
    // The user may have forgotten the request that it refers to while the backend worked.
    if let Some(turn) = turn.as_mut().filter(|turn| !turn.re.is_empty())
        && !copied_requests::has_source(tx, session_id, message.prompt_number, turn)?
        && let Some(copy) = turn.to_mut().forget_re()
    {
        let request = Turn::without_re(&s.request, &copy);
        s.to_mut().request = request;
    }
    let turn = turn.as_deref();
    let created = message.created_at_epoch;
    let old = of_prompt(tx, session_id, message.prompt_number)?;
    if let Some(old) = old {
        words::remove(tx, old)?;
    }
    let is_provisional = kind == SummaryKind::Provisional;
    let row = Columns::default()
        .set("uuid", new_uuid(now))
        .set("prompt_number", message.prompt_number)
        .set("created_at_epoch", if created > 0 { created.min(now) } else { now });
    let content = Columns::default()
        .set("turn_id", &message.turn_id)
        .set("request", &s.request)
        .set("investigated", &s.investigated)
        .set("learned", &s.learned)
        .set("completed", &s.completed)
        .set("next_steps", &s.next_steps)
        .set("notes", &s.notes)
        .set("files_read", json(&s.files_read))
        .set("files_modified", json(&s.files_modified))
        .set("backend", backend)
        .set("provisional", is_provisional)
        .set("changed_at_epoch", now)
        .set("turn", turn.map(|t| serde_json::to_string(t).expect("a turn serializes to JSON")))
        .set("title", turn.map_or("", |turn| &turn.title))
        .set("sender", turn.map_or(Sender::User, |turn| turn.sender).as_str())
        .set("tool_uses", turn.map_or(0, |turn| turn.evidence.tool_uses));
    let replaced = content.replacements();
    let columns = row.and(content);
    let id: Option<i64> = tx
        .prepare_cached(&format!(
            "INSERT INTO session_summaries (id, session_id, project_id, {})
             SELECT {}, id, project_id, {} FROM sessions WHERE id = ?
             ON CONFLICT (session_id, prompt_number) WHERE external_id IS NULL DO UPDATE SET
               project_id = excluded.project_id, {replaced}
               WHERE (NOT excluded.provisional OR provisional) AND NOT EXISTS
                 (SELECT 1 FROM revisions WHERE summary_id = session_summaries.id)
             RETURNING id",
            columns.names(),
            tombstones::UNUSED_SUMMARY,
            columns.places()
        ))?
        .query_row(columns.bind(&[session_id]), |r| r.get(0))
        .optional()?;
    if let Some(row) = id.map(RowId::summary).or(old) {
        words::add(tx, row)?;
    }
    Ok(id)
}

/// The summary of a prompt.
pub(in crate::store) fn of_prompt(
    tx: &Transaction,
    session_id: i64,
    number: i64,
) -> Result<Option<RowId>> {
    Ok(tx
        .prepare_cached(
            "SELECT id FROM session_summaries
             WHERE session_id = ?1 AND prompt_number = ?2 AND external_id IS NULL",
        )?
        .query_row([session_id, number], |r| r.get(0))
        .optional()?
        .map(RowId::summary))
}

/// Turns that did not stop are finished by a later turn of the session that only continues them ("go
/// on") and stops: removes the note about their end from their summaries.
pub(in crate::store) fn finish_earlier(
    tx: &Transaction,
    session_id: i64,
    number: i64,
    turn: &Turn,
    now: i64,
) -> Result<()> {
    if turn.ending != Ending::Stop || !turn.continues {
        return Ok(());
    }
    let mut earlier = tx.prepare_cached(
        "SELECT id, turn, notes FROM session_summaries
         WHERE session_id = ?1 AND prompt_number < ?2 AND external_id IS NULL AND turn NOTNULL
         ORDER BY prompt_number DESC",
    )?;
    let mut earlier = earlier.query(params![session_id, number])?;
    while let Some(row) = earlier.next()? {
        let (id, json, notes): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Ok(mut earlier) = serde_json::from_str::<Turn>(&json) else { break };
        if !matches!(earlier.ending, Ending::Interrupted | Ending::Error | Ending::SessionEnd) {
            break;
        }
        let notes = notes.strip_suffix(&earlier.ending_note()).unwrap_or(&notes).trim_end();
        earlier.ending = Ending::Continued;
        earlier.error_codes.clear();
        let json = serde_json::to_string(&earlier).expect("a turn serializes to JSON");
        words::remove(tx, RowId::summary(id))?;
        tx.prepare_cached(
            "UPDATE session_summaries SET turn = ?2, notes = ?3, changed_at_epoch = ?4 WHERE id = ?1",
        )?
        .execute(params![id, json, notes, now])?;
        words::add(tx, RowId::summary(id))?;
        if !earlier.continues {
            break;
        }
    }
    Ok(())
}
