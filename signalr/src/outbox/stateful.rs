//! Numbers of what a stateful client is sent, and what it has not acknowledged.

use std::collections::VecDeque;

use bytes::Bytes;

use super::queue::Queue;
use crate::conversation::Replay;
use crate::message::Outgoing;
use crate::protocol::Codec;

/// What one held message costs besides its bytes.
const ENTRY_BYTES: usize = 64;

#[derive(Debug)]
pub(super) struct Stateful {
    /// Numbered and not acknowledged, sent or not.
    replay: Replay,
    /// Not numbered yet: the client does not count yet, or has not acknowledged enough.
    held: VecDeque<Bytes>,
    held_bytes: usize,
    is_released: bool,
}

impl Stateful {
    pub(super) fn new(max_replay_bytes: usize) -> Self {
        Self {
            replay: Replay::new(max_replay_bytes),
            held: VecDeque::new(),
            held_bytes: 0,
            is_released: false,
        }
    }

    pub(super) fn cost(message: &Bytes) -> usize {
        message.len() + ENTRY_BYTES
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the next message need not be held.
    pub(super) fn can_number(&self) -> bool {
        self.is_released && self.held.is_empty() && self.replay.has_room()
    }

    pub(super) fn number(&mut self, message: Bytes, queue: &mut Queue) {
        self.replay.sent(&message);
        queue.push_numbered(message);
    }

    pub(super) fn hold(&mut self, message: Bytes) {
        self.held_bytes += Self::cost(&message);
        self.held.push_back(message);
    }

    pub(super) fn release(&mut self, queue: &mut Queue) {
        self.is_released = true;
        self.number_held(queue);
    }

    pub(super) fn acknowledge(&mut self, sequence: u64, queue: &mut Queue) {
        self.replay.acknowledge(sequence);
        self.number_held(queue);
    }

    /// The connection ends: what waits goes out though it may not be acknowledged any more.
    pub(super) fn number_all_held(&mut self, queue: &mut Queue) {
        while self.number_first_held(queue) {}
    }

    pub(super) fn drop_held(&mut self) {
        self.held = VecDeque::new();
        self.held_bytes = 0;
    }

    /// Puts the Sequence message and all that is not acknowledged in front of what waits and has no number.
    pub(super) fn again(&mut self, codec: Codec, queue: &mut Queue) {
        let (sequence, messages) = self.replay.again(codec);
        queue.send_again(codec.encode(&Outgoing::Sequence { sequence }), messages.cloned());
        self.number_held(queue);
    }

    fn number_held(&mut self, queue: &mut Queue) {
        while self.is_released && self.replay.has_room() && self.number_first_held(queue) {}
    }

    fn number_first_held(&mut self, queue: &mut Queue) -> bool {
        let Some(message) = self.held.pop_front() else { return false };
        self.held_bytes -= Self::cost(&message);
        self.number(message, queue);
        true
    }
}
