//! Undoes a change. What was stored since stays where the change put it, except the rows of sessions
//! that go back.

use std::collections::{BTreeSet, HashSet};

use memctl_proto::event::Project;
use rusqlite::{Connection, Transaction, params};

use super::{Change, Moved, Stored, key_of_name, list, relocate_sessions};
use crate::project;
use crate::store::error::Result;
use crate::store::projects;

/// What an undo left where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Sessions that began after the change, in a directory that goes back.
    pub sessions: u64,
    /// The project that the change created stays for them.
    pub keeps_project: bool,
}

/// The first later change of one of the same projects. It must be undone before.
pub fn later(conn: &Connection, stored: &Stored) -> Result<Option<Stored>> {
    let projects = stored.change.projects();
    let mut all = list(conn, None)?;
    all.retain(|other| other.id > stored.id);
    let shares = |other: &Stored| other.change.projects().iter().any(|id| projects.contains(id));
    Ok(all.into_iter().find(shares))
}

/// The first part of an undo, before rows move.
pub(super) fn begin(tx: &Transaction, change: &Change) -> Result<()> {
    for key in change.renamed.iter().rev() {
        let sql = match key.existed {
            true => {
                "INSERT OR IGNORE INTO project_keys (key, project_id) SELECT ?1, ?3 WHERE ?2 <> ''"
            }
            false => {
                // The new directory must not be taken for the old one.
                "UPDATE OR IGNORE project_keys
                 SET key = ?1, device = NULL, inode = NULL, born = NULL
                 WHERE key = ?2 AND project_id = ?3"
            }
        };
        tx.execute(sql, params![key.old, key.new, key.project])?;
    }
    if let Some(relocated) = &change.relocated {
        relocate_sessions(tx, &relocated.sessions, &relocated.new, &relocated.old)?;
    }
    if change.new.is_none() {
        move_keys_back(tx, change)?;
    }
    change.before.iter().try_for_each(|row| row.restore(tx))
}

/// The last part of an undo, when all rows are back.
pub(super) fn complete(tx: &Transaction, stored: &Stored, now: i64) -> Result<()> {
    let Stored { id, at_epoch, change } = stored;
    if change.new.is_some() {
        // The created project kept its keys until it had no rows.
        move_keys_back(tx, change)?;
    }
    for moved in change.moved.iter().rev() {
        moved.complete_undo(tx, *at_epoch, now)?;
    }
    for key in &change.added {
        let sql = "DELETE FROM project_keys WHERE key = ?1 AND project_id = ?2";
        tx.execute(sql, params![key, change.owner_of_added()])?;
    }
    remove_created(tx, change, now)?;
    tx.execute("DELETE FROM project_changes WHERE id = ?1", [id])?;
    Ok(())
}

fn move_keys_back(tx: &Transaction, change: &Change) -> Result<()> {
    let mut moved = change.moved.iter().rev();
    moved.try_for_each(|moved| moved.move_keys(tx, moved.to.unwrap_or(moved.from), moved.from))
}

/// What an undo leaves where it is.
pub fn outlook(conn: &Connection, stored: &Stored) -> Result<Undone> {
    let mut left = BTreeSet::new();
    for moved in &stored.change.moved {
        left.extend(begun_since(conn, moved, stored.at_epoch)?);
    }
    let back: HashSet<&i64> =
        stored.change.moved.iter().flat_map(|moved| &moved.sessions).collect();
    left.retain(|session| !back.contains(session));
    Ok(Undone { sessions: left.len() as u64, keeps_project: keeps_created(conn, &stored.change)? })
}

/// Whether the project that the change created has rows or keys that do not go back.
fn keeps_created(conn: &Connection, change: &Change) -> Result<bool> {
    let Some(id) = change.other.filter(|_| change.new.is_some()) else { return Ok(false) };
    let ids = |of: fn(&Moved) -> &Vec<i64>| -> String {
        let all: Vec<i64> = change.moved.iter().flat_map(of).copied().collect();
        serde_json::to_string(&all).expect("a list serializes to JSON")
    };
    let keys = serde_json::to_string(&change.keys()).expect("a list serializes to JSON");
    let sql = "SELECT EXISTS (SELECT 1 FROM turn_projects WHERE project_id = ?1)
       OR EXISTS (SELECT 1 FROM project_keys WHERE project_id = ?1
         AND key NOT IN (SELECT value FROM json_each(?2)))
       OR EXISTS (SELECT 1 FROM sessions WHERE project_id = ?1
         AND id NOT IN (SELECT value FROM json_each(?3)))
       OR EXISTS (SELECT 1 FROM observations WHERE project_id = ?1
         AND id NOT IN (SELECT value FROM json_each(?4))
         AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?3))))
       OR EXISTS (SELECT 1 FROM session_summaries WHERE project_id = ?1
         AND id NOT IN (SELECT value FROM json_each(?5))
         AND (session_id IS NULL OR session_id NOT IN (SELECT value FROM json_each(?3))))";
    let values = params![
        id,
        keys,
        ids(|moved| &moved.sessions),
        ids(|moved| &moved.observations),
        ids(|moved| &moved.summaries)
    ];
    Ok(conn.query_row(sql, values, |r| r.get(0))?)
}

/// The sessions that began after the change in a directory whose key it moved.
fn begun_since(conn: &Connection, moved: &Moved, since: i64) -> Result<Vec<i64>> {
    let mut rows = conn.prepare(
        "SELECT id, root FROM sessions WHERE project_id = ?1 AND started_at_epoch >= ?2",
    )?;
    let rows = rows.query_map(params![moved.to, since], |r| {
        Ok((r.get::<_, i64>(0)?, r.get::<_, Option<String>>(1)?.unwrap_or_default()))
    })?;
    let mut found = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    found.retain(|(_, root)| {
        let place = project::place_key(root);
        place.is_some_and(|place| {
            moved.keys.iter().any(|key| key.strip_suffix("/.git").unwrap_or(key) == place)
        })
    });
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// Deletes the project that the change created, unless it has keys or rows by now.
fn remove_created(tx: &Transaction, change: &Change, now: i64) -> Result<()> {
    let Some(id) = change.other.filter(|_| change.new.is_some()) else { return Ok(()) };
    let tables = ["sessions", "observations", "session_summaries", "project_keys", "turn_projects"];
    let used = tables.map(|table| format!("EXISTS (SELECT 1 FROM {table} WHERE project_id = ?1)"));
    let is_used: bool =
        tx.query_row(&format!("SELECT {}", used.join(" OR ")), [id], |r| r.get(0))?;
    if !is_used {
        tx.execute("DELETE FROM projects WHERE id = ?1", [id])?;
    } else if let Project { keys, name, .. } = projects::get(tx, id)?
        && keys.is_empty()
    {
        let sql = "INSERT INTO project_keys (key, project_id) VALUES (?1, ?2)";
        tx.execute(sql, params![key_of_name(tx, &name, now)?, id])?;
    }
    Ok(())
}
