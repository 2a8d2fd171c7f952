//! What can be wrong with a ledger, and what to do then.

use thiserror::Error;

/// A ledger that cannot do what is asked.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database refused.
    #[error("the ledger {place}: {source}")]
    Sqlite {
        /// Which database.
        place: String,
        /// Its own message.
        source: rusqlite::Error,
    },
    /// The server refused, or was away for too long.
    #[cfg(feature = "postgres")]
    #[error("the ledger {place}: {source}{}", database::advice(.source))]
    Postgres {
        /// Which database, without its password.
        place: String,
        /// Its own message.
        source: sqlx::Error,
    },
    /// This program knows no ledger of such a URL.
    #[error(
        "the ledger cannot be at {scheme}://…: give a folder, for SQLite, or {}",
        if cfg!(feature = "postgres") {
            "postgres://USER:PASSWORD@HOST:PORT/DATABASE"
        } else {
            "use a program built with --features rabbitmq, which knows postgres://"
        }
    )]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// The URL cannot be read.
    #[cfg(feature = "postgres")]
    #[error(
        "the ledger's URL cannot be read: {reason}\n  write postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters of the password as %XX"
    )]
    Address {
        /// What is wrong with it, without the password.
        reason: String,
    },
    /// The folder or file cannot be used.
    #[error("the ledger {place}: {source}")]
    Io {
        /// Which file.
        place: String,
        /// The system's message.
        source: std::io::Error,
    },
    /// Another process has the folder open.
    #[error("the ledger {place} is in use by {holders}: wait until that has ended, or use another --state")]
    InUse {
        /// Which folder.
        place: String,
        /// The processes that have it, in words.
        holders: String,
    },
    /// There is nothing to read.
    #[error("there is no ledger {place}: see --state")]
    Missing {
        /// Which folder.
        place: String,
    },
    /// A URL where only a folder can be.
    #[error("the ledger of a replay cannot be at {scheme}://…: give a folder")]
    FolderOnly {
        /// What stands before `://`.
        scheme: String,
    },
    /// Written by another version of this program.
    #[error(
        "the ledger {place} has schema {found}, and this program reads {expected}: use another --state, or the program that wrote it"
    )]
    Schema {
        /// Which database.
        place: String,
        /// Its schema.
        found: i64,
        /// The one expected.
        expected: i64,
    },
    /// The ledger's run has another manifest.
    #[error(
        "the ledger holds a run in which {difference}\n  repeat that run's options to resume it, or use another --state"
    )]
    OtherRun {
        /// What is different.
        difference: String,
    },
    /// The instance was recorded as another.
    #[error(
        "strategy {name} was recorded with {difference}\n  give this one a name of its own (NAME={strategy}:…), or use another --state"
    )]
    OtherIdentity {
        /// The instance's name.
        name: String,
        /// The registered strategy.
        strategy: String,
        /// What is different.
        difference: String,
    },
    /// Stored values that make no sense.
    #[error("the ledger is damaged: {0}\n  use another --state")]
    Damaged(String),
}

impl LedgerError {
    /// Whether the ledger is only away or busy, so that trying again may help.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            #[cfg(feature = "postgres")]
            Self::Postgres { source, .. } => database::is_temporary(source),
            _ => false,
        }
    }
}
