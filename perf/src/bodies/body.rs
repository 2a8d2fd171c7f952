//! One body: when it was due, and bytes that mean nothing.

use std::time::Duration;

use broker::amqp::{AmqpConnection, Envelope, Parts};
use bytes::Bytes;
use tick_sdk::Tick;

/// A body begins with the time when it was due.
pub(super) const FEWEST_BYTES: usize = 16;

/// The same bytes again and again, but for the time at their beginning.
pub(super) struct Body {
    head: Vec<u8>,
    /// Most of it: it leaves from where it is, as a frame's ticks do.
    middle: Bytes,
    tail: Vec<u8>,
}

impl Body {
    pub(super) fn new(bytes: usize) -> Self {
        let head = vec![0; FEWEST_BYTES];
        let rest = bytes.saturating_sub(FEWEST_BYTES);
        let tail = rest % size_of::<Tick>();
        Self { head, middle: vec![0; rest - tail].into(), tail: vec![0; tail] }
    }

    pub(super) fn stamp(&mut self, due: Duration) {
        self.head[..8].copy_from_slice(&(due.as_nanos() as u64).to_le_bytes());
    }

    pub(super) fn stamp_of(body: &[u8]) -> Duration {
        let stamp = body.first_chunk().copied().map_or(0, u64::from_le_bytes);
        Duration::from_nanos(stamp)
    }

    pub(super) fn publish(&self, connection: &mut AmqpConnection, envelope: &Envelope) {
        let share_middle = || self.middle.clone();
        let Self { head, middle, tail } = self;
        connection.publish(envelope, &Parts { head, middle, share_middle: &share_middle, tail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_size_and_says_when_it_was_due() {
        for bytes in [FEWEST_BYTES, 55, 56, 57, 4096] {
            let mut body = Body::new(bytes);
            body.stamp(Duration::from_nanos(77));
            let all = [&body.head, &body.middle[..], &body.tail].concat();
            assert_eq!((all.len(), Body::stamp_of(&all)), (bytes, Duration::from_nanos(77)));
        }
    }
}
