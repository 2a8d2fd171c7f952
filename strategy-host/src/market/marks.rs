//! The recorded prices of all instruments as one stream in time order.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::Instrument;

/// A price at which a paper account values an open position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// The end of the bucket, or the instrument's last tick if that is earlier; ns since the epoch.
    pub ts_recv: u64,
    /// The instrument.
    pub symbol: &'a str,
    /// The last price of the bucket, in 1e-9 of the quote unit.
    pub price: i64,
}

/// The last price of each bucket of each instrument, ordered by (time, place in the list).
///
/// Give it the list of [`super::Market::collect`], so that ties are in order of symbol whatever the
/// number of shards.
#[derive(Debug)]
pub struct Marks<'a> {
    instruments: &'a [Instrument],
    /// The next mark of each instrument: its time, the instrument, the bucket.
    due: BinaryHeap<Reverse<(u64, usize, usize)>>,
}

impl<'a> Marks<'a> {
    /// Starts before the first.
    pub fn new(instruments: &'a [Instrument]) -> Self {
        let due = (0..instruments.len())
            .filter_map(|i| Some(Reverse((mark_time(&instruments[i], 0)?, i, 0))))
            .collect();
        Self { instruments, due }
    }

    /// The next mark that is earlier than `ts_recv`: what an account must see before a signal of that time.
    pub fn next_before(&mut self, ts_recv: u64) -> Option<Mark<'a>> {
        let &Reverse((due, _, _)) = self.due.peek()?;
        if due < ts_recv { self.next() } else { None }
    }
}

impl<'a> Iterator for Marks<'a> {
    type Item = Mark<'a>;

    fn next(&mut self) -> Option<Mark<'a>> {
        let Reverse((ts_recv, i, bucket)) = self.due.pop()?;
        let instrument = &self.instruments[i];
        if let Some(next) = mark_time(instrument, bucket + 1) {
            self.due.push(Reverse((next, i, bucket + 1)));
        }
        Some(Mark { ts_recv, symbol: &instrument.symbol, price: instrument.buckets[bucket].last })
    }
}

fn mark_time(instrument: &Instrument, bucket: usize) -> Option<u64> {
    let start = instrument.buckets.get(bucket)?.start;
    let end = start.saturating_add(instrument.bucket_ns.saturating_sub(1));
    Some(end.min(instrument.last_ts_recv.max(start)))
}
