//! What became of a command, for who asks over a broker.

use std::sync::{Arc, OnceLock};

use tick_sdk::api::CommandView;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandFound;

use crate::documents::{DocumentError, DocumentStore, Documents};
use crate::projections::commands::COMMANDS;

/// Finds commands in a gateway's documents. Made before the gateway, which fills it when it starts.
#[derive(Clone, Default)]
pub struct CommandLookup(Arc<OnceLock<Arc<Documents>>>);

impl CommandLookup {
    pub(crate) fn fill(&self, documents: &Arc<Documents>) {
        // A second gateway would show the same.
        let _ = self.0.set(documents.clone());
    }

    /// Whether the gateway has started: before, nothing is found.
    pub fn is_ready(&self) -> bool {
        self.0.get().is_some()
    }

    /// What became of a command; `None` where it is not known. It blocks.
    ///
    /// # Errors
    /// The documents cannot be read.
    pub fn find(&self, id: CommandId) -> Result<Option<CommandFound>, DocumentError> {
        let Some(documents) = self.0.get() else { return Ok(None) };
        let Some(text) = documents.get(&COMMANDS, &id.to_string())? else { return Ok(None) };
        let Ok(found) = serde_json::from_str::<CommandView>(&text) else { return Ok(None) };
        let CommandView { command_id, command, endpoint, state, reason, result, attempts, .. } = found;
        let result = result.map(|result| result.to_string());
        Ok(Some(CommandFound { command_id, command, endpoint, state, reason, result, attempts }))
    }
}

impl std::fmt::Debug for CommandLookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommandLookup")
    }
}
