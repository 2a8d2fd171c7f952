//! How the results of round trips are distributed, in a bounded number of bins.

use std::collections::BTreeMap;

use serde::Serialize;

/// The most bins; those without a round trip are not kept.
pub const MAX_BINS: usize = 64;

/// Round trips by profit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// The width of each bin in 1e-9 of the quote unit: 1 or 5 times a power of ten.
    pub width: i128,
    /// Those with a round trip, from the greatest loss to the greatest profit.
    pub bins: Vec<Bin>,
}

/// Round trips with about the same profit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// The least profit of the bin, a multiple of its width; the next bin begins a width above it.
    pub from: i128,
    /// How many there are.
    pub trades: u64,
}

/// Counts round trips. Zero always begins a bin, and is within what the bins cover, so none has both wins and losses.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    width: i128,
    /// The factor to the next width: 5 and 2 in turns.
    factor: i128,
    /// By the bin's number from 0.
    counts: BTreeMap<i128, u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { width: 1, factor: 5, counts: BTreeMap::new() }
    }
}

impl Histogram {
    /// A round trip with this profit.
    pub(super) fn add(&mut self, profit: i128) {
        *self.counts.entry(profit.div_euclid(self.width)).or_default() += 1;
        while self.covered() > MAX_BINS as i128 {
            self.widen();
        }
    }

    /// What was counted.
    pub(super) fn finish(self) -> Distribution {
        if self.counts.is_empty() {
            return Distribution::default();
        }
        let width = self.width;
        let bins = self.counts.into_iter().map(|(bin, trades)| Bin { from: bin * width, trades }).collect();
        Distribution { width, bins }
    }

    fn covered(&self) -> i128 {
        let first = self.counts.keys().next().map_or(0, |&first| first.min(0));
        let last = self.counts.keys().next_back().map_or(0, |&last| last.max(0));
        last - first + 1
    }

    fn widen(&mut self) {
        let factor = self.factor;
        self.factor = if factor == 5 { 2 } else { 5 };
        self.width *= factor;
        for (bin, trades) in std::mem::take(&mut self.counts) {
            *self.counts.entry(bin.div_euclid(factor)).or_default() += trades;
        }
    }
}
