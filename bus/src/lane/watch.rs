//! Finds handlers that block their thread: those cannot be ended from outside, only named.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::bell::Stopping;

/// A handler is given so long after its timeout to yield and be ended.
const GRACE: Duration = Duration::from_secs(1);
/// Between looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A handler that has not ended after its timeout, and does not yield either. Its lane waits for it; others go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedHandler {
    /// The context it runs in.
    pub context: String,
    /// The command's name, or the consumer's.
    pub handler: String,
    /// The first message of its batch: a command's id, or an event's message id.
    pub message: String,
    /// How long it has been at it.
    pub since: Duration,
}

/// What a lane is at.
#[derive(Debug)]
pub(crate) struct Watch {
    context: String,
    handler: String,
    attempt: Mutex<Option<Attempt>>,
}

#[derive(Debug)]
struct Attempt {
    begun: Instant,
    timeout: Duration,
    message: uuid::Uuid,
    was_reported: bool,
}

impl Watch {
    pub(crate) fn new(context: &str, handler: &str) -> Arc<Self> {
        let (context, handler) = (context.to_owned(), handler.to_owned());
        Arc::new(Self { context, handler, attempt: Mutex::default() })
    }

    /// An attempt begins; it ends when the guard is dropped.
    pub(crate) fn begin(&self, message: uuid::Uuid, timeout: Duration) -> WatchGuard<'_> {
        let attempt = Attempt { begun: Instant::now(), timeout, message, was_reported: false };
        *self.attempt.lock().unwrap_or_else(PoisonError::into_inner) = Some(attempt);
        WatchGuard(self)
    }

    /// The handler, if it blocks.
    pub(crate) fn blocked(&self) -> Option<BlockedHandler> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|a| self.overdue(a))
    }

    fn overdue(&self, attempt: &Attempt) -> Option<BlockedHandler> {
        let since = attempt.begun.elapsed();
        (since > attempt.timeout.saturating_add(GRACE)).then(|| BlockedHandler {
            context: self.context.clone(),
            handler: self.handler.clone(),
            message: attempt.message.hyphenated().to_string(),
            since,
        })
    }

    /// Says once for each attempt that it blocks, and once that it has ended after all.
    fn report(&self) {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(attempt) = attempt.as_mut().filter(|attempt| !attempt.was_reported) else { return };
        let Some(blocked) = self.overdue(attempt) else { return };
        attempt.was_reported = true;
        let BlockedHandler { context, handler, message, since } = blocked;
        tracing::error!(%context, %handler, %message, ?since,
            "a handler blocks its thread and cannot be ended: its messages wait until it returns or the process \
             is started again, others go on");
    }
}

/// An attempt that is being made.
pub(crate) struct WatchGuard<'a>(&'a Watch);

impl Drop for WatchGuard<'_> {
    fn drop(&mut self) {
        let attempt = self.0.attempt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(attempt) = attempt.filter(|attempt| attempt.was_reported) {
            let Watch { context, handler, .. } = self.0;
            let since = attempt.begun.elapsed();
            tracing::warn!(%context, %handler, message = %attempt.message, ?since, "a blocked handler has returned");
        }
    }
}

/// Looks at every lane until the bus stops.
pub(crate) fn keep_watching(watches: &[Arc<Watch>], stopping: &Stopping) {
    while !stopping.is_set() {
        watches.iter().for_each(|watch| watch.report());
        stopping.wait(LOOK_EVERY);
    }
}
