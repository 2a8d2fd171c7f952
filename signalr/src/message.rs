//! The nine messages of the hub protocol. What applications put into them stays encoded: an argument is decoded when
//! the method, and with it the argument's type, is known.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::{Codec, PayloadError};

/// A value of an application, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How it is encoded.
    pub codec: Codec,
    /// One value of JSON or MessagePack.
    pub bytes: Bytes,
}

impl Payload {
    /// Encodes a value; a tuple becomes an array.
    pub fn of(codec: Codec, value: &impl Serialize) -> Result<Self, PayloadError> {
        codec.encode_value(value)
    }

    /// Decodes it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.codec.decode_value(&self.bytes)
    }
}

/// A message as a client sent it.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Calls a method once (types 1 and 4).
    Invocation(Invocation),
    /// An item of a stream that the client sends (type 2).
    StreamItem {
        /// The stream's id, given by the client.
        id: String,
        /// The item; without bytes where it is not MessagePack.
        item: Payload,
    },
    /// The end of a stream that the client sends, or its answer to a question (type 3).
    Completion {
        /// The stream's or the question's id.
        id: String,
        /// How it ended.
        outcome: Outcome<Payload>,
    },
    /// The client wants no more of a stream (type 5).
    CancelInvocation {
        /// Of the invocation.
        id: String,
    },
    /// Shows that the client lives (type 6).
    Ping,
    /// The client ends the connection (type 7).
    Close {
        /// Why, if it says so.
        error: Option<String>,
    },
    /// The client has received all messages up to this number (type 8).
    Ack {
        /// The number of the last one.
        sequence: u64,
    },
    /// What the client sends next has this number (type 9).
    Sequence {
        /// The number of the next one.
        sequence: u64,
    },
}

impl Incoming {
    /// Whether both sides number it in a stateful connection: types 1 to 5.
    pub fn is_countable(&self) -> bool {
        !matches!(self, Self::Ping | Self::Close { .. } | Self::Ack { .. } | Self::Sequence { .. })
    }
}

/// A call of a method by a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Where the client wants an answer; always there for a stream.
    pub id: Option<String>,
    /// The method's name as the client wrote it.
    pub target: String,
    /// One after the other. Where they are not MessagePack, a single one without bytes, from which no type is read: the call
    /// fails, and the connection goes on.
    pub arguments: Vec<Payload>,
    /// The ids of the streams that the client sends with it.
    pub stream_ids: Vec<String>,
    /// Whether the client asked for a stream (type 4).
    pub is_stream: bool,
}

/// How an invocation, a stream or a question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<P> {
    /// Nothing is returned; a stream ended.
    Void,
    /// This is returned.
    Result(P),
    /// It failed; a text for the other side.
    Error(String),
}

/// A message for a client.
#[derive(Clone, Debug)]
pub enum Outgoing<'a> {
    /// Type 1. With an id it is a question, which the client answers with a completion.
    Invocation {
        /// Left out where there is none.
        id: Option<&'a str>,
        /// The name of the client's method.
        target: &'a str,
        /// One payload, which is an array of all arguments.
        arguments: &'a Payload,
    },
    /// Type 2.
    StreamItem {
        /// Of the invocation.
        id: &'a str,
        /// The item.
        item: &'a Payload,
    },
    /// Type 3.
    Completion {
        /// Of the invocation.
        id: &'a str,
        /// How it ended.
        outcome: Outcome<&'a Payload>,
        /// A stream's end has no result, where a method without one answers null.
        is_stream: bool,
    },
    /// Type 6.
    Ping,
    /// Type 7.
    Close {
        /// Why, if the client shall know.
        error: Option<&'a str>,
        /// Whether the client may connect again by itself.
        allow_reconnect: bool,
    },
    /// Type 8.
    Ack {
        /// The number of the last message that was received.
        sequence: u64,
    },
    /// Type 9.
    Sequence {
        /// The number of the message that follows.
        sequence: u64,
    },
}

impl Outgoing<'_> {
    /// Of its texts and values, without what stands around them.
    pub(crate) fn content_bytes(&self) -> usize {
        match self {
            Self::Invocation { id, target, arguments } => {
                id.map_or(0, str::len) + target.len() + arguments.bytes.len()
            }
            Self::StreamItem { id, item } => id.len() + item.bytes.len(),
            Self::Completion { id, outcome, .. } => {
                id.len()
                    + match outcome {
                        Outcome::Void => 0,
                        Outcome::Result(result) => result.bytes.len(),
                        Outcome::Error(error) => error.len(),
                    }
            }
            Self::Close { error, .. } => error.map_or(0, str::len),
            Self::Ping | Self::Ack { .. } | Self::Sequence { .. } => 0,
        }
    }
}
