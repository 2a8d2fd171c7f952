//! How long frames and ticks take.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Time per frame, and per tick within it, over all lanes of one thread.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Nanoseconds a frame.
    pub frame_ns: Histogram<u64>,
    /// Picoseconds a tick: a frame's time divided by its ticks, counted once a tick.
    pub tick_ps: Histogram<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        Self::new()
    }
}

impl Timing {
    /// Nothing measured yet; up to 100 s a frame, 100 ms a tick, two significant digits.
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_max(100_000_000_000, 2).expect("the bounds are valid");
        Self { frame_ns: histogram(), tick_ps: histogram() }
    }

    #[inline]
    pub(super) fn record(&mut self, elapsed: Duration, ticks: usize) {
        let ns = elapsed.as_nanos() as u64;
        self.frame_ns.saturating_record(ns);
        if let Some(ps) = (ns * 1000).checked_div(ticks as u64) {
            self.tick_ps.saturating_record_n(ps, ticks as u64);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.frame_ns.add(&other.frame_ns).expect("both have the same bounds");
        self.tick_ps.add(&other.tick_ps).expect("both have the same bounds");
    }
}
