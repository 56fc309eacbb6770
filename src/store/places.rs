//! Where the directories of a project are: finds the project of a directory that became a repository, or
//! that was moved.
//!
//! A directory that moves keeps its device, its inode and the time of its birth. Where the file system
//! tells all three, they prove that it is the same one. Without the time they prove nothing: the inode of
//! a deleted directory is used again. A repository that moves to another file system is found by its
//! latest commits, if the one that memory knows is gone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use memctl_proto::event::Project;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::directory::Directory;
use super::error::Result;
use super::projects;
use crate::project;

/// How many of the projects with the newest commits a moved repository is compared with.
const MAX_PROJECTS: usize = 200;
/// How many of the latest commits of each. A commit is lost if it is amended.
const LATEST: usize = 3;
/// How many commits are loaded for that.
const MAX_LOADED: usize = 4_000;

/// A directory, as the file system identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub device: i64,
    pub inode: i64,
    /// Nanoseconds since the epoch. `None` if the file system does not tell it.
    pub born: Option<i64>,
}

impl Identity {
    pub fn of(dir: &Path) -> Option<Identity> {
        let meta = fs::metadata(dir).ok().filter(|meta| meta.is_dir())?;
        let born = meta.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Some(Identity {
            device: meta.dev() as i64,
            inode: meta.ino() as i64,
            born: born.filter(|born| *born > 0),
        })
    }
}

/// A directory at the root of a project, and how it is identified.
#[derive(Debug)]
pub(super) struct Place {
    key: String,
    identity: Identity,
}

/// All keys that name one directory: its own key, that of the directory around its `.git`, and that of
/// the root of the work tree. `root` may be empty.
pub fn keys_of(own_key: &str, root: &str) -> Vec<String> {
    let around = own_key.strip_suffix("/.git").map(str::to_owned);
    let mut keys = vec![own_key.to_owned()];
    for key in around.into_iter().chain(project::place_key(root)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// The project of a directory whose own key is not known, and the key that leads there: the directory has
/// become a repository, or was moved.
pub(super) fn known(conn: &Connection, project: &Project) -> Result<Option<(String, i64)>> {
    let (Some(own), Some(place)) = (project.keys.last(), project::place_key(&project.root)) else {
        return Ok(None);
    };
    if own.strip_suffix("/.git") == Some(&place)
        && let Some(id) = projects::by_key(conn, &place)?
    {
        return Ok(Some((place, id)));
    }
    let Some(Identity { device, inode, born: Some(born) }) = Identity::of(Path::new(&project.root))
    else {
        return Ok(None);
    };
    Ok(conn
        .prepare_cached(
            "SELECT key, project_id FROM project_keys
             WHERE inode = ?1 AND device = ?2 AND born = ?3 ORDER BY key LIMIT 1",
        )?
        .query_row([inode, device, born], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?)
}

/// A key of the only project whose latest commits the repository has, and whose directories are gone.
/// `claims` are the keys of the repository. Another origin makes it another project.
pub(super) fn of_moved(
    conn: &Connection,
    directory: &Directory,
    claims: &[String],
) -> Result<Option<String>> {
    let Some(objects) = directory.objects() else { return Ok(None) };
    let has_origin = projects::has_origin_key(claims);
    let mut found = Vec::new();
    for (id, commits) in latest_commits(conn)? {
        let has_commit = || commits.iter().any(|commit| objects.contains(commit));
        if has_commit()
            && !(has_origin && projects::origin(conn, id)?.is_some())
            && is_gone(conn, id)?
        {
            found.push(id);
        }
    }
    match found[..] {
        [id] => Ok(projects::get(conn, id)?.keys.first().cloned()),
        _ => Ok(None),
    }
}

/// The latest commits of the projects that the user has not separated.
fn latest_commits(conn: &Connection) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut all = commits(conn)?;
    all.values_mut().for_each(|commits| commits.truncate(LATEST));
    Ok(all)
}

/// The latest commits of these projects and the oldest one, which newer clones have, too.
pub(super) fn known_commits(conn: &Connection) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut all = commits(conn)?;
    for commits in all.values_mut() {
        let oldest = commits.pop();
        commits.truncate(LATEST);
        commits.extend(oldest);
    }
    Ok(all)
}

/// The commits of the projects with the newest ones, the latest first.
fn commits(conn: &Connection) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut rows = conn.prepare_cached(
        "SELECT c.project_id, c.hash FROM project_commits c JOIN projects p ON p.id = c.project_id
         WHERE NOT p.separate ORDER BY c.seen_at_epoch DESC LIMIT ?1",
    )?;
    let mut rows = rows.query([MAX_LOADED as i64])?;
    let mut found: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if found.len() < MAX_PROJECTS || found.contains_key(&id) {
            found.entry(id).or_default().push(row.get(1)?);
        }
    }
    Ok(found)
}

/// Whether no repository is left where the project's keys say.
fn is_gone(conn: &Connection, id: i64) -> Result<bool> {
    let dirs = projects::dirs(conn, id)?;
    let is_there = |dir: &Path| ["HEAD", ".git"].iter().any(|file| dir.join(file).exists());
    Ok(!dirs.iter().any(|dir| is_there(dir)))
}

/// The place of a project's directory, unless it is recorded like this.
pub(super) fn unrecorded(conn: &Connection, project: &Project, id: i64) -> Result<Option<Place>> {
    let place = project::place_key(&project.root).zip(Identity::of(Path::new(&project.root)));
    let Some((key, identity)) = place else { return Ok(None) };
    let recorded = conn
        .prepare_cached("SELECT project_id, device, inode, born FROM project_keys WHERE key = ?1")?
        .query_row([&key], |r| {
            let identity = (r.get(1)?, r.get(2)?, r.get(3)?);
            Ok((r.get::<_, i64>(0)?, identity))
        })
        .optional()?;
    let is_recorded = match recorded {
        Some((known, found)) if known == id => {
            found == (Some(identity.device), Some(identity.inode), identity.born)
        }
        // The key stays if the other project has no other one.
        Some((known, _)) => projects::is_alone(conn, known, std::slice::from_ref(&key))?,
        None => false,
    };
    Ok((!is_recorded).then_some(Place { key, identity }))
}

/// The project that the directory had before it became a repository, if an earlier release gave the repository
/// another one: `id`. The user has separated neither, and both have been here alone, one after the other.
pub(super) fn split_off(conn: &Connection, project: &Project, id: i64) -> Result<Option<i64>> {
    let (Some(own), Some(place)) = (project.keys.last(), project::place_key(&project.root)) else {
        return Ok(None);
    };
    let earlier = match own.strip_suffix("/.git") == Some(&place) {
        true => projects::by_key(conn, &place)?.filter(|earlier| *earlier != id),
        false => None,
    };
    let Some(earlier) = earlier else { return Ok(None) };
    let here = [own.clone(), place.clone()];
    let is_here = |key: &String| project::key_dir(key).is_none() || here.contains(key);
    let follows: bool = conn.query_row(
        "SELECT (SELECT max(started_at_epoch) FROM sessions WHERE project_id = ?1)
           <= (SELECT min(started_at_epoch) FROM sessions WHERE project_id = ?2)",
        [earlier, id],
        |r| Ok(r.get::<_, Option<bool>>(0)?.unwrap_or(false)),
    )?;
    let may_be_joined = follows
        && projects::is_alone(conn, earlier, &[place])?
        && projects::get(conn, id)?.keys.iter().all(is_here)
        && !projects::is_separate(conn, earlier)?
        && !projects::is_separate(conn, id)?
        && !conn
            .prepare_cached("SELECT 1 FROM meta WHERE key = ?1")?
            .exists([joined_key(earlier)])?;
    Ok(may_be_joined.then_some(earlier))
}

/// Key in `meta` of a project that [`split_off`] found. The user may undo that it was joined.
pub(super) fn joined_key(earlier: i64) -> String {
    format!("joined_place:{earlier}")
}

/// Records the place of a directory of the project. A place belongs to the project that was there last.
pub(super) fn record(tx: &Transaction, place: &Place, id: i64) -> Result<()> {
    let Identity { device, inode, born } = place.identity;
    // The directory was moved from there.
    tx.prepare_cached(
        "UPDATE project_keys SET device = NULL, inode = NULL, born = NULL
         WHERE inode = ?1 AND device = ?2 AND key <> ?3",
    )?
    .execute(params![inode, device, place.key])?;
    tx.prepare_cached(
        "INSERT INTO project_keys (key, project_id, device, inode, born) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (key) DO UPDATE SET project_id = excluded.project_id, device = excluded.device,
           inode = excluded.inode, born = excluded.born",
    )?
    .execute(params![place.key, id, device, inode, born])?;
    Ok(())
}
