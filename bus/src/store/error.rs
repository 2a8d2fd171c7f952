//! What a store could not do.

use rusqlite::ErrorCode;
use thiserror::Error;

/// What a store could not do. Nothing of it is stored.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite refused: the disk is full, the file is damaged or not writable.
    #[error("{place}: {source}")]
    Sqlite {
        /// The file.
        place: String,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// PostgreSQL refused, or is away.
    #[cfg(feature = "postgres")]
    #[error("{place}: {source}{}", database::advice(.source))]
    Postgres {
        /// The database, without its password.
        place: String,
        /// The server's words, or what came instead of them.
        source: sqlx::Error,
    },
    /// The file is of another version of this program.
    #[error(
        "{place} has schema {found}, and this program reads {expected}: start with another folder of state"
    )]
    Schema {
        /// The file.
        place: String,
        /// Its version.
        found: i64,
        /// This program's version.
        expected: i64,
    },
    /// Another transaction did not end in time.
    #[error(
        "{place} was busy for {seconds} s: a handler or another process holds a transaction for too long"
    )]
    Busy {
        /// The file.
        place: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The store gave no transaction to a handler, or ended it by itself.
    #[error("{place} could not go on with a transaction: {reason}")]
    GivenUp {
        /// The file or the context.
        place: String,
        /// What was said about it.
        reason: String,
    },
    /// The store does not commit what a transaction holds.
    #[error("{place}: nothing of the transaction is stored: {reason}")]
    Refused {
        /// The file or the context.
        place: String,
        /// Why.
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("{place}: {what}")]
    Damaged {
        /// The file.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

impl StoreError {
    /// Whether the same may work later, when there is space, or whoever holds the file has let go of it.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::GivenUp { .. } => true,
            Self::Sqlite { source, .. } => source.sqlite_error_code().is_some_and(|code| {
                matches!(
                    code,
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::OutOfMemory
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                )
            }),
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => database::is_temporary(source),
            Self::Schema { .. } | Self::Refused { .. } | Self::Damaged { .. } => false,
        }
    }
}
