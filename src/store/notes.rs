//! Stores notes: memories that a user or a script hands over with `memctl remember`.
//!
//! A note of the user or of a model has no session and no external id; the same text is stored once. A row of a
//! script has an external id, and a session of its own client: a repeat updates the row.

use data_encoding::HEXLOWER;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::columns::Columns;
use super::commit::{content_hash, tokens};
use super::error::Result;
use super::words::{self, RowId, RowKind};
use super::{forget_text, forgotten, links, new_uuid, rejected, tombstones};
use crate::memory::{Head, Observation, Origin};

/// The client in whose name scripts store sessions.
pub const CLIENT: &str = "jsonl";

/// Prefix of the external ids of a script's rows.
pub const EXTERNAL: &str = "jsonl:";

/// What `observations.backend` says of notes.
const BACKEND: &str = "remember";

/// A memory to store. Its texts are redacted.
#[derive(Clone, Debug, Default)]
pub struct Note {
    pub observation: Observation,
    /// The hash of each of the observation's files, if it is known.
    pub blobs: Vec<Option<String>>,
    /// Applies to all projects.
    pub is_global: bool,
    /// A JSON object.
    pub metadata: String,
    pub head: Option<Head>,
    pub expires_at_epoch: Option<i64>,
    /// `None`: now.
    pub created_at_epoch: Option<i64>,
}

/// What became of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    Added(i64),
    Updated(i64),
    /// It is stored already and has not changed.
    Known(i64),
    /// The user has forgotten it.
    Forgotten,
}

impl Stored {
    /// The id of a row that is new or has changed.
    pub fn changed(&self) -> Option<i64> {
        match self {
            Stored::Added(id) | Stored::Updated(id) => Some(*id),
            Stored::Known(_) | Stored::Forgotten => None,
        }
    }
}

/// Stores a note of the user or of a model. A known one gets the new expiry and metadata. What the user
/// rejected before and states now is accepted again, and older statements that the note contradicts are
/// out.
pub fn remember(tx: &Transaction, project: Option<i64>, note: &Note, now: i64) -> Result<Stored> {
    if note.observation.origin == Origin::User {
        rejected::allow(tx, &rejected::of_observation(&note.observation))?;
    }
    let stored = put_note(tx, project, note, now)?;
    links::reconcile(tx, stored.changed().as_slice(), now)?;
    Ok(stored)
}

fn put_note(tx: &Transaction, project: Option<i64>, note: &Note, now: i64) -> Result<Stored> {
    let hash = content_hash(&note.observation);
    let known: Option<(i64, Option<i64>, String)> = tx
        .prepare_cached(
            "SELECT id, expires_at_epoch, metadata FROM observations
             WHERE origin = ?4 AND session_id IS NULL AND external_id IS NULL
               AND superseded_by IS NULL AND NOT hidden AND feedback IS NOT 'wrong'
               AND content_hash = ?1 AND scope = ?2
               AND (scope = 'user' OR project_id IS ?3)
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![hash, scope(note), project, note.observation.origin.as_str()], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .optional()?;
    if let Some((id, expires, metadata)) = known {
        if expires == note.expires_at_epoch && metadata == note.metadata {
            return Ok(Stored::Known(id));
        }
        tx.prepare_cached(
            "UPDATE observations SET expires_at_epoch = ?2, metadata = ?3, changed_at_epoch = ?4
             WHERE id = ?1",
        )?
        .execute(params![id, note.expires_at_epoch, note.metadata, now])?;
        return Ok(Stored::Updated(id));
    }
    let place = Place { project, ..Place::default() };
    insert(tx, note, &place, &new_uuid(now), &hash, now).map(Stored::Added)
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, Default)]
struct Place<'a> {
    project: Option<i64>,
    session: Option<i64>,
    external_id: Option<&'a str>,
}

/// Stores a row of a script under its external id, or updates the row that has this id.
/// `session` is the script's own name of a session. The caller compares what is added or updated with
/// other rows ([`links::reconcile`]).
pub fn put(
    tx: &Transaction,
    external_id: &str,
    project: Option<i64>,
    session: Option<&str>,
    note: &Note,
    now: i64,
) -> Result<Stored> {
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, external_id.as_bytes()).to_string();
    if tombstones::is_put(tx, &uuid)? {
        return Ok(Stored::Forgotten);
    }
    let at = note.created_at_epoch.unwrap_or(now);
    if let Some(name) = session
        && tombstones::forgotten_at(tx, CLIENT, name)?.is_some_and(|forgotten| at <= forgotten)
    {
        return Ok(Stored::Forgotten);
    }
    let hash = digest(note, project, session);
    let known: Option<(i64, String)> = tx
        .prepare_cached("SELECT id, content_hash FROM observations WHERE external_id = ?1")?
        .query_row([external_id], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    if let Some((id, _)) = known.as_ref().filter(|(_, known)| *known == hash) {
        return Ok(Stored::Known(*id));
    }
    let session = match session {
        Some(name) => Some(session_of(tx, name, project, at, now)?),
        None => None,
    };
    let place = Place { project, session, external_id: Some(external_id) };
    match known {
        Some((id, _)) => {
            update(tx, id, note, &place, &hash, now)?;
            links::reset(tx, id, now)?;
            Ok(Stored::Updated(id))
        }
        None => insert(tx, note, &place, &uuid, &hash, now).map(Stored::Added),
    }
}

/// Row id of a script's session. Creates it if it is missing. Its time spans its rows.
fn session_of(
    tx: &Transaction,
    name: &str,
    project: Option<i64>,
    at: i64,
    now: i64,
) -> Result<i64> {
    let known = tx
        .prepare_cached(
            "SELECT id, started_at_epoch, last_event_epoch FROM sessions
             WHERE client = ?1 AND content_session_id = ?2",
        )?
        .query_row([CLIENT, name], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?)))
        .optional()?;
    if let Some((id, first, last)) = known {
        if !(first..=last).contains(&at) {
            tx.prepare_cached(
                "UPDATE sessions SET started_at_epoch = ?2, last_event_epoch = ?3,
                   completed_at_epoch = ?3 WHERE id = ?1",
            )?
            .execute([id, first.min(at), last.max(at)])?;
        }
        return Ok(id);
    }
    tx.prepare_cached(&format!(
        "INSERT INTO sessions (id, uuid, client, content_session_id, project_id, status, end_reason,
           started_at_epoch, last_event_epoch, completed_at_epoch)
         VALUES ({}, ?1, ?2, ?3, ?4, 'completed', 'import', ?5, ?5, ?5)",
        forgotten::UNUSED_SESSION
    ))?
    .execute(params![new_uuid(now), CLIENT, name, project, at])?;
    Ok(tx.last_insert_rowid())
}

fn insert(
    tx: &Transaction,
    note: &Note,
    place: &Place,
    uuid: &str,
    hash: &str,
    now: i64,
) -> Result<i64> {
    let head = note.head.as_ref();
    let columns = content(note, place, hash, now)
        .set("uuid", uuid)
        .set("external_id", place.external_id)
        .set("backend", BACKEND)
        .set("branch", head.map(|head| &head.branch))
        .set("head", head.map(|head| &head.commit))
        .set("created_at_epoch", note.created_at_epoch.unwrap_or(now));
    let id = tx
        .prepare_cached(&format!(
            "INSERT INTO observations (id, {}) VALUES ({}, {}) RETURNING id",
            columns.names(),
            tombstones::UNUSED_OBSERVATION,
            columns.places()
        ))?
        .query_row(columns.bind(&[]), |r| r.get(0))?;
    put_files(tx, id, note)?;
    forget_text::clean_new(tx, RowId::observation(id), now)?;
    words::add(tx, RowId { kind: RowKind::Observation, id })?;
    Ok(id)
}

/// Replaces the content of a row. Its id, its uuid and the user's pin stay.
fn update(
    tx: &Transaction,
    id: i64,
    note: &Note,
    place: &Place,
    hash: &str,
    now: i64,
) -> Result<()> {
    let row = RowId { kind: RowKind::Observation, id };
    words::remove(tx, row)?;
    let mut columns = content(note, place, hash, now);
    if let Some(at) = note.created_at_epoch {
        columns = columns.set("created_at_epoch", at);
    }
    let sql = format!("UPDATE observations SET {} WHERE id = ?", columns.assignments());
    tx.prepare_cached(&sql)?.execute(columns.bind(&[id]))?;
    tx.prepare_cached("DELETE FROM observation_files WHERE observation_id = ?1")?.execute([id])?;
    put_files(tx, id, note)?;
    forget_text::clean_new(tx, row, now)?;
    words::add(tx, row)
}

/// The columns that a later row of a script replaces.
fn content<'a>(note: &'a Note, place: &'a Place, hash: &'a str, now: i64) -> Columns<'a> {
    let o = &note.observation;
    Columns::default()
        .set("session_id", place.session)
        .set("project_id", place.project)
        .set("scope", scope(note))
        .set("origin", o.origin.as_str())
        .set("type", &o.kind)
        .set("title", &o.title)
        .set("narrative", &o.narrative)
        .set("files_read", json(&o.files_read))
        .set("metadata", &note.metadata)
        .set("content_hash", hash)
        .set("tokens", tokens(o))
        .set("expires_at_epoch", note.expires_at_epoch)
        .set("changed_at_epoch", now)
        .set("quarantined", o.quarantined)
}

fn put_files(tx: &Transaction, id: i64, note: &Note) -> Result<()> {
    let mut added = tx.prepare_cached(
        "INSERT INTO observation_files (observation_id, path, role, blob)
         VALUES (?1, ?2, 'read', ?3) ON CONFLICT DO NOTHING",
    )?;
    for (at, path) in note.observation.files_read.iter().enumerate() {
        added.execute(params![id, path, note.blobs.get(at).and_then(Option::as_ref)])?;
    }
    Ok(())
}

fn scope(note: &Note) -> &'static str {
    if note.is_global { "user" } else { "project" }
}

/// A hash of everything that a script says of a row.
fn digest(note: &Note, project: Option<i64>, session: Option<&str>) -> String {
    let o = &note.observation;
    let times = [note.expires_at_epoch, note.created_at_epoch, project].map(|n| format!("{n:?}"));
    let quarantined = if o.quarantined { "quarantined" } else { "" };
    let mut hash = Sha256::new();
    for part in [
        content_hash(o).as_str(),
        o.origin.as_str(),
        quarantined,
        scope(note),
        &note.metadata,
        session.unwrap_or_default(),
    ]
    .into_iter()
    .chain(times.iter().map(String::as_str))
    {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

fn json(list: &[String]) -> String {
    serde_json::to_string(list).expect("strings serialize to JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{in_memory_db, write};

    fn note(title: &str) -> Note {
        let observation = Observation {
            kind: "note".into(),
            title: title.into(),
            origin: Origin::User,
            files_read: vec!["src/a.rs".into()],
            ..Observation::default()
        };
        Note { observation, metadata: "{}".into(), ..Note::default() }
    }

    #[test]
    fn a_note_of_the_user_is_stored_once() {
        let mut conn = in_memory_db();
        let mut say = |note: Note| write(&mut conn, |tx| remember(tx, None, &note, 7));
        assert_eq!(say(note("a")), Stored::Added(1));
        assert_eq!(say(note("a")), Stored::Known(1));
        assert_eq!(say(Note { expires_at_epoch: Some(9), ..note("a") }), Stored::Updated(1));
        assert_eq!(say(Note { is_global: true, ..note("a") }), Stored::Added(2));
        assert_eq!(say(note("b")), Stored::Added(3));
    }

    #[test]
    fn a_row_of_a_script_follows_its_external_id() {
        let mut conn = in_memory_db();
        let mut say = |id: &str, session: Option<&str>, note: &Note| {
            write(&mut conn, |tx| put(tx, id, None, session, note, 50))
        };
        let at = |at, title: &str| Note { created_at_epoch: Some(at), ..note(title) };
        assert_eq!(say("jsonl:1", Some("s"), &at(20, "a")), Stored::Added(1));
        assert_eq!(say("jsonl:1", Some("s"), &at(20, "a")), Stored::Known(1));
        assert_eq!(say("jsonl:2", Some("s"), &at(10, "a")), Stored::Added(2));
        assert_eq!(say("jsonl:1", Some("s"), &at(20, "c")), Stored::Updated(1));
        assert_eq!(say("jsonl:3", None, &at(30, "a")), Stored::Added(3));
        let text = |sql: &str| conn.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
        let span = "SELECT started_at_epoch || '-' || last_event_epoch FROM sessions";
        assert_eq!(text(span), "10-20");
        let files = "SELECT group_concat(observation_id || path) FROM observation_files";
        assert_eq!(text(files), "1src/a.rs,2src/a.rs,3src/a.rs");
    }

    #[test]
    fn a_forgotten_row_is_not_stored_again() {
        let mut conn = in_memory_db();
        let uuid = |tx: &Transaction| -> Result<String> {
            Ok(tx.query_row("SELECT uuid FROM observations", [], |r| r.get(0))?)
        };
        let again = write(&mut conn, |tx| {
            put(tx, "jsonl:1", None, None, &note("a"), 5)?;
            tombstones::put(tx, &uuid(tx)?, tombstones::OBSERVATION, 1, 6)?;
            tx.execute("DELETE FROM observations", [])?;
            put(tx, "jsonl:1", None, None, &note("a"), 7)
        });
        assert_eq!(again, Stored::Forgotten);
    }
}
