//! Which projects a call is about: the one it names, or those of the client's roots.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::config::Settings;
use crate::failure::{Context, Result, failed, usage};
use crate::project;
use crate::store::{claims, projects};

/// Where a call says that it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The argument `project`: a name.
    Named(String),
    /// The argument `project`: the path of a directory.
    Directory(PathBuf),
    /// The client's roots, at least one.
    Roots(Vec<PathBuf>),
    /// The call is about ids.
    Anywhere,
}

impl Asked {
    /// # Errors
    /// The call needs a project and there is none. It is not guessed.
    pub fn new(named: Option<&str>, roots: Vec<PathBuf>) -> Result<Asked> {
        match named.map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => match project::typed_path(name) {
                None => Ok(Asked::Named(name.to_owned())),
                // The server's own directory says nothing about the client.
                Some(dir) if dir.is_relative() => Err(usage(format!(
                    "'{name}' is relative; pass the absolute path of the directory"
                ))),
                Some(dir) => Ok(Asked::Directory(dir)),
            },
            None if roots.is_empty() => Err(usage(
                "which project? This client names no roots: pass the argument project, the absolute path \
                 of a directory or a name",
            )),
            None => Ok(Asked::Roots(roots)),
        }
    }

    /// The directories whose settings apply.
    pub fn dirs(&self) -> Vec<&Path> {
        match self {
            Asked::Directory(dir) => vec![dir.as_path()],
            Asked::Roots(dirs) => dirs.iter().map(PathBuf::as_path).collect(),
            Asked::Named(_) | Asked::Anywhere => Vec::new(),
        }
    }
}

/// A project.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Row id. `None`: nothing is stored for it.
    pub id: Option<i64>,
    pub name: String,
    pub dir: PathBuf,
}

/// The settings for these directories.
///
/// # Errors
/// If the data dir must not be used.
pub fn settings(asked: &Asked) -> Result<Settings> {
    let settings = project::settings(&asked.dirs()).map_err(failed)?;
    if let Some(why) = settings.paths.refusal() {
        return Err(failed(why));
    }
    settings.paths.check().context("cannot use the data dir")?;
    Ok(settings)
}

/// The projects, each once. `conn`: `None` if nothing is stored at all.
pub fn places(conn: Option<&Connection>, asked: &Asked) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    match asked {
        Asked::Named(name) => places.push(of_name(conn, name)?),
        _ => {
            for dir in asked.dirs() {
                let place = of_dir(conn, dir)?;
                let is_known = |known: &Place| match place.id {
                    Some(id) => known.id == Some(id),
                    None => known.dir == place.dir,
                };
                if !places.iter().any(is_known) {
                    places.push(place);
                }
            }
        }
    }
    Ok(places)
}

/// The only project.
///
/// # Errors
/// There are several.
pub fn only(places: Vec<Place>) -> Result<Place> {
    let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    if places.len() > 1 {
        let names = names.join(", ");
        return Err(usage(format!("which project? The client has several: {names}. Pass project")));
    }
    places.into_iter().next().ok_or_else(|| usage("which project? Pass project"))
}

fn of_dir(conn: Option<&Connection>, dir: &Path) -> Result<Place> {
    let claimed = project::identify(dir);
    let mut place = Place { id: None, name: claimed.name.clone(), dir: dir.to_owned() };
    let Some(conn) = conn else { return Ok(place) };
    if !dir.exists() {
        for removed in project::removed(dir) {
            if let Some(id) = projects::of_removed(conn, &removed)? {
                let name = projects::name(conn, id)?;
                return Ok(Place { id: Some(id), name, ..place });
            }
        }
    }
    let examined = claims::examine(conn, &claimed)?;
    place.id = projects::find(conn, &examined.project)?;
    Ok(place)
}

fn of_name(conn: Option<&Connection>, name: &str) -> Result<Place> {
    let found = match conn {
        Some(conn) => projects::by_name(conn, name)?,
        None => Vec::new(),
    };
    match &found[..] {
        [(id, root)] => Ok(Place { id: Some(*id), name: name.to_owned(), dir: root.into() }),
        [] => Err(failed(format!(
            "nothing is stored for project '{name}'; pass the absolute path of its directory"
        ))),
        several => {
            let roots: Vec<&str> = several.iter().map(|(_, root)| root.as_str()).collect();
            let (n, roots) = (roots.len(), roots.join(", "));
            Err(usage(format!("{n} projects have the name '{name}', pass a directory: {roots}")))
        }
    }
}
