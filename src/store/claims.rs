//! Which project a directory may join. Its `.git` names an origin or another git directory, but anybody
//! can write that into an archive. A directory therefore joins a project that memory knows only after
//! proof: it has joined before, git's own link leads back to it, its object store has a commit of the
//! project, or the user has linked it.
//!
//! The caller examines the claims before its transaction begins, because that reads git's files.

use std::path::Path;

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::{forgotten, projects, words};
use crate::git::Repository;

/// How many commits of a project are kept, and how many of them a proof looks for.
const MAX_COMMITS: i64 = 500;

/// The project of a directory after its claims were examined.
#[derive(Clone, Debug, PartialEq)]
pub struct Examined {
    /// The project without the keys that it may not have.
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
    /// The user has separated the directory.
    pub separated: bool,
}

impl Refused {
    /// One sentence for the user. `root` is the directory.
    pub fn sentence(&self, root: &str) -> String {
        let origin = self.key.split_once(':').map_or(self.key.as_str(), |(_, place)| place);
        format!(
            "{root} claims to be {origin}, which memctl knows, but has none of its commits; its \
             memory is separate until you run `memctl project link` there"
        )
    }
}

/// Removes the claims of a directory that lack a proof. The last key of `project` names the directory
/// itself.
pub fn examine(conn: &Connection, project: &Project) -> Result<Examined> {
    let mut examined = Examined { project: project.clone(), refused: None };
    let Some((own, claims)) = project.keys.split_last() else { return Ok(examined) };
    let own_id = projects::by_key(conn, own)?;
    let is_separate = own_id.map_or(Ok(false), |id| is_separate(conn, id))?;
    for key in claims {
        // The first directory that names an unknown origin founds its project.
        let Some(id) = projects::by_key(conn, key)? else { continue };
        if own_id == Some(id) {
            continue;
        }
        if is_separate || !is_proven(conn, project, id)? {
            examined.project.keys.retain(|k| k != key);
            let refused = Refused { id, key: key.clone(), separated: is_separate };
            examined.refused.get_or_insert(refused);
        }
    }
    if examined.refused.is_some() {
        // A folder that claims one project must not found another one by its other claims.
        examined.project.keys = vec![own.clone()];
    }
    Ok(examined)
}

/// The commit that the project's directory has checked out, unless it is recorded already, and the
/// examined project.
pub fn unrecorded_head(conn: &Connection, project: &Project) -> Result<Option<(Project, String)>> {
    let project = examine(conn, project)?.project;
    let repository = Repository::find(Path::new(&project.root)).filter(Repository::owns_git_dir);
    let head = repository.and_then(|repository| repository.head_commit());
    let (Some(head), Some(id)) = (head, projects::find(conn, &project)?) else { return Ok(None) };
    let is_recorded = conn
        .prepare_cached("SELECT 1 FROM project_commits WHERE project_id = ?1 AND hash = ?2")?
        .exists(params![id, head])?;
    Ok((!is_recorded).then_some((project, head)))
}

/// Whether the object store of the directory has a commit of the project.
fn is_proven(conn: &Connection, project: &Project, id: i64) -> Result<bool> {
    let Some(repository) = Repository::find(Path::new(&project.root)) else { return Ok(false) };
    let mut commits = conn.prepare_cached(
        "SELECT hash FROM project_commits WHERE project_id = ?1 ORDER BY seen_at_epoch DESC LIMIT ?2",
    )?;
    let mut commits = commits.query([id, MAX_COMMITS])?;
    while let Some(row) = commits.next()? {
        if repository.has_commit(&row.get::<_, String>(0)?) {
            return Ok(true);
        }
    }
    // Releases before this table recorded no commits. The project's directory may still be there.
    let root: Option<String> = conn
        .prepare_cached("SELECT root FROM projects WHERE id = ?1")?
        .query_row([id], |r| r.get(0))
        .optional()?;
    let known = root.and_then(|root| Repository::find(Path::new(&root)));
    let known = known.filter(Repository::owns_git_dir);
    let head = known.filter(|known| known.root != repository.root).and_then(|k| k.head_commit());
    Ok(head.is_some_and(|head| repository.has_commit(&head)))
}

fn is_separate(conn: &Connection, id: i64) -> Result<bool> {
    let mut separate = conn.prepare_cached("SELECT separate FROM projects WHERE id = ?1")?;
    Ok(separate.query_row([id], |r| r.get(0)).optional()?.unwrap_or(false))
}

/// Records a commit that a directory of the project has checked out.
pub fn record_commit(tx: &Transaction, project: &Project, hash: &str, now: i64) -> Result<()> {
    let Some(id) = projects::find(tx, project)? else { return Ok(()) };
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

/// The user's yes: the directory belongs to the project from now on. What the directory's own project
/// has stored moves there, unless other directories share it. `own_key` names the directory.
pub fn link(tx: &Transaction, own_key: &str, id: i64, now: i64) -> Result<()> {
    let before = projects::by_key(tx, own_key)?;
    set_key(tx, own_key, id)?;
    let Some(before) = before.filter(|before| *before != id) else { return Ok(()) };
    let is_shared: bool = tx.query_row(
        "SELECT EXISTS (SELECT 1 FROM project_keys WHERE project_id = ?1)",
        [before],
        |r| r.get(0),
    )?;
    if is_shared {
        return Ok(());
    }
    words::changing(tx, &words::of_project(tx, before)?, || {
        tx.execute("UPDATE sessions SET project_id = ?2 WHERE project_id = ?1", [before, id])?;
        for table in ["observations", "session_summaries"] {
            tx.execute(
                &format!(
                    "UPDATE {table} SET project_id = ?2, changed_at_epoch = ?3 WHERE project_id = ?1"
                ),
                [before, id, now],
            )?;
        }
        Ok(())
    })?;
    forgotten::move_project(tx, before, id)?;
    tx.execute("DELETE FROM projects WHERE id = ?1", [before])?;
    Ok(())
}

/// Separates a directory from its project. Later sessions in it belong to a project of its own.
pub fn unlink(tx: &Transaction, project: &Project) -> Result<()> {
    let Some(own) = project.keys.last() else { return Ok(()) };
    tx.execute(
        &format!(
            "INSERT INTO projects (id, name, root, separate) VALUES ({}, ?1, ?2, 1)",
            forgotten::UNUSED_PROJECT
        ),
        [&project.name, &project.root],
    )?;
    set_key(tx, own, tx.last_insert_rowid())
}

fn set_key(tx: &Transaction, key: &str, id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO project_keys (key, project_id) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET project_id = excluded.project_id",
        params![key, id],
    )?;
    Ok(())
}
