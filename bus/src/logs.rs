//! Logs of contexts that other processes serve, read from their stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::store::{Change, LogPage, Store, StoreError};
use crate::transport::EventSource;

/// Between looks at a log that others write to, where nobody says that they have.
const LOOK: Duration = Duration::from_millis(50);
/// As above, where somebody says so.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// The logs of stores that this process reads and somebody else serves: a PostgreSQL database, or a SQLite file of
/// the same machine. Of a file's new events nobody is told, so that they are looked for twenty times a second while
/// somebody waits for them.
#[derive(Default)]
pub struct Logs(BTreeMap<String, Log>);

struct Log {
    store: Arc<dyn Store>,
    /// Rung when the log has grown.
    bell: Arc<Bell>,
    look_every: Duration,
}

impl Logs {
    /// Adds the log of a context.
    #[must_use]
    pub fn with(mut self, context: &str, store: Arc<dyn Store>) -> Self {
        let bell = Arc::<Bell>::default();
        let rung = bell.clone();
        let is_told = store.watch(Box::new(move |change| {
            if change == Change::Events {
                rung.ring();
            }
        }));
        let look_every = if is_told { LOOK_ANYWAY } else { LOOK };
        self.0.insert(context.to_owned(), Log { store, bell, look_every });
        self
    }

    /// Whether somebody says so when a context's log has grown.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn is_told(&self, context: &str) -> bool {
        self.0.get(context).is_some_and(|log| log.look_every == LOOK_ANYWAY)
    }

    /// Rung when a context's log has grown.
    pub(crate) fn bell(&self, context: &str) -> Option<&Bell> {
        self.0.get(context).map(|log| &*log.bell)
    }

    /// Wakes everybody who waits for more of any log.
    pub(crate) fn ring(&self) {
        self.0.values().for_each(|log| log.bell.ring());
    }
}

impl EventSource for Logs {
    fn contexts(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn look(
        &self,
        context: &str,
        position: u64,
        limit: usize,
        names: Option<&[&str]>,
    ) -> Result<LogPage, StoreError> {
        let Some(log) = self.0.get(context) else {
            return Ok(LogPage { looked_to: position, ..LogPage::default() });
        };
        log.store.look(position, limit, names)
    }

    fn head(&self, context: &str) -> Result<u64, StoreError> {
        self.0.get(context).map_or(Ok(0), |log| log.store.head())
    }

    fn wait_beyond(&self, context: &str, position: u64, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let Some(log) = self.0.get(context) else { return false };
        loop {
            let seen = log.bell.count();
            if self.head(context).is_ok_and(|head| head > position) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            log.bell.wait(seen, log.look_every.min(left));
        }
    }
}
