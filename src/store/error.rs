//! What can go wrong in the store, in one table: what to wait for, what to give up on.

use std::io;

use rusqlite::{ErrorCode, ffi};

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has it, and had it for as long as we may wait. Try again.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The disk or the file; nothing that waiting a second would change. Whoever delivers an
    /// event takes the spool.
    #[error("the store cannot be used ({kind}): {message}")]
    Fault { kind: StoreFault, message: String },
    #[error(
        "the memory was written by a newer memctl (schema {found}, this one knows {known}): \
         update memctl"
    )]
    Newer { found: i64, known: i64 },
    /// The session has a newer owner: roll back and leave.
    #[error("the session belongs to another worker")]
    Fenced,
    /// What must not happen: wrong SQL, a row that makes no sense.
    #[error("internal error of the store: {0}")]
    Bug(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    Full,
    Io,
    ReadOnly,
    CannotOpen,
    Corrupt,
    NotADatabase,
}

impl std::fmt::Display for StoreFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StoreFault::Full => "disk full",
            StoreFault::Io => "input/output error",
            StoreFault::ReadOnly => "read-only",
            StoreFault::CannotOpen => "cannot be opened",
            StoreFault::Corrupt => "damaged",
            StoreFault::NotADatabase => "not a database",
        })
    }
}

impl StoreError {
    /// The file itself is beyond use and may be set aside.
    pub fn is_corruption(&self) -> bool {
        matches!(
            self,
            StoreError::Fault { kind: StoreFault::Corrupt | StoreFault::NotADatabase, .. }
        )
    }

    /// Where the log's index cannot be had, this is how it shows.
    pub fn may_lack_wal(&self) -> bool {
        let StoreError::Fault { kind, .. } = self else { return false };
        matches!(kind, StoreFault::CannotOpen | StoreFault::ReadOnly | StoreFault::Io)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let fault = |kind| StoreError::Fault { kind, message: error.to_string() };
        use ErrorCode as Code;
        // SQLite reports a full disk as SQLITE_FULL, except when it extends `-shm`.
        if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return fault(StoreFault::Full);
        }
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed) => {
                StoreError::Busy(error.to_string())
            }
            Some(Code::DiskFull) => fault(StoreFault::Full),
            Some(Code::SystemIoFailure | Code::OutOfMemory) => fault(StoreFault::Io),
            Some(Code::ReadOnly) => fault(StoreFault::ReadOnly),
            Some(Code::CannotOpen | Code::PermissionDenied) => fault(StoreFault::CannotOpen),
            Some(Code::DatabaseCorrupt) => fault(StoreFault::Corrupt),
            Some(Code::NotADatabase) => fault(StoreFault::NotADatabase),
            _ => StoreError::Bug(error.to_string()),
        }
    }
}

/// Of the files beside the database: the store's lock and the directories.
impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFault::Full,
            io::ErrorKind::ReadOnlyFilesystem => StoreFault::ReadOnly,
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => StoreFault::CannotOpen,
            _ => StoreFault::Io,
        };
        StoreError::Fault { kind, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_consequence() {
        let of = |code: i32| match StoreError::from(rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            None,
        )) {
            StoreError::Busy(_) => "wait".to_owned(),
            StoreError::Fault { kind, .. } => format!("{kind:?}"),
            StoreError::Bug(_) => "bug".to_owned(),
            other => format!("{other}"),
        };
        for (code, expected) in [
            (ffi::SQLITE_BUSY, "wait"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "wait"),
            (ffi::SQLITE_LOCKED, "wait"),
            (ffi::SQLITE_PROTOCOL, "wait"),
            (ffi::SQLITE_FULL, "Full"),
            (ffi::SQLITE_IOERR, "Io"),
            (ffi::SQLITE_IOERR_SHMMAP, "Io"),
            (ffi::SQLITE_IOERR_SHMSIZE, "Full"),
            (ffi::SQLITE_READONLY, "ReadOnly"),
            (ffi::SQLITE_READONLY_DBMOVED, "ReadOnly"),
            (ffi::SQLITE_CANTOPEN, "CannotOpen"),
            (ffi::SQLITE_CORRUPT, "Corrupt"),
            (ffi::SQLITE_NOTADB, "NotADatabase"),
            (ffi::SQLITE_CONSTRAINT, "bug"),
            (ffi::SQLITE_ERROR, "bug"),
        ] {
            assert_eq!(of(code), expected, "code {code}");
        }
    }
}
