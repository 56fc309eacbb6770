//! What is being worked on, read from the work tree without starting git: the branch, and the
//! files that differ from the index.
//!
//! A file counts as changed when its size or time is not what the index says, when it is gone, or
//! when memory knows it and the index does not (a new file). That is what `git status` looks at
//! first; it would go on to compare contents. So a file that was merely touched is named too, and
//! one whose change is staged already is not. For choosing what to tell first, that is enough.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most files of the index that are looked at; of a larger tree only those that memory names.
const MAX_STATS: usize = 2_000;
/// Where more files differ than this, the tree was copied and not edited.
const MAX_CHANGED: usize = 200;
const MAX_INDEX: u64 = 8 << 20;
const MAX_SMALL: u64 = 64 << 10;

/// The branch checked out at `dir` or in the nearest directory above it that is a work tree.
/// Nothing where HEAD is detached, or no branch of this format.
pub fn branch(dir: &Path) -> Option<String> {
    let (_, git_dir) = find(dir)?;
    let head = read_text(&git_dir.join("HEAD"))?;
    let name = head.trim().strip_prefix("ref: refs/heads/")?;
    (name != ".invalid").then(|| name.to_owned())
}

/// The work tree's changed files, by path from its root, sorted. `known` are the paths that memory
/// would have something to say about; absolute ones are passed over.
pub fn changed_files(dir: &Path, known: &[String]) -> Vec<String> {
    changed(dir, known).unwrap_or_default()
}

fn changed(dir: &Path, known: &[String]) -> Option<Vec<String>> {
    let (root, git_dir) = find(dir)?;
    let index = read_file(&git_dir.join("index"), MAX_INDEX)?;
    let entries = parse(&index, hash_len(&git_dir))?;
    let known: BTreeSet<&str> = known.iter().map(String::as_str).filter(|p| is_inside(p)).collect();
    let all = entries.len() <= MAX_STATS;
    let looked_at = entries.iter().filter(|e| all || known.contains(e.path.as_str()));
    let mut found: BTreeSet<String> =
        looked_at.filter(|e| differs(e, &root)).map(|e| e.path.clone()).collect();
    let indexed: BTreeSet<&str> = entries.iter().map(|e| e.path.as_str()).collect();
    let new = known.iter().filter(|p| !indexed.contains(*p) && root.join(p).is_file());
    found.extend(new.map(|p| (*p).to_owned()));
    (found.len() <= MAX_CHANGED).then(|| found.into_iter().collect())
}

/// A relative path that stays below the root.
fn is_inside(path: &str) -> bool {
    use std::path::Component;
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// The work tree's root and its git directory: `.git` itself, or where that file points.
fn find(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    let (root, git) = dir.ancestors().map(|d| (d, d.join(".git"))).find(|(_, g)| g.exists())?;
    if git.is_dir() {
        return Some((root.to_owned(), git));
    }
    let text = read_text(&git)?;
    let target = text.trim_end_matches(['\n', '\r']).strip_prefix("gitdir: ")?;
    Some((root.to_owned(), root.join(target)))
}

/// 32 bytes in a repository of the `sha256` object format, else 20.
fn hash_len(git_dir: &Path) -> usize {
    let common = match read_text(&git_dir.join("commondir")) {
        Some(path) => git_dir.join(path.trim()),
        None => git_dir.to_owned(),
    };
    let config = read_text(&common.join("config")).unwrap_or_default().to_ascii_lowercase();
    let sha256 = config.lines().any(|line| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        key.trim() == "objectformat" && value.trim() == "sha256"
    });
    if sha256 { 32 } else { 20 }
}

fn differs(entry: &Entry, root: &Path) -> bool {
    let Ok(now) = fs::symlink_metadata(root.join(&entry.path)) else { return true };
    if entry.conflicted {
        return true;
    }
    // A git built without nanoseconds writes zero there.
    let nanos = now.mtime_nsec() as u32;
    let same_nanos = entry.nanos == nanos || entry.nanos == 0;
    // Of a file written in the second of the index itself git notes size 0: it cannot tell either.
    let same_size = entry.size == now.size() as u32 || entry.size == 0;
    !(entry.seconds == now.mtime() as u32 && same_nanos && same_size)
}

struct Entry {
    path: String,
    seconds: u32,
    nanos: u32,
    /// Modulo 2^32, as the index has it.
    size: u32,
    conflicted: bool,
}

/// The files of an index of version 2, 3 or 4 (git's `index-format`): submodules, folders of a
/// sparse index, and what the user told git to take as unchanged are passed over. Nothing for any
/// other file, for a split index too, which holds but a part.
fn parse(index: &[u8], hash_len: usize) -> Option<Vec<Entry>> {
    let mut at = Cursor { rest: index.strip_prefix(b"DIRC")? };
    let version = at.u32()?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let n_entries = at.u32()?;
    let mut entries = Vec::new();
    let mut path: Vec<u8> = Vec::new();
    for _ in 0..n_entries {
        let start = at.rest.len();
        at.bytes(8)?; // ctime
        let (seconds, nanos) = (at.u32()?, at.u32()?);
        at.bytes(8)?; // device, inode
        let mode = at.u32()?;
        at.bytes(8)?; // user, group
        let size = at.u32()?;
        at.bytes(hash_len)?;
        let flags = at.u16()?;
        let extended = if version >= 3 && flags & 0x4000 != 0 { at.u16()? } else { 0 };
        if version == 4 {
            let cut = at.varint()?;
            path.truncate(path.len().checked_sub(cut)?);
        } else {
            path.clear();
        }
        let end = at.rest.iter().position(|b| *b == 0)?;
        path.extend_from_slice(at.bytes(end)?);
        // Up to version 3 an entry is filled with 1 to 8 NUL to a multiple of 8 bytes.
        let filler = if version == 4 { 1 } else { 8 - (start - at.rest.len()) % 8 };
        at.bytes(filler)?;
        let is_file = matches!(mode >> 12, 0o10 | 0o12);
        let taken_as_unchanged = flags & 0x8000 != 0 || extended & 0x4000 != 0;
        if !is_file || taken_as_unchanged {
            continue;
        }
        if let Ok(path) = std::str::from_utf8(&path)
            && is_inside(path)
        {
            let conflicted = flags & 0x3000 != 0;
            entries.push(Entry { path: path.to_owned(), seconds, nanos, size, conflicted });
        }
    }
    (!at.rest.starts_with(b"link")).then_some(entries)
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// Seven bits a byte, the highest first, each further byte adding one: as in a pack's offsets.
    fn varint(&mut self) -> Option<usize> {
        let mut byte = self.bytes(1)?[0];
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.bytes(1)?[0];
            value = value.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
        }
        Some(value)
    }
}

fn read_text(path: &Path) -> Option<String> {
    String::from_utf8(read_file(path, MAX_SMALL)?).ok()
}

/// A regular file of at most `max` bytes: a pipe in its place must not hold anybody up.
fn read_file(path: &Path, max: u64) -> Option<Vec<u8>> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > max || path.as_os_str().as_bytes().contains(&0) {
        return None;
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    fs::File::open(path).ok()?.take(max).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
#[path = "worktree_tests.rs"]
mod tests;
