//! Decides which project a directory belongs to, and whether the user wants it recorded.
//!
//! The key of a repository is its `origin`. Clones and work trees therefore share a memory, and two
//! directories of the same name do not. Without an origin, the key is git's common directory.
//! Outside of a repository, it is the directory itself.

mod origin;
mod path_base;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use memctl_proto::event::Project;

use crate::git::Repository;
use crate::text::without_controls;
use origin::Origin;
pub use path_base::PathBase;

/// The maximum length of a name, in bytes.
const MAX_NAME: usize = 200;

/// Identifies the project of a directory. Its first key is the preferred one.
///
/// The common directory is a key even if the repository has an origin, so that a repository keeps
/// its memory when an origin is added.
pub fn identify(dir: &Path) -> Project {
    let dir = resolve(dir);
    let Some(repository) = Repository::find(&dir) else {
        return Project { keys: vec![dir_key(&dir)], name: name(&dir), root: display(&dir) };
    };
    let root = &repository.root;
    let common_dir = resolve(&repository.common_dir());
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
    let own_key = dir_key(&common_dir);
    if !keys.contains(&own_key) {
        keys.push(own_key);
    }
    Project { keys, name, root: display(root) }
}

/// Whether events in `dir` may be recorded and shown. All of memctl uses this function to decide.
///
/// A pattern with a slash is compared with the path of `dir` and of its parents, where `~` is the
/// home directory. Any other pattern is compared with the name of `dir` and with those of its
/// parents inside its repository.
pub fn tracked(dir: &Path, home: Option<&Path>, exclude: &[glob::Pattern]) -> bool {
    if exclude.is_empty() {
        return true;
    }
    let resolved = resolve(dir);
    let root = Repository::find(&resolved).map_or_else(|| resolved.clone(), |r| r.root);
    [dir, &resolved].iter().all(|dir| {
        dir.ancestors().all(|parent| {
            let in_repository = *parent == **dir || parent.starts_with(&root);
            !exclude.iter().any(|pattern| excludes(pattern, parent, in_repository, home))
        })
    })
}

fn excludes(pattern: &glob::Pattern, dir: &Path, in_repository: bool, home: Option<&Path>) -> bool {
    if !pattern.as_str().contains('/') {
        let name = dir.file_name().unwrap_or_default();
        return in_repository && pattern.matches(&name.to_string_lossy());
    }
    let below_home = home.and_then(|home| dir.strip_prefix(home).ok());
    let with_tilde = below_home.map(|rest| Path::new("~").join(rest));
    [Some(dir), with_tilde.as_deref()].into_iter().flatten().any(|path| {
        let text = path.to_string_lossy();
        pattern.matches(&text) || pattern.matches(&format!("{text}/"))
    })
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

/// Resolves symbolic links. If the path does not exist, only makes it absolute and removes `.` and
/// `..`.
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
        clean
    })
}

#[cfg(test)]
mod tests;
