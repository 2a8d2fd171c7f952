//! Commands whose own context tells what becomes of them.

use std::sync::Arc;

use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandAccepted;

use super::heard::forget_seen;
use crate::lane::Step;
use crate::store::{Store, StoreError};
use crate::transport::EventSource;

/// So many commands share one commit.
const BATCH: usize = 1_000;
/// A cursor that passed no command is stored after so many events.
const STORE_AFTER: u64 = 10_000;
/// Between looks at a log of which nobody says that it has grown.
const LOOK_AGAIN_MS: u64 = 1_000;
/// Whose cursor it is.
const CONSUMER: &str = "told";

/// Reads a context's log, and takes the commands that stand in it from the log of what was heard.
pub(crate) struct Told {
    store: Arc<dyn Store>,
    logs: Arc<dyn EventSource>,
    context: String,
    /// Whether somebody says so when the log has grown.
    is_told: bool,
    /// Up to here it has read the log.
    cursor: u64,
    /// As far as that is stored.
    stored: u64,
}

impl Told {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        logs: Arc<dyn EventSource>,
        context: &str,
        is_told: bool,
    ) -> Result<Self, StoreError> {
        let cursor = store.cursor(CONSUMER, context)?;
        Ok(Self { store, logs, context: context.to_owned(), is_told, cursor, stored: cursor })
    }

    /// Takes what is new there. Several processes may do so: a commit counts if none was between.
    pub(crate) fn step(&mut self, now_ms: u64) -> Result<Step, StoreError> {
        let page = self.logs.look(&self.context, self.cursor, BATCH, Some(&[CommandAccepted::NAME]))?;
        if page.looked_to == self.cursor {
            return Ok(Step::Idle((!self.is_told).then_some(now_ms + LOOK_AGAIN_MS)));
        }
        let commands: Vec<CommandId> = page.events.iter().filter_map(|event| event.command_id).collect();
        if commands.is_empty() && page.looked_to - self.stored < STORE_AFTER {
            self.cursor = page.looked_to;
            return Ok(Step::Worked(0));
        }
        let mut transaction = self.store.begin()?;
        if transaction.move_cursor(CONSUMER, &self.context, self.stored, page.looked_to)? {
            forget_seen(&mut *transaction, &commands, now_ms)?;
            transaction.commit()?;
            self.stored = page.looked_to;
        } else {
            drop(transaction);
            self.stored = self.store.cursor(CONSUMER, &self.context)?;
        }
        self.cursor = self.stored;
        Ok(Step::Worked(commands.len()))
    }
}
