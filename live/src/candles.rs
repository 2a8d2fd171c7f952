//! Candles, made of every trade.
//!
//! The candle of the current second is updated by every trade. One that is closed is kept and becomes a part of the
//! 10 s candle that is open, that one when it is closed a part of the minute, and so on: a trade costs the same however
//! many intervals there are.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// At most so many candles of an instrument and interval are kept, and fewer of each where a source has many
/// instruments: see [`kept`].
pub(crate) const MOST_CANDLES: usize = 2_000;
/// So many candles of an interval are kept of all instruments of a source together.
const MOST_OF_ALL: usize = 100_000;

/// The trades of one stretch of time. Prices and sizes are in 1e-9, as everywhere.
///
/// An instrument without any trade has candles of the middle of its book (rounded down) at each event after which both
/// sides are known; their volume and number of trades are 0. Its first trade forgets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Receive time at which it begins, in ns since the UNIX epoch: a multiple of its interval.
    pub start: u64,
    /// Of the first trade.
    pub open: i64,
    /// The highest.
    pub high: i64,
    /// The lowest.
    pub low: i64,
    /// Of the last trade.
    pub close: i64,
    /// What was traded; [`i64::MAX`] stands for everything that is larger.
    pub volume: i64,
    /// How many trades.
    pub trades: u64,
}

impl Candle {
    pub(crate) fn of(start: u64, price: i64, volume: i64, trades: u64) -> Self {
        Self { start, open: price, high: price, low: price, close: price, volume, trades }
    }

    /// One more price, with what was traded at it.
    #[inline(always)]
    pub(crate) fn take(&mut self, price: i64, volume: i64, trades: u64) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
        self.volume = self.volume.saturating_add(volume);
        self.trades += trades;
    }

    /// A later candle of the same stretch.
    fn append(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.trades += later.trades;
    }
}

/// How long a candle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u32)]
pub enum Interval {
    /// 1 s.
    Second = 1,
    /// 10 s.
    TenSeconds = 10,
    /// 60 s.
    Minute = 60,
    /// 300 s.
    FiveMinutes = 300,
    /// 3,600 s.
    Hour = 3_600,
}

impl Interval {
    /// Every interval, the shortest first.
    pub const ALL: [Self; 5] = [Self::Second, Self::TenSeconds, Self::Minute, Self::FiveMinutes, Self::Hour];

    /// The one of so many seconds.
    pub fn of_seconds(seconds: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| *interval as u32 == seconds)
    }

    /// Its length in ns.
    pub fn ns(self) -> u64 {
        u64::from(self as u32) * 1_000_000_000
    }

    /// When the candle of this time begins.
    pub fn start_of(self, ts: u64) -> u64 {
        ts - ts % self.ns()
    }

    /// Its place in [`Interval::ALL`].
    pub(crate) fn place(self) -> usize {
        match self {
            Self::Second => 0,
            Self::TenSeconds => 1,
            Self::Minute => 2,
            Self::FiveMinutes => 3,
            Self::Hour => 4,
        }
    }
}

/// How many candles of an instrument and interval are kept in a source of so many instruments: 2,000 up to 50
/// instruments, then half as many each time that the instruments double.
pub(crate) fn kept(instruments: usize) -> usize {
    let mut kept = MOST_CANDLES;
    while kept > 1 && kept * instruments > MOST_OF_ALL {
        kept /= 2;
    }
    kept
}

/// The candle of the second that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenSecond {
    /// The first receive time that is not its own; 0 before the first price.
    end: u64,
    candle: Candle,
}

impl Default for OpenSecond {
    fn default() -> Self {
        Self { end: 0, candle: Candle::of(0, 0, 0, 0) }
    }
}

impl OpenSecond {
    #[inline(always)]
    pub(crate) fn take(
        &mut self,
        history: &mut History,
        kept: usize,
        ts: u64,
        price: i64,
        volume: i64,
        trades: u64,
    ) {
        if ts < self.end {
            self.candle.take(price, volume, trades);
        } else {
            self.turn(history, kept, Candle::of(Interval::Second.start_of(ts), price, volume, trades));
        }
    }

    #[cold]
    fn turn(&mut self, history: &mut History, kept: usize, next: Candle) {
        if let Some(closed) = self.candle() {
            history.close(closed, kept);
        }
        self.candle = next;
        self.end = next.start.saturating_add(Interval::Second.ns());
    }

    pub(crate) fn candle(&self) -> Option<Candle> {
        (self.end != 0).then_some(self.candle)
    }
}

/// The candles of an instrument, but for the second that is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Of each interval, the oldest first.
    closed: [VecDeque<Candle>; Interval::ALL.len()],
    /// Of each interval but the first: what of it is closed in the interval below.
    open: [Option<Candle>; Interval::ALL.len() - 1],
}

impl History {
    /// Takes a second that is closed.
    fn close(&mut self, second: Candle, kept: usize) {
        let mut candle = second;
        for (place, closed) in self.closed.iter_mut().enumerate() {
            while closed.len() >= kept.max(1) {
                closed.pop_front();
            }
            closed.push_back(candle);
            let Some(open) = self.open.get_mut(place) else { return };
            let start = Interval::ALL[place + 1].start_of(candle.start);
            match open {
                Some(open) if open.start == start => return open.append(&candle),
                _ => match open.replace(Candle { start, ..candle }) {
                    Some(closed) => candle = closed,
                    None => return,
                },
            }
        }
    }

    /// The last candles of an interval, the oldest first, the one that is not complete included.
    pub(crate) fn last(&self, interval: Interval, second: Option<Candle>, limit: usize) -> Vec<Candle> {
        let closed = &self.closed[interval.place()];
        let open = self.open_of(interval, second);
        let left = limit.saturating_sub(open.len());
        let mut last: Vec<_> = closed.range(closed.len().saturating_sub(left)..).copied().collect();
        last.extend_from_slice(&open[open.len().saturating_sub(limit)..]);
        last
    }

    /// Those that begin at this time or later.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn since(&self, interval: Interval, second: Option<Candle>, start: u64) -> Vec<Candle> {
        let closed = &self.closed[interval.place()];
        let first = closed.partition_point(|candle| candle.start < start);
        let mut since: Vec<_> = closed.range(first..).copied().collect();
        since.extend(self.open_of(interval, second).into_iter().filter(|candle| candle.start >= start));
        since
    }

    /// Puts these in place of all that begin at this time or later. What another process made is kept closed.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn replace(&mut self, interval: Interval, start: u64, candles: &[Candle], kept: usize) {
        let closed = &mut self.closed[interval.place()];
        closed.truncate(closed.partition_point(|candle| candle.start < start));
        closed.extend(candles);
        closed.drain(..closed.len().saturating_sub(kept));
    }

    /// What of an interval is not closed: what is open of it and of all that are shorter, in order of time.
    fn open_of(&self, interval: Interval, second: Option<Candle>) -> Vec<Candle> {
        let mut open: Vec<Candle> = Vec::with_capacity(Interval::ALL.len());
        for candle in self.open[..interval.place()].iter().rev().copied().chain([second]).flatten() {
            let start = interval.start_of(candle.start);
            match open.last_mut() {
                Some(last) if last.start == start => last.append(&candle),
                _ => open.push(Candle { start, ..candle }),
            }
        }
        open
    }

    /// Forgets what is older than so many candles of each interval.
    pub(crate) fn trim(&mut self, kept: usize) {
        for closed in &mut self.closed {
            closed.drain(..closed.len().saturating_sub(kept));
            closed.shrink_to(kept);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.closed.iter().map(VecDeque::len).sum()
    }
}
