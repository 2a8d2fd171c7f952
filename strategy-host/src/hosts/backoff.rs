//! How long a lane that failed waits. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The first wait; each is twice the one before.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// A lane that ran for so long has recovered: its next failure is a first one.
const RECOVERED: Duration = Duration::from_secs(120);

/// The waits of one lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It failed at `now` after it was started at `started`; gives how long it waits.
    pub(super) fn on_failure(&mut self, started: Instant, now: Instant) -> Duration {
        if now.saturating_duration_since(started) >= RECOVERED {
            self.failures = 0;
        }
        let wait = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures += 1;
        wait
    }

    /// How often it has failed since it last recovered.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_until_it_has_run_for_some_time() {
        let begun = Instant::now();
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.on_failure(begun, begun).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.on_failure(begun, begun + RECOVERED), FIRST);
        assert_eq!(backoff.failures(), 1);
    }
}
