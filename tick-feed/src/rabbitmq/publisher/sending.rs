//! The feed's end: frames enter the windows here, as fast as budget and read-ahead allow.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::Shared;
use super::stream::{Node, Sending, Stream, lock};
use crate::transport::{FrameSender, TransportError};
use crate::{Frame, FrameFlags};

/// With so many bytes on the way to a node, small frames only make the queue of messages longer:
/// ticks gather on.
const GATHER_ABOVE_BYTES: usize = 4 << 20;
/// With so many messages on the way to a node, the broker is slower than the budget: one more would
/// wait behind them, and take processor time from all that are at work, so ticks gather on. With 64 a feed
/// of 5 million ticks/s, beside the broker and the host on two cores, was 39 ms late at p99; with 12 it is 12 ms.
const GATHER_ABOVE_MESSAGES: usize = 12;

/// The longest sleep before the feed checks whether frames are still accepted.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// The feed's end of a [`Publisher`](super::Publisher).
#[derive(Clone, Debug)]
pub struct PublishedFrames(pub(super) Arc<Shared>);

impl FrameSender for PublishedFrames {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let stream = &self.0.shards[usize::from(frame.header.shard)];
        hand_over(&self.0, stream, frame)
    }

    fn delay(&self, shard: u16) -> Duration {
        let shared = &*self.0;
        let stream = &shared.shards[usize::from(shard)];
        let node = &shared.nodes[stream.node];
        let is_behind = {
            let sending = lock(&stream.sending);
            sending.window.unsent() > 0 || sending.window.is_refused()
        };
        let is_busy = node.unconfirmed_bytes.load(Ordering::Relaxed) > GATHER_ABOVE_BYTES
            || node.in_flight.load(Ordering::Relaxed) > GATHER_ABOVE_MESSAGES;
        if is_behind || is_busy {
            return Duration::MAX;
        }
        lock(&node.bucket).delay(shared.now(), stream.cost())
    }
}

/// Puts a frame into a stream's window, as soon as the budget and the window's room allow.
pub(super) fn hand_over(shared: &Shared, stream: &Stream, frame: Arc<Frame>) -> Result<(), TransportError> {
    let node = &shared.nodes[stream.node];
    let bytes = bytes_of(&frame);
    let mut sending = lock(&stream.sending);
    if frame.header.flags.contains(FrameFlags::HEARTBEAT) {
        sending.heartbeat = (frame.header.first_seq, frame.header.watermark);
        return Ok(());
    }
    let mut paid = false;
    loop {
        if shared.has_stopped_accepting() {
            return Err(TransportError::Closed);
        }
        if stream.rewound.load(Ordering::Acquire) {
            return Err(TransportError::Rewound);
        }
        if stream.is_over() {
            return Ok(());
        }
        let held = sending.window.held_bytes();
        let wait = if held > 0 && held + bytes > stream.room {
            CHECK_EVERY
        } else if paid {
            Duration::ZERO
        } else {
            let delay = take_tokens(shared, node, stream.cost());
            paid = delay.is_zero();
            delay
        };
        if wait.is_zero() {
            break;
        }
        let waited = stream.changed.wait_timeout(sending, wait.min(CHECK_EVERY));
        sending = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    sending.enter(frame, bytes);
    drop(sending);
    node.wake.notify_one();
    Ok(())
}

/// Takes what a frame costs off the node's budget; if it is not there yet, how long that takes.
fn take_tokens(shared: &Shared, node: &Node, cost: u32) -> Duration {
    let now = shared.now();
    let mut bucket = lock(&node.bucket);
    let delay = bucket.delay(now, cost);
    if delay.is_zero() {
        bucket.take(now, cost);
    }
    delay
}

impl Sending {
    pub(super) fn enter(&mut self, frame: Arc<Frame>, bytes: usize) {
        for new in &frame.new_instruments {
            if new.id as usize == self.dictionary.len() {
                self.dictionary.push(new.clone());
            }
        }
        self.high = self.high.max(frame.end_seq());
        if frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            self.end.get_or_insert_with(|| frame.clone());
        }
        self.window.enter(frame, bytes);
    }
}

/// What a frame takes of the bounds: about its length on the wire.
fn bytes_of(frame: &Frame) -> usize {
    const PREFIX: usize = 128;
    let names: usize = frame.new_instruments.iter().map(|new| 24 + new.symbol.len() + new.key.len()).sum();
    PREFIX + names + size_of_val(frame.ticks())
}
