//! How long ended commands are remembered, and how many.

use std::time::Duration;

use crate::bell::Stopping;
use crate::running::now_ms;
use crate::store::{StoreError, Sweep};
use crate::transport::Served;

/// Ended commands are kept for so long, and so many: until then a repeated one is known, and their status can be
/// read. Each context forgets its own, those first that ended first. What was heard of other services is kept for so
/// long after it was heard, and so many messages of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// For so long after the end.
    pub keep: Duration,
    /// At most so many.
    pub most: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: Duration::from_secs(7 * 24 * 3600), most: 10_000_000 }
    }
}

/// Between looks for what is old, or too much.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// So many commands are forgotten in one commit, so that nobody waits for it.
const SWEEP_STEP: usize = 500;
/// Between two such commits.
const BETWEEN_STEPS: Duration = Duration::from_millis(20);

impl Retention {
    pub(crate) fn keep_sweeping(self, served: &Served, stopping: &Stopping) {
        while !stopping.is_set() {
            if let Err(error) = self.sweep(served, stopping) {
                tracing::warn!(%error, "old commands could not be forgotten");
            }
            stopping.wait(SWEEP_EVERY);
        }
    }

    /// Forgets what is old or too much by now, step by step.
    fn sweep(self, served: &Served, stopping: &Stopping) -> Result<(), StoreError> {
        let too_many = served.store.ended_beyond(self.most)?;
        while !stopping.is_set() {
            let now_ms = now_ms();
            let known_before_ms = now_ms.saturating_sub(self.keep.as_millis() as u64);
            let ended_before_ms = known_before_ms.max(too_many.map_or(0, |ended_ms| ended_ms + 1));
            let sweep = Sweep { ended_before_ms, known_before_ms, limit: SWEEP_STEP };
            let swept = served.store.sweep(&sweep, now_ms)?;
            if swept > 0 {
                served.events.ring();
            }
            if swept < SWEEP_STEP {
                break;
            }
            stopping.wait(BETWEEN_STEPS);
        }
        Ok(())
    }
}
