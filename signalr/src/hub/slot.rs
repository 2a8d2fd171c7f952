//! How many calls of a connection run at once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Caller;

/// A call's place among those that run. A call that waits for the client gives it free, once, and does not take it again: with
/// one call at a time the client could never answer otherwise.
#[derive(Debug)]
pub(super) struct Slot {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    caller: Arc<Caller>,
}

impl Slot {
    /// Waits for its turn.
    pub(super) async fn take(slots: Arc<Semaphore>, caller: &Arc<Caller>) -> Arc<Self> {
        // The session never closes the semaphore.
        let permit = slots.acquire_owned().await.ok();
        Arc::new(Self { permit: Mutex::new(permit), caller: caller.clone() })
    }

    pub(super) fn give_free(&self) {
        if self.permit.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            self.caller.unslotted.fetch_add(1, Ordering::AcqRel);
            self.caller.changed.notify_one();
        }
    }

    /// The call is over: whether its slot was given free before.
    pub(super) fn end(&self) {
        let permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        if permit.is_none() {
            self.caller.unslotted.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
