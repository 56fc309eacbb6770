//! Parses the index of a work tree and finds the files that differ from it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

/// If the index has more files, only the known ones are compared.
pub(super) const MAX_COMPARED: usize = 2_000;
/// If more files differ, the work tree was probably copied, not edited: the copies have new times.
pub(super) const MAX_CHANGED: usize = 200;

/// The files below `root` that differ from the index, and the known files that it does not contain.
/// `None` if more than `MAX_CHANGED` files differ.
pub fn changed_files(entries: &[Entry], root: &Path, known: &[String]) -> Option<Vec<String>> {
    let known: BTreeSet<&str> =
        known.iter().map(String::as_str).filter(|p| stays_inside(p)).collect();
    let compare_all = entries.len() <= MAX_COMPARED;
    let compared = entries.iter().filter(|e| compare_all || known.contains(e.path.as_str()));
    let mut changed: BTreeSet<String> =
        compared.filter(|e| differs(e, root)).map(|e| e.path.clone()).collect();
    let indexed: BTreeSet<&str> = entries.iter().map(|e| e.path.as_str()).collect();
    let new = known.iter().filter(|p| !indexed.contains(*p) && root.join(p).is_file());
    changed.extend(new.map(|p| (*p).to_owned()));
    (changed.len() <= MAX_CHANGED).then(|| changed.into_iter().collect())
}

/// Whether a path is relative and does not leave the root.
pub(super) fn stays_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Whether size or time of the file differ from those in the index.
pub(super) fn differs(entry: &Entry, root: &Path) -> bool {
    let Ok(file) = fs::symlink_metadata(root.join(&entry.path)) else { return true };
    if entry.conflicted {
        return true;
    }
    // Git writes 0 if it was built without support for nanoseconds.
    let nanos = file.mtime_nsec() as u32;
    let same_nanos = entry.nanos == nanos || entry.nanos == 0;
    // Git writes size 0 for a file as young as the index, because a later edit may not change the
    // time.
    let same_size = entry.size == file.size() as u32 || entry.size == 0;
    !(entry.seconds == file.mtime() as u32 && same_nanos && same_size)
}

/// A file of the index.
pub struct Entry {
    pub path: String,
    /// The hash of its content, padded with zeros.
    pub hash: [u8; 32],
    seconds: u32,
    nanos: u32,
    /// Modulo 2^32.
    size: u32,
    conflicted: bool,
}

/// The files of an index of version 2, 3 or 4 (`man gitformat-index`). Submodules, directories of a
/// sparse index and files that the user marked as unchanged are left out. `None` for a split index,
/// which contains only some of the files.
pub fn parse(index: &[u8], hash_len: usize) -> Option<Vec<Entry>> {
    let mut cursor = Cursor { rest: index.strip_prefix(b"DIRC")? };
    let version = cursor.u32()?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let n_entries = cursor.u32()?;
    let mut entries = Vec::new();
    let mut path: Vec<u8> = Vec::new();
    for _ in 0..n_entries {
        let start = cursor.rest.len();
        cursor.bytes(8)?; // ctime
        let (seconds, nanos) = (cursor.u32()?, cursor.u32()?);
        cursor.bytes(8)?; // device, inode
        let mode = cursor.u32()?;
        cursor.bytes(8)?; // user, group
        let size = cursor.u32()?;
        let mut hash = [0; 32];
        hash.get_mut(..hash_len)?.copy_from_slice(cursor.bytes(hash_len)?);
        let flags = cursor.u16()?;
        let extended = if version >= 3 && flags & 0x4000 != 0 { cursor.u16()? } else { 0 };
        if version == 4 {
            let removed = cursor.varint()?;
            path.truncate(path.len().checked_sub(removed)?);
        } else {
            path.clear();
        }
        let end = cursor.rest.iter().position(|b| *b == 0)?;
        path.extend_from_slice(cursor.bytes(end)?);
        // Up to version 3, 1 to 8 NUL bytes pad an entry to a multiple of 8 bytes.
        let padding = if version == 4 { 1 } else { 8 - (start - cursor.rest.len()) % 8 };
        cursor.bytes(padding)?;
        let is_file = matches!(mode >> 12, 0o10 | 0o12);
        let assumed_unchanged = flags & 0x8000 != 0 || extended & 0x4000 != 0;
        if !is_file || assumed_unchanged {
            continue;
        }
        if let Ok(path) = std::str::from_utf8(&path)
            && stays_inside(path)
        {
            let conflicted = flags & 0x3000 != 0;
            entries.push(Entry { path: path.to_owned(), hash, seconds, nanos, size, conflicted });
        }
    }
    (!cursor.rest.starts_with(b"link")).then_some(entries)
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

    /// The encoding of offsets in a pack file: seven bits per byte, most significant first; one is
    /// added for each further byte.
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
