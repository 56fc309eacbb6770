//! The errors of the store, and the one mapping from SQLite's error codes.

use std::io;

use rusqlite::{ErrorCode, ffi};

use crate::failure::{Failure, failed};

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process held a lock until the caller's timeout. A retry may succeed.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The disk or the file cannot be used, and an immediate retry would not help. Hooks write their
    /// events to the spool instead.
    #[error("the store cannot be used ({kind}): {message}")]
    Fault { kind: StoreFault, message: String },
    /// The schema belongs to a later release.
    #[error(
        "the database was written by a newer memctl (schema {found}; this one supports {known}): \
         update memctl"
    )]
    Newer { found: i64, known: i64 },
    /// Another worker has taken the session's fencing token. The worker rolls back and shuts down.
    #[error("the session belongs to another worker")]
    Fenced,
    /// The store refuses a value: it is too long, or violates a constraint of its table.
    #[error("the store refuses a value: {0}")]
    Refused(String),
    /// A statement does not fit the schema. Another program has changed it, and the next process that
    /// takes the store lock repairs it.
    #[error("the schema of the database is not complete: {0}")]
    Schema(String),
    /// A bug in memctl: an impossible row or a misuse of SQLite.
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
    /// Whether the file itself is damaged, so that it may be quarantined.
    pub fn is_corruption(&self) -> bool {
        matches!(
            self,
            StoreError::Fault { kind: StoreFault::Corrupt | StoreFault::NotADatabase, .. }
        )
    }

    /// Whether the error may come from a file system without shared memory for the wal-index.
    pub fn may_mean_no_wal(&self) -> bool {
        let StoreError::Fault { kind, .. } = self else { return false };
        matches!(kind, StoreFault::CannotOpen | StoreFault::ReadOnly | StoreFault::Io)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use ErrorCode as Code;
        match error {
            rusqlite::Error::ToSqlConversionFailure(_) => {
                return StoreError::Refused(error.to_string());
            }
            // The message without the statement.
            rusqlite::Error::SqlInputError { msg, .. } => return StoreError::Schema(msg),
            _ => {}
        }
        let fault = |kind| StoreError::Fault { kind, message: error.to_string() };
        // SQLite reports a full disk as SQLITE_FULL, except when it extends `-shm`.
        if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return fault(StoreFault::Full);
        }
        // Only the index of words is a virtual table. It is built again.
        if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_CORRUPT_VTAB) {
            return StoreError::Schema("the search index is damaged".into());
        }
        match error.sqlite_error_code() {
            Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed) => {
                StoreError::Busy(error.to_string())
            }
            Some(Code::OperationInterrupted) => StoreError::Busy(
                "a query took too long; `memctl doctor` checks the database".into(),
            ),
            Some(Code::DiskFull) => fault(StoreFault::Full),
            Some(Code::SystemIoFailure | Code::OutOfMemory) => fault(StoreFault::Io),
            Some(Code::ReadOnly) => fault(StoreFault::ReadOnly),
            Some(Code::CannotOpen | Code::PermissionDenied) => fault(StoreFault::CannotOpen),
            Some(Code::DatabaseCorrupt) => fault(StoreFault::Corrupt),
            Some(Code::NotADatabase) => fault(StoreFault::NotADatabase),
            Some(Code::ConstraintViolation | Code::TooBig | Code::TypeMismatch) => {
                StoreError::Refused(error.to_string())
            }
            // SQLITE_ERROR: for example a missing table, column or unique index.
            Some(Code::Unknown | Code::SchemaChanged) => StoreError::Schema(error.to_string()),
            _ => StoreError::Bug(error.to_string()),
        }
    }
}

/// What the command line says of an error.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        failed(format!("database: {error}"))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        StoreError::from(error).into()
    }
}

/// Errors of files other than the database: the store lock and directories.
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
    fn each_sqlite_code_maps_to_its_error() {
        let mapped = |code: i32| match StoreError::from(rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            None,
        )) {
            StoreError::Busy(_) => "Busy".to_owned(),
            StoreError::Fault { kind, .. } => format!("{kind:?}"),
            StoreError::Refused(_) => "Refused".to_owned(),
            StoreError::Schema(_) => "Schema".to_owned(),
            StoreError::Bug(_) => "Bug".to_owned(),
            other => format!("{other}"),
        };
        for (code, expected) in [
            (ffi::SQLITE_BUSY, "Busy"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "Busy"),
            (ffi::SQLITE_LOCKED, "Busy"),
            (ffi::SQLITE_PROTOCOL, "Busy"),
            (ffi::SQLITE_FULL, "Full"),
            (ffi::SQLITE_IOERR, "Io"),
            (ffi::SQLITE_IOERR_SHMMAP, "Io"),
            (ffi::SQLITE_IOERR_SHMSIZE, "Full"),
            (ffi::SQLITE_READONLY, "ReadOnly"),
            (ffi::SQLITE_READONLY_DBMOVED, "ReadOnly"),
            (ffi::SQLITE_CANTOPEN, "CannotOpen"),
            (ffi::SQLITE_NOTADB, "NotADatabase"),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, "Refused"),
            (ffi::SQLITE_TOOBIG, "Refused"),
            (ffi::SQLITE_ERROR, "Schema"),
            (ffi::SQLITE_CORRUPT, "Corrupt"),
            (ffi::SQLITE_CORRUPT_VTAB, "Schema"),
            (ffi::SQLITE_MISUSE, "Bug"),
        ] {
            assert_eq!(mapped(code), expected, "code {code}");
        }
    }
}
