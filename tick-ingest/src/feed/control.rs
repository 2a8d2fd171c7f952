//! Watching a feed, and stopping it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Shared between a feed and whoever watches it.
#[derive(Debug, Default)]
pub struct FeedControl {
    stopped: Arc<AtomicBool>,
    ticks: AtomicU64,
    began: OnceLock<Instant>,
    waiting: Mutex<()>,
    wake: Condvar,
}

impl FeedControl {
    /// Ends the feed after the frame it is at.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        let _guard = self.waiting.lock();
        self.wake.notify_all();
    }

    /// Whether somebody said stop.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Set by [`FeedControl::stop`]: for [`ReadOptions::stopped`](crate::ReadOptions), so that a
    /// source which gives nothing for long is not waited for.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stopped.clone()
    }

    /// Ticks sent so far.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Counts ticks as sent.
    #[inline]
    pub fn sent(&self, ticks: u64) {
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
    }

    /// When the pace's clock started: the first tick was due then, and each other one as much later
    /// as the pace says. `None` before that.
    pub fn began(&self) -> Option<Instant> {
        self.began.get().copied()
    }

    #[inline]
    pub(super) fn begin(&self) {
        self.began.get_or_init(Instant::now);
    }

    /// Waits so long, or up to a stop.
    pub(super) fn wait(&self, time: Duration) {
        let Ok(guard) = self.waiting.lock() else { return };
        if !self.is_stopped() {
            // Woken early or not, the caller looks at the clock again.
            let _ = self.wake.wait_timeout(guard, time);
        }
    }
}
