//! What waits to be sent to one connection: whoever sends puts it in, the connection's transport takes it out.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::options::Options;

/// Bounded by [`Options::max_waiting_bytes`]. Shared by all that send to the connection.
#[derive(Debug)]
pub struct Outbox {
    _options: Options,
}

/// A message that the outbox did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The client does not read: the connection is being closed, and may be made again.
    #[error("the client does not read what it is sent")]
    Full,
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
}

/// Whether a message is text or binary on transports that tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Text,
    /// MessagePack.
    Binary,
}

/// A transport's hold on the outbox; a later attachment ends the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attachment(u64);

/// What a transport does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It sends what was appended.
    Messages(Format),
    /// All has been taken, and nothing comes any more.
    Closed,
    /// Another socket carries the connection now.
    TakenOver,
}

impl Outbox {
    /// Empty.
    pub fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self { _options: options.clone() })
    }

    /// What is pushed from now on is text or binary.
    pub fn set_format(&self, format: Format) {
        let _ = format;
        todo!()
    }

    /// Numbers countable messages from now on, and keeps them until they are acknowledged (hub protocol 2). Countable messages
    /// stay in the outbox until `release_countable` (the client does not count what comes with the handshake's answer).
    pub fn number_messages(&self) {
        todo!()
    }

    /// The client's first message has come, or the time for it has passed.
    pub fn release_countable(&self) {
        todo!()
    }

    /// Appends one whole message. `is_countable`: types 1 to 5. Where it is full, the connection is closed with reconnect allowed.
    pub fn push(&self, message: &Bytes, is_countable: bool) -> Result<(), PushError> {
        let _ = (message, is_countable);
        todo!()
    }

    /// Replaces what waits under this key, or appends: the latest wins, and a slow client gets less. Only uncounted connections
    /// replace; a stateful one appends.
    pub fn push_latest(&self, key: &Arc<str>, message: &Bytes) -> Result<(), PushError> {
        let _ = (key, message);
        todo!()
    }

    /// Waits until there is room for an item of a stream, whose sender waits rather than losing the connection.
    pub async fn room(&self) -> Result<(), PushError> {
        todo!()
    }

    /// The client has received all up to this number.
    pub fn acknowledge(&self, sequence: u64) -> Result<(), PushError> {
        let _ = sequence;
        todo!()
    }

    /// Nothing is taken any more; `last` (a Close message) is sent after what waits.
    pub fn close(&self, last: Option<Bytes>) {
        let _ = last;
        todo!()
    }

    /// When something was last taken to be sent, for the keep-alive.
    pub fn last_taken(&self) -> Instant {
        todo!()
    }

    /// A transport begins to take; what an earlier one took and the client has not acknowledged is sent again, after its Sequence
    /// message.
    pub(crate) fn attach(&self) -> Attachment {
        todo!()
    }

    /// Waits for messages, and appends at most about `limit_bytes` of whole messages (always one) to `into`.
    pub(crate) async fn take(&self, attachment: Attachment, limit_bytes: usize, into: &mut Vec<u8>) -> Taken {
        let _ = (attachment, limit_bytes, into);
        todo!()
    }
}
