//! The file of the database: checks it before SQLite opens it by its path.
//!
//! Only the metadata is read here. Opening and closing the file would drop the locks that SQLite
//! holds in this process.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::Result;
use crate::files::{FileId, own_uid};
use crate::paths::Paths;

/// The file at the database's path.
pub fn id(paths: &Paths) -> io::Result<FileId> {
    Ok(paths.database().stat()?.id)
}

/// Whether there is a database.
///
/// # Errors
/// If the data dir exists and cannot be used, for example because it belongs to another user.
pub fn exists(paths: &Paths) -> io::Result<bool> {
    match paths.database().stat() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The path by which SQLite opens the database. It contains no symbolic link.
///
/// # Errors
/// `PermissionDenied` if the database or a file beside it is not a regular file of this user. A link
/// beside it is left to SQLite, which does not follow it.
pub fn checked_path(paths: &Paths) -> io::Result<PathBuf> {
    let files = paths.database_files();
    for (n, file) in files.iter().enumerate() {
        let found = match file.stat() {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            found => found?,
        };
        let is_safe = found.is_file() || n > 0 && found.is_link();
        if !is_safe || found.uid != own_uid() {
            return Err(file.irregular());
        }
    }
    Ok(fs::canonicalize(paths.data())?.join(files[0].file_name()))
}

/// Opens the database at a path from [`checked_path`]. Fails if it contains a symbolic link now.
pub fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(Connection::open_with_flags(path, flags)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Another program may replace the database between the check and the opening.
    #[test]
    fn a_link_at_a_checked_path_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (target, link) = (dir.join("target"), dir.join("link"));
        drop(open(&target, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE));
        symlink(&target, &link).unwrap();
        assert!(open(&target, OpenFlags::SQLITE_OPEN_READ_WRITE).is_ok());
        assert!(open(&link, OpenFlags::SQLITE_OPEN_READ_WRITE).is_err());
    }
}
