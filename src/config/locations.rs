//! Refuses a data dir or a socket directory that a repository may have chosen.
//!
//! The settings of a client, a container or a shell can set environment variables for a repository.
//! A directory inside the repository, or inside a folder that was unpacked from an archive, may contain
//! anything: memories, links, sockets. So a directory that the environment names must be absolute and outside
//! of the session's project. The default directories are below the user's own home directory, which may
//! itself be a repository.

use std::path::{Path, PathBuf};

use super::{Env, ProjectDir};
use crate::files::RealPaths;
use crate::paths::{Paths, Roots};
use crate::text::quote;

/// A directory that the environment names, and the variable that does.
#[derive(Clone, Debug)]
pub struct Location {
    variable: &'static str,
    path: PathBuf,
    /// The path with symbolic links resolved, as far as it exists.
    canonical: PathBuf,
}

impl Location {
    fn new(variable: &'static str, path: &Path, real_paths: &RealPaths) -> Location {
        Location { variable, path: path.to_owned(), canonical: real_paths.resolve(path) }
    }

    /// Why the directory is not used in a session of this project.
    pub fn refusal(&self, project: &ProjectDir, home: Option<&Path>) -> Option<String> {
        project.owns(&self.canonical, home).then(|| {
            let (path, root) = (quote(&self.path), quote(&project.path));
            let kind = if project.is_repository { "repository" } else { "project directory" };
            format!("{} is refused: {path} is inside the {kind} {root}", self.variable)
        })
    }
}

/// The directories that the environment names, other than the default below the home directory in
/// the password database.
///
/// # Errors
/// A message if one of them is relative: it would depend on the working directory.
pub fn chosen(
    roots: &Roots,
    paths: &Paths,
    account_home: Option<&Path>,
    real_paths: &RealPaths,
) -> Result<Vec<Location>, String> {
    let mut found = Vec::new();
    let data_variable = roots.data_dir_variable();
    if data_variable != "HOME" || roots.home.as_deref().map(Path::new) != account_home {
        found.push(Location::new(data_variable, paths.data(), real_paths));
    }
    if roots.socket_dir.as_ref().is_some_and(|dir| !dir.is_empty()) {
        found.push(Location::new("MEMCTL_SOCKET_DIR", paths.sockets(), real_paths));
    }
    match found.iter().find(|location| !location.path.is_absolute()) {
        Some(Location { variable, path, .. }) => {
            Err(format!("{variable} is refused: {} is not an absolute path", quote(path)))
        }
        None => Ok(found),
    }
}

/// The variables that determine the directories.
pub fn roots(env: Env) -> Roots {
    Roots {
        data_dir: env("MEMCTL_DATA_DIR"),
        xdg_data_home: env("XDG_DATA_HOME"),
        home: env("HOME"),
        socket_dir: env("MEMCTL_SOCKET_DIR"),
    }
}
