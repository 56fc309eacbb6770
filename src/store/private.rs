//! Private turns. Only the ids of their rows are kept, so that repeated events are recognized.

use rusqlite::{Transaction, params};

use super::error::Result;
use super::tombstones::UNUSED_SUMMARY;
use super::words::{self, RowId};
use super::{commit, links, new_uuid, seen_text, turn_evidence};
use crate::memory::PRIVATE;

/// Marks queued messages processed and clears everything but their ids. The caller appends a
/// condition; `?1` is the time in milliseconds.
pub(super) const STRIP: &str = "UPDATE pending_messages SET status = 'processed',
   completed_at_epoch = ?1, agent_type = NULL, tool_name = NULL, tool_input = NULL,
   tool_response = NULL, cwd = NULL, files = NULL, last_assistant_message = NULL,
   not_before_epoch = NULL, error = NULL, worker_pid = NULL WHERE";

/// The columns that [`STRIP`] changes.
pub(super) const STRIPPED: [&str; 12] = [
    "status",
    "completed_at_epoch",
    "agent_type",
    "tool_name",
    "tool_input",
    "tool_response",
    "cwd",
    "files",
    "last_assistant_message",
    "not_before_epoch",
    "error",
    "worker_pid",
];

/// Removes the texts that a turn stored before one of its prompts was marked private. Observations
/// are deleted, prompts and queued messages keep only their ids, and summaries become placeholders.
pub(super) fn scrub_turn(tx: &Transaction, session_id: i64, turn: &str, now: i64) -> Result<()> {
    let turn_params = params![session_id, turn];
    let ids = |sql: &str| -> Result<Vec<i64>> {
        let mut ids = tx.prepare_cached(sql)?;
        let ids = ids.query_map(turn_params, |r| r.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    };
    for id in
        ids("SELECT id FROM observations WHERE session_id = ?1 AND external_id IS NULL AND id IN
           (SELECT s.observation_id FROM observation_sources s
            JOIN pending_messages m ON m.id = s.pending_message_id
            WHERE m.session_id = ?1 AND m.turn_id = ?2)")?
    {
        words::remove(tx, RowId::observation(id))?;
        links::release(tx, id, now)?;
        tx.execute("DELETE FROM observations WHERE id = ?1", [id])?;
    }
    for id in ids("SELECT id FROM user_prompts WHERE session_id = ?1 AND turn_id = ?2")? {
        words::remove(tx, RowId::prompt(id))?;
    }
    tx.execute(
        &format!("{STRIP} session_id = ?2 AND turn_id = ?3"),
        params![now, session_id, turn],
    )?;
    tx.execute(
        "UPDATE user_prompts SET prompt_text = NULL, private = 1
         WHERE session_id = ?1 AND turn_id = ?2",
        turn_params,
    )?;
    seen_text::clear(tx, session_id)?;
    turn_evidence::clear(tx, session_id)?;
    let numbers = ids("SELECT p.prompt_number FROM user_prompts p JOIN session_summaries s
           ON s.session_id = p.session_id AND s.prompt_number = p.prompt_number
         WHERE p.session_id = ?1 AND p.turn_id = ?2 AND s.external_id IS NULL")?;
    for number in numbers {
        hide_summary(tx, session_id, number, Some(turn), now)?;
    }
    Ok(())
}

/// Writes the hidden placeholder summary of a private turn. It replaces an existing summary.
pub(super) fn hide_summary(
    tx: &Transaction,
    session_id: i64,
    number: i64,
    turn: Option<&str>,
    now: i64,
) -> Result<()> {
    if let Some(row) = commit::of_prompt(tx, session_id, number)? {
        words::remove(tx, row)?;
    }
    tx.prepare_cached(&format!(
        "INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number, turn_id,
           request, backend, hidden, created_at_epoch, changed_at_epoch)
         SELECT {UNUSED_SUMMARY}, ?1, id, project_id, ?3, ?4, ?5, 'none', 1, ?6, ?6
         FROM sessions WHERE id = ?2
         ON CONFLICT (session_id, prompt_number) WHERE external_id IS NULL DO UPDATE SET
           request = excluded.request, investigated = '', learned = '', completed = '',
           next_steps = '', notes = '', files_read = '[]', files_modified = '[]',
           backend = 'none', provisional = 0, hidden = 1, changed_at_epoch = ?6, turn = NULL,
           title = '', sender = 'user', tool_uses = 0"
    ))?
    .execute(params![new_uuid(now), session_id, number, turn, PRIVATE, now])?;
    // Earlier texts of the summary, before the user edited it.
    tx.prepare_cached(
        "DELETE FROM revisions WHERE summary_id IN (SELECT id FROM session_summaries
           WHERE session_id = ?1 AND prompt_number = ?2 AND external_id IS NULL)",
    )?
    .execute(params![session_id, number])?;
    Ok(())
}
