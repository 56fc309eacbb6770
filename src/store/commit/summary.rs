//! Writes the summary of a prompt. A prompt has one summary row, which each summary rewrites.

use rusqlite::{OptionalExtension, Transaction, params};

use super::super::error::Result;
use super::super::{new_uuid, tombstones};
use super::json;
use crate::memory::{Message, Summary};

/// Whether the configured backend wrote the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum SummaryKind {
    Final,
    /// Written by the local rules until the backend answers. It never replaces a final summary.
    Provisional,
}

/// Inserts the summary row of the message's prompt, or rewrites it and keeps its ids. Returns the
/// row id, or `None` if a provisional summary would replace a final one.
pub(in crate::store) fn write_summary(
    tx: &Transaction,
    session_id: i64,
    message: &Message,
    s: &Summary,
    backend: &str,
    kind: SummaryKind,
    now: i64,
) -> Result<Option<i64>> {
    let created = message.created_at_epoch;
    Ok(tx
        .prepare_cached(&format!(
            "INSERT INTO session_summaries (id, uuid, session_id, project_id, prompt_number,
               turn_id, request, investigated, learned, completed, next_steps, notes, files_read,
               files_modified, backend, provisional, created_at_epoch, changed_at_epoch)
             SELECT {}, ?1, id, project_id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?15,
               ?16, ?14 FROM sessions WHERE id = ?2
             ON CONFLICT (session_id, prompt_number) WHERE external_id IS NULL DO UPDATE SET
               project_id = excluded.project_id, turn_id = excluded.turn_id,
               request = excluded.request, investigated = excluded.investigated,
               learned = excluded.learned, completed = excluded.completed,
               next_steps = excluded.next_steps, notes = excluded.notes,
               files_read = excluded.files_read, files_modified = excluded.files_modified,
               backend = excluded.backend, provisional = ?15, changed_at_epoch = ?14
               WHERE NOT ?15 OR provisional
             RETURNING id",
            tombstones::UNUSED_SUMMARY
        ))?
        .query_row(
            params![
                new_uuid(now),
                session_id,
                message.prompt_number,
                message.turn_id,
                s.request,
                s.investigated,
                s.learned,
                s.completed,
                s.next_steps,
                s.notes,
                json(&s.files_read),
                json(&s.files_modified),
                backend,
                now,
                kind == SummaryKind::Provisional,
                if created > 0 { created.min(now) } else { now },
            ],
            |r| r.get(0),
        )
        .optional()?)
}
