//! Servers that never hold a publisher back keep what is not consumed; this bounds it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Load, PATIENCE};

/// Bytes that may be published and not yet consumed by everybody.
const MOST_BYTES: u64 = 256 << 20;
/// Between looks whether there is room.
const LOOK: Duration = Duration::from_micros(200);

/// How many messages are consumed, as the publisher sees it: the slowest consumer counts.
#[derive(Debug)]
pub struct Lag {
    consumed: Vec<AtomicU64>,
    most: u64,
}

impl Lag {
    pub fn new(load: &Load) -> Self {
        let consumed = (0..load.queues).map(|_| AtomicU64::new(0)).collect();
        Self { consumed, most: (MOST_BYTES / load.body_bytes).max(2 * load.window) }
    }

    /// How many messages it is at most.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// This queue's consumer has so many more. Gives whether everybody else has as many, so that nobody
    /// needs them any more.
    pub fn consumed(&self, queue: u64, messages: u64) -> bool {
        // Of two who come to the same count at once, one at least sees the other's: `SeqCst`.
        let mine = self.consumed[queue as usize].fetch_add(messages, Ordering::SeqCst) + messages;
        self.by_all() == mine
    }

    /// Whether one more may be published.
    pub fn has_room(&self, published: u64) -> bool {
        published.saturating_sub(self.by_all()) < self.most
    }

    /// Waits until one more may be published.
    pub fn wait(&self, published: u64) -> Result<()> {
        let began = Instant::now();
        while !self.has_room(published) {
            ensure!(began.elapsed() < PATIENCE, "consumers take nothing; see what they say");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn by_all(&self) -> u64 {
        self.consumed.iter().map(|count| count.load(Ordering::SeqCst)).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_consumer_counts() {
        let load = Load { url: String::new(), body_bytes: MOST_BYTES, messages: 10, window: 2, queues: 2 };
        let lag = Lag::new(&load);
        assert_eq!(lag.most(), 4);
        assert!(lag.has_room(3) && !lag.has_room(4));
        assert!(!lag.consumed(0, 3));
        assert!(!lag.has_room(4));
        assert!(lag.consumed(1, 2));
        assert!(lag.has_room(5) && !lag.has_room(6));
        assert!(lag.consumed(1, 1));
    }
}
