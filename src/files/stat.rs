//! What the file system says about a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::libc;
use nix::sys::stat::FileStat;
use serde::{Deserialize, Serialize};

/// Device and inode number. They identify a file as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    pub dev: u64,
    pub inode: u64,
}

impl FileId {
    pub fn of(file: &File) -> io::Result<FileId> {
        let meta = file.metadata()?;
        Ok(FileId { dev: meta.dev(), inode: meta.ino() })
    }

    /// The file that `path` leads to, through symbolic links.
    pub fn at(path: &Path) -> io::Result<FileId> {
        let meta = path.metadata()?;
        Ok(FileId { dev: meta.dev(), inode: meta.ino() })
    }
}

/// The metadata of a file or directory. That of a symbolic link is its own.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    pub id: FileId,
    pub uid: u32,
    /// The permission bits.
    pub mode: u32,
    /// In bytes.
    pub len: u64,
    pub modified: SystemTime,
    file_type: libc::mode_t,
}

impl Stat {
    pub fn is_file(&self) -> bool {
        self.file_type == libc::S_IFREG
    }

    pub fn is_dir(&self) -> bool {
        self.file_type == libc::S_IFDIR
    }

    pub fn is_link(&self) -> bool {
        self.file_type == libc::S_IFLNK
    }

    /// Time since the last change of the content.
    pub fn age(&self) -> Duration {
        self.modified.elapsed().unwrap_or_default()
    }
}

#[expect(clippy::unnecessary_cast, reason = "the integer types differ between systems")]
impl From<FileStat> for Stat {
    fn from(stat: FileStat) -> Stat {
        let seconds = Duration::from_secs(stat.st_mtime.max(0) as u64);
        let nanos = Duration::from_nanos(stat.st_mtime_nsec.max(0) as u64);
        Stat {
            id: FileId { dev: stat.st_dev as u64, inode: stat.st_ino as u64 },
            uid: stat.st_uid as u32,
            mode: stat.st_mode as u32 & 0o7777,
            len: stat.st_size.max(0) as u64,
            modified: SystemTime::UNIX_EPOCH + seconds + nanos,
            file_type: stat.st_mode & libc::S_IFMT,
        }
    }
}
