//! Provisional summaries. The local rules write one right after each Stop. The summary of the
//! configured backend replaces it later. A provisional summary never replaces a final one.

use rusqlite::{OptionalExtension, Transaction, params};

use super::batch_context;
use super::commit::{self, NewSummary, SummaryKind};
use super::error::Result;
use super::queue;
use crate::memory::{Batch, Summary, Turn};

/// Maximum number of messages in the batch of a provisional summary. Older messages are left out.
const MAX_MESSAGES: usize = 256;

/// The oldest unfinished `summarize` without a summary, with the unfinished messages of its prompt.
/// Nothing is claimed.
pub fn next_due(tx: &Transaction, session_id: i64) -> Result<Option<Batch>> {
    let stop: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT m.id, m.prompt_number FROM pending_messages m
             LEFT JOIN session_summaries s ON s.session_id = m.session_id
               AND s.prompt_number = m.prompt_number AND s.external_id IS NULL
             WHERE m.session_id = ?1 AND m.status IN ('pending', 'processing')
               AND m.message_type = 'summarize'
               AND (s.id IS NULL OR s.provisional AND s.changed_at_epoch < m.created_at_epoch)
               AND NOT EXISTS (SELECT 1 FROM pending_messages later
                 WHERE later.session_id = m.session_id AND later.id > m.id
                   AND later.status IN ('pending', 'processing')
                   AND later.message_type = 'summarize'
                   AND later.prompt_number = m.prompt_number)
             ORDER BY m.id LIMIT 1",
        )?
        .query_row([session_id], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let Some((id, number)) = stop else { return Ok(None) };
    let mut rows = tx.prepare_cached(&format!(
        "{} WHERE session_id = ?1 AND status IN ('pending', 'processing')
           AND prompt_number = ?2 AND id <= ?3 ORDER BY id DESC LIMIT ?4",
        queue::SELECT
    ))?;
    let rows =
        rows.query_map(params![session_id, number, id, MAX_MESSAGES as i64], queue::message)?;
    let mut messages = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    messages.reverse();
    // This Stop replaces earlier ones of the same prompt.
    messages.retain(|m| !m.cause.summarizes() || m.id == id);
    Ok(Some(batch_context::load(tx, session_id, messages)?))
}

/// Stores the summary of a batch from [`next_due`]. Returns its row id, or `None` if its `summarize` was
/// completed meanwhile or a final summary exists.
pub fn store(
    tx: &Transaction,
    session_id: i64,
    batch: &Batch,
    summary: &Summary,
    turn: Option<&Turn>,
    backend: &str,
    now: i64,
) -> Result<Option<i64>> {
    let Some(stop) = batch.messages.last().filter(|m| m.cause.summarizes()) else {
        return Ok(None);
    };
    let unfinished: bool = tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM pending_messages
             WHERE id = ?1 AND session_id = ?2 AND status IN ('pending', 'processing'))",
        )?
        .query_row([stop.id, session_id], |r| r.get(0))?;
    if !unfinished {
        return Ok(None);
    }
    // Not before the Stop: if the clock was set back, the summary would be due again.
    let now = now.max(stop.created_at_epoch);
    let new = NewSummary { summary, turn, backend, kind: SummaryKind::Provisional };
    commit::write_summary(tx, session_id, stop, &new, now)
}

#[cfg(test)]
mod tests {
    use memctl_proto::event::{Event, Kind, Tool};
    use rusqlite::Connection;

    use super::*;
    use crate::memory::Distilled;
    use crate::store::accept::accept;
    use crate::store::commit::Attribution;
    use crate::store::queue::{BatchMeasure, Claim, ClaimLimits};
    use crate::store::testing::{in_memory_db, write};

    fn send(conn: &mut Connection, kind: Kind, at: i64) {
        let mut event = Event::new(kind, "c", "s", at);
        event.turn = Some("t".into());
        event.text = Some(format!("at {at}"));
        event.tool = Some(Tool { name: "Bash".into(), ..Tool::default() });
        write(conn, |tx| accept(tx, &event, None, at));
    }

    fn due_now(conn: &mut Connection) -> Option<Batch> {
        write(conn, |tx| next_due(tx, 1))
    }

    fn store_provisional(conn: &mut Connection, batch: &Batch, text: &str, now: i64) -> bool {
        let summary = Summary { completed: text.into(), ..Summary::default() };
        write(conn, |tx| store(tx, 1, batch, &summary, None, "extractive", now)).is_some()
    }

    fn summaries(conn: &Connection) -> Vec<(String, bool)> {
        let mut rows =
            conn.prepare("SELECT completed, provisional FROM session_summaries").unwrap();
        let rows = rows.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    const ALL: ClaimLimits = ClaimLimits {
        events: 99,
        bytes: 9999,
        flush: true,
        limit: 99,
        measure: BatchMeasure::Size,
    };

    #[test]
    fn each_stop_gets_a_provisional_summary_until_the_backend_answers() {
        let mut conn = in_memory_db();
        for (at, kind) in [Kind::Prompt, Kind::Tool, Kind::Tool].into_iter().enumerate() {
            send(&mut conn, kind, at as i64);
        }
        assert!(due_now(&mut conn).is_none(), "there is no Stop yet");
        send(&mut conn, Kind::Stop, 10);
        let first = due_now(&mut conn).unwrap();
        assert_eq!((first.messages.len(), first.prompts.len()), (3, 1));
        assert!(store_provisional(&mut conn, &first, "first", 11));
        assert!(due_now(&mut conn).is_none(), "it has its summary");
        // The turn continues and stops again: the summary is rewritten, even with the clock set
        // back.
        send(&mut conn, Kind::Tool, 20);
        send(&mut conn, Kind::Stop, 21);
        let second = due_now(&mut conn).unwrap();
        assert!(store_provisional(&mut conn, &second, "second", 5));
        assert!(due_now(&mut conn).is_none());
        assert_eq!(summaries(&conn), [("second".to_owned(), true)]);

        let Claim::Batch(batch) = write(&mut conn, |tx| queue::claim(tx, 1, &ALL, 1, 30)) else {
            panic!("nothing to claim");
        };
        let summary = Some(Summary { completed: "the model".into(), ..Summary::default() });
        let distilled = Distilled { observations: Vec::new(), summary, ..Distilled::default() };
        write(&mut conn, |tx| {
            commit::complete(tx, 1, &batch, &distilled, Attribution::all_by("m"), 31)
        });
        assert!(
            !store_provisional(&mut conn, &second, "late", 32),
            "the backend has answered meanwhile"
        );
        // A final summary stays until the backend rewrites it.
        send(&mut conn, Kind::Tool, 40);
        send(&mut conn, Kind::Stop, 41);
        assert!(due_now(&mut conn).is_none());
        assert_eq!(summaries(&conn), [("the model".to_owned(), false)]);
    }
}
