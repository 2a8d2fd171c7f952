//! From the time when a tick was due, for every tick.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::ticks::Ticks;

/// A frame's ticks are spread evenly over their time: so many of them are looked at, the first and
/// the last among them, and each stands for its part of the others.
const LOOKED_AT: u64 = 8;

/// Times of one kind.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Histogram<u64>);

/// What is said of them, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Quantiles {
    /// Half of the ticks.
    pub(crate) p50: u64,
    /// 99 of 100.
    pub(crate) p99: u64,
    /// 999 of 1,000.
    pub(crate) p999: u64,
    /// The latest.
    pub(crate) max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("the bounds are valid"))
    }
}

impl Latencies {
    /// All ticks of a frame are through at `at`.
    pub(super) fn record(&mut self, ticks: &Ticks, at: u64) {
        let points = ticks.count.min(LOOKED_AT);
        let span = ticks.last_due.saturating_sub(ticks.first_due);
        for point in 0..points {
            let due = ticks.first_due + span * point / (points - 1).max(1);
            let count = ticks.count * (point + 1) / points - ticks.count * point / points;
            self.0.saturating_record_n(at.saturating_sub(due), count);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the bounds are the same");
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Quantiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: self.0.max() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_counts_once_and_the_first_and_the_last_are_seen() {
        let mut latencies = Latencies::default();
        latencies.record(&Ticks { shard: 0, count: 1_003, first_due: 0, last_due: 1_000_000 }, 2_000_000);
        assert_eq!(latencies.count(), 1_003);
        let quantiles = latencies.quantiles();
        assert!(quantiles.max.abs_diff(2_000_000) <= 2_000, "{quantiles:?}");
        assert!(quantiles.p50.abs_diff(1_500_000) <= 100_000, "{quantiles:?}");
    }
}
