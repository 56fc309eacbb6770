//! Undoes a change. What was stored since stays where the change put it, except the rows of sessions
//! that go back.

use std::collections::BTreeSet;

use memctl_proto::event::Project;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{Change, Moved, Stored, key_of_name, list, relocate_sessions};
use crate::project;
use crate::store::error::Result;
use crate::store::{Locked, projects};

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

pub fn undo(tx: &Transaction, stored: &Stored, now: i64) -> Result<Undone> {
    let Stored { id, at_epoch, change } = stored;
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
    let mut left = BTreeSet::new();
    for moved in change.moved.iter().rev() {
        moved.reverse(tx, *at_epoch, now)?;
        left.extend(begun_since(tx, moved, *at_epoch)?);
    }
    for key in &change.added {
        let sql = "DELETE FROM project_keys WHERE key = ?1 AND project_id = ?2";
        tx.execute(sql, params![key, change.owner_of_added()])?;
    }
    change.before.iter().try_for_each(|row| row.restore(tx))?;
    let keeps_project = !remove_created(tx, change, now)?;
    tx.execute("DELETE FROM project_changes WHERE id = ?1", [id])?;
    Ok(Undone { sessions: left.len() as u64, keeps_project })
}

/// The sessions that began after the change in a directory whose key it moved.
fn begun_since(tx: &Transaction, moved: &Moved, since: i64) -> Result<Vec<i64>> {
    let mut rows = tx.prepare(
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

/// Undoes a change and rolls it back, to tell what it would do.
pub fn try_undo(locked: &mut Locked, stored: &Stored, now: i64) -> Result<Undone> {
    let tx = locked.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let undone = undo(&tx, stored, now)?;
    tx.rollback()?;
    Ok(undone)
}

/// Deletes the project that the change created. Returns `false` if it has keys or rows by now.
fn remove_created(tx: &Transaction, change: &Change, now: i64) -> Result<bool> {
    let Some(id) = change.other.filter(|_| change.new.is_some()) else { return Ok(true) };
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
    Ok(!is_used)
}
