//! How often states are stored.

use std::time::{Duration, Instant};

/// Keeps the encoding of states at most one twentieth of the time: cheap state goes with every
/// commit, dear state with fewer.
#[derive(Debug)]
pub(super) struct CheckpointBudget {
    since: Instant,
    spent: Duration,
    last: Duration,
}

impl Default for CheckpointBudget {
    fn default() -> Self {
        Self { since: Instant::now(), spent: Duration::ZERO, last: Duration::ZERO }
    }
}

impl CheckpointBudget {
    /// Whether states may be encoded now, by what that cost last.
    pub(super) fn allows(&self, now: Instant) -> bool {
        (self.spent + self.last) * 20 <= now.saturating_duration_since(self.since)
    }

    /// States were encoded for so long.
    pub(super) fn spent(&mut self, cost: Duration) {
        self.spent += cost;
        self.last = cost;
    }
}
