//! What a stateful client has not acknowledged yet, to be sent again on a new socket.

use bytes::Bytes;

/// Countable messages with their numbers, from 1.
#[derive(Debug)]
pub struct Replay {
    limit_bytes: usize,
}

impl Replay {
    /// `limit_bytes` of messages that are not acknowledged.
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes }
    }

    /// Whether so many bytes more may be sent now.
    pub fn has_room(&self) -> bool {
        let _ = self.limit_bytes;
        todo!()
    }

    /// Numbers and keeps a countable message.
    pub fn sent(&mut self, message: &Bytes) {
        let _ = message;
        todo!()
    }

    /// The client has all up to this number. An error where it was never sent.
    pub fn acknowledge(&mut self, sequence: u64) {
        let _ = sequence;
        todo!()
    }

    /// The number of the first message that is not acknowledged, or of the next one to be sent, for the Sequence message;
    /// then what is to be sent again.
    pub fn again(&self) -> (u64, impl Iterator<Item = &Bytes>) {
        (0, [].iter())
    }
}
