//! Opens files without following links and without waiting for the other end of a pipe.
//!
//! [`Root`] is a directory whose owner, type and mode are checked, and [`Place`] a file or directory
//! below it. A place is resolved from the root's descriptor, one component at a time. No component
//! may be a symbolic link, so a link that another program has put there leads nowhere. A file opens
//! only if it is a regular file of this user.
//!
//! [`open_regular`] is for files outside of these directories, whose paths may contain links.

mod place;
mod real_paths;
mod root;
mod stat;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::OnceLock;

use nix::fcntl::OFlag;

pub use place::Place;
pub use real_paths::RealPaths;
pub use root::{Privacy, Root};
pub use stat::{FileId, Stat};

/// Larger files are not read. Every file of memctl but the database is much smaller.
const MAX_READ: u64 = 64 << 20;

/// Opens a file for reading, through symbolic links. Does not wait if the path names a pipe.
///
/// # Errors
/// `InvalidInput` if the path does not name a regular file, or an error of the file system.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Opens a regular file of this user or of the system for reading, through symbolic links. Does not wait if
/// the path names a pipe.
///
/// # Errors
/// `InvalidInput` if the path names something else, or an error of the file system.
pub fn open_trusted(path: &Path) -> io::Result<File> {
    let file = open_regular(path)?;
    match file.metadata()?.uid() {
        uid if uid == 0 || uid == own_uid() => Ok(file),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "a file of another user")),
    }
}

/// Reads the UTF-8 text of a regular file, through symbolic links.
///
/// # Errors
/// As [`open_regular`], and `InvalidData` if the text is not UTF-8.
pub fn read_regular(path: &Path) -> io::Result<String> {
    read_text(open_regular(path)?)
}

/// Reads the UTF-8 text of an open file.
///
/// # Errors
/// `FileTooLarge`, `InvalidData` if the text is not UTF-8, or an error of the file system.
pub fn read_text(file: File) -> io::Result<String> {
    text(read_all(file)?)
}

/// Reads a file to its end.
///
/// # Errors
/// `FileTooLarge` for a file of more than 64 MiB, or an error of the file system.
fn read_all(mut file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_READ + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_READ {
        true => Err(ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "not UTF-8"))
}

/// The user of this process. The system is asked once: each use of a place compares it.
pub fn own_uid() -> u32 {
    static OWN: OnceLock<u32> = OnceLock::new();
    *OWN.get_or_init(|| nix::unistd::getuid().as_raw())
}

#[cfg(test)]
mod tests;
