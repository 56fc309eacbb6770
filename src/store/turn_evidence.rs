//! What the latest turn of a session proves so far, for the next batch of the turn.

use rusqlite::{OptionalExtension, Transaction, params};

use super::error::Result;
use crate::memory::Evidence;

/// The evidence of the turn that the prompts `numbers` belong to. Empty for another turn.
pub(super) fn load(tx: &Transaction, session_id: i64, numbers: &[i64]) -> Result<Evidence> {
    let found: Option<(i64, String)> = tx
        .prepare_cached("SELECT prompt_number, evidence FROM turn_evidence WHERE session_id = ?1")?
        .query_row([session_id], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let of_turn = found.filter(|(number, _)| numbers.contains(number));
    Ok(of_turn.and_then(|(_, json)| serde_json::from_str(&json).ok()).unwrap_or_default())
}

/// Replaces the evidence of the session's latest turn.
pub(super) fn store(
    tx: &Transaction,
    session_id: i64,
    number: i64,
    evidence: &Evidence,
) -> Result<()> {
    let json = serde_json::to_string(evidence).expect("evidence serializes to JSON");
    tx.prepare_cached(
        "INSERT INTO turn_evidence (session_id, prompt_number, evidence) VALUES (?1, ?2, ?3)
         ON CONFLICT (session_id) DO UPDATE SET
           prompt_number = excluded.prompt_number, evidence = excluded.evidence",
    )?
    .execute(params![session_id, number, json])?;
    Ok(())
}

/// Deletes the evidence of a session's latest turn: a turn is private or forgotten.
pub(super) fn clear(tx: &Transaction, session_id: i64) -> Result<()> {
    tx.execute("DELETE FROM turn_evidence WHERE session_id = ?1", [session_id])?;
    Ok(())
}

/// Deletes the evidence of sessions that ended. Their turns hold it.
pub fn delete_old(tx: &Transaction) -> Result<()> {
    tx.execute(
        "DELETE FROM turn_evidence WHERE session_id IN
           (SELECT id FROM sessions WHERE status <> 'active')",
        [],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use memctl_proto::event::{Event, Kind};

    use super::*;
    use crate::store::accept::accept;
    use crate::store::testing::{in_memory_db, write};

    #[test]
    fn a_turn_continues_with_its_own_evidence_only() {
        let mut conn = in_memory_db();
        let mut event = Event::new(Kind::Prompt, "c", "s", 1);
        event.text = Some("x".into());
        write(&mut conn, |tx| accept(tx, &event, None, 1));
        let evidence = Evidence { tool_uses: 3, ..Evidence::default() };
        write(&mut conn, |tx| store(tx, 1, 1, &evidence));
        let mut loaded = |numbers: &[i64]| write(&mut conn, |tx| load(tx, 1, numbers));
        assert_eq!(loaded(&[1, 2]), evidence);
        assert_eq!(loaded(&[2]), Evidence::default());
        write(&mut conn, delete_old);
        assert_eq!(write(&mut conn, |tx| load(tx, 1, &[1])), evidence, "the session is active");
        write(&mut conn, |tx| clear(tx, 1));
        assert_eq!(write(&mut conn, |tx| load(tx, 1, &[1])), Evidence::default());
    }
}
