//! A price over receive time in a bounded number of buckets.

use serde::Serialize;

/// The most buckets that the series of one instrument has.
pub const MAX_BUCKETS: usize = 512;

/// The narrowest bucket, 2^20 ns or about a millisecond: finer is no use to a chart, and starting
/// here saves twenty rounds of merging.
const NARROWEST_SHIFT: u32 = 20;

/// The prices of a stretch of receive time, in 1e-9 of the quote unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its first receive time in ns since the UNIX epoch, a multiple of the bucket's width.
    pub start: u64,
    /// The lowest price.
    pub low: i64,
    /// The highest price.
    pub high: i64,
    /// The last price.
    pub last: i64,
}

impl Bucket {
    const fn without_price(start: u64) -> Self {
        Self { start, low: i64::MAX, high: i64::MIN, last: 0 }
    }
}

/// The closed buckets on a power-of-two grid of receive time, and the start of the open one.
///
/// When the grid would need more than [`MAX_BUCKETS`] places from the first price to now, its shift
/// grows and neighbours merge. The grid is absolute, so merging early or late gives the same buckets.
#[derive(Debug)]
pub(super) struct Series {
    shift: u32,
    open_start: u64,
    closed: Vec<Bucket>,
}

impl Default for Series {
    fn default() -> Self {
        Self { shift: NARROWEST_SHIFT, open_start: 0, closed: Vec::new() }
    }
}

impl Series {
    /// Opens the bucket of receive time `ts` and returns it with the first time after it. What it
    /// returns has prices already when merging made it the last closed one again.
    pub(super) fn open(&mut self, ts: u64) -> (Bucket, u64) {
        let first = self.closed.first().map_or(ts, |bucket| bucket.start);
        let shift = shift_for(first, ts, MAX_BUCKETS as u64, self.shift);
        if shift > self.shift {
            self.grow_prefetch(shift);
        }
        let width_mask = (1 << self.shift) - 1;
        let start = ts & !width_mask;
        self.open_start = start;
        let again = self.closed.pop_if(|bucket| bucket.start >= start);
        (again.unwrap_or(Bucket::without_price(start)), (start | width_mask).saturating_add(1))
    }

    /// Closes the open bucket; one without a price leaves nothing.
    pub(super) fn close(&mut self, low: i64, high: i64, last: i64) {
        if low <= high {
            self.closed.push(Bucket { start: self.open_start, low, high, last });
        }
    }

    pub(super) fn bucket_ns(&self) -> u64 {
        1 << self.shift
    }

    pub(super) fn into_buckets(self) -> Vec<Bucket> {
        self.closed
    }

    fn grow_prefetch(&mut self, shift: u32) {
        self.shift = shift;
        for bucket in &mut self.closed {
            bucket.start = bucket.start >> shift << shift;
        }
        self.closed.dedup_by(|later, earlier| {
            let same = later.start == earlier.start;
            if same {
                earlier.low = earlier.low.min(later.low);
                earlier.high = earlier.high.max(later.high);
                earlier.last = later.last;
            }
            same
        });
    }
}

/// The smallest shift from `at_least` on with which `first..=last` touches at most `places` places of
/// the grid. Times before `first` count as `first`.
pub(crate) fn shift_for(first: u64, last: u64, places: u64, at_least: u32) -> u32 {
    let mut shift = at_least;
    while shift < 63 && (last >> shift).saturating_sub(first >> shift) >= places {
        shift += 1;
    }
    shift
}
