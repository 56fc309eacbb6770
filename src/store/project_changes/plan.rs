//! Plans changes. Nothing is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::{Connection, params};

use super::{Change, Kind, Moved, NewProject, Relocated, RenamedKey};
use crate::project;
use crate::store::error::Result;
use crate::store::{places, projects};

/// Where sessions go.
#[derive(Clone, Debug)]
pub enum Target {
    Known(i64),
    New(NewProject),
}

/// Conditions on sessions. A session must meet all that are set.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Its work tree or its working directory is here or below.
    pub dir: Option<PathBuf>,
    /// It began at this time or later, in milliseconds since the epoch.
    pub after: Option<i64>,
    /// It began before this time.
    pub before: Option<i64>,
}

pub fn rename(project: i64, name: &str) -> Change {
    Change { name: Some(name.to_owned()), ..Change::of(Kind::Rename, project) }
}

/// Everything of `from` becomes part of `to`.
pub fn merge(conn: &Connection, from: i64, to: i64) -> Result<Change> {
    Ok(Change {
        other: Some(from),
        moved: vec![Moved::all_of(conn, from, to)?],
        merged: vec![from],
        ..Change::of(Kind::Merge, to)
    })
}

/// Row ids of the sessions of a project that meet the conditions.
pub fn sessions(conn: &Connection, project: i64, wanted: &Sessions) -> Result<Vec<i64>> {
    let dir = wanted.dir.as_deref().map(|dir| dir.to_string_lossy());
    let mut rows = conn.prepare(
        "SELECT id FROM sessions WHERE project_id = ?1
           AND (?2 IS NULL OR root = ?2 OR substr(root, 1, length(?2) + 1) = ?2 || '/'
             OR cwd = ?2 OR substr(cwd, 1, length(?2) + 1) = ?2 || '/')
           AND (?3 IS NULL OR started_at_epoch >= ?3) AND (?4 IS NULL OR started_at_epoch < ?4)
         ORDER BY id",
    )?;
    let rows = rows.query_map(params![project, dir, wanted.after, wanted.before], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// These sessions of a project, and its keys at or below `dir`, go to another project.
pub fn split(
    conn: &Connection,
    project: i64,
    sessions: &[i64],
    dir: Option<&Path>,
    target: Target,
) -> Result<Change> {
    let mut moved = Moved::of_sessions(conn, project, sessions)?;
    if let Some(dir) = dir {
        moved.keys = projects::get(conn, project)?.keys;
        moved.keys.retain(|key| project::key_dir(key).is_some_and(|at| at.starts_with(dir)));
    }
    let (other, new) = match target {
        Target::Known(id) => (Some(id), None),
        // Without the flag, the directory would join the project of its origin again.
        Target::New(new) => (None, Some(NewProject { separate: !moved.keys.is_empty(), ..new })),
    };
    moved.to = other;
    Ok(Change { other, new, moved: vec![moved], ..Change::of(Kind::Split, project) })
}

/// The directory of `claimed` belongs to the project from now on. What the directory's own project has
/// stored moves there, unless other directories share it.
pub fn link(conn: &Connection, claimed: &Project, to: i64) -> Result<Change> {
    let mut change = Change { dir: Some(claimed.root.clone()), ..Change::of(Kind::Link, to) };
    let Some(own) = claimed.keys.last() else { return Ok(change) };
    let from = match projects::by_key(conn, own)? {
        None => {
            change.added.push(own.clone());
            return Ok(change);
        }
        Some(id) if id == to => return Ok(change),
        Some(id) => id,
    };
    let keys = places::keys_of(own, "");
    change.other = Some(from);
    if is_only_at(conn, from, |key| keys.iter().any(|own| own == key))? {
        change.moved.push(Moved::all_of(conn, from, to)?);
        change.merged.push(from);
    } else {
        let keys = projects::get(conn, from)?.keys.into_iter().filter(|key| keys.contains(key));
        change.moved.push(Moved { from, to: Some(to), keys: keys.collect(), ..Moved::default() });
    }
    Ok(change)
}

/// The directory of `claimed` leaves its project, for a project of its own. `project`: that which it has.
pub fn unlink(conn: &Connection, claimed: &Project, project: i64) -> Result<Change> {
    let mut change =
        Change { dir: Some(claimed.root.clone()), ..Change::of(Kind::Unlink, project) };
    let Some(own) = claimed.keys.last() else { return Ok(change) };
    for key in places::keys_of(own, &claimed.root) {
        let Some(from) = projects::by_key(conn, &key)? else {
            change.added.push(key);
            continue;
        };
        match change.moved.iter_mut().find(|moved| moved.from == from) {
            Some(moved) => moved.keys.push(key),
            None => change.moved.push(Moved { from, keys: vec![key], ..Moved::default() }),
        }
    }
    change.new = Some(NewProject {
        name: claimed.name.clone(),
        root: claimed.root.clone(),
        named: false,
        separate: true,
    });
    Ok(change)
}

/// The directory `old` is `new` now, with all below it. What was stored for the new directory meanwhile
/// becomes part of the project. `None` if no project has a directory there.
pub fn relocate(conn: &Connection, old: &Path, new: &Path) -> Result<Option<Change>> {
    let mut keys = conn.prepare("SELECT key, project_id FROM project_keys ORDER BY key")?;
    let keys = keys.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?;
    let mut renamed = Vec::new();
    for entry in keys {
        let (key, project) = entry?;
        let Some(dir) = project::key_dir(&key) else { continue };
        let Ok(rest) = dir.strip_prefix(old) else { continue };
        let moved = if rest.as_os_str().is_empty() { new.to_owned() } else { new.join(rest) };
        let new = project::dir_key(&moved);
        renamed.push(RenamedKey { project, old: key, new, existed: false });
    }
    let Some(first) = renamed.first() else { return Ok(None) };
    let mut change = Change::of(Kind::Move, first.project);
    let mut merged = BTreeSet::new();
    for key in &renamed {
        let Some(from) = projects::by_key(conn, &key.new)? else { continue };
        if from == key.project || merged.contains(&from) {
            continue;
        }
        let is_below = |key: &str| project::key_dir(key).is_some_and(|dir| dir.starts_with(new));
        if is_only_at(conn, from, is_below)? {
            change.moved.push(Moved::all_of(conn, from, key.project)?);
            merged.insert(from);
        } else {
            let keys = vec![key.new.clone()];
            change.moved.push(Moved { from, to: Some(key.project), keys, ..Moved::default() });
        }
    }
    change.merged = merged.into_iter().collect();
    change.renamed = renamed;
    let (old, new) = (old.to_string_lossy().into_owned(), new.to_string_lossy().into_owned());
    let mut rows = conn.prepare(
        "SELECT id FROM sessions WHERE root = ?1 OR substr(root, 1, length(?1) + 1) = ?1 || '/'
           OR cwd = ?1 OR substr(cwd, 1, length(?1) + 1) = ?1 || '/' ORDER BY id",
    )?;
    let rows = rows.query_map([&old], |r| r.get(0))?;
    let sessions = rows.collect::<rusqlite::Result<_>>()?;
    change.relocated = Some(Relocated { old, new, sessions });
    Ok(Some(change))
}

/// Whether all directories of a project are among those that `is_here` accepts.
fn is_only_at(conn: &Connection, project: i64, is_here: impl Fn(&str) -> bool) -> Result<bool> {
    let keys = projects::get(conn, project)?.keys;
    Ok(keys.iter().all(|key| project::key_dir(key).is_none() || is_here(key)))
}
