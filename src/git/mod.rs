//! Reads the files of a git repository: its location, branch, history, origin and changed files. Also hashes
//! content as git does.
//!
//! No function here starts git, because that takes longer than a hook may run. All of them return
//! `None` or an empty list if a file is missing or has an unknown format. Only regular files are
//! read, because a pipe in place of a file would block the hook, and only up to a limit.

mod blob;
mod config;
mod history;
mod index;
mod objects;
mod work_tree;

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub use blob::hash_file;
pub use config::{MAX_DEPTH as MAX_CONFIG_DEPTH, Situation, with_includes};
pub use history::History;
pub use objects::Objects;
pub use work_tree::{FileState, states};

use crate::{files, process};

/// Reads stop here. Of a config with very many branches, only the beginning is read.
const MAX_FILE: u64 = 256 << 10;
/// A longer index is ignored.
const MAX_INDEX: u64 = 8 << 20;
/// Of a longer list of packed references, only the beginning is read.
const MAX_PACKED_REFS: u64 = 4 << 20;
/// Larger files get no hash. Hashing this many bytes takes about 0.5 ms without SHA instructions.
pub const MAX_HASHED: u64 = 256 << 10;
/// How many files of a repository's configuration are read.
const MAX_INCLUDED: usize = 8;
/// A longer URL is ignored.
const MAX_URL: usize = 1024;

/// A repository, seen from one of its work trees.
pub struct Repository {
    /// The root of the work tree.
    pub root: PathBuf,
    /// `.git`, or the directory that a file of this name points to.
    git_dir: PathBuf,
    /// The files of the index, read once. `None` if its format is unknown.
    index: OnceCell<Option<Vec<index::Entry>>>,
}

/// A work tree whose `.git` file names a git directory that is not there: it was removed, moved, or is
/// outside of this container.
#[derive(Debug, PartialEq)]
pub struct Unreachable {
    /// The root of the work tree.
    pub root: PathBuf,
    /// The common directory, as far as the name of the git directory tells it.
    pub common_dir: PathBuf,
    /// The name of the work tree in its repository.
    name: Option<OsString>,
}

impl Unreachable {
    fn new(root: &Path, git_dir: &Path) -> Unreachable {
        let worktrees =
            git_dir.parent().filter(|dir| dir.file_name() == Some(OsStr::new("worktrees")));
        let linked = worktrees
            .and_then(Path::parent)
            .map(|common_dir| (common_dir.to_owned(), git_dir.file_name().map(OsStr::to_owned)));
        let (common_dir, name) = linked.unwrap_or_else(|| (git_dir.to_owned(), None));
        Unreachable { root: root.to_owned(), common_dir, name }
    }

    /// Whether this repository's own link leads to the work tree. The repository may have moved.
    pub fn is_linked_from(&self, common_dir: &Path) -> bool {
        let Some(name) = &self.name else { return false };
        let git_dir = common_dir.join("worktrees").join(name);
        leads_back(&git_dir, &self.root)
    }
}

/// Where a directory is.
pub enum Located {
    Repository(Repository),
    Unreachable(Unreachable),
    /// In no repository.
    Outside,
}

/// Finds the repository whose work tree contains `dir`: the nearest `.git` upward that has a HEAD. Like
/// git, skips an empty `.git` and stops at a `.git` file that leads nowhere, unless the repository that
/// it names contains the directory.
///
/// Does not resolve symbolic links in `dir`.
pub fn locate(dir: &Path) -> Located {
    let mut found =
        dir.ancestors().map(Repository::at).filter(|at| !matches!(at, Located::Outside));
    let work_tree = match found.next() {
        None => return Located::Outside,
        Some(Located::Unreachable(work_tree)) => work_tree,
        Some(located) => return located,
    };
    let around = found.find_map(|at| match at {
        Located::Repository(repository) => Some(repository),
        _ => None,
    });
    let named = work_tree.common_dir.canonicalize().ok();
    let is_named = |r: &Repository| named.is_some() && r.common_dir().canonicalize().ok() == named;
    match around.filter(is_named) {
        Some(repository) => Located::Repository(repository),
        None => Located::Unreachable(work_tree),
    }
}

impl Repository {
    /// The repository whose work tree contains `dir`, as [`locate`] finds it.
    #[cfg(test)]
    pub fn find(dir: &Path) -> Option<Repository> {
        match locate(dir) {
            Located::Repository(repository) => Some(repository),
            Located::Unreachable(_) | Located::Outside => None,
        }
    }

    fn at(root: &Path) -> Located {
        let dot_git = root.join(".git");
        let Ok(meta) = fs::metadata(&dot_git) else { return Located::Outside };
        let has_head = |git_dir: &Path| fs::symlink_metadata(git_dir.join("HEAD")).is_ok();
        let repository = |git_dir| {
            let root = root.to_owned();
            Located::Repository(Repository { root, git_dir, index: OnceCell::new() })
        };
        if meta.is_dir() {
            return if has_head(&dot_git) { repository(dot_git) } else { Located::Outside };
        }
        let text = read(&dot_git, MAX_FILE).unwrap_or_default();
        let Some(named) = text.strip_prefix(b"gitdir:") else { return Located::Outside };
        let git_dir = root.join(path_of(named.trim_ascii()));
        match has_head(&git_dir) {
            true => repository(git_dir),
            false => Located::Unreachable(Unreachable::new(root, &git_dir)),
        }
    }

    /// The directory that all work trees of the repository share. It may contain `..`.
    pub fn common_dir(&self) -> PathBuf {
        match read(&self.git_dir.join("commondir"), MAX_FILE) {
            Some(text) => self.git_dir.join(path_of(text.trim_ascii())),
            None => self.git_dir.clone(),
        }
    }

    /// Whether the git directory belongs to this work tree: it is the work tree's own `.git`, or git's
    /// own link leads back from it. Anybody can make a `.git` that only points to a repository.
    pub fn owns_git_dir(&self) -> bool {
        let (Ok(root), Ok(git_dir)) = (self.root.canonicalize(), self.git_dir.canonicalize())
        else {
            return false;
        };
        let Ok(common_dir) = self.common_dir().canonicalize() else { return false };
        if git_dir == root.join(".git") {
            return git_dir == common_dir;
        }
        if git_dir == common_dir {
            // A bare repository inside of the directory, beside its work trees. One that is named `.git`
            // belongs to the directory around it.
            if git_dir.starts_with(&root) && git_dir.file_name() != Some(OsStr::new(".git")) {
                return true;
            }
            // A submodule.
            let config = self.config().unwrap_or_default();
            let work_tree = config::first_value(&config, "core", None, "worktree");
            work_tree.and_then(|path| git_dir.join(path).canonicalize().ok()) == Some(root)
        } else {
            leads_back(&git_dir, &root) && git_dir.starts_with(common_dir.join("worktrees"))
        }
    }

    /// The repository's own object store. `None` if the store is a link, or belongs to a repository that
    /// does not know this work tree.
    pub fn objects(&self) -> Option<Objects> {
        let dir = self.common_dir().join("objects");
        let is_dir = fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir());
        (is_dir && self.owns_git_dir()).then(|| Objects::new(dir))
    }

    /// The hash of the commit that is checked out. `None` before the first commit.
    pub fn head_commit(&self) -> Option<String> {
        let head = String::from_utf8(read(&self.git_dir.join("HEAD"), MAX_FILE)?).ok()?;
        match head.trim().strip_prefix("ref: ") {
            Some(reference) => self.resolve(reference),
            None => hash(head.trim()),
        }
    }

    /// The commit that a reference names.
    fn resolve(&self, reference: &str) -> Option<String> {
        let common_dir = self.common_dir();
        if is_ref_name(reference)
            && let Some(loose) = read(&common_dir.join(reference), MAX_FILE)
        {
            return hash(std::str::from_utf8(&loose).ok()?.trim());
        }
        let packed = read(&common_dir.join("packed-refs"), MAX_PACKED_REFS)?;
        let packed = String::from_utf8_lossy(&packed);
        packed.lines().find_map(|line| {
            let (commit, name) = line.split_once(' ')?;
            if name == reference { hash(commit) } else { None }
        })
    }

    /// The branch that is checked out. `None` if HEAD is detached, or if its branch is stored in a
    /// format other than files (`reftable` writes `.invalid` to HEAD).
    pub fn branch(&self) -> Option<String> {
        let head = String::from_utf8(read(&self.git_dir.join("HEAD"), MAX_FILE)?).ok()?;
        let name = head.trim().strip_prefix("ref: refs/heads/")?;
        (name != ".invalid").then(|| name.to_owned())
    }

    /// The URL of the remote `origin` as it is configured, also in a file that the configuration includes.
    pub fn origin_url(&self) -> Option<String> {
        let is_it =
            |entry: &config::Entry| entry.is("remote", "url") && entry.subsection == "origin";
        let url = self.config_entries().into_iter().find(is_it)?.value;
        (!url.is_empty() && url.len() <= MAX_URL).then_some(url)
    }

    /// What the conditions of a configuration ask of this repository.
    pub fn situation(&self) -> Situation {
        let urls = self.config_entries().into_iter().filter(|entry| entry.is("remote", "url"));
        Situation { remote_urls: urls.map(|entry| entry.value).collect(), ..self.own_situation() }
    }

    fn own_situation(&self) -> Situation {
        let real = self.git_dir.canonicalize().ok();
        let mut git_dirs = vec![self.git_dir.clone()];
        git_dirs.extend(real.filter(|real| *real != self.git_dir));
        Situation {
            home: process::account_home().ok().flatten(),
            git_dirs,
            branch: self.branch(),
            remote_urls: Vec::new(),
        }
    }

    /// The entries of the repository's configuration, with those of the files that it includes.
    fn config_entries(&self) -> Vec<config::Entry> {
        let Some(text) = self.config() else { return Vec::new() };
        let own = config::entries(&text);
        if !own.iter().any(|e| e.is("include", "path") || e.is("includeif", "path")) {
            return own;
        }
        let urls = own.into_iter().filter(|entry| entry.is("remote", "url"));
        let remote_urls = urls.map(|entry| entry.value).collect();
        let situation = Situation { remote_urls, ..self.own_situation() };
        let mut n_left = MAX_INCLUDED;
        with_includes(&self.common_dir().join("config"), &situation, &mut |path| {
            n_left = usize::checked_sub(n_left, 1)?;
            read_own(path)
        })
    }

    /// The changed files of the work tree, as sorted paths relative to its root.
    ///
    /// A file counts as changed if its size or time differs from the index, or if it is gone. Git
    /// then compares the content too, but this function does not. It therefore lists a file that
    /// was only touched, and does not list a file whose change is staged.
    ///
    /// A file of `known`, which are paths relative to the root, counts as new if the index does not
    /// contain it. If the tree is large, only `known` files are compared.
    pub fn changed_files(&self, known: &[String]) -> Vec<String> {
        self.index()
            .and_then(|entries| index::changed_files(entries, &self.root, known))
            .unwrap_or_default()
    }

    /// The files of the index. `None` if it is missing, too large or has an unknown format.
    fn index(&self) -> Option<&[index::Entry]> {
        let read_index = || {
            let path = self.git_dir.join("index");
            fs::metadata(&path).ok().filter(|file| file.len() <= MAX_INDEX)?;
            index::parse(&read(&path, MAX_INDEX)?, self.hash_len())
        };
        self.index.get_or_init(read_index).as_deref()
    }

    /// The length of an object's hash in bytes.
    fn hash_len(&self) -> usize {
        let config = self.config().unwrap_or_default();
        match config::first_value(&config, "extensions", None, "objectformat").as_deref() {
            Some("sha256") => 32,
            _ => 20,
        }
    }

    fn config(&self) -> Option<String> {
        let config = read(&self.common_dir().join("config"), MAX_FILE)?;
        Some(String::from_utf8_lossy(&config).into_owned())
    }
}

/// The common directory of the repository at `path`, which may be the root of a work tree, a `.git`
/// directory or a bare repository. Git clones from all of these.
pub fn common_dir_at(path: &Path) -> Option<PathBuf> {
    match Repository::at(path) {
        Located::Repository(repository) => Some(repository.common_dir()),
        _ => fs::metadata(path.join("HEAD")).is_ok().then(|| path.to_owned()),
    }
}

/// Whether the link in the git directory of a work tree leads to the work tree at `root`, which is
/// canonical.
fn leads_back(git_dir: &Path, root: &Path) -> bool {
    let link = read(&git_dir.join("gitdir"), MAX_FILE).unwrap_or_default();
    let dot_git = git_dir.join(path_of(link.trim_ascii()));
    dot_git.file_name() == Some(OsStr::new(".git"))
        && dot_git.parent().and_then(|dir| dir.canonicalize().ok()).as_deref() == Some(root)
}

/// The text, if it is a whole SHA-1 or SHA-256 hash.
fn hash(text: &str) -> Option<String> {
    let is_hash = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase())
}

/// Whether a reference's name is a relative path that leads to no other directory.
fn is_ref_name(reference: &str) -> bool {
    Path::new(reference).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Reads the last `max` bytes of a regular file.
fn read_end(file: &Path, max: u64) -> Option<Vec<u8>> {
    let meta = fs::metadata(file).ok()?;
    if !meta.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut file = fs::File::open(file).ok()?;
    file.seek(SeekFrom::Start(meta.len().saturating_sub(max))).ok()?;
    file.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Reads at most `max` bytes of a regular file.
fn read(file: &Path, max: u64) -> Option<Vec<u8>> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Reads the beginning of a regular file that belongs to this user or to the system.
fn read_own(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    files::open_trusted(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
