//! Documents of what was accepted, before anything is handled.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::store::LogPage;
use bus::{EventSource, SqliteStore, Store, StoreError};
use gateway::projections::RebuildError;
use tick_sdk::contracts::accounts::ACCOUNTS;

/// The one context's log, without a bus that handles what is accepted.
struct Log(SqliteStore);

impl EventSource for Log {
    fn contexts(&self) -> Vec<String> {
        vec![ACCOUNTS.to_owned()]
    }

    fn look(
        &self,
        _: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError> {
        self.0.look(position, limit, names)
    }

    fn head(&self, _: &str) -> Result<u64, StoreError> {
        self.0.head()
    }

    fn wait_beyond(&self, _: &str, position: u64, _: Duration) -> bool {
        self.0.head().is_ok_and(|head| head > position)
    }
}

/// Makes the documents of what lies in this store.
pub(super) fn accepted(store: SqliteStore, documents: &Path) -> Result<(), RebuildError> {
    gateway::projections::rebuild(documents, Arc::new(Log(store))).map(drop)
}
