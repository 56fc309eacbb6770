//! Decides which project a directory belongs to, and whether the user wants it recorded
//! ([`recording`]).
//!
//! The key of a repository is its `origin`. Clones and work trees therefore share a memory, and two
//! directories of the same name do not. Without an origin, the key is git's common directory.
//! Outside of a repository, it is the directory itself. docs/projects.md lists the cases.

mod origin;
mod path_base;
pub mod pause;
pub mod recording;
mod rewrites;
mod ssh_config;
mod typed_path;
mod user_files;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use memctl_proto::event::Project;

use crate::config::{self, ProjectDir, Settings};
use crate::files::FileId;
use crate::git::{self, Located, Repository};
use crate::memory::Head;
use crate::process;
use crate::text::without_controls;
use origin::{Origin, Remote};
pub use path_base::{PathBase, named_by, seen_from};
pub use typed_path::typed_path;
use user_files::UserFiles;

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
    match locate(&dir) {
        Located::Repository(repository) => of_repository(&repository),
        Located::Unreachable(work_tree) => {
            let (root, common_dir) = (&work_tree.root, resolve(&work_tree.common_dir));
            let keys = vec![dir_key(&common_dir), dir_key(root)];
            Project { keys, name: name(naming_dir(root, &common_dir)), root: display(root) }
        }
        Located::Outside => {
            Project { keys: vec![dir_key(&dir)], name: name(&dir), root: display(&dir) }
        }
    }
}

fn of_repository(repository: &Repository) -> Project {
    let root = &repository.root;
    let linked_dir = resolve(&repository.common_dir());
    let is_own = repository.owns_git_dir();
    let common_dir = if is_own { linked_dir.clone() } else { root.join(".git") };
    let mut keys = Vec::new();
    let origin = repository.origin_url().and_then(|url| Origin::parse(&url, root));
    let name = match &origin {
        Some(Origin::Remote(remote)) => name(Path::new(&remote.path)),
        _ => name(naming_dir(root, &common_dir)),
    };
    match origin {
        Some(Origin::Remote(remote)) => keys.push(remote.key()),
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

/// The keys of all spellings of the repository's origin, that of the URL which git uses first. The user's
/// configuration may rewrite the URL, and name the host of an alias for ssh. What a written URL means
/// without them stays a key, because they may be newer than the memory.
pub fn origin_keys(repository: &Repository) -> Vec<String> {
    let Some(written) = repository.origin_url() else { return Vec::new() };
    let mut files = UserFiles::of_account();
    let rewritten =
        files.as_mut().and_then(|f| rewrites::rewritten(&written, f, repository.situation()));
    let mut keys = Vec::new();
    for url in rewritten.iter().chain([&written]) {
        let Some(Origin::Remote(remote)) = Origin::parse(url, &repository.root) else { continue };
        let files = files.as_mut().filter(|_| remote.over_ssh);
        let host = files.and_then(|files| ssh_config::host_name(&remote.host, files));
        let behind_alias = host.and_then(|host| remote.at(&host));
        keys.extend(behind_alias.iter().chain([&remote]).map(Remote::key));
    }
    let mut known = BTreeSet::new();
    keys.retain(|key| known.insert(key.clone()));
    keys
}

/// The key of the directory at the root of a project. It stays a key when the directory becomes a
/// repository, or when the git directory of a work tree is not reachable any more. `None` if the path is
/// not valid UTF-8, which `root` no longer tells.
pub fn place_key(root: &str) -> Option<String> {
    (!root.is_empty() && !root.contains('\u{fffd}')).then(|| dir_key(Path::new(root)))
}

/// The directory that a key names. `None` for an origin.
pub fn key_dir(key: &str) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let mut rest = key.strip_prefix("dir:")?.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let byte =
            escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// Finds the repository that counts for `dir`, whose symbolic links are resolved. A repository at the
/// home directory, as for dotfiles, or at `/` counts for this directory alone.
pub fn locate(dir: &Path) -> Located {
    match git::locate(dir) {
        Located::Repository(r) if r.root != dir && is_home_or_top(&r.root) => Located::Outside,
        located => located,
    }
}

/// The repository that counts for `dir`.
pub fn repository(dir: &Path) -> Option<Repository> {
    match locate(dir) {
        Located::Repository(repository) => Some(repository),
        Located::Unreachable(_) | Located::Outside => None,
    }
}

fn is_home_or_top(root: &Path) -> bool {
    let is_home = |home: PathBuf| {
        let is_same = || FileId::at(&home).is_ok_and(|id| FileId::at(root).is_ok_and(|r| r == id));
        // What is below the home directory need not be compared with what a link there leads to.
        home == root || !root.starts_with(&home) && is_same()
    };
    root.parent().is_none() || process::account_home().ok().flatten().is_some_and(is_home)
}

/// Loads the settings for a session in these directories. Config files inside their repositories are not
/// trusted.
///
/// # Errors
/// A message if no data dir can be determined.
pub fn settings(dirs: &[&Path]) -> Result<Settings, String> {
    let account_home = process::account_home();
    config::load(&config::process_env, account_home, &|real_paths| {
        let real = |dir: &Path| real_paths.without_links(dir).unwrap_or_else(|| resolve(dir));
        dirs.iter().map(|dir| project_dir(real(dir))).collect()
    })
}

/// HEAD of the work tree that contains `dir`. `None` outside a repository.
pub fn head(dir: &Path) -> Option<Head> {
    let repository = repository(dir)?;
    let branch = repository.branch().unwrap_or_default();
    Some(Head { branch, commit: repository.head_commit().unwrap_or_default() })
}

/// The root of the repository that contains `dir`, or `dir` itself.
pub fn dir_of(dir: &Path) -> ProjectDir {
    project_dir(resolve(dir))
}

/// As [`dir_of`], without symbolic links in `dir`.
fn project_dir(dir: PathBuf) -> ProjectDir {
    match repository(&dir) {
        Some(repository) => ProjectDir { path: repository.root, is_repository: true },
        None => ProjectDir { path: dir, is_repository: false },
    }
}

/// Directories that the system or other programs empty.
const TEMPORARY: [&str; 6] =
    ["/tmp", "/var/tmp", "/dev/shm", "/private/tmp", "/private/var/folders", "/var/folders"];

/// Whether a directory is below one for temporary files, and not in the user's home directory.
pub fn is_temporary(dir: &Path) -> bool {
    let home = process::account_home().ok().flatten();
    let is_home = home.is_some_and(|home| dir.starts_with(resolve(&home)));
    !is_home && TEMPORARY.iter().any(|temporary| dir.starts_with(temporary))
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
pub fn dir_key(dir: &Path) -> String {
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
