//! From SQLite's causes to the port's meanings. The cause is logged here, once, and does not cross the port.

use rusqlite::ErrorCode;

use super::sealing;
use crate::store::{Fault, StoreError};

/// Why a command or a read failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The port's own meaning: the caller's answer.
    Store(StoreError),
    /// SQLite's cause.
    Sql(rusqlite::Error),
}

/// Shorthand of this room.
pub(super) type Sql<T> = Result<T, Failure>;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Store(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sql(error)
    }
}

/// Stored bytes that no code of ours wrote.
pub(super) fn corrupt(what: impl Into<String>) -> Failure {
    Failure::Store(StoreError::Corrupt(what.into()))
}

impl Failure {
    /// The meaning; logs the cause where there is one. `call` says what was being done.
    pub(super) fn meaning(self, call: &'static str) -> StoreError {
        match self {
            Failure::Store(error) => {
                if matches!(error, StoreError::Corrupt(_)) {
                    tracing::error!(call, %error, "metadata contradicts itself");
                    Fault::Corrupt.count("metadata");
                }
                error
            }
            Failure::Sql(cause) => {
                tracing::error!(call, %cause, "metadata database failed");
                noted(&cause)
            }
        }
    }
}

/// The meaning of a cause, which is counted.
pub(super) fn noted(cause: &rusqlite::Error) -> StoreError {
    let sealed = sealing::meaning_of(cause);
    match &sealed {
        Some(StoreError::Corrupt(_)) => Fault::Corrupt,
        Some(_) => Fault::Other,
        None => fault_of(cause),
    }
    .count("metadata");
    sealed.unwrap_or_else(|| meaning_of(cause))
}

/// Worth a retry, or not. What cannot be a passing state of the machine is a contradiction in the file or in our SQL.
pub(super) fn meaning_of(cause: &rusqlite::Error) -> StoreError {
    let why = match fault_of(cause) {
        Fault::Full => return StoreError::Full,
        Fault::Corrupt => {
            let what = "the metadata database is damaged, or fails in a way that a retry does not mend";
            return StoreError::Corrupt(what.into());
        }
        Fault::ReadOnly => "the metadata database cannot be written",
        Fault::Io => "the disk of the metadata database fails",
        Fault::Busy => "another process holds the metadata database",
        Fault::Other => "the metadata database cannot serve now",
    };
    StoreError::Unavailable(why.into())
}

fn fault_of(cause: &rusqlite::Error) -> Fault {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Fault::Full,
        Some(ErrorCode::SystemIoFailure) => Fault::Io,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Fault::ReadOnly,
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::FileLockingProtocolFailed,
        ) => Fault::Other,
        _ => Fault::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_states_are_unavailable_and_damage_is_corrupt() {
        use rusqlite::ffi;
        let meaning = |code| meaning_of(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!(meaning(ffi::SQLITE_FULL), StoreError::Full);
        for code in
            [ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_BUSY, ffi::SQLITE_READONLY]
        {
            assert!(matches!(meaning(code), StoreError::Unavailable(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT] {
            assert!(matches!(meaning(code), StoreError::Corrupt(_)), "{code}");
        }
    }
}
