//! A connection's side of the hub protocol without input and output; the time is an argument.

mod keep_alive;
mod received;
mod replay;

use std::time::Instant;

use bytes::Bytes;

pub use keep_alive::KeepAlive;
pub use replay::Replay;

use crate::message::Incoming;
use crate::options::Options;
use crate::protocol::Codec;

/// What a client sends, from the handshake on.
#[derive(Debug)]
pub struct Conversation {
    _options: Options,
}

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// The handshake is accepted: from now on messages of this protocol are written. The answer goes out first, alone.
    Opened {
        /// Of all later messages.
        codec: Codec,
        /// Whether both sides number their messages (hub protocol 2, granted when it was negotiated).
        is_stateful: bool,
    },
    /// A message to act on. Pings do not appear; messages that were seen before a reattachment do not, either.
    Message(Incoming),
}

/// Why the connection ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The handshake is refused with this text.
    #[error("{0}")]
    Handshake(String),
    /// A message cannot be read, is too long, or breaks the numbering.
    #[error("{0}")]
    Protocol(String),
    /// Nothing was received for too long.
    #[error("the client was silent for longer than its timeout")]
    Silent,
}

/// What the time demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send an Ack with this number.
    Ack(u64),
    /// End the connection.
    End(Ended),
}

impl Conversation {
    /// A connection that has just begun. `may_be_stateful`: granted when it was negotiated. `is_text_only`: the transport is
    /// Server-Sent Events. `is_inherently_alive`: long polling, on which the client sends no pings.
    pub fn begin(
        options: &Options,
        now: Instant,
        may_be_stateful: bool,
        is_text_only: bool,
        is_inherently_alive: bool,
    ) -> Self {
        let _ = (now, may_be_stateful, is_text_only, is_inherently_alive);
        Self { _options: options.clone() }
    }

    /// Takes what has come.
    pub fn receive(&mut self, now: Instant, bytes: &Bytes) {
        let _ = (now, bytes);
        todo!()
    }

    /// The next step of what has come; `None` where more has to come.
    pub fn next_step(&mut self) -> Result<Option<Step>, Ended> {
        todo!()
    }

    /// A new socket carries the connection: an unfinished message of the old one is dropped.
    pub fn reattached(&mut self, now: Instant) {
        let _ = now;
        todo!()
    }

    /// When [`on_time`](Self::on_time) has to be called at the latest.
    pub fn due(&self) -> Option<Instant> {
        todo!()
    }

    /// What the time demands now.
    pub fn on_time(&mut self, now: Instant) -> Option<Due> {
        let _ = now;
        todo!()
    }
}
