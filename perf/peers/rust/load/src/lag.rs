//! Servers that never hold a publisher back keep what is not consumed; this bounds it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Load, PATIENCE};

/// Bytes that may be published and not yet consumed.
const MOST_BYTES: u64 = 256 << 20;

/// How many messages are consumed, as the publisher sees it.
#[derive(Debug)]
pub struct Lag {
    consumed: AtomicU64,
    most: u64,
}

impl Lag {
    pub fn new(load: &Load) -> Self {
        Self { consumed: AtomicU64::new(0), most: (MOST_BYTES / load.body_bytes).max(2 * load.window) }
    }

    /// How many messages it is at most.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// So many more are consumed and acknowledged.
    pub fn consumed(&self, messages: u64) {
        self.consumed.fetch_add(messages, Ordering::Relaxed);
    }

    /// Whether one more may be published.
    pub fn has_room(&self, published: u64) -> bool {
        published.saturating_sub(self.consumed.load(Ordering::Relaxed)) < self.most
    }

    /// Waits until one more may be published.
    pub fn wait(&self, published: u64) -> Result<()> {
        let began = Instant::now();
        while !self.has_room(published) {
            ensure!(began.elapsed() < PATIENCE, "consumers take nothing; see what they say");
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}
