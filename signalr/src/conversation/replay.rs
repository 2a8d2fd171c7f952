//! What a stateful client has not acknowledged yet, to be sent again on a new socket.

use std::collections::VecDeque;
use std::iter::repeat_n;

use bytes::Bytes;

use crate::message::{Outcome, Outgoing};
use crate::protocol::Codec;

/// More are not sent: a client that is cut off so often at the wrong moment may have to connect anew.
const MAX_PLACEHOLDERS: u64 = 5_000;

/// Countable messages with their numbers, from 1.
///
/// On a new socket a client sets its counter back to the number of the Sequence message, while it acknowledges the highest
/// number it ever received. A Sequence above its counter makes the official clients hang, so after a second cut its Acks do not
/// say how far the Sequence may go: only the Ack of a message that was new on the socket does. Until then the Sequence stays
/// where it was, and placeholders are counted in the place of what is acknowledged.
#[derive(Debug)]
pub struct Replay {
    limit_bytes: usize,
    /// Not acknowledged.
    messages: VecDeque<Bytes>,
    /// Of all `messages`.
    bytes: usize,
    /// The number of the last message before `messages`.
    acknowledged: u64,
    /// The highest number when messages were last sent again.
    sent_again: u64,
    /// The client's counter is at this number at least.
    counter: u64,
    placeholder: Bytes,
}

impl Replay {
    /// `limit_bytes` of messages that are not acknowledged; cut links may make them twice as much.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            messages: VecDeque::new(),
            bytes: 0,
            acknowledged: 0,
            sent_again: 0,
            counter: 1,
            placeholder: Bytes::new(),
        }
    }

    /// Whether one more message may be sent now. The one that reaches the limit is the last, so that any message fits
    /// where nothing waits.
    pub fn has_room(&self) -> bool {
        self.messages.is_empty() || self.bytes < self.limit_bytes || self.asks_for_ack()
    }

    /// .NET's client acknowledges each number once: where that Ack was cut off, what fills this up would stay for good. One
    /// message that is new makes the client acknowledge all.
    fn asks_for_ack(&self) -> bool {
        let nothing_is_new = self.sent_again == self.last();
        nothing_is_new && self.bytes < 2 * self.limit_bytes
    }

    /// Numbers and keeps a countable message.
    pub fn sent(&mut self, message: &Bytes) {
        self.bytes += message.len();
        self.messages.push_back(message.clone());
    }

    /// The client has all up to this number. Above what was sent, it means all that was: as ASP.NET Core takes it.
    pub fn acknowledge(&mut self, sequence: u64) {
        while self.acknowledged < sequence {
            let Some(message) = self.messages.pop_front() else { break };
            self.bytes -= message.len();
            self.acknowledged += 1;
        }
        if self.acknowledged > self.sent_again {
            self.counter = self.acknowledged + 1;
        }
        if self.messages.is_empty() {
            // An idle connection keeps no buffer.
            self.messages = VecDeque::new();
        }
    }

    /// On a new socket: the number for the Sequence message, and what is to be sent again from there.
    pub fn again(&mut self, codec: Codec) -> (u64, impl Iterator<Item = &Bytes>) {
        self.sent_again = self.last();
        self.placeholder = placeholder(codec);
        if self.placeholders() > MAX_PLACEHOLDERS {
            self.counter = self.acknowledged + 1;
        }
        let placeholders = repeat_n(&self.placeholder, self.placeholders() as usize);
        (self.counter, placeholders.chain(&self.messages))
    }

    fn last(&self) -> u64 {
        self.acknowledged + self.messages.len() as u64
    }

    fn placeholders(&self) -> u64 {
        self.acknowledged + 1 - self.counter
    }
}

/// The client has received a message of its number already, and does not look into it.
fn placeholder(codec: Codec) -> Bytes {
    codec.encode(&Outgoing::Completion { id: "already received", outcome: Outcome::Void, is_stream: true })
}
