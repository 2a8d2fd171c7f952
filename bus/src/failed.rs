//! What a bus sends when a command has failed for good.

use std::sync::Arc;

use crate::registry;
use crate::store::{DueCommand, OutgoingMessage, StoreError, StoreTransaction};

/// A command at the moment at which it fails for good.
#[derive(Clone, Copy, Debug)]
pub struct FailedCommand<'a> {
    /// The command, with the delivery that brought it.
    pub command: &'a DueCommand,
    /// Why it failed.
    pub reason: &'a str,
    /// Attempts that were made, the last one included.
    pub attempts: u32,
    /// The handler's path, or the consumer's; the command's name where none is registered here.
    pub handler: &'a str,
}

/// Gives the messages that are written together with a command's end.
#[derive(Clone)]
pub(crate) struct OnFailed(Arc<Hook>);

type Hook = dyn Fn(&FailedCommand<'_>) -> Vec<OutgoingMessage> + Send + Sync;

impl OnFailed {
    pub(crate) fn new(
        hook: impl Fn(&FailedCommand<'_>) -> Vec<OutgoingMessage> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(hook))
    }

    /// Sends what there is to send about a command that this transaction ends as failed.
    pub(crate) fn send(
        &self,
        transaction: &mut dyn StoreTransaction,
        command: &DueCommand,
        reason: &str,
        attempts: u32,
    ) -> Result<(), StoreError> {
        let (name, endpoint) = (&command.command.name, &command.command.endpoint);
        let handler = registry::origin_of(name, endpoint).unwrap_or(name);
        let messages = (self.0)(&FailedCommand { command, reason, attempts, handler });
        if messages.is_empty() { Ok(()) } else { transaction.send_messages(&messages) }
    }
}
