//! Wakes threads that wait for something new in a store, or for the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts what is new. Whoever looks reads the count first, so that nothing new between looking and waiting
/// is missed.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    count: Mutex<u64>,
    rung: Condvar,
    followers: Mutex<Vec<Arc<Self>>>,
}

impl Bell {
    /// How often it was rung.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody who waits, here and at the bells that follow this one.
    pub(crate) fn ring(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
        for follower in self.followers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            follower.ring();
        }
    }

    /// Rings `follower` with this one from now on: for a thread that waits for more than one bell.
    pub(crate) fn lead(&self, follower: &Arc<Self>) {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(follower.clone());
    }

    /// Waits until it has been rung more than `seen` times, or so long.
    pub(crate) fn wait(&self, seen: u64, timeout: Duration) {
        let until = Instant::now() + timeout;
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count <= seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            count = self.rung.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Set once, when the bus stops.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    is_set: AtomicBool,
    bell: Bell,
}

impl Stopping {
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.bell.ring();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Waits for it so long.
    pub(crate) fn wait(&self, timeout: Duration) {
        let seen = self.bell.count();
        if !self.is_set() {
            self.bell.wait(seen, timeout);
        }
    }
}
