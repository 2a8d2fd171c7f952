//! Calls of `on_disconnected` that still run: a server that stops waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many there are.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    count: AtomicUsize,
    changed: Notify,
}

impl Leaving {
    /// One begins; it ends when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Guard {
        self.count.fetch_add(1, Ordering::AcqRel);
        Guard(self.clone())
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Waits for the last one.
    pub(super) async fn none(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            changed.await;
        }
    }
}

pub(super) struct Guard(Arc<Leaving>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}
