//! Which project a note belongs to, and whether that project is recorded.

use std::path::{Path, PathBuf};

use memctl_proto::event::Project;
use rusqlite::{Connection, Transaction};

use crate::config::Settings;
use crate::failure::Result;
use crate::project;
use crate::project::recording::{self, NotRecorded};
use crate::store::{self, claims, projects};
use crate::text::without_controls;

/// Prefix of the key of a project that has only a name.
const NAME: &str = "name:";

/// Prefixes of keys.
const KEYS: [&str; 3] = [NAME, "git:", "dir:"];

/// Longer names are no names.
const MAX_NAME: usize = 200;

/// A project that a transaction finds or creates.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The project of a directory.
    Directory { project: Project, dir: PathBuf },
    /// A project with this key.
    Key(String),
    /// The only known project with this name, or a new one that has only the name.
    Name(String),
}

/// The project of a directory, with the claims that it may have. Also returns a note about a claim
/// that it may not have. The directory need not exist any more.
pub fn of_directory(conn: &Connection, dir: &Path) -> Result<(Target, Option<String>)> {
    let claimed = project::identify(dir);
    if !dir.exists() {
        for removed in project::removed(dir) {
            if let Some(id) = projects::of_removed(conn, &removed)? {
                let project = projects::get(conn, id)?;
                return Ok((Target::Directory { project, dir: dir.to_owned() }, None));
            }
        }
    }
    let examined = claims::examine(conn, &claimed)?;
    let note = examined.refused.and_then(|refused| refused.sentence(&claimed.root));
    Ok((Target::Directory { project: examined.project, dir: dir.to_owned() }, note))
}

/// The project that a line names: the path of a directory, a key (`git:…`, `dir:…`, `name:…`), or a
/// name.
///
/// # Errors
/// A reason for the user: no name, or a name that several projects have.
pub fn named(conn: &Connection, text: &str) -> std::result::Result<Target, String> {
    let text = text.trim();
    if let Some(dir) = project::typed_path(text) {
        return of_directory(conn, &dir).map(|(target, _)| target).map_err(|e| e.to_string());
    }
    if text.is_empty() || text.len() > MAX_NAME || without_controls(text) != text {
        return Err("project is no name, path or key".into());
    }
    if KEYS.iter().any(|prefix| text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty())) {
        return Ok(Target::Key(text.to_owned()));
    }
    let known = |e: store::StoreError| format!("database: {e}");
    if projects::by_key(conn, &format!("{NAME}{text}")).map_err(known)?.is_none() {
        let n = projects::by_name(conn, text).map_err(known)?.len();
        if n > 1 {
            return Err(format!("{n} projects have the name '{text}'; use a path or a key"));
        }
    }
    Ok(Target::Name(text.to_owned()))
}

impl Target {
    /// Row id of the project. Creates it if it is missing.
    pub fn resolve(&self, tx: &Transaction) -> store::Result<Option<i64>> {
        match self {
            Target::Directory { project, .. } => projects::resolve(tx, project),
            Target::Key(key) => projects::resolve(tx, &of_key(key, "")),
            Target::Name(name) => {
                let key = format!("{NAME}{name}");
                if let Some(id) = projects::by_key(tx, &key)? {
                    return Ok(Some(id));
                }
                match projects::by_name(tx, name)?.as_slice() {
                    [(id, _)] => Ok(Some(*id)),
                    _ => projects::resolve(tx, &of_key(&key, name)),
                }
            }
        }
    }

    /// Why nothing of the project is recorded. `None`: it is recorded.
    pub fn not_recorded(&self, conn: &Connection, settings: &Settings) -> Option<NotRecorded> {
        let rules = &settings.config.recording;
        match self {
            Target::Directory { dir, .. } => recording::not_recorded(&[dir], rules),
            Target::Key(key) => {
                let name = key.rsplit(['/', ':']).next().unwrap_or(key);
                let dir = key.strip_prefix("dir:").unwrap_or("/");
                not_recorded(&[Path::new(dir), &Path::new("/").join(name)], settings)
            }
            Target::Name(name) => {
                let known = projects::by_name(conn, name).unwrap_or_default();
                let mut dirs: Vec<PathBuf> =
                    known.into_iter().map(|(_, root)| root.into()).collect();
                dirs.retain(|dir| dir.is_absolute());
                // Patterns without a slash name the last part of a path.
                dirs.push(Path::new("/").join(name));
                let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
                not_recorded(&dirs, settings)
            }
        }
    }

    /// The directory that paths of files are relative to.
    pub fn root(&self) -> Option<&Path> {
        match self {
            Target::Directory { project, .. } => Some(Path::new(&project.root)),
            Target::Key(_) | Target::Name(_) => None,
        }
    }
}

fn not_recorded(dirs: &[&Path], settings: &Settings) -> Option<NotRecorded> {
    recording::not_recorded(dirs, &settings.config.recording)
}

fn of_key(key: &str, name: &str) -> Project {
    Project { keys: vec![key.to_owned()], name: name.to_owned(), root: String::new() }
}
