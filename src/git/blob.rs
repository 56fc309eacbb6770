//! The hash by which git identifies the content of a file.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use data_encoding::HEXLOWER;
use nix::fcntl::OFlag;
use sha1::{Digest, Sha1};

/// Computes what `git hash-object --no-filters` prints.
pub struct BlobHash(Sha1);

impl BlobHash {
    /// `size`: the length of the whole content in bytes.
    pub fn new(size: u64) -> BlobHash {
        BlobHash(Sha1::new_with_prefix(format!("blob {size}\0")))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }
}

/// Git's hash of a file's content, as `git hash-object --no-filters` prints it. `each` gets all parts of
/// the content. `None` for a file of more than `max` bytes, a special file, a symbolic link, and a file
/// that grows meanwhile. Does not block.
pub fn hash_file(path: &Path, max: u64, mut each: impl FnMut(&[u8])) -> Option<String> {
    let fits = |m: &fs::Metadata| m.is_file() && m.len() <= max;
    fs::symlink_metadata(path).ok().filter(fits)?;
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY;
    let mut file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).ok()?;
    let size = file.metadata().ok().filter(fits)?.len();
    let mut hash = BlobHash::new(size);
    let mut buffer = [0; 16 << 10];
    let mut remaining = size;
    loop {
        let n = file.read(&mut buffer).ok()? as u64;
        if n == 0 {
            break;
        }
        // Fails if the file has grown since its size was read.
        remaining = remaining.checked_sub(n)?;
        hash.update(&buffer[..n as usize]);
        each(&buffer[..n as usize]);
    }
    (remaining == 0).then(|| hash.finish())
}
