//! What a stateful client has not acknowledged yet, to be sent again on a new socket.

use std::collections::VecDeque;

use bytes::Bytes;

/// Countable messages with their numbers, from 1.
#[derive(Debug)]
pub struct Replay {
    limit_bytes: usize,
    messages: VecDeque<Bytes>,
    /// Of all `messages`.
    bytes: usize,
    /// The number of the first of `messages`, or of the next one to be sent.
    first: u64,
}

impl Replay {
    /// `limit_bytes` of messages that are not acknowledged.
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, messages: VecDeque::new(), bytes: 0, first: 1 }
    }

    /// Whether one more message may be sent now. The one that reaches the limit is the last, so that any message fits
    /// where nothing waits; nothing more is kept than the limit and one message.
    pub fn has_room(&self) -> bool {
        self.messages.is_empty() || self.bytes < self.limit_bytes
    }

    /// Numbers and keeps a countable message.
    pub fn sent(&mut self, message: &Bytes) {
        self.bytes += message.len();
        self.messages.push_back(message.clone());
    }

    /// The client has all up to this number. Above what was sent, it means all that was: as ASP.NET Core takes it.
    pub fn acknowledge(&mut self, sequence: u64) {
        while self.first <= sequence {
            let Some(message) = self.messages.pop_front() else { break };
            self.bytes -= message.len();
            self.first += 1;
        }
        if self.messages.is_empty() {
            // An idle connection keeps no buffer.
            self.messages = VecDeque::new();
        }
    }

    /// The number of the first message that is not acknowledged, or of the next one to be sent, for the Sequence message;
    /// then what is to be sent again.
    pub fn again(&self) -> (u64, impl Iterator<Item = &Bytes>) {
        (self.first, self.messages.iter())
    }
}
