//! What became of a file since its content had a known hash.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::index::{Entry, differs, stays_inside};
use super::{MAX_HASHED, Repository, hash_file};

/// Files that are read, if size and time do not tell that they are as in the index.
const MAX_READ: usize = 60;
/// The bytes of all of them. Hashing these takes about 2 ms without SHA instructions.
const MAX_READ_BYTES: u64 = 1 << 20;
/// The hash of an empty file. Every empty file has it.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// A file compared with an earlier content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It has the same content.
    Current,
    Changed,
    /// The same content is at this path now.
    Moved(String),
    /// There is no file at the path.
    Gone,
}

impl FileState {
    /// The state in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            FileState::Current => "current",
            FileState::Changed => "changed",
            FileState::Moved(_) => "moved",
            FileState::Gone => "gone",
        }
    }

    /// The state behind the file's name in a line. `path` makes the new path fit for the line.
    pub fn phrase(&self, path: impl Fn(&str) -> String) -> String {
        match self {
            FileState::Changed => "changed since".to_owned(),
            FileState::Moved(to) => format!("moved to {}", path(to)),
            FileState::Current | FileState::Gone => self.word().to_owned(),
        }
    }
}

/// What became of files of a work tree: paths relative to its `root`, and git's hashes of their earlier
/// content. `None` where that cannot be told: a path outside of the root, a large file, or more files than
/// are read.
///
/// The index tells the hash of a file whose size and time are as in the index. Others are read.
pub fn states(
    root: &Path,
    repository: Option<&Repository>,
    files: &[(&str, &str)],
) -> Vec<Option<FileState>> {
    if files.is_empty() {
        return Vec::new();
    }
    let entries = repository.and_then(Repository::index).unwrap_or_default();
    let by_path: BTreeMap<&str, &Entry> = files
        .iter()
        .filter_map(|(path, _)| {
            // Git sorts the index by path, but leaves out what this reader leaves out.
            let at = entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
            Some((*path, &entries[at]))
        })
        .collect();
    let mut hashes: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut n_bytes = 0;
    let mut state = |path, blob: &str| -> Option<FileState> {
        if !stays_inside(path) {
            return None;
        }
        let full = root.join(path);
        let Ok(file) = fs::symlink_metadata(&full) else {
            return Some(
                moved(root, entries, path, blob).map_or(FileState::Gone, FileState::Moved),
            );
        };
        let entry = by_path.get(path).copied();
        if with_hash(entry, blob).any(|entry| !differs(entry, root)) {
            return Some(FileState::Current);
        }
        let may_read = hashes.len() < MAX_READ && n_bytes + file.len() <= MAX_READ_BYTES;
        let now = hashes.entry(path).or_insert_with(|| {
            n_bytes += if may_read { file.len() } else { 0 };
            may_read.then(|| hash_file(&full, MAX_HASHED, |_| ())).flatten()
        });
        Some(if now.as_ref()? == blob { FileState::Current } else { FileState::Changed })
    };
    files.iter().map(|(path, blob)| state(*path, blob)).collect()
}

/// Where the index has the content of a file that is gone. `None` if several files have it and none has
/// the same name.
fn moved(root: &Path, entries: &[Entry], path: &str, blob: &str) -> Option<String> {
    if blob == EMPTY {
        return None;
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut same: Vec<&Entry> = with_hash(entries, blob).collect();
    same.retain(|entry| root.join(&entry.path).is_file());
    let named = same.iter().copied().find(|entry| name(&entry.path) == name(path));
    let only = || if let [only] = same[..] { Some(only) } else { None };
    named.or_else(only).map(|entry| entry.path.clone())
}

/// The entries with this hash, in hexadecimal digits.
fn with_hash<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    blob: &str,
) -> impl Iterator<Item = &'a Entry> {
    let blob = HEXLOWER.decode(blob.as_bytes()).unwrap_or_default();
    let is_it =
        move |entry: &&Entry| !blob.is_empty() && entry.hash.get(..blob.len()) == Some(&blob[..]);
    entries.into_iter().filter(is_it)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(dir: &Path, args: &[&str]) -> String {
        let output = Command::new("git").current_dir(dir).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn files_are_current_changed_moved_or_gone() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
        git(root, &["init", "-q"]);
        let names = ["same.rs", "edited.rs", "moved.rs", "gone.rs", "new.rs", "empty.rs"];
        for name in names {
            write(name, if name == "empty.rs" { "" } else { name });
        }
        let blobs: Vec<String> =
            names.iter().map(|name| git(root, &["hash-object", "--no-filters", name])).collect();
        git(root, &["add", "same.rs", "edited.rs", "moved.rs", "gone.rs", "empty.rs"]);
        write("edited.rs", "another text");
        fs::create_dir(root.join("src")).unwrap();
        git(root, &["mv", "moved.rs", "src/renamed.rs"]);
        git(root, &["mv", "empty.rs", "src/empty.rs"]);
        fs::remove_file(root.join("gone.rs")).unwrap();
        let files: Vec<(&str, &str)> =
            names.iter().zip(&blobs).map(|(name, blob)| (*name, blob.as_str())).collect();
        let moved = FileState::Moved("src/renamed.rs".into());
        let expected = [
            FileState::Current,
            FileState::Changed,
            moved,
            FileState::Gone,
            FileState::Current,
            FileState::Gone,
        ];
        let repository = Repository::find(root).unwrap();
        let found = states(root, Some(&repository), &files);
        assert_eq!(found, expected.map(Some));
        assert_eq!(states(root, None, &files)[2], Some(FileState::Gone), "no index");
        let outside = states(root, None, &[("../x", &blobs[0]), ("/etc/hosts", &blobs[0])]);
        assert_eq!(outside, [None, None]);
    }
}
