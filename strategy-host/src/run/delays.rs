//! How long commits take, between two reports.

use std::time::Duration;

use tick_feed::rabbitmq::control::CommitDelay;

/// A second has this many commits at most.
const MOST: usize = 10_000;

/// The delays since they were last taken; of more than [`MOST`] the first are kept, and the slowest.
#[derive(Debug, Default)]
pub(super) struct Delays {
    us: Vec<u64>,
}

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        let us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        match self.us.get_mut(MOST - 1) {
            Some(last) => *last = us.max(*last),
            None => self.us.push(us),
        }
    }

    /// What they come to; the next ones begin anew.
    pub(super) fn take(&mut self) -> Option<CommitDelay> {
        self.us.sort_unstable();
        let last = self.us.len().checked_sub(1)?;
        let at = |share: f64| self.us[(last as f64 * share).round() as usize];
        let delay = CommitDelay { p50_us: at(0.5), p99_us: at(0.99), max_us: self.us[last] };
        self.us.clear();
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_from_one_report_to_the_next() {
        let mut delays = Delays::default();
        assert_eq!(delays.take(), None);
        (0..=100).for_each(|ms| delays.add(Duration::from_millis(ms)));
        let of = |p50_us, p99_us, max_us| Some(CommitDelay { p50_us, p99_us, max_us });
        assert_eq!(delays.take(), of(50_000, 99_000, 100_000));
        delays.add(Duration::from_micros(7));
        assert_eq!(delays.take(), of(7, 7, 7));
        (0..2 * MOST).for_each(|_| delays.add(Duration::from_micros(1)));
        delays.add(Duration::from_secs(1));
        assert_eq!(delays.take(), of(1, 1, 1_000_000));
    }
}
