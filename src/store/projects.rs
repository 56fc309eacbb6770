//! Maps project keys to projects. Keys are aliases: a repository that gains an origin keeps its
//! memory, and worktrees and clones of one repository share it.

use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::forgotten;
use crate::project;

/// Prefix of keys that name a repository by its origin. Other keys name a directory on this disk.
pub const ORIGIN: &str = "git:";

/// Whether one of the keys names an origin.
pub fn has_origin_key(keys: &[String]) -> bool {
    keys.iter().any(|key| key.starts_with(ORIGIN))
}

/// Returns the project's row id, and creates the project if none of its keys is known. Returns
/// `None` for a project without keys.
///
/// An origin key takes precedence. A directory key matches only if its known project has no other
/// origin. Otherwise another repository has replaced the known one in that directory, and the key
/// moves to it.
pub fn resolve(tx: &Transaction, project: &Project) -> Result<Option<i64>> {
    let keys: Vec<&str> = project.keys.iter().map(|k| k.trim()).filter(|k| !k.is_empty()).collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let has_origin_key = keys.iter().any(|k| k.starts_with(ORIGIN));
    let (origins, directories): (Vec<&str>, Vec<&str>) =
        keys.iter().partition(|k| k.starts_with(ORIGIN));
    let mut found = None;
    for key in origins.iter().chain(&directories) {
        let Some(id) = by_key(tx, key)? else { continue };
        if key.starts_with(ORIGIN) || !has_origin_key || !has_origin(tx, id)? {
            found = Some(id);
            break;
        }
    }
    let earlier = match found {
        Some(_) => None,
        None => forgotten_with(tx, &keys)?,
    };
    let is_used_again = earlier.map_or(Ok(false), |id| exists(tx, id))?;
    let id = match found.or(earlier.filter(|_| is_used_again)) {
        Some(id) => {
            update_name_and_root(tx, id, project)?;
            id
        }
        None => {
            let name = display_name(project, keys[0]);
            let id = format!("ifnull(?3, {})", forgotten::UNUSED_PROJECT);
            let sql = format!("INSERT INTO projects (id, name, root) VALUES ({id}, ?1, ?2)");
            tx.prepare_cached(&sql)?.execute(params![name, project.root.trim(), earlier])?;
            tx.last_insert_rowid()
        }
    };
    for key in keys {
        match by_key(tx, key)? {
            Some(known) if known == id => {}
            Some(known)
                if key.starts_with(ORIGIN) || !has_origin_key || !has_origin(tx, known)? => {}
            _ => {
                tx.prepare_cached(
                    "INSERT INTO project_keys (key, project_id) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET project_id = excluded.project_id",
                )?
                .execute(params![key, id])?;
            }
        }
    }
    Ok(Some(id))
}

/// The id of a forgotten project with one of these keys, so that it keeps its id if it is used again.
fn forgotten_with(conn: &Connection, keys: &[&str]) -> Result<Option<i64>> {
    for key in keys {
        if let Some(id) = forgotten::project(conn, key)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

fn exists(conn: &Connection, id: i64) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM projects WHERE id = ?1")?.exists([id])?)
}

/// Like [`resolve`], but changes nothing: returns `None` if no key is known.
pub fn find(conn: &Connection, project: &Project) -> Result<Option<i64>> {
    let (origins, directories): (Vec<&String>, Vec<&String>) =
        project.keys.iter().partition(|k| k.trim().starts_with(ORIGIN));
    for key in origins.iter().chain(&directories) {
        let key = key.trim();
        let Some(id) = by_key(conn, key)? else { continue };
        if key.starts_with(ORIGIN) || origins.is_empty() || !has_origin(conn, id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The project of a directory that does not exist any more: one of its keys is known, or the latest
/// session in the directory belongs to it.
pub fn of_removed(conn: &Connection, removed: &Project) -> Result<Option<i64>> {
    for key in &removed.keys {
        if let Some(id) = by_key(conn, key)? {
            return Ok(Some(id));
        }
    }
    Ok(conn
        .prepare_cached(
            "SELECT project_id FROM sessions WHERE root = ?1 AND project_id IS NOT NULL
             ORDER BY last_event_epoch DESC LIMIT 1",
        )?
        .query_row([&removed.root], |r| r.get(0))
        .optional()?)
}

/// A project with its keys, origins first.
pub fn get(conn: &Connection, id: i64) -> Result<Project> {
    let (name, root) = conn
        .prepare_cached("SELECT name, root FROM projects WHERE id = ?1")?
        .query_row([id], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let mut keys = conn
        .prepare_cached("SELECT key FROM project_keys WHERE project_id = ?1 ORDER BY key DESC")?;
    let keys = keys.query_map([id], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Project { keys, name, root })
}

/// A project and what is stored of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownProject {
    pub name: String,
    pub root: String,
    /// Origins first.
    pub keys: Vec<String>,
    /// The user has separated its directory.
    pub separate: bool,
    pub sessions: u64,
    pub observations: u64,
    /// Milliseconds since the epoch. `None` without a session.
    pub last_event_epoch: Option<i64>,
}

/// All projects, last used first.
pub fn list(conn: &Connection) -> Result<Vec<KnownProject>> {
    let mut keys =
        conn.prepare("SELECT key FROM project_keys WHERE project_id = ?1 ORDER BY key DESC")?;
    let mut rows = conn.prepare(
        "SELECT p.id, p.name, p.root, p.separate,
           (SELECT count(*) FROM sessions WHERE project_id = p.id),
           (SELECT count(*) FROM observations WHERE project_id = p.id),
           (SELECT max(last_event_epoch) FROM sessions WHERE project_id = p.id) AS last
         FROM projects p WHERE merged_into IS NULL ORDER BY last DESC NULLS LAST, p.id DESC",
    )?;
    let mut rows = rows.query([])?;
    let mut projects = Vec::new();
    while let Some(r) = rows.next()? {
        let of_project = keys.query_map([r.get::<_, i64>(0)?], |r| r.get(0))?;
        projects.push(KnownProject {
            name: r.get(1)?,
            root: r.get(2)?,
            keys: of_project.collect::<rusqlite::Result<_>>()?,
            separate: r.get(3)?,
            sessions: r.get::<_, i64>(4)? as u64,
            observations: r.get::<_, i64>(5)? as u64,
            last_event_epoch: r.get(6)?,
        });
    }
    Ok(projects)
}

/// The name of a project.
pub fn name(conn: &Connection, id: i64) -> Result<String> {
    Ok(conn.query_row("SELECT name FROM projects WHERE id = ?1", [id], |r| r.get(0))?)
}

/// Whether the project has no other keys than these.
pub fn is_alone(conn: &Connection, id: i64, keys: &[String]) -> Result<bool> {
    Ok(get(conn, id)?.keys.iter().all(|key| keys.contains(key)))
}

/// Whether the user has separated the project's directory.
pub fn is_separate(conn: &Connection, id: i64) -> Result<bool> {
    let mut separate = conn.prepare_cached("SELECT separate FROM projects WHERE id = ?1")?;
    Ok(separate.query_row([id], |r| r.get(0)).optional()?.unwrap_or(false))
}

/// The directories that the project's keys name.
pub fn dirs(conn: &Connection, id: i64) -> Result<Vec<PathBuf>> {
    Ok(get(conn, id)?.keys.iter().filter_map(|key| project::key_dir(key)).collect())
}

/// The directories in which the files of a project are.
pub fn work_trees(conn: &Connection, id: i64) -> rusqlite::Result<Vec<PathBuf>> {
    let mut rows = conn.prepare_cached(
        "SELECT root FROM projects WHERE id = ?1 AND root <> ''
         UNION ALL SELECT key FROM project_keys WHERE project_id = ?1 AND key LIKE 'dir:%'",
    )?;
    let rows = rows.query_map([id], |r| r.get::<_, String>(0))?;
    let mut dirs = Vec::new();
    for row in rows {
        let row = row?;
        let dir = project::key_dir(&row).unwrap_or_else(|| PathBuf::from(&row));
        let dir = match dir.ends_with(".git") {
            true => dir.parent().unwrap_or(&dir).to_owned(),
            false => dir,
        };
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    Ok(dirs)
}

/// The first origin key of the project.
pub fn origin(conn: &Connection, id: i64) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached(
            "SELECT min(key) FROM project_keys WHERE project_id = ?1 AND substr(key, 1, 4) = ?2",
        )?
        .query_row(params![id, ORIGIN], |r| r.get(0))?)
}

/// The project of a session.
pub fn of_session(conn: &Connection, session_id: i64) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT project_id FROM sessions WHERE id = ?1")?
        .query_row([session_id], |r| r.get(0))
        .optional()?
        .flatten())
}

/// Ids and roots of the projects with this name. A name that only merged projects have means those that
/// they are part of.
pub fn by_name(conn: &Connection, name: &str) -> Result<Vec<(i64, String)>> {
    let find = |sql: &str| -> Result<Vec<(i64, String)>> {
        let mut rows = conn.prepare(sql)?;
        let rows = rows.query_map([name.trim()], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    let found =
        find("SELECT id, root FROM projects WHERE name = ?1 AND merged_into IS NULL ORDER BY id")?;
    if !found.is_empty() {
        return Ok(found);
    }
    find(
        "WITH RECURSIVE whole(id, into_id) AS
           (SELECT id, merged_into FROM projects WHERE name = ?1 UNION
            SELECT p.id, p.merged_into FROM projects p JOIN whole ON p.id = whole.into_id)
         SELECT id, root FROM projects
         WHERE id IN (SELECT id FROM whole WHERE into_id IS NULL) ORDER BY id",
    )
}

/// The projects that were merged into this one, and into those.
pub fn merged_into(conn: &Connection, id: i64) -> Result<Vec<i64>> {
    let mut rows = conn.prepare_cached(
        "WITH RECURSIVE part(id) AS (SELECT id FROM projects WHERE merged_into = ?1 UNION
           SELECT p.id FROM projects p JOIN part ON p.merged_into = part.id)
         SELECT id FROM part ORDER BY id",
    )?;
    let rows = rows.query_map([id], |r| r.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The project of which this one is a part by now, or itself. `None` if it is gone.
pub fn whole(conn: &Connection, id: i64) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached(
            "WITH RECURSIVE whole(id, into_id) AS (SELECT id, merged_into FROM projects WHERE id = ?1
               UNION SELECT p.id, p.merged_into FROM projects p JOIN whole ON p.id = whole.into_id)
             SELECT id FROM whole WHERE into_id IS NULL",
        )?
        .query_row([id], |r| r.get(0))
        .optional()?)
}

/// Root of the session's work tree. The root from the session's own events comes first, because
/// clones and worktrees share a project. Without one, the project's root is used if it contains the
/// session's directory, and otherwise that directory.
pub fn root_of(conn: &Connection, session_id: i64) -> Result<Option<String>> {
    let known = conn
        .prepare_cached(
            "SELECT s.root, p.root, s.cwd FROM sessions s
             LEFT JOIN projects p ON p.id = s.project_id WHERE s.id = ?1",
        )?
        .query_row([session_id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let (own, project, cwd): (Option<String>, Option<String>, Option<String>) =
        known.unwrap_or_default();
    let containing = project.filter(|root| {
        !root.is_empty() && cwd.as_ref().is_none_or(|cwd| Path::new(cwd).starts_with(root))
    });
    Ok(own.or(containing).or(cwd))
}

/// The project with this key.
pub fn by_key(conn: &Connection, key: &str) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT project_id FROM project_keys WHERE key = ?1")?
        .query_row([key], |r| r.get(0))
        .optional()?)
}

fn has_origin(conn: &Connection, id: i64) -> Result<bool> {
    Ok(origin(conn, id)?.is_some())
}

/// Updates name and root to the latest ones, because directories and repositories are renamed. A name that
/// the user has chosen stays.
fn update_name_and_root(tx: &Transaction, id: i64, project: &Project) -> Result<()> {
    tx.prepare_cached(
        "UPDATE projects SET name = iif(named OR ?2 = '', name, ?2), root = iif(?3 = '', root, ?3)
         WHERE id = ?1 AND (name <> ?2 OR root <> ?3)",
    )?
    .execute(params![id, project.name.trim(), project.root.trim()])?;
    Ok(())
}

/// The project's own name, or the last component of its root or key.
fn display_name(project: &Project, key: &str) -> String {
    let last = |text: &str| text.trim_end_matches('/').rsplit(['/', ':']).next().map(str::to_owned);
    let name = project.name.trim();
    let name = if name.is_empty() { None } else { Some(name.to_owned()) };
    name.or_else(|| last(project.root.trim()).filter(|n| !n.is_empty()))
        .or_else(|| last(key).filter(|n| !n.is_empty()))
        .unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{in_memory_db, write};

    fn project_at(keys: &[&str], root: &str) -> Project {
        let name = root.rsplit('/').next().unwrap_or_default().into();
        Project { keys: keys.iter().map(|k| k.to_string()).collect(), name, root: root.into() }
    }

    /// The lines are resolved in order. The number is the expected project.
    #[test]
    fn keys_are_aliases() {
        let script: &[(&[&str], &str, Option<i64>)] = &[
            (&["dir:/a/x"], "/a/x", Some(1)),
            (&["dir:/b/x"], "/b/x", Some(2)),
            (&["git:h/o/x", "dir:/a/x"], "/a/x", Some(1)), // The repository gained an origin.
            (&["git:h/o/x", "dir:/c/clone"], "/c/clone", Some(1)),
            (&["dir:/c/clone"], "/c/clone", Some(1)), // It lost the origin again.
            (&["git:h/o/y", "dir:/a/x"], "/a/x", Some(3)), // Another repository replaced it.
            (&["dir:/a/x"], "/a/x", Some(3)),
            (&["git:h/o/x"], "/c/clone", Some(1)),
            (&["dir:/c/clone", "git:h/o/y"], "/c/clone", Some(3)), // The origin takes precedence.
            (&[" ", ""], "/nowhere", None),
        ];
        let mut conn = in_memory_db();
        for (keys, root, expected) in script {
            let project = project_at(keys, root);
            let id = write(&mut conn, |tx| resolve(tx, &project));
            assert_eq!(id, *expected, "{keys:?}");
            assert_eq!(find(&conn, &project).unwrap(), id, "{keys:?}");
        }
    }

    #[test]
    fn name_and_root_are_updated_but_never_emptied() {
        let mut conn = in_memory_db();
        let mut see = |name: &str, root: &str| {
            let keys = vec!["git:h/o/x".to_owned()];
            let project = Project { keys, name: name.into(), root: root.into() };
            write(&mut conn, |tx| resolve(tx, &project)).unwrap();
            let row = conn.query_row("SELECT name || ' ' || root FROM projects", [], |r| r.get(0));
            row.unwrap()
        };
        let seen: Vec<String> = [("", "/a/tree"), (" x ", "/a/tree"), ("", ""), ("y", "/b")]
            .map(|(n, r)| see(n, r))
            .into();
        assert_eq!(seen, ["tree /a/tree", "x /a/tree", "x /a/tree", "y /b"]);
    }

    #[test]
    fn the_root_of_a_session_is_its_own_work_tree() {
        let mut conn = in_memory_db();
        let mut root = |root: Option<&str>, project: Option<i64>, cwd: Option<&str>| {
            write(&mut conn, |tx| {
                resolve(tx, &project_at(&["git:h/o/x"], "/a/x"))?;
                tx.execute("DELETE FROM sessions", [])?;
                tx.execute(
                    "INSERT INTO sessions (id, uuid, client, content_session_id, root, project_id,
                       cwd, started_at_epoch, last_event_epoch)
                     VALUES (1, 'u', 'c', 's', ?1, ?2, ?3, 0, 0)",
                    params![root, project, cwd],
                )?;
                root_of(tx, 1)
            })
        };
        let found = |root: &str| Some(root.to_owned());
        assert_eq!(root(Some("/tree"), Some(1), Some("/elsewhere")), found("/tree"));
        assert_eq!(root(None, Some(1), Some("/a/x/src")), found("/a/x"));
        assert_eq!(root(None, Some(1), Some("/a/xy")), found("/a/xy"));
        assert_eq!(root(None, Some(1), None), found("/a/x"));
        assert_eq!(root(None, None, None), None);
    }
}
