//! What the user changes in projects: names, directories, and which sessions belong to which project.
//!
//! A change is planned first, so that it can be told before it is made. The plan is stored with the
//! change, and an undo reads it. A project that was merged into another one keeps its row, without keys
//! and memories, because its name still finds the memory.
//!
//! Sessions and keys decide where later rows go: the rows of a session get the project that it has when
//! they are stored. A live worker needs no message.

mod moved;
mod moving;
mod plan;
mod undo;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::forgotten::{UNUSED_PROJECT, UNUSED_PROJECT_CHANGE};
use super::projects;
pub use moved::{Counts, Moved};
pub use moving::{move_piece, percent};
pub use plan::{Sessions, Target, link, merge, relocate, rename, sessions, split, unlink};
pub use undo::{Undone, later, outlook};

/// How many changes can be undone.
const MAX_CHANGES: i64 = 100;

/// Key in `meta`: the id of the latest change. An id that was printed never means another change.
const LATEST: &str = "project_change";

/// Prefix of the key of a project without directories. An export refers to projects by their keys.
const NAME: &str = "name:";

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Rename,
    Move,
    Merge,
    Split,
    Link,
    Unlink,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Rename => "rename",
            Kind::Move => "move",
            Kind::Merge => "merge",
            Kind::Split => "split",
            Kind::Link => "link",
            Kind::Unlink => "unlink",
        }
    }
}

/// A planned or stored change.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Change {
    pub kind: Kind,
    /// Row id of the changed project: that which stays after a merge, and from which a split takes.
    pub project: i64,
    /// Row id of the project that is merged or split off. `None` until it is created.
    pub other: Option<i64>,
    /// The project that the change creates.
    pub new: Option<NewProject>,
    pub moved: Vec<Moved>,
    /// Projects that become part of another one.
    pub merged: Vec<i64>,
    /// Keys that did not exist before.
    pub added: Vec<String>,
    pub renamed: Vec<RenamedKey>,
    pub relocated: Option<Relocated>,
    /// The new name.
    pub name: Option<String>,
    /// The directory that joins or leaves the project.
    pub dir: Option<String>,
    /// The changed projects as they were.
    before: Vec<ProjectRow>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct NewProject {
    pub name: String,
    pub root: String,
    /// The user has chosen the name.
    pub named: bool,
    /// Its directory must not join the project that it claims.
    pub separate: bool,
}

/// A key of a directory that was moved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RenamedKey {
    pub project: i64,
    pub old: String,
    pub new: String,
    /// The new key existed before.
    existed: bool,
}

/// Sessions whose directories were moved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Relocated {
    pub old: String,
    pub new: String,
    pub sessions: Vec<i64>,
}

/// The row of a project.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct ProjectRow {
    id: i64,
    name: String,
    root: String,
    named: bool,
    linked: bool,
    merged_into: Option<i64>,
}

impl ProjectRow {
    fn load(conn: &Connection, id: i64) -> Result<ProjectRow> {
        let sql = "SELECT id, name, root, named, linked, merged_into FROM projects WHERE id = ?1";
        Ok(conn.prepare_cached(sql)?.query_row([id], |r| {
            Ok(ProjectRow {
                id: r.get(0)?,
                name: r.get(1)?,
                root: r.get(2)?,
                named: r.get(3)?,
                linked: r.get(4)?,
                merged_into: r.get(5)?,
            })
        })?)
    }

    fn restore(&self, tx: &Transaction) -> Result<()> {
        tx.execute(
            "UPDATE projects SET name = ?2, root = ?3, named = ?4, linked = ?5, merged_into = ?6
             WHERE id = ?1",
            params![self.id, self.name, self.root, self.named, self.linked, self.merged_into],
        )?;
        Ok(())
    }
}

impl Change {
    fn of(kind: Kind, project: i64) -> Change {
        Change {
            kind,
            project,
            other: None,
            new: None,
            moved: Vec::new(),
            merged: Vec::new(),
            added: Vec::new(),
            renamed: Vec::new(),
            relocated: None,
            name: None,
            dir: None,
            before: Vec::new(),
        }
    }

    /// How many rows of each kind it moves.
    pub fn counts(&self) -> Counts {
        self.moved.iter().map(Moved::counts).sum()
    }

    /// The keys that it moves, adds or renames, as they are afterwards.
    pub fn keys(&self) -> Vec<&str> {
        let moved = self.moved.iter().flat_map(|moved| &moved.keys).chain(&self.added);
        let renamed = self.renamed.iter().map(|key| key.new.as_str());
        let mut keys: Vec<&str> = moved.map(String::as_str).chain(renamed).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The name of a project before the change.
    pub fn name_before(&self, project: i64) -> Option<&str> {
        self.before.iter().find(|row| row.id == project).map(|row| row.name.as_str())
    }

    /// The project that has the keys in `added`.
    fn owner_of_added(&self) -> i64 {
        self.other.filter(|_| self.new.is_some()).unwrap_or(self.project)
    }

    fn projects(&self) -> Vec<i64> {
        let of_moved = self.moved.iter().flat_map(|moved| [Some(moved.from), moved.to]);
        let renamed = self.renamed.iter().map(|key| Some(key.project));
        let all = [Some(self.project), self.other].into_iter().chain(of_moved).chain(renamed);
        let mut all: Vec<i64> = all.flatten().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Makes a planned change. Returns its id, by which it can be undone. If many rows move, they are left to
/// [`move_piece`].
///
/// # Errors
/// [`StoreError::Busy`](super::StoreError::Busy) if another change is not complete.
pub fn apply(tx: &Transaction, mut change: Change, now: i64) -> Result<i64> {
    moving::refuse_second(tx)?;
    let ids = change.projects();
    change.before = ids.iter().map(|id| ProjectRow::load(tx, *id)).collect::<Result<_>>()?;
    if let Some(new) = change.new.clone() {
        let id = create(tx, &new)?;
        change.other = Some(id);
        change.moved.iter_mut().for_each(|moved| moved.to = Some(moved.to.unwrap_or(id)));
        if change.keys().is_empty() {
            change.added.push(key_of_name(tx, &new.name, now)?);
        }
    }
    // A merged project keeps its keys until it has no rows.
    for moved in change.moved.iter().filter(|moved| !change.merged.contains(&moved.from)) {
        moved.move_keys(tx, moved.from, moved.to.unwrap_or(moved.from))?;
    }
    let owner = change.owner_of_added();
    for key in &change.added {
        let sql = "INSERT INTO project_keys (key, project_id) VALUES (?1, ?2)";
        tx.execute(sql, params![key, owner])?;
    }
    let id = record(tx, &change, now)?;
    moving::start(tx, id, &change, false, now)?;
    Ok(id)
}

/// The last part of a change, when all rows have moved.
fn complete(tx: &Transaction, change: &mut Change, now: i64) -> Result<()> {
    for moved in &mut change.moved {
        if change.merged.contains(&moved.from) {
            moved.move_keys(tx, moved.from, moved.to.unwrap_or(moved.from))?;
        }
        moved.complete(tx, now)?;
    }
    for key in &mut change.renamed {
        key.existed = projects::by_key(tx, &key.new)?.is_some();
        let sql = match key.existed {
            true => "DELETE FROM project_keys WHERE key = ?1 AND ?2 <> ''",
            false => "UPDATE project_keys SET key = ?2 WHERE key = ?1",
        };
        tx.execute(sql, [&key.old, &key.new])?;
    }
    if let Some(Relocated { old, new, sessions }) = &change.relocated {
        relocate_sessions(tx, sessions, old, new)?;
        for row in change.before.iter().filter(|row| is_at(&row.root, old)) {
            let root = moved_path(&row.root, old, new);
            tx.execute("UPDATE projects SET root = ?2 WHERE id = ?1", params![row.id, root])?;
        }
    }
    for id in &change.merged {
        tx.execute("UPDATE projects SET merged_into = ?2 WHERE id = ?1", [*id, change.project])?;
        keep_name(tx, change.project, *id)?;
    }
    if !change.merged.is_empty() {
        // The user's statements of both are compared with each other at the next commit.
        tx.execute("UPDATE projects SET linked = 0 WHERE id = ?1", [change.project])?;
    }
    if let Some(name) = &change.name {
        let sql = "UPDATE projects SET name = ?2, named = 1 WHERE id = ?1";
        tx.execute(sql, params![change.project, name])?;
    }
    Ok(())
}

/// Undoes a change. If many rows move, they are left to [`move_piece`].
///
/// # Errors
/// As [`apply`].
pub fn undo(tx: &Transaction, stored: &Stored, now: i64) -> Result<Undone> {
    moving::refuse_second(tx)?;
    let undone = outlook(tx, stored)?;
    undo::begin(tx, &stored.change)?;
    moving::start(tx, stored.id, &stored.change, true, now)?;
    Ok(undone)
}

fn create(tx: &Transaction, new: &NewProject) -> Result<i64> {
    let sql = format!(
        "INSERT INTO projects (id, name, root, separate, named) VALUES ({UNUSED_PROJECT}, ?1, ?2, ?3, ?4)"
    );
    tx.execute(&sql, params![new.name, new.root, new.separate, new.named])?;
    Ok(tx.last_insert_rowid())
}

/// A free key for a project that has only a name.
fn key_of_name(conn: &Connection, name: &str, now: i64) -> Result<String> {
    let key = format!("{NAME}{name}");
    Ok(match projects::by_key(conn, &key)? {
        None => key,
        Some(_) => format!("{key} {}", super::new_uuid(now)),
    })
}

/// Keeps the directories of a merged project from renaming the other one.
fn keep_name(tx: &Transaction, project: i64, merged: i64) -> Result<()> {
    tx.execute(
        "UPDATE projects SET named = 1
         WHERE id = ?1 AND name <> (SELECT name FROM projects WHERE id = ?2)",
        [project, merged],
    )?;
    Ok(())
}

fn record(tx: &Transaction, change: &Change, now: i64) -> Result<i64> {
    let sql = format!(
        "SELECT max({UNUSED_PROJECT_CHANGE},
           1 + ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1), 0))"
    );
    let id: i64 = tx.query_row(&sql, [LATEST], |r| r.get(0))?;
    tx.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![LATEST, id.to_string()],
    )?;
    let other = change.other.or(change.merged.first().copied());
    tx.execute(
        "INSERT INTO project_changes (id, kind, project_id, other_id, content, at_epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, change.kind.as_str(), change.project, other, content(change), now],
    )?;
    tx.execute("DELETE FROM project_changes WHERE id <= ?1", [id - MAX_CHANGES])?;
    Ok(id)
}

/// Stores what became of the plan.
fn rewrite(tx: &Transaction, id: i64, change: &Change) -> Result<()> {
    let sql = "UPDATE project_changes SET content = ?2 WHERE id = ?1";
    tx.execute(sql, params![id, content(change)])?;
    Ok(())
}

fn content(change: &Change) -> String {
    serde_json::to_string(change).expect("a change serializes to JSON")
}

/// A change that can be undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub id: i64,
    /// Milliseconds since the epoch.
    pub at_epoch: i64,
    pub change: Change,
}

/// The changes that can be undone, the latest first. `project`: only those of this project.
pub fn list(conn: &Connection, project: Option<i64>) -> Result<Vec<Stored>> {
    let mut rows =
        conn.prepare("SELECT id, at_epoch, content FROM project_changes ORDER BY id DESC")?;
    let rows = rows.query_map([], stored)?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    found.retain(|s| project.is_none_or(|id| s.change.projects().contains(&id)));
    Ok(found)
}

/// The change with this id.
pub fn get(conn: &Connection, id: i64) -> Result<Option<Stored>> {
    let sql = "SELECT id, at_epoch, content FROM project_changes WHERE id = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([id], stored).optional()?)
}

fn stored(row: &rusqlite::Row) -> rusqlite::Result<Stored> {
    let content: String = row.get(2)?;
    let change = serde_json::from_str(&content).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(e))
    })?;
    Ok(Stored { id: row.get(0)?, at_epoch: row.get(1)?, change })
}

/// Rewrites the directories of sessions at or below `old`.
fn relocate_sessions(tx: &Transaction, sessions: &[i64], old: &str, new: &str) -> Result<()> {
    let mut read = tx.prepare("SELECT root, cwd FROM sessions WHERE id = ?1")?;
    let mut write = tx.prepare("UPDATE sessions SET root = ?2, cwd = ?3 WHERE id = ?1")?;
    for id in sessions {
        let dirs = read
            .query_row([id], |r| {
                Ok((r.get::<_, Option<String>>(0)?, r.get::<_, Option<String>>(1)?))
            })
            .optional()?;
        let Some((root, cwd)) = dirs else { continue };
        let moved = |dir: Option<String>| dir.map(|dir| moved_path(&dir, old, new));
        write.execute(params![id, moved(root), moved(cwd)])?;
    }
    Ok(())
}

/// Whether the path is `dir` or below it.
fn is_at(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path after its directory `old` has become `new`.
fn moved_path(path: &str, old: &str, new: &str) -> String {
    match path.strip_prefix(old) {
        Some(rest) if is_at(path, old) => format!("{new}{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
