//! Decides which project a directory belongs to, and whether the user wants it recorded
//! ([`recording`]).
//!
//! The key of a repository is its `origin`. Clones and work trees therefore share a memory, and two
//! directories of the same name do not. Without an origin, the key is git's common directory.
//! Outside of a repository, it is the directory itself.

mod origin;
mod path_base;
pub mod pause;
pub mod recording;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use memctl_proto::event::Project;

use crate::config::{self, ProjectDir, Settings};
use crate::git::Repository;
use crate::memory::Head;
use crate::process;
use crate::text::without_controls;
use origin::Origin;
pub use path_base::PathBase;

/// The maximum length of a name, in bytes.
const MAX_NAME: usize = 200;

/// Identifies the project of a directory. The first key is the preferred one, the last one names the
/// directory. All others are claims, because anybody can write them into a folder's `.git`: the store
/// examines them (`store::claims`).
///
/// The common directory is a key even if the repository has an origin, so that a repository keeps
/// its memory when an origin is added.
pub fn identify(dir: &Path) -> Project {
    let dir = resolve(dir);
    let Some(repository) = Repository::find(&dir) else {
        return Project { keys: vec![dir_key(&dir)], name: name(&dir), root: display(&dir) };
    };
    let root = &repository.root;
    let linked_dir = resolve(&repository.common_dir());
    let is_own = repository.owns_git_dir();
    let common_dir = if is_own { linked_dir.clone() } else { root.join(".git") };
    let mut keys = Vec::new();
    let origin = repository.origin_url().and_then(|url| Origin::parse(&url, root));
    let name = match &origin {
        Some(Origin::Remote(place)) => name(Path::new(place)),
        _ => name(naming_dir(root, &common_dir)),
    };
    match origin {
        Some(Origin::Remote(place)) => keys.push(format!("git:{place}")),
        Some(Origin::Local(common_dir)) => keys.push(dir_key(&resolve(&common_dir))),
        None => {}
    }
    if !is_own {
        keys.push(dir_key(&linked_dir));
    }
    let own_key = dir_key(&common_dir);
    keys.retain(|key| *key != own_key);
    keys.push(own_key);
    keys.dedup();
    Project { keys, name, root: display(root) }
}

/// Loads the settings for a session in these directories. Config files inside their repositories are not
/// trusted.
///
/// # Errors
/// A message if no data dir can be determined.
pub fn settings(dirs: &[&Path]) -> Result<Settings, String> {
    let account_home = process::account_home();
    config::load(&config::process_env, account_home, &|| {
        dirs.iter().map(|dir| dir_of(dir)).collect()
    })
}

/// HEAD of the work tree that contains `dir`. `None` outside a repository.
pub fn head(dir: &Path) -> Option<Head> {
    let repository = Repository::find(dir)?;
    let branch = repository.branch().unwrap_or_default();
    Some(Head { branch, commit: repository.head_commit().unwrap_or_default() })
}

/// The root of the repository that contains `dir`, or `dir` itself.
pub fn dir_of(dir: &Path) -> ProjectDir {
    let dir = resolve(dir);
    match Repository::find(&dir) {
        Some(repository) => ProjectDir { path: repository.root, is_repository: true },
        None => ProjectDir { path: dir, is_repository: false },
    }
}

/// The directory that names a repository without a remote: its main work tree, the bare repository,
/// or for a submodule its own root.
fn naming_dir<'a>(root: &'a Path, common_dir: &'a Path) -> &'a Path {
    match common_dir.file_name() {
        Some(name) if name == ".git" => common_dir.parent().unwrap_or(root),
        // The common directory of a submodule is below that of its superproject.
        _ if !common_dir.to_string_lossy().ends_with(".git") => root,
        _ => common_dir,
    }
}

fn name(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or(OsStr::new("/")).to_string_lossy();
    let name = name.strip_suffix(".git").filter(|n| !n.is_empty()).unwrap_or(&name);
    let clean = without_controls(name);
    clean[..clean.floor_char_boundary(MAX_NAME)].trim().to_owned()
}

/// The key of a directory. Different paths have different keys, and no key has control characters.
fn dir_key(dir: &Path) -> String {
    let mut key = String::from("dir:");
    for chunk in dir.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '%' => key.push_str("%25"),
                c if c.is_ascii_control() => key.push_str(&format!("%{:02X}", c as u32)),
                c => key.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| key.push_str(&format!("%{b:02X}")));
    }
    key
}

fn display(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Resolves symbolic links, as far as the path exists. The rest becomes absolute, without `.` and `..`.
fn resolve(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut clean = PathBuf::new();
        for part in absolute.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                part => clean.push(part),
            }
        }
        let existing = clean.ancestors().find_map(|dir| Some((dir, fs::canonicalize(dir).ok()?)));
        match existing.and_then(|(dir, real)| Some(real.join(clean.strip_prefix(dir).ok()?))) {
            Some(resolved) => resolved,
            None => clean,
        }
    })
}

/// The keys and the root that a directory had while it existed, as a repository or not, and then those
/// of each parent that does not exist any more.
pub fn removed(dir: &Path) -> impl Iterator<Item = Project> {
    let dir = resolve(dir);
    let gone = dir.ancestors().take_while(|dir| !dir.exists());
    let gone: Vec<Project> = gone
        .map(|dir| Project {
            keys: vec![dir_key(&dir.join(".git")), dir_key(dir)],
            name: name(dir),
            root: display(dir),
        })
        .collect();
    gone.into_iter()
}

#[cfg(test)]
mod tests;
