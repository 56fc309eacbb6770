//! Which project a directory may join. Its `.git` names an origin or another git directory, but anybody
//! can write that into an archive. A directory therefore joins a project that memory knows only after
//! proof: it has joined before, it is the same directory ([`places`]), git's own link leads back to it,
//! its object store has a commit of the project, or the user has linked it.
//!
//! The caller examines the claims before its transaction begins, because that reads git's files.

use std::path::Path;

use memctl_proto::event::Project;
use rusqlite::{Connection, Transaction, params};

use super::directory::{Directory, MAX_COMMITS};
use super::error::Result;
use super::{places, project_changes, projects};
use crate::git::{Located, Repository};
use crate::project;

/// The project of a directory after its claims were examined.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The project without the keys that it may not have. A key of the known project to which the
    /// directory provably belongs comes first.
    pub project: Project,
    /// A known project that the directory claims without proof.
    pub refused: Option<Refused>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Row id of the known project.
    pub id: i64,
    /// Its key that the directory claims.
    pub key: String,
    pub why: Why,
}

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The user has separated the directory.
    Separated,
    NoCommit,
    /// The git directory of the work tree is not there.
    Unreachable,
}

impl Refused {
    /// One sentence for the user. `root` is the directory. `None` if the user has decided it.
    pub fn sentence(&self, root: &str) -> Option<String> {
        let place = self.key.split_once(':').map_or(self.key.as_str(), |(_, place)| place);
        let what = match self.why {
            Why::Separated => return None,
            Why::NoCommit => format!(
                "{root} claims to be {place}, which memctl knows, but has none of its commits"
            ),
            Why::Unreachable => format!(
                "{root} claims to be a work tree of {place}, but its git directory is not reachable"
            ),
        };
        Some(format!("{what}; its memory is separate until you run `memctl project link` there"))
    }
}

/// Removes the claims of a directory that lack a proof, and finds the project of a directory that was
/// moved, renamed or made a repository. The last key of `project` names the directory itself.
pub fn examine(conn: &Connection, project: &Project) -> Result<Examined> {
    let mut examined = Examined { project: project.clone(), refused: None };
    let Some((own, others)) = project.keys.split_last() else { return Ok(examined) };
    let own_id = projects::by_key(conn, own)?;
    let is_of_own = |key: &String| Ok(own_id.is_some() && projects::by_key(conn, key)? == own_id);
    if own_id.is_some() && all(others, is_of_own)? {
        return Ok(examined);
    }
    let directory = Directory::of(project);
    let home = match own_id {
        Some(id) => Some((own.clone(), id)),
        None => places::known(conn, project)?,
    };
    let home_id = home.as_ref().map(|(_, id)| *id);
    let is_separate = home_id.map_or(Ok(false), |id| projects::is_separate(conn, id))?;

    let mut keys = Vec::new();
    let mut is_known = false;
    for key in directory.claims(others) {
        // The first directory that names an unknown origin founds its project.
        let id = projects::by_key(conn, &key)?;
        if let Some(id) = id.filter(|id| Some(*id) != home_id)
            && (is_separate || !directory.proves(conn, id)?)
        {
            let why = match directory.located {
                _ if is_separate => Why::Separated,
                Located::Unreachable(_) => Why::Unreachable,
                _ => Why::NoCommit,
            };
            examined.refused.get_or_insert(Refused { id, key, why });
            continue;
        }
        is_known |= id.is_some();
        keys.push(key);
    }
    if examined.refused.is_some() {
        // A folder that claims one project must not found another one by its other claims.
        keys.clear();
        is_known = false;
    }
    if !is_known {
        let found = match &home {
            Some((key, id)) => directory.key_of_home(conn, (key, *id), &keys)?,
            None if examined.refused.is_none() => places::of_moved(conn, &directory, &keys)?,
            None => None,
        };
        keys.splice(..0, found.filter(|key| key != own));
    }
    keys.push(own.clone());
    examined.project.keys = keys;
    Ok(examined)
}

fn all<T>(items: &[T], is_true: impl Fn(&T) -> Result<bool>) -> Result<bool> {
    for item in items {
        if !is_true(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is not recorded yet of a directory that belongs to a project.
#[derive(Debug)]
pub struct Unrecorded {
    project: Project,
    /// The commit that is checked out.
    head: Option<String>,
    place: Option<places::Place>,
    /// The project that an earlier release kept apart when the directory became a repository.
    split_off: Option<i64>,
}

/// Compares a project's directory with what is recorded of it. `None` if there is nothing new.
pub fn unrecorded(conn: &Connection, project: &Project) -> Result<Option<Unrecorded>> {
    let project = examine(conn, project)?.project;
    let Some(id) = projects::find(conn, &project)? else { return Ok(None) };
    let repository = project::repository(Path::new(&project.root));
    let head = repository.filter(Repository::owns_git_dir).and_then(|r| r.head_commit());
    let is_recorded = |head: &String| {
        conn.prepare_cached("SELECT 1 FROM project_commits WHERE project_id = ?1 AND hash = ?2")?
            .exists(params![id, head])
    };
    let is_known = head.as_ref().map_or(Ok(true), is_recorded)?;
    let head = head.filter(|_| !is_known);
    let place = places::unrecorded(conn, &project, id)?;
    let split_off = places::split_off(conn, &project, id)?;
    let is_new = head.is_some() || place.is_some() || split_off.is_some();
    Ok(is_new.then_some(Unrecorded { project, head, place, split_off }))
}

/// Records what is new of a project's directory.
pub fn record(tx: &Transaction, new: &Unrecorded, now: i64) -> Result<()> {
    let Some(id) = projects::find(tx, &new.project)? else { return Ok(()) };
    if let Some(place) = &new.place {
        places::record(tx, place, id)?;
    }
    // While another change is not complete, the next session joins it.
    if let Some(earlier) = new.split_off
        && project_changes::percent(tx)?.is_none()
    {
        join(tx, earlier, id, now)?;
    }
    let Some(hash) = &new.head else { return Ok(()) };
    let added = tx
        .prepare_cached(
            "INSERT INTO project_commits (project_id, hash, seen_at_epoch) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![id, hash, now])?;
    if added > 0 {
        tx.prepare_cached(
            "DELETE FROM project_commits WHERE project_id = ?1 AND hash NOT IN
               (SELECT hash FROM project_commits WHERE project_id = ?1
                ORDER BY seen_at_epoch DESC, hash LIMIT ?2)",
        )?
        .execute([id, MAX_COMMITS])?;
    }
    Ok(())
}

/// Makes the project that the directory had before it became a repository a part of the repository's, once.
fn join(tx: &Transaction, earlier: i64, id: i64, now: i64) -> Result<()> {
    let change = project_changes::apply(tx, project_changes::merge(tx, earlier, id)?, now)?;
    tx.execute(
        "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
        params![places::joined_key(earlier), change.to_string()],
    )?;
    Ok(())
}
