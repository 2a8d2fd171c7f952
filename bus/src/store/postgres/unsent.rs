//! Whether there may be something to send, so that nobody asks the server after each commit that has sent nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// It is looked so often all the same: what another process has left may have been announced to nobody.
const LOOK_EVERY: Duration = Duration::from_millis(900);

/// What this process knows of a table of which rows are sent and removed.
pub(super) struct Unsent {
    may_be: AtomicBool,
    looked: Mutex<Option<Instant>>,
}

impl Default for Unsent {
    /// Nothing is known yet.
    fn default() -> Self {
        Self { may_be: AtomicBool::new(true), looked: Mutex::default() }
    }
}

impl Unsent {
    /// Rows are committed, or may be.
    pub(super) fn note(&self) {
        self.may_be.store(true, Ordering::Release);
    }

    /// Whether the server is to be asked. Whoever asks, and finds rows or fails, notes that.
    pub(super) fn is_due(&self) -> bool {
        // What is noted from here on is found by the next look.
        let may_be = self.may_be.swap(false, Ordering::AcqRel);
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = may_be || looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY);
        if is_due {
            *looked = Some(Instant::now());
        }
        is_due
    }
}
