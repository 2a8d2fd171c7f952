//! What a store holds: commands, events, and messages on their way.

use serde::{Deserialize, Serialize};
use tick_sdk::contracts::{CommandId, ConversationId, MessageId};
use uuid::Uuid;

/// A command on its way to its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommand {
    /// What its status stands under.
    pub command_id: CommandId,
    /// The tree of causes it belongs to.
    pub conversation_id: ConversationId,
    /// The command that caused it.
    pub initiator_id: Option<CommandId>,
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The endpoint, which is a context's name.
    pub endpoint: String,
    /// Who asked.
    pub caller: String,
    /// The message as JSON.
    pub body: String,
    /// The delivery that brought it, where a broker did: what its answer, its fault and its copy in an error queue
    /// are made of. The store does not read it, and it does not tell one command from another.
    pub original: Option<Vec<u8>>,
}

impl NewCommand {
    /// What tells another body under the same id from this one.
    pub fn body_hash(&self) -> Uuid {
        body_hash(&self.name, &self.body)
    }
}

/// What tells a command's contract and body from others: [`NewCommand::body_hash`].
pub fn body_hash(name: &str, body: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{name}\n{body}").as_bytes())
}

/// What became of a command that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is stored.
    New,
    /// The same command was stored before; it is carried out once.
    Known,
    /// Another command has this id: nothing is stored.
    OtherBody,
}

/// A command of an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCommand {
    /// The command.
    pub command: NewCommand,
    /// Attempts that failed before.
    pub attempts: u32,
    /// When it was accepted, in ms since the UNIX epoch.
    pub accepted_ms: u64,
    /// Another process was handed it and has ended since: it may be what ended that one.
    pub is_suspect: bool,
}

/// How a command ends, or is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// It waits for its due time.
    Waiting {
        /// In ms since the UNIX epoch.
        due_ms: u64,
    },
    /// Its handler is done, and its work goes on.
    Processing,
    /// It was carried out.
    Completed,
    /// It was not.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What became of a note that a message is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It is kept until [`StoreTransaction::settle_note`](super::StoreTransaction::settle_note).
    Begun,
    /// It was not made: the process that made one before has ended, and nobody has settled that.
    Ended {
        /// So many processes have ended while it was handled, that one included.
        deaths: u32,
    },
}

/// A message on its way to a broker that is no command of this bus: a fault, an answer, a copy for an error queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The exchange it is published to.
    pub exchange: String,
    /// Its routing key.
    pub key: String,
    /// Whether a queue must take it.
    pub is_mandatory: bool,
    /// Its properties and headers, encoded; the store does not read them.
    pub properties: Vec<u8>,
    /// The message itself.
    pub body: Vec<u8>,
}

/// An event before it has its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The command that caused it.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused that one.
    pub initiator_id: Option<CommandId>,
    /// The message as JSON.
    pub body: String,
}

/// An event in its context's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    /// Its place in the log, from 1.
    pub position: u64,
    /// The message's id.
    pub message_id: MessageId,
    /// The contract's name.
    pub name: String,
    /// The contract's version.
    pub version: u32,
    /// The command that caused it.
    pub command_id: Option<CommandId>,
    /// The tree of causes it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The command that caused that one.
    pub initiator_id: Option<CommandId>,
    /// When it was written, in ms since the UNIX epoch.
    pub at_ms: u64,
    /// The message as JSON.
    pub body: String,
}

/// What a look at a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The events that were asked for, in order.
    pub events: Vec<StoredEvent>,
    /// The position of the last event that was looked at, asked for or not: the next look goes on after it. Where
    /// nothing follows, it is the position that was asked with.
    pub looked_to: u64,
}
