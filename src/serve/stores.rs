//! Where the contexts' stores are: files in the folder of state, or schemas of a PostgreSQL database.

use std::path::PathBuf;
use std::sync::Arc;

use bus::store::PostgresStore;
use bus::{SqliteStore, Store, StoreError};
use tick_sdk::contracts::accounts::ACCOUNTS;
use tick_sdk::contracts::bus::HEARD;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::contracts::ticks::TICKS;

/// The contexts that `orchard serve` has, in order of name.
pub(super) const CONTEXTS: [&str; 3] = [ACCOUNTS, STRATEGIES, TICKS];

/// Where the stores are.
#[derive(Clone, Debug)]
pub(super) enum Stores {
    /// A SQLite file for each in this folder, which one process has for itself.
    Folder(PathBuf),
    /// A schema for each in this database, which any number of processes share.
    Database(String),
}

impl Stores {
    /// Opens a context to serve it.
    ///
    /// # Errors
    /// The file or the database cannot be used, or has another version.
    pub(super) fn open(&self, context: &str) -> Result<Arc<dyn Store>, StoreError> {
        let tables = match context {
            ACCOUNTS => accounts::TABLES.to_owned(),
            STRATEGIES => strategy_host::deployments::tables(),
            TICKS => tick_ingest::replays::TABLES.to_owned(),
            HEARD => bus::rabbitmq::HEARD_TABLES.to_owned(),
            _ => String::new(),
        };
        Ok(match self {
            Self::Folder(folder) => Arc::new(SqliteStore::open(&file(folder, context), &tables)?),
            Self::Database(url) => Arc::new(PostgresStore::open(url, context, &tables)?),
        })
    }

    /// Opens a context that others serve, to read its log.
    ///
    /// # Errors
    /// As [`Stores::open`].
    pub(super) fn open_to_read(&self, context: &str) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Folder(_) => self.open(context),
            Self::Database(url) => Ok(Arc::new(PostgresStore::open_to_read(url, context)?)),
        }
    }
}

fn file(folder: &std::path::Path, context: &str) -> PathBuf {
    folder.join(format!("{context}.sqlite"))
}
