//! What is known of a failed message.

use serde::Serialize;
use serde_json::{Map, Value};
use tick_sdk::api::ErrorHost;

/// Why a message lies where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Its handler failed, or it could not be read.
    Error,
    /// Its endpoint handles no such type.
    Skipped,
    /// It came to a queue of a feed and is no frame of it.
    DeadLetter,
    /// It lies in a queue whose name says nothing, and does not say itself why.
    #[default]
    Parked,
}

/// One failed message, as a list has it. Times are ISO 8601 in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What it is known by: its message id; without one, an id made of what is in it.
    pub id: String,
    /// The queue that it lies in.
    pub queue: String,
    /// Why it lies there.
    pub kind: Kind,
    /// The reason, of which the first 2,048 characters.
    pub reason: String,
    /// The exception's type, the innermost one's in what MassTransit writes.
    pub exception_type: Option<String>,
    /// When it failed.
    pub failed_at: Option<String>,
    /// When it was sent.
    pub sent_at: Option<String>,
    /// Its first type, without what all URNs begin with.
    pub message_type: Option<String>,
    /// Its message id, which a repetition has as well.
    pub message_id: Option<String>,
    /// The command's id: the correlation id of its envelope.
    pub command_id: Option<String>,
    /// Where it goes when it is requeued: an exchange, of a dead letter a queue.
    pub endpoint: Option<String>,
    /// How large its body is.
    pub bytes: usize,
}

/// What else is known of a failed message.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The exception's stack, or the chain of causes; of which the first 16,384 characters.
    pub stack_trace: Option<String>,
    /// Which consumer failed.
    pub consumer_type: Option<String>,
    /// How often it was tried again in its handler.
    pub retries: Option<i64>,
    /// Where it failed.
    pub input_address: Option<String>,
    /// In which program.
    pub host: ErrorHost,
    /// Why the original's envelope cannot be read, if it cannot.
    pub unreadable: Option<String>,
    /// All its types.
    pub message_types: Vec<String>,
    /// The request that it is.
    pub request_id: Option<String>,
    /// The command that caused it.
    pub initiator_id: Option<String>,
    /// The first of the tree of causes.
    pub conversation_id: Option<String>,
    /// Who sent it.
    pub source_address: Option<String>,
    /// Where to.
    pub destination_address: Option<String>,
    /// Where an answer goes.
    pub response_address: Option<String>,
    /// Where a fault goes.
    pub fault_address: Option<String>,
    /// The queue of a feed in which it was, and how it came there.
    pub came_by: Option<String>,
    /// The exchange and the routing key by which it came to this queue.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// What its body is, as a media type.
    pub content_type: Option<String>,
    /// Its AMQP headers.
    pub headers: Map<String, Value>,
}

/// One failed message in full.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// As a list has it.
    pub entry: Entry,
    /// What else is known.
    pub details: Details,
    /// The original's body, byte for byte.
    pub body: Vec<u8>,
}
