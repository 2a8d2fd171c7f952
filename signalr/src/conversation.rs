//! A connection's side of the hub protocol without input and output; the time is an argument.

mod keep_alive;
mod received;
mod replay;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub use keep_alive::KeepAlive;
pub use replay::Replay;

use crate::message::Incoming;
use crate::options::{Keys, Options};
use crate::protocol::{Codec, HandshakeRequest, Protocol, Splitter};
use received::Received;

/// What a client sends, from the handshake on.
///
/// What comes is given to [`receive`](Self::receive); then [`next_step`](Self::next_step) is called until it returns `None`.
/// At [`due`](Self::due), and only when nothing more has come, [`on_time`](Self::on_time) is called until it returns `None`.
#[derive(Debug)]
pub struct Conversation {
    splitter: Splitter,
    phase: Phase,
    keys: Keys,
    client_timeout: Duration,
    is_inherently_alive: bool,
    last_received: Instant,
}

#[derive(Debug)]
enum Phase {
    Handshake { deadline: Instant, may_be_stateful: bool, is_text_only: bool },
    Open(Open),
    Ended(Ended),
}

#[derive(Debug)]
struct Open {
    codec: Codec,
    /// Where the connection is stateful.
    received: Option<Received>,
    last_message: Instant,
    /// The timeout begins with the first Ping: a client that sends none is not held to any.
    has_pinged: bool,
    has_client_started: bool,
    /// What is left of the bytes that the handshake came with.
    is_beside_handshake: bool,
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
    /// A message to act on. Pings and Sequences do not appear; messages that were seen before a reattachment, and Acks on a
    /// connection that is not stateful, do not, either.
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
        let deadline = now + options.handshake_timeout;
        Self {
            splitter: Splitter::new(Protocol::Json, options.max_message_bytes),
            phase: Phase::Handshake { deadline, may_be_stateful, is_text_only },
            keys: options.messagepack_keys,
            client_timeout: options.client_timeout,
            is_inherently_alive,
            last_received: now,
        }
    }

    /// Takes what has come.
    pub fn receive(&mut self, now: Instant, bytes: &Bytes) {
        self.last_received = now;
        self.splitter.push(bytes);
    }

    /// The next step of what has come; `None` where more has to come. An error stays.
    pub fn next_step(&mut self) -> Result<Option<Step>, Ended> {
        let step = match &mut self.phase {
            Phase::Handshake { may_be_stateful, is_text_only, .. } => {
                let (may_be_stateful, is_text_only) = (*may_be_stateful, *is_text_only);
                self.read_handshake(may_be_stateful, is_text_only)
            }
            Phase::Open(open) => open.next_message(&mut self.splitter, self.last_received),
            Phase::Ended(ended) => Err(ended.clone()),
        };
        step.inspect_err(|ended| self.phase = Phase::Ended(ended.clone()))
    }

    /// A new socket carries the connection: an unfinished message of the old one is dropped. What was not counted is sent
    /// again by the client.
    pub fn reattached(&mut self, now: Instant) {
        self.splitter.drop_begun();
        if let Phase::Open(open) = &mut self.phase {
            open.last_message = now;
        }
    }

    /// Whether the client has sent something since the handshake was answered, a Ping included. A stateful client counts from
    /// then on: what is countable must not reach it before ([`Outbox::release_countable`](crate::Outbox::release_countable)).
    pub fn has_client_started(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.has_client_started)
    }

    /// When [`on_time`](Self::on_time) has to be called at the latest.
    pub fn due(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Handshake { deadline, .. } => Some(*deadline),
            Phase::Open(open) => {
                let ack_due = open.received.as_ref().and_then(Received::ack_due);
                [ack_due, self.silent_at(open)].into_iter().flatten().min()
            }
            Phase::Ended(_) => None,
        }
    }

    /// What the time demands now.
    pub fn on_time(&mut self, now: Instant) -> Option<Due> {
        let end = match &mut self.phase {
            Phase::Handshake { deadline, .. } if *deadline <= now => canceled(),
            Phase::Open(open) => {
                let ack = open.received.as_mut().and_then(|received| received.take_ack(now));
                if let Some(number) = ack {
                    return Some(Due::Ack(number));
                }
                self.silence(now)?
            }
            Phase::Handshake { .. } | Phase::Ended(_) => return None,
        };
        self.phase = Phase::Ended(end.clone());
        Some(Due::End(end))
    }

    fn read_handshake(&mut self, may_be_stateful: bool, is_text_only: bool) -> Result<Option<Step>, Ended> {
        // With ASP.NET Core's text for a handshake that is too long.
        let Some(message) = self.splitter.next_message().map_err(|_| canceled())? else {
            return Ok(None);
        };
        let request = HandshakeRequest::read(&message).map_err(|error| Ended::Handshake(error.text))?;
        if is_text_only && request.protocol == Protocol::MessagePack {
            return Err(Ended::Handshake(
                "Cannot use the 'messagepack' protocol on the current transport. The transport does not support \
                 'Binary' transfer format."
                    .to_owned(),
            ));
        }
        let codec = Codec { protocol: request.protocol, keys: self.keys };
        let is_stateful = may_be_stateful && request.version >= 2;
        self.splitter.switch_to(request.protocol);
        self.phase = Phase::Open(Open {
            codec,
            received: is_stateful.then(Received::new),
            last_message: self.last_received,
            has_pinged: false,
            has_client_started: false,
            is_beside_handshake: true,
        });
        Ok(Some(Step::Opened { codec, is_stateful }))
    }

    fn silence(&self, now: Instant) -> Option<Ended> {
        let Phase::Open(open) = &self.phase else { return None };
        (self.silent_at(open)? <= now).then_some(Ended::Silent)
    }

    fn silent_at(&self, open: &Open) -> Option<Instant> {
        // What has come and is not taken yet waits for this side, not for the client.
        let may_be_silent = open.has_pinged && !self.is_inherently_alive && !self.splitter.has_rest();
        may_be_silent.then(|| open.last_message + self.client_timeout)
    }
}

impl Open {
    fn next_message(&mut self, splitter: &mut Splitter, now: Instant) -> Result<Option<Step>, Ended> {
        while let Some(message) = splitter.next_message().map_err(protocol)? {
            self.last_message = now;
            self.has_client_started |= !self.is_beside_handshake;
            let Some(message) = self.codec.decode(&message).map_err(protocol)? else { continue };
            if let Some(message) = self.filter(message, now)? {
                return Ok(Some(Step::Message(message)));
            }
        }
        self.is_beside_handshake = false;
        Ok(None)
    }

    /// The message, if it is one to act on.
    fn filter(&mut self, message: Incoming, now: Instant) -> Result<Option<Incoming>, Ended> {
        let is_for_application = match (&mut self.received, &message) {
            (_, Incoming::Ping) => {
                self.has_pinged = true;
                false
            }
            (None, Incoming::Sequence { .. } | Incoming::Ack { .. }) => false,
            (Some(received), Incoming::Sequence { sequence }) => {
                received
                    .go_on_with(*sequence)
                    .ok_or_else(|| protocol("a Sequence is above the number of the next message"))?;
                false
            }
            (Some(received), message) if message.is_countable() => received.count(now),
            _ => true,
        };
        Ok(is_for_application.then_some(message))
    }
}

fn protocol(error: impl ToString) -> Ended {
    Ended::Protocol(error.to_string())
}

fn canceled() -> Ended {
    Ended::Handshake("Handshake was canceled.".to_owned())
}
