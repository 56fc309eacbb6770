//! The hash by which git identifies the content of a file.

use data_encoding::HEXLOWER;
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
