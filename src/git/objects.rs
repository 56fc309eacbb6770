//! Looks for objects in the object store of a repository: loose objects and the indexes of packs
//! (`man gitformat-pack`). Does not read objects, and does not follow `info/alternates`, which may
//! name the store of another repository.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A store with more packs is searched in part.
const MAX_PACKS: usize = 200;

/// An index of version 2: magic number, version, and 256 counts. The counts are of the objects whose
/// first byte is at most the position of the count.
const MAGIC: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
const COUNTS: u64 = 8;
const HASHES: u64 = COUNTS + 256 * 4;

/// An object store.
pub struct Objects {
    dir: PathBuf,
    /// The indexes of its packs, opened once.
    indexes: OnceCell<Vec<File>>,
}

impl Objects {
    pub(super) fn new(dir: PathBuf) -> Objects {
        Objects { dir, indexes: OnceCell::new() }
    }

    /// Whether the store has the object with this name, given in hexadecimal.
    pub fn contains(&self, hash: &str) -> bool {
        let Some(name) = bytes_of(hash) else { return false };
        let loose = self.dir.join(&hash[..2]).join(&hash[2..]);
        if fs::symlink_metadata(loose).is_ok_and(|meta| meta.is_file()) {
            return true;
        }
        let indexes = self.indexes.get_or_init(|| indexes(&self.dir.join("pack")));
        indexes.iter().any(|index| index_contains(index, &name).unwrap_or(false))
    }
}

/// The indexes of version 2 in the directory of the packs.
fn indexes(packs: &Path) -> Vec<File> {
    let files = fs::read_dir(packs).into_iter().flatten().flatten().filter(|entry| {
        let is_index = entry.path().extension().is_some_and(|extension| extension == "idx");
        is_index && entry.file_type().is_ok_and(|kind| kind.is_file())
    });
    let opened = files.take(MAX_PACKS).filter_map(|entry| File::open(entry.path()).ok());
    let has_magic = |file: &File| {
        let mut magic = [0; 8];
        file.read_exact_at(&mut magic, 0).is_ok() && magic == MAGIC
    };
    opened.filter(has_magic).collect()
}

fn index_contains(file: &File, name: &[u8]) -> io::Result<bool> {
    let count = |byte: u8| {
        let mut count = [0; 4];
        file.read_exact_at(&mut count, COUNTS + 4 * u64::from(byte))?;
        io::Result::Ok(u64::from(u32::from_be_bytes(count)))
    };
    let mut low = if name[0] == 0 { 0 } else { count(name[0] - 1)? };
    let mut high = count(name[0])?;
    let mut found = vec![0; name.len()];
    while low < high {
        let middle = low + (high - low) / 2;
        file.read_exact_at(&mut found, HASHES + middle * name.len() as u64)?;
        match found.as_slice().cmp(name) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// The bytes of a whole SHA-1 or SHA-256 hash.
pub(super) fn bytes_of(hash: &str) -> Option<Vec<u8>> {
    if !matches!(hash.len(), 40 | 64) || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..hash.len()).step_by(2).map(|i| u8::from_str_radix(&hash[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pack's index with these objects. Their first bytes are ascending.
    fn index(names: &[[u8; 20]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for first in 0..=255 {
            let n = names.iter().filter(|name| name[0] <= first).count() as u32;
            bytes.extend(n.to_be_bytes());
        }
        bytes.extend(names.concat());
        bytes
    }

    fn hex(name: &[u8]) -> String {
        name.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn packed_and_loose_objects_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<[u8; 20]> = [0, 0, 1, 7, 7, 7, 254, 255]
            .into_iter()
            .enumerate()
            .map(|(n, first)| {
                let mut name = [n as u8; 20];
                name[0] = first;
                name
            })
            .collect();
        fs::create_dir(dir.path().join("pack")).unwrap();
        fs::write(dir.path().join("pack/a.idx"), index(&names)).unwrap();
        fs::write(dir.path().join("pack/b.idx"), "not an index").unwrap();
        let contains = |hash: &str| Objects::new(dir.path().into()).contains(hash);
        for name in &names {
            assert!(contains(&hex(name)), "{name:?}");
            let mut other = *name;
            other[19] ^= 0x80;
            assert!(!contains(&hex(&other)), "{other:?}");
        }
        let loose = hex(&[0xab; 20]);
        assert!(!contains(&loose));
        fs::create_dir(dir.path().join(&loose[..2])).unwrap();
        fs::write(dir.path().join(&loose[..2]).join(&loose[2..]), "").unwrap();
        assert!(contains(&loose));
        for invalid in
            ["", "ab", &loose[..39], &"é".repeat(20), "../../../../../../../../../../../etc/x"]
        {
            assert!(!contains(invalid), "{invalid}");
        }
    }
}
