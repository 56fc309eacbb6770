//! What a session has seen of third parties, for the later turns of the session.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use crate::memory::SeenText;

/// How long after its last event an ended session keeps what it has seen, in milliseconds. It is
/// needed only if the session is resumed.
pub(super) const KEEP: i64 = 7 * 24 * 60 * 60 * 1000;

/// What the session has seen so far. A branch of another session begins with what that one has seen.
pub(super) fn load(tx: &Connection, session_id: i64) -> Result<SeenText> {
    let seen = tx
        .prepare_cached(
            "SELECT web, tool FROM seen_text WHERE session_id = ?1
               OR session_id = (SELECT parent_session_id FROM sessions WHERE id = ?1)
             ORDER BY session_id = ?1 DESC LIMIT 1",
        )?
        .query_row([session_id], |r| {
            Ok(SeenText {
                web: hashes(&r.get::<_, Vec<u8>>(0)?),
                tool: hashes(&r.get::<_, Vec<u8>>(1)?),
            })
        })
        .optional()?;
    Ok(seen.unwrap_or_default())
}

/// Replaces what the session has seen.
pub(super) fn store(tx: &Transaction, session_id: i64, seen: &SeenText) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO seen_text (session_id, web, tool) VALUES (?1, ?2, ?3)
         ON CONFLICT (session_id) DO UPDATE SET web = excluded.web, tool = excluded.tool",
    )?
    .execute((session_id, bytes(&seen.web), bytes(&seen.tool)))?;
    Ok(())
}

/// Forgets what a session has seen: one of its turns is private.
pub(super) fn clear(tx: &Transaction, session_id: i64) -> Result<()> {
    tx.execute("DELETE FROM seen_text WHERE session_id = ?1", [session_id])?;
    Ok(())
}

/// Forgets what sessions have seen that ended a week ago.
pub fn delete_old(tx: &Transaction, now: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM seen_text WHERE session_id IN
           (SELECT id FROM sessions WHERE status <> 'active' AND last_event_epoch < ?1)",
        params![now - KEEP],
    )?;
    Ok(())
}

fn bytes(hashes: &[u32]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()
}

fn hashes(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use memctl_proto::event::{Event, Kind};

    use super::*;
    use crate::store::accept::accept;
    use crate::store::testing::{in_memory_db, write};

    #[test]
    fn a_branch_begins_with_what_its_parent_saw_and_old_rows_go() {
        let mut conn = in_memory_db();
        for (at, session) in ["parent", "branch", "other"].into_iter().enumerate() {
            let mut event = Event::new(Kind::Prompt, "c", session, at as i64);
            event.text = Some("x".into());
            write(&mut conn, |tx| accept(tx, &event, None, at as i64));
        }
        conn.execute_batch("UPDATE sessions SET parent_session_id = 1 WHERE id = 2").unwrap();
        let seen = SeenText { web: vec![1, 0x00ff_ffff], tool: vec![7] };
        write(&mut conn, |tx| store(tx, 1, &seen));
        let mut loaded = |id| write(&mut conn, |tx| load(tx, id));
        assert_eq!((loaded(1), loaded(2)), (seen.clone(), seen));
        assert_eq!(loaded(3), SeenText::default());
        let own = SeenText { web: vec![2], tool: Vec::new() };
        write(&mut conn, |tx| store(tx, 2, &own));
        assert_eq!(write(&mut conn, |tx| load(tx, 2)), own);

        write(&mut conn, |tx| delete_old(tx, KEEP + 100));
        assert_eq!(write(&mut conn, |tx| load(tx, 2)), own, "the session is active");
        conn.execute_batch("UPDATE sessions SET status = 'completed' WHERE id = 2").unwrap();
        write(&mut conn, |tx| delete_old(tx, KEEP));
        assert_eq!(write(&mut conn, |tx| load(tx, 2)), own, "it ended less than a week ago");
        write(&mut conn, |tx| delete_old(tx, KEEP + 100));
        write(&mut conn, |tx| clear(tx, 1));
        assert_eq!(write(&mut conn, |tx| load(tx, 2)), SeenText::default());
    }
}
