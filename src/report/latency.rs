//! A time distribution as the page shows it.

use hdrhistogram::Histogram;
use serde::Serialize;

/// How long something took; all times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the samples took at most this.
    pub p50: f64,
    /// 90 % took at most this.
    pub p90: f64,
    /// 99 % took at most this.
    pub p99: f64,
    /// 99.9 % took at most this.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// Samples by time: upper bound and count, in order, bounds in steps of at least 1 %.
    pub buckets: Vec<(f64, u64)>,
}

/// Bars of the histogram for each doubling of the time.
const BARS_PER_OCTAVE: f64 = 4.0;

impl Latency {
    /// The distribution in `samples`, whose values count units of `ns_per_unit` nanoseconds: 1.0 when
    /// they are nanoseconds, 0.001 when they are picoseconds. At most some 250 buckets.
    pub fn of(samples: &Histogram<u64>, ns_per_unit: f64) -> Self {
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for recorded in samples.iter_recorded() {
            let value = recorded.value_iterated_to().max(1) as f64 * ns_per_unit;
            let bar = (value.log2() * BARS_PER_OCTAVE).floor();
            let upper = ((bar + 1.0) / BARS_PER_OCTAVE).exp2();
            let count = recorded.count_since_last_iteration();
            match buckets.last_mut() {
                Some((last, sum)) if *last == upper => *sum += count,
                _ => buckets.push((upper, count)),
            }
        }
        let at = |quantile| samples.value_at_quantile(quantile) as f64 * ns_per_unit;
        let max = samples.max() as f64 * ns_per_unit;
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max, buckets }
    }

    /// How many samples.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_in_the_bar_below_its_bound() {
        let mut samples = Histogram::<u64>::new(3).unwrap();
        for value in [0, 1, 900, 1000, 1100, 5_000_000] {
            samples.record(value).unwrap();
        }
        let latency = Latency::of(&samples, 0.001);
        assert_eq!(latency.count(), 6);
        assert!(latency.buckets.is_sorted_by(|a, b| a.0 < b.0), "{latency:?}");
        assert_eq!(latency.buckets.last().unwrap().1, 1);
        assert!((latency.p50 - 0.9).abs() < 0.01, "{latency:?}");
        assert!((latency.max - 5000.0).abs() < 10.0, "{latency:?}");
        let (upper, count) = latency.buckets[1];
        assert!((0.9..1.2).contains(&upper) && count == 1, "{latency:?}");
    }
}
