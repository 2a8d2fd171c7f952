//! What a replay records of the market itself: counts, times, last prices and a bounded price series
//! for each instrument of one shard.
//!
//! Everything here depends on the instrument's own ticks in their order and on nothing else, so the
//! number of shards, the frame size and the threads leave no trace in a report.

use serde::Serialize;
use thiserror::Error;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Tick};

mod marks;
mod series;

pub use marks::{Mark, Marks};
pub(crate) use series::shift_for;
pub use series::{Bucket, MAX_BUCKETS};

/// Records the ticks of one shard.
#[derive(Debug, Default)]
pub struct Market {
    symbols: Vec<String>,
    recorders: Vec<Recorder>,
}

/// What a [`Market`] cannot record.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MarketError {
    /// A tick of an instrument that was not opened.
    #[error(
        "a tick names instrument {id}, but only ids below {opened} are open: \
         open a frame's new instruments before its ticks"
    )]
    UnknownInstrument {
        /// The tick's instrument.
        id: u32,
        /// How many instruments are open.
        opened: usize,
    },
    /// Ids that are not dense or not in order.
    #[error(
        "instrument {symbol} was opened as id {id}, but the next id is {next}: ids are dense and in order"
    )]
    NotDense {
        /// The id that was given.
        id: u32,
        /// The id that was due.
        next: usize,
        /// The instrument's symbol.
        symbol: String,
    },
}

/// What was recorded of one instrument. Prices are in 1e-9 of the quote unit, times in ns since the
/// UNIX epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Instrument {
    /// The source's name of it.
    pub symbol: String,
    /// Ticks of kind trade.
    pub trades: u64,
    /// Ticks of kind bid.
    pub bids: u64,
    /// Ticks of kind ask.
    pub asks: u64,
    /// Ticks of a kind that this version does not know.
    pub others: u64,
    /// `ts_recv` of the first tick, 0 where there was none.
    pub first_ts_recv: u64,
    /// `ts_recv` of the last tick.
    pub last_ts_recv: u64,
    /// `ts_event` of the first tick.
    pub first_ts_event: u64,
    /// `ts_event` of the last tick.
    pub last_ts_event: u64,
    /// The last trade's price.
    pub last_trade: Option<i64>,
    /// The best bid at the end; `None` where that side was empty or never quoted.
    pub last_bid: Option<i64>,
    /// The best ask at the end, likewise.
    pub last_ask: Option<i64>,
    /// Width of a bucket in ns, a power of two.
    pub bucket_ns: u64,
    /// The price over receive time, at most [`MAX_BUCKETS`], in order; times without a price have none.
    ///
    /// A price is the middle of the book (rounded down) at a quote tick with LAST while both sides are
    /// defined. Until an instrument's first such book, and so for one without quotes, it is the trade's.
    pub buckets: Vec<Bucket>,
}

impl Instrument {
    /// All ticks.
    pub fn ticks(&self) -> u64 {
        self.trades + self.bids + self.asks + self.others
    }

    /// The last price of the series, in 1e-9 of the quote unit.
    pub fn last_price(&self) -> Option<i64> {
        self.buckets.last().map(|bucket| bucket.last)
    }
}

impl Market {
    /// Names instrument `id`, before its first tick.
    ///
    /// # Errors
    /// [`MarketError::NotDense`] when `id` is not the number of instruments opened before.
    pub fn open(&mut self, id: u32, symbol: &str) -> Result<(), MarketError> {
        let next = self.recorders.len();
        if id as usize != next {
            return Err(MarketError::NotDense { id, next, symbol: symbol.to_owned() });
        }
        self.symbols.push(symbol.to_owned());
        self.recorders.push(Recorder::default());
        Ok(())
    }

    /// Records `ticks`, which follow those of the call before in receive time.
    ///
    /// A tick that goes back in time is recorded at the time already reached.
    ///
    /// # Errors
    /// [`MarketError::UnknownInstrument`] at the first tick of an instrument that is not open; the
    /// ticks before it are recorded.
    pub fn run(&mut self, ticks: &[Tick]) -> Result<(), MarketError> {
        for tick in ticks {
            let Some(recorder) = self.recorders.get_mut(tick.instrument as usize) else {
                return Err(MarketError::UnknownInstrument {
                    id: tick.instrument,
                    opened: self.recorders.len(),
                });
            };
            if tick.ts_recv >= recorder.bucket_end {
                recorder.turn_to(tick);
            }
            recorder.record(tick);
        }
        Ok(())
    }

    /// The instruments of several shards in one list, ordered by symbol.
    pub fn collect(shards: impl IntoIterator<Item = Self>) -> Vec<Instrument> {
        let mut all: Vec<Instrument> = shards
            .into_iter()
            .flat_map(|market| market.symbols.into_iter().zip(market.recorders))
            .map(|(symbol, recorder)| recorder.finish(symbol))
            .collect();
        all.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        all
    }
}

/// The recording of one instrument: what every tick touches, in two cache lines, then the series that
/// few ticks touch.
#[derive(Debug)]
#[repr(C, align(64))]
struct Recorder {
    /// The first receive time that is not the current bucket's.
    bucket_end: u64,
    /// The current bucket; without a price as long as `low > high`.
    low: i64,
    high: i64,
    last: i64,
    trade: i64,
    bid: i64,
    ask: i64,
    last_ts_recv: u64,
    last_ts_event: u64,
    trades: u64,
    bids: u64,
    asks: u64,
    others: u64,
    /// A whole book was seen, so trades no longer count as prices of the series.
    quoted: bool,
    first_ts_recv: u64,
    first_ts_event: u64,
    series: series::Series,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            bucket_end: 0,
            low: i64::MAX,
            high: i64::MIN,
            last: 0,
            trade: UNDEFINED_PRICE,
            bid: UNDEFINED_PRICE,
            ask: UNDEFINED_PRICE,
            last_ts_recv: 0,
            last_ts_event: 0,
            trades: 0,
            bids: 0,
            asks: 0,
            others: 0,
            quoted: false,
            first_ts_recv: 0,
            first_ts_event: 0,
            series: series::Series::default(),
        }
    }
}

impl Recorder {
    /// Branches on the kind: a version without branches did more work and took 5 ns instead of 3.5.
    #[inline(always)]
    fn record(&mut self, tick: &Tick) {
        self.last_ts_recv = tick.ts_recv;
        self.last_ts_event = tick.ts_event;
        match tick.kind {
            Kind::BID => {
                self.bids += 1;
                self.bid = tick.price;
            }
            Kind::ASK => {
                self.asks += 1;
                self.ask = tick.price;
            }
            Kind::TRADE => {
                self.trades += 1;
                self.trade = tick.price;
                if !self.quoted && tick.has_price() {
                    self.price(tick.price);
                }
                return;
            }
            _ => {
                self.others += 1;
                return;
            }
        }
        if tick.is_last() && self.bid != UNDEFINED_PRICE && self.ask != UNDEFINED_PRICE {
            self.quoted = true;
            // The average of two i64 rounded down, which cannot overflow.
            self.price((self.bid & self.ask) + ((self.bid ^ self.ask) >> 1));
        }
    }

    #[inline(always)]
    fn price(&mut self, price: i64) {
        self.last = price;
        if price < self.low {
            self.low = price;
        }
        if price > self.high {
            self.high = price;
        }
    }

    /// Closes the current bucket and opens the one of `tick`.
    #[cold]
    fn turn_to(&mut self, tick: &Tick) {
        if self.bucket_end == 0 {
            self.first_ts_recv = tick.ts_recv;
            self.first_ts_event = tick.ts_event;
        }
        self.close_bucket();
        let (bucket, end) = self.series.open(tick.ts_recv);
        (self.low, self.high, self.last) = (bucket.low, bucket.high, bucket.last);
        self.bucket_end = end;
    }

    fn close_bucket(&mut self) {
        self.series.close(self.low, self.high, self.last);
    }

    fn finish(mut self, symbol: String) -> Instrument {
        self.close_bucket();
        let defined = |price: i64| (price != UNDEFINED_PRICE).then_some(price);
        Instrument {
            symbol,
            trades: self.trades,
            bids: self.bids,
            asks: self.asks,
            others: self.others,
            first_ts_recv: self.first_ts_recv,
            last_ts_recv: self.last_ts_recv,
            first_ts_event: self.first_ts_event,
            last_ts_event: self.last_ts_event,
            last_trade: defined(self.trade),
            last_bid: defined(self.bid),
            last_ask: defined(self.ask),
            bucket_ns: self.series.bucket_ns(),
            buckets: self.series.into_buckets(),
        }
    }
}

#[cfg(test)]
mod tests;
