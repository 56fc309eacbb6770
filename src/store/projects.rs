//! Which project a key belongs to. Keys are aliases: a repository that gains an origin keeps its
//! memory, worktrees and clones of one repository share it.

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;

/// Keys that name a repository wherever it lies; others name a place on this disk.
const ORIGIN: &str = "git:";

/// The project's row id; made when none of its keys is known. `None` for a project without keys.
///
/// The origin is believed first. A place is followed only if what is known there has no other
/// origin than the one we bring: else another repository has been put there, and the place is
/// its from now on.
pub fn resolve(tx: &Transaction, project: &Project) -> Result<Option<i64>> {
    let keys: Vec<&str> = project.keys.iter().map(|k| k.trim()).filter(|k| !k.is_empty()).collect();
    if keys.is_empty() {
        return Ok(None);
    }
    let brings_origin = keys.iter().any(|k| k.starts_with(ORIGIN));
    let (origins, places): (Vec<&str>, Vec<&str>) =
        keys.iter().partition(|k| k.starts_with(ORIGIN));
    let mut found = None;
    for key in origins.iter().chain(&places) {
        let Some(id) = by_key(tx, key)? else { continue };
        if key.starts_with(ORIGIN) || !brings_origin || !has_origin(tx, id)? {
            found = Some(id);
            break;
        }
    }
    let id = match found {
        Some(id) => {
            keep_fresh(tx, id, project)?;
            id
        }
        None => {
            let name = named(project, keys[0]);
            tx.prepare_cached("INSERT INTO projects (name, root) VALUES (?1, ?2)")?
                .execute(params![name, project.root.trim()])?;
            tx.last_insert_rowid()
        }
    };
    for key in keys {
        match by_key(tx, key)? {
            Some(known) if known == id => {}
            Some(known) if key.starts_with(ORIGIN) || !brings_origin || !has_origin(tx, known)? => {
            }
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

/// The project of the first key that is known; for reading.
pub fn find(conn: &Connection, project: &Project) -> Result<Option<i64>> {
    let (origins, places): (Vec<&String>, Vec<&String>) =
        project.keys.iter().partition(|k| k.trim().starts_with(ORIGIN));
    for key in origins.iter().chain(&places) {
        let key = key.trim();
        let Some(id) = by_key(conn, key)? else { continue };
        if key.starts_with(ORIGIN) || origins.is_empty() || !has_origin(conn, id)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Root of the work tree a session runs in: of the project's known roots the innermost that holds
/// the session's directory, for clones and worktrees are one project.
pub fn root_of(conn: &Connection, session_id: i64) -> Result<Option<String>> {
    let known: Option<(Option<i64>, Option<String>)> = conn
        .prepare_cached("SELECT project_id, cwd FROM sessions WHERE id = ?1")?
        .query_row([session_id], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let Some((Some(project), cwd)) = known else { return Ok(None) };
    let mut rows = conn.prepare_cached(
        "SELECT root FROM projects WHERE id = ?1 AND root <> ''
         UNION ALL SELECT substr(key, 5) FROM project_keys
         WHERE project_id = ?1 AND key LIKE 'dir:/%'",
    )?;
    let roots = rows.query_map([project], |r| r.get::<_, String>(0))?;
    let roots = roots.collect::<rusqlite::Result<Vec<_>>>()?;
    let Some(cwd) = cwd else { return Ok(roots.into_iter().next()) };
    let path = std::path::Path::new(&cwd);
    let holding = roots.into_iter().filter(|root| path.starts_with(root)).max_by_key(String::len);
    Ok(holding.or(Some(cwd)))
}

fn by_key(conn: &Connection, key: &str) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached("SELECT project_id FROM project_keys WHERE key = ?1")?
        .query_row([key], |r| r.get(0))
        .optional()?)
}

fn has_origin(conn: &Connection, id: i64) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM project_keys
             WHERE project_id = ?1 AND substr(key, 1, 4) = 'git:')",
        )?
        .query_row([id], |r| r.get(0))?)
}

/// The last one seen is right: directories and repositories get renamed.
fn keep_fresh(tx: &Transaction, id: i64, project: &Project) -> Result<()> {
    tx.prepare_cached(
        "UPDATE projects SET name = iif(?2 = '', name, ?2), root = iif(?3 = '', root, ?3)
         WHERE id = ?1 AND (name <> ?2 OR root <> ?3)",
    )?
    .execute(params![id, project.name.trim(), project.root.trim()])?;
    Ok(())
}

fn named(project: &Project, key: &str) -> String {
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
    use crate::store::testing::{memory, write};

    fn project(keys: &[&str], root: &str) -> Project {
        let name = root.rsplit('/').next().unwrap_or_default().into();
        Project { keys: keys.iter().map(|k| k.to_string()).collect(), name, root: root.into() }
    }

    /// Each line is seen after those before it; the number is the project it must be.
    #[test]
    fn keys_are_aliases() {
        let script: &[(&[&str], &str, Option<i64>)] = &[
            (&["dir:/a/x"], "/a/x", Some(1)),
            (&["dir:/b/x"], "/b/x", Some(2)),
            (&["git:h/o/x", "dir:/a/x"], "/a/x", Some(1)), // gained an origin
            (&["git:h/o/x", "dir:/c/clone"], "/c/clone", Some(1)),
            (&["dir:/c/clone"], "/c/clone", Some(1)), // lost it again
            (&["git:h/o/y", "dir:/a/x"], "/a/x", Some(3)), // another repository in its place
            (&["dir:/a/x"], "/a/x", Some(3)),
            (&["git:h/o/x"], "/c/clone", Some(1)),
            (&["dir:/c/clone", "git:h/o/y"], "/c/clone", Some(3)), // the origin counts first
            (&[" ", ""], "/nowhere", None),
        ];
        let mut conn = memory();
        for (keys, root, expected) in script {
            let project = project(keys, root);
            let id = write(&mut conn, |tx| resolve(tx, &project));
            assert_eq!(id, *expected, "{keys:?}");
            assert_eq!(find(&conn, &project).unwrap(), id, "{keys:?}");
        }
    }

    #[test]
    fn name_and_root_follow_and_are_never_emptied() {
        let mut conn = memory();
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
    fn the_innermost_known_root_holds_the_session() {
        let mut conn = memory();
        let root = |conn: &mut Connection, cwd: Option<&str>| {
            write(conn, |tx| {
                resolve(tx, &project(&["git:h/o/x", "dir:/a/x"], "/a/x"))?;
                resolve(tx, &project(&["git:h/o/x", "dir:/a/x/tree"], "/a/x/tree"))?;
                resolve(tx, &project(&["git:h/o/x", "dir:/b"], "/b"))?;
                tx.execute("DELETE FROM sessions", [])?;
                tx.execute(
                    "INSERT INTO sessions (id, uuid, client, content_session_id, project_id, cwd,
                       started_at_epoch, last_event_epoch) VALUES (1, 'u', 'c', 's', 1, ?1, 0, 0)",
                    [cwd],
                )?;
                root_of(tx, 1)
            })
        };
        assert_eq!(root(&mut conn, Some("/a/x/src")).as_deref(), Some("/a/x"));
        assert_eq!(root(&mut conn, Some("/a/x/tree/src")).as_deref(), Some("/a/x/tree"));
        assert_eq!(root(&mut conn, Some("/elsewhere")).as_deref(), Some("/elsewhere"));
        assert_eq!(root(&mut conn, None).as_deref(), Some("/b"));
    }
}
