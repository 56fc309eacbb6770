//! Inserts rows of an export. What the store has already stays as it is, and what was forgotten does not
//! come back.

use std::collections::{BTreeMap, BTreeSet};

use memctl_proto::event::Project;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter};
use serde_json::Value;

use super::decisions;
use super::line::{Inserted, Line};
use super::tables::{Kind, Table};
use crate::store::error::{Result, StoreError};
use crate::store::forgotten::UNUSED_SESSION;
use crate::store::rejected::Rejected;
use crate::store::told_turns::{self, ToldTurn};
use crate::store::words::{RowId, RowKind};
use crate::store::{forget_text, projects, sessions, tombstones, words};

/// The rows that the lines of an export name.
#[derive(Debug, Default)]
pub struct References {
    /// By the first key.
    projects: BTreeMap<String, i64>,
    /// By the uuid. `None`: it was forgotten.
    sessions: BTreeMap<String, Option<i64>>,
    /// Uuids of sessions that the store has under another uuid. They keep their own prompts.
    mapped: BTreeSet<String>,
    /// Uuids of new sessions and of their parents.
    parents: Vec<(String, String)>,
    /// Read with the first observation.
    rejected: Option<Rejected>,
}

/// Inserts a row of an export. `references` must be the same for all lines of a file.
///
/// # Errors
/// [`StoreError::Bug`] if the line is not a row of an export.
pub fn insert(tx: &Transaction, references: &mut References, row: &Line) -> Result<Inserted> {
    let kind = row.text("type");
    match (kind.as_str(), Table::of_kind(&kind)) {
        ("project", _) => insert_project(tx, references, row),
        (decisions::TOLD, _) => insert_told(tx, references, row),
        (_, Some(table)) => insert_row(tx, references, table, row),
        _ => decisions::insert(tx, &kind, row),
    }
}

/// Whether the store has a row with the uuid of this one.
pub fn is_known(conn: &Connection, row: &Line) -> Result<bool> {
    let Some(table) = Table::of_kind(&row.text("type")) else { return Ok(false) };
    let sql = format!("SELECT 1 FROM {} WHERE uuid = ?1", table.name);
    Ok(conn.prepare_cached(&sql)?.exists([row.text("uuid")])?)
}

/// Sets the parents of the sessions that were inserted.
pub fn link_parents(tx: &Transaction, references: &References) -> Result<()> {
    for (session, parent) in &references.parents {
        tx.execute(
            "UPDATE sessions SET parent_session_id = (SELECT id FROM sessions WHERE uuid = ?2)
             WHERE uuid = ?1 AND parent_session_id IS NULL",
            [session, parent],
        )?;
    }
    Ok(())
}

fn insert_project(tx: &Transaction, references: &mut References, row: &Line) -> Result<Inserted> {
    let text = |key: &str| row.text(key);
    let keys: Vec<String> = serde_json::from_value(row.value("keys")).map_err(invalid)?;
    let Some(first) = keys.iter().min().cloned() else { return Ok(Inserted::Unknown) };
    let mut known = None;
    for key in &keys {
        known = known.or(projects::by_key(tx, key)?);
    }
    let id = match known {
        Some(id) => id,
        None => {
            let project = Project { keys: keys.clone(), name: text("name"), root: text("root") };
            projects::resolve(tx, &project)?.ok_or_else(|| invalid("a project without keys"))?
        }
    };
    references.projects.insert(first, id);
    for key in &keys {
        let sql =
            "INSERT INTO project_keys (key, project_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        tx.prepare_cached(sql)?.execute(params![key, id])?;
    }
    for commit in row.value("commits").as_array().into_iter().flatten() {
        let sql =
            "INSERT INTO project_commits (project_id, hash, seen_at_epoch) VALUES (?1, ?2, ?3)
           ON CONFLICT DO NOTHING";
        let (hash, at) = (commit["hash"].as_str(), commit["seen_at_epoch"].as_i64());
        if let (Some(hash), Some(at)) = (hash, at) {
            tx.prepare_cached(sql)?.execute(params![id, hash, at])?;
        }
    }
    if known.is_none() {
        let (separate, named) = (row.value("separate") == true, row.value("named") == true);
        let sql = "UPDATE projects SET separate = ?2, named = ?3 WHERE id = ?1";
        tx.execute(sql, params![id, separate, named])?;
    }
    Ok(if known.is_some() { Inserted::Known } else { Inserted::New })
}

fn insert_told(tx: &Transaction, references: &References, row: &Line) -> Result<Inserted> {
    let uuid = row.value("session");
    if references.mapped.contains(uuid.as_str().unwrap_or_default()) {
        // The prompts of the session have other numbers here.
        return Ok(Inserted::Known);
    }
    let session = match session_id(tx, references, &uuid)? {
        Reference::Found(id) => id,
        Reference::Forgotten => return Ok(Inserted::Forgotten),
        Reference::None | Reference::Missing => return Ok(Inserted::Unknown),
    };
    let project = project_id(tx, references, &row.value("project"))?;
    let (Sql::Integer(project), Some(prompt)) = (project, row.value("prompt").as_i64()) else {
        return Ok(Inserted::Unknown);
    };
    let new = told_turns::tell(tx, project, &[ToldTurn { session, prompt }])?;
    Ok(if new.is_empty() { Inserted::Known } else { Inserted::New })
}

fn insert_row(
    tx: &Transaction,
    references: &mut References,
    table: &Table,
    row: &Line,
) -> Result<Inserted> {
    let uuid = row.optional("uuid").filter(|uuid| !uuid.is_empty());
    let uuid = uuid.ok_or_else(|| invalid("a row without a uuid"))?;
    let refused = match table.kind {
        "session" => refuse_session(tx, references, row, &uuid)?,
        _ => refuse(tx, references, table, row, &uuid)?,
    };
    if let Some(refused) = refused {
        return Ok(refused);
    }
    let mut values = vec![];
    for column in table.columns {
        let value = &row.value(column.key);
        values.push(match column.kind {
            Kind::Session if table.kind == "session" => Sql::Null,
            Kind::Session => match session_id(tx, references, value)? {
                Reference::Found(id) => Sql::Integer(id),
                Reference::None => Sql::Null,
                Reference::Forgotten => return Ok(Inserted::Forgotten),
                Reference::Missing => return Ok(Inserted::Unknown),
            },
            Kind::Project => project_id(tx, references, value)?,
            kind => match sql(row, column.key, value, kind) {
                Sql::Null => default(table, column.column),
                value => value,
            },
        });
    }
    let names: Vec<&str> = table.columns.iter().map(|column| column.column).collect();
    let marks: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
    let statement = format!(
        "INSERT INTO {} (id, {}) VALUES ({}, {}) ON CONFLICT DO NOTHING",
        table.name,
        names.join(", "),
        unused_id(table),
        marks.join(", ")
    );
    if tx.prepare_cached(&statement)?.execute(params_from_iter(values))? == 0 {
        return Ok(Inserted::Known);
    }
    let id = tx.last_insert_rowid();
    if table.kind == "session" {
        references.sessions.insert(uuid, Some(id));
    }
    insert_details(tx, table, row, id)?;
    Ok(Inserted::New)
}

/// Why the row of a session is not inserted. Notes which session its rows belong to.
fn refuse_session(
    tx: &Transaction,
    references: &mut References,
    row: &Line,
    uuid: &str,
) -> Result<Option<Inserted>> {
    let mut refuse = |id: Option<i64>| {
        references.sessions.insert(uuid.to_owned(), id);
        Some(if id.is_some() { Inserted::Known } else { Inserted::Forgotten })
    };
    if let Some(id) = id_of(tx, "sessions", uuid)? {
        return Ok(refuse(Some(id)));
    }
    let is_forgotten = is_forgotten(tx, uuid)?;
    match session(tx, row)? {
        _ if is_forgotten => Ok(refuse(None)),
        SessionState::Forgotten => Ok(refuse(None)),
        SessionState::Known(id) => {
            let known = refuse(Some(id));
            references.mapped.insert(uuid.to_owned());
            Ok(known)
        }
        SessionState::Free => {
            let parent = row.optional("parent");
            references.parents.extend(parent.map(|parent| (uuid.to_owned(), parent)));
            Ok(None)
        }
    }
}

/// Why the row of a prompt or a memory is not inserted.
fn refuse(
    tx: &Transaction,
    references: &mut References,
    table: &Table,
    row: &Line,
    uuid: &str,
) -> Result<Option<Inserted>> {
    if id_of(tx, table.name, uuid)?.is_some() {
        return Ok(Some(Inserted::Known));
    }
    if is_forgotten(tx, uuid)? || table.kind == "observation" && is_rejected(tx, references, row)? {
        return Ok(Some(Inserted::Forgotten));
    }
    let is_mapped = table.kind == "prompt" && references.mapped.contains(&row.text("session"));
    Ok(is_mapped.then_some(Inserted::Known))
}

fn id_of(tx: &Transaction, table: &str, uuid: &str) -> Result<Option<i64>> {
    Ok(tx
        .prepare_cached(&format!("SELECT id FROM {table} WHERE uuid = ?1"))?
        .query_row([uuid], |r| r.get(0))
        .optional()?)
}

fn is_forgotten(tx: &Transaction, uuid: &str) -> Result<bool> {
    Ok(tx.prepare_cached("SELECT 1 FROM tombstones WHERE uuid = ?1")?.exists([uuid])?)
}

/// Stores what belongs to the new row `id` in other tables.
fn insert_details(tx: &Transaction, table: &Table, row: &Line, id: i64) -> Result<()> {
    match table.kind {
        // The next prompt of the session must not have the number of this one.
        "prompt" => {
            tx.prepare_cached(
                "UPDATE sessions SET prompt_counter = max(prompt_counter, p.prompt_number)
                 FROM user_prompts p WHERE p.id = ?1 AND sessions.id = p.session_id",
            )?
            .execute([id])?;
        }
        "observation" => insert_files(tx, row, id)?,
        "summary" => decisions::insert_marks(tx, id, &row.value("marks"))?,
        _ => {}
    }
    if let Some(kind) = RowKind::of_table(table.name) {
        let changed_at = row.value("changed_at_epoch").as_i64().unwrap_or_default();
        forget_text::clean_new(tx, RowId { kind, id }, changed_at)?;
        words::add(tx, RowId { kind, id })?;
    }
    Ok(())
}

fn insert_files(tx: &Transaction, row: &Line, observation: i64) -> Result<()> {
    for file in row.value("files").as_array().into_iter().flatten() {
        let blob = file["blob"].as_str();
        if let (Some(path), Some(role)) = (file["path"].as_str(), file["role"].as_str()) {
            tx.prepare_cached(
                "INSERT INTO observation_files (observation_id, path, role, blob)
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            )?
            .execute(params![observation, path, role, blob])?;
        }
    }
    Ok(())
}

/// Whether the user rejected what an observation states. The context leaves such statements out of
/// summaries.
fn is_rejected(tx: &Transaction, references: &mut References, row: &Line) -> Result<bool> {
    let rejected = match &mut references.rejected {
        Some(rejected) => rejected,
        none => none.insert(Rejected::load(tx)?),
    };
    Ok(rejected.has(&row.text("title")))
}

enum SessionState {
    /// The store has no session of this identity.
    Free,
    Known(i64),
    Forgotten,
}

/// A session of the same client and id may have another uuid, because another machine has recorded it.
fn session(tx: &Transaction, row: &Line) -> Result<SessionState> {
    let (client, session) = (row.text("client"), row.text("session"));
    if let Some(id) = sessions::id_of(tx, &client, &session)? {
        return Ok(SessionState::Known(id));
    }
    let last = row.value("last_event_epoch").as_i64().unwrap_or_default();
    let forgotten = tombstones::forgotten_at(tx, &client, &session)?;
    Ok(match forgotten.is_some_and(|at| last <= at) {
        true => SessionState::Forgotten,
        false => SessionState::Free,
    })
}

enum Reference {
    Found(i64),
    None,
    Forgotten,
    Missing,
}

fn session_id(tx: &Transaction, references: &References, value: &Value) -> Result<Reference> {
    let Some(uuid) = value.as_str() else { return Ok(Reference::None) };
    if let Some(id) = references.sessions.get(uuid) {
        return Ok(id.map_or(Reference::Forgotten, Reference::Found));
    }
    Ok(id_of(tx, "sessions", uuid)?.map_or(Reference::Missing, Reference::Found))
}

fn project_id(tx: &Transaction, references: &References, value: &Value) -> Result<Sql> {
    let Some(key) = value.as_str() else { return Ok(Sql::Null) };
    let id = match references.projects.get(key) {
        Some(id) => Some(*id),
        None => projects::by_key(tx, key)?,
    };
    Ok(id.map_or(Sql::Null, Sql::Integer))
}

fn sql(row: &Line, key: &str, value: &Value, kind: Kind) -> Sql {
    match (value, kind) {
        (Value::Null, _) => Sql::Null,
        (_, Kind::Json) => Sql::Text(row.0[key].get().to_owned()),
        (Value::String(text), Kind::Text) => Sql::Text(text.clone()),
        (Value::Bool(flag), Kind::Flag) => Sql::Integer((*flag).into()),
        (Value::Number(n), Kind::Number) => n.as_i64().map_or(Sql::Null, Sql::Integer),
        // serde_json rounds the last digit of some numbers.
        (Value::Number(_), Kind::Real) => row.0[key].get().parse().map_or(Sql::Null, Sql::Real),
        // A value of another kind counts as missing.
        _ => Sql::Null,
    }
}

/// What a column holds if the row does not say it. Columns that may be NULL have none.
fn default(table: &Table, column: &str) -> Sql {
    let text = |text: &str| Sql::Text(text.to_owned());
    match (table.kind, column) {
        (_, "facts" | "concepts" | "files_read" | "files_modified" | "names") => text("[]"),
        (_, "metadata") => text("{}"),
        ("session", "status") => text("completed"),
        ("observation", "scope") => text("project"),
        // Without an origin, a row counts as the least trusted one.
        ("observation", "origin") => text("web"),
        ("observation", "type") => text("discovery"),
        ("summary", "sender") => text("user"),
        ("observation" | "summary", "backend") => text("import"),
        (_, "client" | "content_session_id" | "event_id" | "content_hash" | "title") => text(""),
        (_, "request" | "investigated" | "learned" | "completed" | "next_steps" | "notes") => {
            text("")
        }
        (_, "weight") => Sql::Real(0.0),
        (
            _,
            "prompt_counter" | "prompt_number" | "private" | "tokens" | "pinned" | "quarantined",
        ) => Sql::Integer(0),
        (_, "tool_uses" | "provisional" | "hidden") => Sql::Integer(0),
        (_, "started_at_epoch" | "last_event_epoch" | "created_at_epoch" | "changed_at_epoch") => {
            Sql::Integer(0)
        }
        _ => Sql::Null,
    }
}

fn unused_id(table: &Table) -> &'static str {
    match table.kind {
        "session" => UNUSED_SESSION,
        "prompt" => tombstones::UNUSED_PROMPT,
        "observation" => tombstones::UNUSED_OBSERVATION,
        _ => tombstones::UNUSED_SUMMARY,
    }
}

fn invalid(why: impl std::fmt::Display) -> StoreError {
    StoreError::Bug(format!("not a row of an export: {why}"))
}
