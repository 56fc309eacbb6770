//! What a session has seen of third parties, for the later turns of the session.

use rusqlite::{OptionalExtension, Transaction};

use super::error::Result;
use crate::memory::SeenText;

/// What the session has seen so far.
pub(super) fn load(tx: &Transaction, session_id: i64) -> Result<SeenText> {
    let seen = tx
        .prepare_cached("SELECT web, tool FROM seen_text WHERE session_id = ?1")?
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

fn bytes(hashes: &[u32]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()
}

fn hashes(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect()
}
