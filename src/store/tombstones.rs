//! Tombstones: the ids of forgotten rows. They keep a late event from starting its session again,
//! and a new row from reusing a number (`o412`) that the user or a model may still refer to.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::error::Result;

pub const SESSION: &str = "session";
pub const PROMPT: &str = "prompt";
pub const SUMMARY: &str = "summary";
pub const OBSERVATION: &str = "observation";
/// A second tombstone of a session, under a hash of client and session id.
const IDENTITY: &str = "identity";
/// The salted hash of a text. [`super::forgotten_texts`] makes its id.
const TEXT: &str = "text";

macro_rules! unused {
    ($table:literal, $kind:literal) => {
        concat!(
            "(SELECT 1 + max(ifnull((SELECT max(id) FROM ",
            $table,
            "), 0),",
            " ifnull((SELECT max(id) FROM tombstones WHERE kind = '",
            $kind,
            "' AND id NOTNULL), 0)))"
        )
    };
}

/// SQL expressions for the next id of a table, higher than all ids ever used. SQLite alone would
/// reuse the highest id after its row is deleted.
pub const UNUSED_PROMPT: &str = unused!("user_prompts", "prompt");
pub const UNUSED_SUMMARY: &str = unused!("session_summaries", "summary");
pub const UNUSED_OBSERVATION: &str = unused!("observations", "observation");

/// Records a forgotten row.
pub fn put(tx: &Transaction, uuid: &str, kind: &str, id: i64, now: i64) -> Result<()> {
    let (uuid, kind) = (uuid.to_owned(), kind.to_owned());
    Tombstone { uuid, kind, id: Some(id), at_epoch: now }.store(tx)
}

/// Records the identity of a forgotten session, as a hash.
pub fn put_identity(tx: &Transaction, client: &str, session: &str, now: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO tombstones (uuid, kind, at_epoch) VALUES (?1, ?2, ?3)
         ON CONFLICT (uuid) DO UPDATE SET at_epoch = max(at_epoch, excluded.at_epoch)",
        params![identity(client, session), IDENTITY, now],
    )?;
    Ok(())
}

/// Records a forgotten text by the id of its tombstone.
pub fn put_text(tx: &Transaction, uuid: &str, now: i64) -> Result<()> {
    let (uuid, kind) = (uuid.to_owned(), TEXT.to_owned());
    Tombstone { uuid, kind, id: None, at_epoch: now }.store(tx)
}

/// Deletes the tombstone of a restored row.
pub fn remove(tx: &Transaction, uuid: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM tombstones WHERE uuid = ?1")?.execute([uuid])?;
    Ok(())
}

/// Sets when the session with this identity was last forgotten. `None`: never.
pub fn set_identity(tx: &Transaction, identity: &str, at: Option<i64>) -> Result<()> {
    match at {
        Some(at) => {
            let sql = "UPDATE tombstones SET at_epoch = ?2 WHERE uuid = ?1";
            tx.execute(sql, params![identity, at]).map(drop)?;
            Ok(())
        }
        None => remove(tx, identity),
    }
}

/// A tombstone as stored.
#[derive(Debug)]
pub struct Tombstone {
    uuid: String,
    kind: String,
    id: Option<i64>,
    at_epoch: i64,
}

/// The tombstones of what no undo restores.
pub fn for_good(conn: &Connection) -> Result<Vec<Tombstone>> {
    let mut rows = conn.prepare(
        "SELECT uuid, kind, id, at_epoch FROM tombstones
         WHERE at_epoch NOT IN (SELECT at_epoch FROM forgotten)",
    )?;
    let rows = rows.query_map([], |r| {
        Ok(Tombstone { uuid: r.get(0)?, kind: r.get(1)?, id: r.get(2)?, at_epoch: r.get(3)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

impl Tombstone {
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The kind and the id of the row, if the database has it.
    pub fn row(&self, conn: &Connection) -> Result<Option<(&'static str, i64)>> {
        let (kind, sql) = match self.kind.as_str() {
            SESSION => (SESSION, "SELECT id FROM sessions WHERE uuid = ?1"),
            PROMPT => (PROMPT, "SELECT id FROM user_prompts WHERE uuid = ?1"),
            SUMMARY => (SUMMARY, "SELECT id FROM session_summaries WHERE uuid = ?1"),
            OBSERVATION => (OBSERVATION, "SELECT id FROM observations WHERE uuid = ?1"),
            _ => return Ok(None),
        };
        let id = conn.prepare_cached(sql)?.query_row([&self.uuid], |r| r.get(0)).optional()?;
        Ok(id.map(|id| (kind, id)))
    }

    pub fn store(&self, tx: &Transaction) -> Result<()> {
        let Tombstone { uuid, kind, id, at_epoch } = self;
        tx.prepare_cached(
            "INSERT INTO tombstones (uuid, kind, id, at_epoch) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (uuid) DO UPDATE SET at_epoch = max(at_epoch, excluded.at_epoch)",
        )?
        .execute(params![uuid, kind, id, at_epoch])?;
        Ok(())
    }
}

/// Whether the row with this uuid was forgotten.
pub fn is_put(conn: &Connection, uuid: &str) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM tombstones WHERE uuid = ?1")?.exists([uuid])?)
}

/// Time when the session was last forgotten.
pub fn forgotten_at(conn: &Connection, client: &str, session: &str) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT at_epoch FROM tombstones WHERE uuid = ?1")?
        .query_row([identity(client, session)], |r| r.get(0))
        .optional()?)
}

/// The hash of a session's identity.
pub fn identity(client: &str, session: &str) -> String {
    let name = [client.as_bytes(), session.as_bytes()].join(&0);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &name).to_string()
}
