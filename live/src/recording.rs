//! What is recorded of one source: of each instrument the last ticks, and its candles.

use std::collections::HashMap;
use std::sync::Arc;

use tick_feed::{Frame, NewInstrument};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Tick};

use crate::candles::{Candle, History, Interval, OpenSecond, kept};

/// So many instruments of a source are recorded; the ticks of those that appear later are counted only.
pub(crate) const MOST_INSTRUMENTS: usize = 65_536;
/// The slot of an instrument that is not recorded.
const NOT_RECORDED: u32 = u32::MAX;

/// The last of each kind of an instrument's ticks; [`UNDEFINED_PRICE`] for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "rabbitmq", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Prices {
    pub(crate) bid: i64,
    pub(crate) bid_size: u64,
    pub(crate) ask: i64,
    pub(crate) ask_size: u64,
    pub(crate) last: i64,
    pub(crate) last_size: u64,
    /// The first price that its candles are made of.
    pub(crate) first: i64,
    pub(crate) ticks: u64,
    pub(crate) ts_recv: u64,
}

impl Prices {
    pub(crate) const NONE: Self = Self {
        bid: UNDEFINED_PRICE,
        bid_size: 0,
        ask: UNDEFINED_PRICE,
        ask_size: 0,
        last: UNDEFINED_PRICE,
        last_size: 0,
        first: UNDEFINED_PRICE,
        ticks: 0,
        ts_recv: 0,
    };
}

/// What every tick of an instrument touches.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Latest {
    prices: Prices,
    second: OpenSecond,
    /// Whether its candles are made of trades.
    has_traded: bool,
    /// Whether it stands in the list of what has changed.
    is_changed: bool,
}

impl Latest {
    fn new() -> Self {
        Self { prices: Prices::NONE, second: OpenSecond::default(), has_traded: false, is_changed: false }
    }

    #[inline(always)]
    fn take(&mut self, tick: &Tick, history: &mut History, kept: usize) {
        let prices = &mut self.prices;
        prices.ticks += 1;
        prices.ts_recv = tick.ts_recv;
        match tick.kind {
            Kind::TRADE => {
                prices.last = tick.price;
                prices.last_size = tick.size;
                if tick.has_price() {
                    if !self.has_traded {
                        self.begin_trades(tick, history);
                    }
                    let volume = i64::try_from(tick.size).unwrap_or(i64::MAX);
                    self.second.take(history, kept, tick.ts_recv, tick.price, volume, 1);
                }
                return;
            }
            Kind::BID => {
                prices.bid = tick.price;
                prices.bid_size = tick.size;
            }
            Kind::ASK => {
                prices.ask = tick.price;
                prices.ask_size = tick.size;
            }
            _ => return,
        }
        if !self.has_traded && tick.is_last() {
            self.take_book(tick.ts_recv, history, kept);
        }
    }

    /// Forgets the candles of the book.
    #[cold]
    fn begin_trades(&mut self, tick: &Tick, history: &mut History) {
        self.has_traded = true;
        self.prices.first = tick.price;
        self.second = OpenSecond::default();
        *history = History::default();
    }

    fn take_book(&mut self, ts: u64, history: &mut History, kept: usize) {
        let Some(middle) = middle(self.prices.bid, self.prices.ask) else { return };
        if self.prices.first == UNDEFINED_PRICE {
            self.prices.first = middle;
        }
        self.second.take(history, kept, ts, middle, 0, 0);
    }
}

/// Makes the candles of one instrument, of its ticks in the order of receipt.
#[derive(Clone, Debug)]
pub struct CandleMaker {
    latest: Latest,
    history: History,
    kept: usize,
}

impl CandleMaker {
    /// So many candles of each interval are kept beside the one that is not complete: the last.
    pub fn new(kept: usize) -> Self {
        Self { latest: Latest::new(), history: History::default(), kept }
    }

    /// Takes the next tick.
    pub fn take(&mut self, tick: &Tick) {
        self.latest.take(tick, &mut self.history, self.kept);
    }

    /// The last candles of an interval, the oldest first, the one that is not complete included.
    pub fn last(&self, interval: Interval, limit: usize) -> Vec<Candle> {
        self.history.last(interval, self.latest.second.candle(), limit)
    }
}

/// The middle of a book, rounded down, where both sides are known.
fn middle(bid: i64, ask: i64) -> Option<i64> {
    // The average of two i64 rounded down, which cannot overflow.
    (bid != UNDEFINED_PRICE && ask != UNDEFINED_PRICE).then_some((bid & ask) + ((bid ^ ask) >> 1))
}

/// Where the ticks of a shard are.
#[derive(Debug, Default)]
struct Shard {
    /// The slot of each of its instruments.
    slots: Vec<u32>,
    /// The sequence number after its last tick: what is sent again is recorded once.
    next_seq: u64,
}

/// What is recorded of one source.
#[derive(Debug)]
pub(crate) struct Recording {
    latest: Vec<Latest>,
    histories: Vec<History>,
    symbols: Vec<Arc<str>>,
    slots: HashMap<Arc<str>, u32>,
    /// Those whose ticks were not handed over. It has room for all.
    changed: Vec<u32>,
    shards: Vec<Shard>,
    instruments: u64,
    ticks: u64,
    last_ts_recv: u64,
    /// Candles of an instrument and interval.
    kept: usize,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            latest: Vec::new(),
            histories: Vec::new(),
            symbols: Vec::new(),
            slots: HashMap::new(),
            changed: Vec::new(),
            shards: Vec::new(),
            instruments: 0,
            ticks: 0,
            last_ts_recv: 0,
            kept: kept(0),
        }
    }
}

/// What is known of a source as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "rabbitmq", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Counts {
    pub(crate) instruments: u64,
    pub(crate) ticks: u64,
    pub(crate) last_ts_recv: u64,
}

impl Recording {
    /// Sees the ticks of a frame, in the order of their shard.
    pub(crate) fn record(&mut self, frame: &Frame) {
        let shard = usize::from(frame.header.shard);
        if self.shards.len() <= shard {
            self.shards.resize_with(shard + 1, Shard::default);
        }
        frame.new_instruments.iter().for_each(|new| self.name(shard, new));
        let first_seq = frame.header.first_seq;
        let seen = self.shards[shard].next_seq.saturating_sub(first_seq);
        let ticks = usize::try_from(seen).ok().and_then(|seen| frame.ticks().get(seen..));
        let Some(ticks @ [.., last]) = ticks else { return };
        self.shards[shard].next_seq = frame.end_seq();
        self.ticks += ticks.len() as u64;
        self.last_ts_recv = self.last_ts_recv.max(last.ts_recv);
        self.take(shard, ticks);
    }

    fn take(&mut self, shard: usize, ticks: &[Tick]) {
        let Self { latest, histories, changed, shards, kept, .. } = self;
        let slots = &shards[shard].slots[..];
        for tick in ticks {
            let Some(slot) = slots.get(tick.instrument as usize) else { continue };
            let place = *slot as usize;
            let (Some(latest), Some(history)) = (latest.get_mut(place), histories.get_mut(place)) else {
                continue;
            };
            if !latest.is_changed {
                latest.is_changed = true;
                changed.push(*slot);
            }
            latest.take(tick, history, *kept);
        }
    }

    /// A shard's ids are dense and in order; names that come again are those that came before.
    fn name(&mut self, shard: usize, new: &NewInstrument) {
        if (new.id as usize) < self.shards[shard].slots.len() {
            return;
        }
        self.instruments += 1;
        let slot = self.slot_of(&new.symbol).unwrap_or(NOT_RECORDED);
        // A shard that begins in the middle names all of its instruments first: this leaves no hole.
        let slots = &mut self.shards[shard].slots;
        slots.resize(new.id as usize, NOT_RECORDED);
        slots.push(slot);
    }

    /// The slot of a symbol, which is a new one where it is not known; `None` where there are too many.
    pub(crate) fn slot_of(&mut self, symbol: &str) -> Option<u32> {
        if let Some(slot) = self.slots.get(symbol) {
            return Some(*slot);
        }
        let slot = self.symbols.len();
        if slot >= MOST_INSTRUMENTS {
            return None;
        }
        let symbol: Arc<str> = symbol.into();
        self.symbols.push(symbol.clone());
        self.slots.insert(symbol, slot as u32);
        self.latest.push(Latest::new());
        self.histories.push(History::default());
        // No tick is to allocate.
        self.changed.reserve(self.latest.len().saturating_sub(self.changed.len()));
        let kept = kept(self.latest.len());
        if kept < self.kept {
            self.kept = kept;
            self.histories.iter_mut().for_each(|history| history.trim(kept));
        }
        Some(slot as u32)
    }

    pub(crate) fn counts(&self) -> Counts {
        let Self { instruments, ticks, last_ts_recv, .. } = *self;
        Counts { instruments, ticks, last_ts_recv }
    }

    /// The symbols from this slot on.
    pub(crate) fn symbols_from(&self, slot: usize) -> &[Arc<str>] {
        self.symbols.get(slot..).unwrap_or_default()
    }

    /// Takes the list of what has changed, and leaves an empty one with room for all.
    pub(crate) fn take_changed(&mut self, into: &mut Vec<u32>) {
        into.clear();
        into.reserve(self.latest.len());
        std::mem::swap(&mut self.changed, into);
    }

    /// What changes of this instrument from now on is in the next list.
    pub(crate) fn hand_over(&mut self, slot: u32) -> Prices {
        let latest = &mut self.latest[slot as usize];
        latest.is_changed = false;
        latest.prices
    }

    pub(crate) fn last_candles(&self, slot: u32, interval: Interval, limit: usize) -> Vec<Candle> {
        let (latest, history) = (&self.latest[slot as usize], &self.histories[slot as usize]);
        history.last(interval, latest.second.candle(), limit)
    }

    /// How many candles it keeps.
    pub(crate) fn candles(&self) -> usize {
        self.histories.iter().map(History::len).sum()
    }

    /// Forgets all candles, of a source that has ended.
    pub(crate) fn forget_candles(&mut self) {
        self.histories.iter_mut().for_each(|history| *history = History::default());
        self.latest.iter_mut().for_each(|latest| latest.second = OpenSecond::default());
    }
}

/// What one process publishes of it, and another takes.
#[cfg(feature = "rabbitmq")]
impl Recording {
    pub(crate) fn latest(&self, slot: u32) -> (&str, Prices) {
        (&self.symbols[slot as usize], self.latest[slot as usize].prices)
    }

    /// Whether an instrument's candles are of trades.
    pub(crate) fn has_traded(&self, slot: u32) -> bool {
        self.latest[slot as usize].has_traded
    }

    /// The candles that begin at this time or later.
    pub(crate) fn candles_since(&self, slot: u32, interval: Interval, start: u64) -> Vec<Candle> {
        let (latest, history) = (&self.latest[slot as usize], &self.histories[slot as usize]);
        history.since(interval, latest.second.candle(), start)
    }

    /// Puts these candles in place of all that begin at this time or later.
    pub(crate) fn replace_candles(&mut self, slot: u32, interval: Interval, start: u64, candles: &[Candle]) {
        self.histories[slot as usize].replace(interval, start, candles, self.kept);
    }

    pub(crate) fn set_prices(&mut self, slot: u32, prices: Prices) {
        let latest = &mut self.latest[slot as usize];
        latest.prices = prices;
        if !latest.is_changed {
            latest.is_changed = true;
            self.changed.push(slot);
        }
    }

    pub(crate) fn set_counts(&mut self, counts: Counts) {
        Counts { instruments: self.instruments, ticks: self.ticks, last_ts_recv: self.last_ts_recv } = counts;
    }
}
