//! A generated market: seeded random walks of quotes and trades, Zipf-skewed over instruments.

use tick_sdk::{Kind, Side, Tick};

use crate::{Batch, NamedSymbol, ReadError, Reader};

/// What to generate. The same options give the same ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// How many ticks; the last quote may add one.
    pub ticks: u64,
    /// How many instruments, `S00000` and on; the first is the busiest.
    pub instruments: u32,
    /// Instrument i has a share proportional to 1 / (i + 1)^skew; 0 is even.
    pub skew: f64,
    /// Another seed is another market.
    pub seed: u64,
    /// The mean time between events, in ns.
    pub mean_gap_ns: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { ticks: 1_000_000, instruments: 8, skew: 1.0, seed: 1, mean_gap_ns: 2_000_000 }
    }
}

/// The first event's time: 2024-08-08 00:00:00 UTC.
const START_NS: u64 = 1_723_075_200_000_000_000;
/// Prices move in cents.
const CENT: i64 = 10_000_000;

/// The walks. One event in five is a trade, the others quote both sides.
pub struct Generator {
    options: GenerateOptions,
    state: u64,
    now: u64,
    made: u64,
    /// Cumulated shares, for drawing an instrument.
    shares: Vec<f64>,
    /// Each instrument's mid in cents, and its id once it has appeared.
    walks: Vec<Walk>,
    named: u32,
}

#[derive(Clone, Copy)]
struct Walk {
    mid: i64,
    id: u32,
}

impl Generator {
    /// Begins a market; at least one instrument.
    pub fn new(options: GenerateOptions) -> Self {
        let instruments = options.instruments.max(1);
        let weight = |i: u32| 1.0 / f64::from(i + 1).powf(options.skew);
        let total: f64 = (0..instruments).map(weight).sum();
        let mut sum = 0.0;
        let shares = (0..instruments).map(|i| {
            sum += weight(i) / total;
            sum
        });
        let walks = (0..instruments).map(|i| Walk { mid: 10_000 + i64::from(i % 997) * 100, id: u32::MAX });
        let shares = shares.collect();
        let walks = walks.collect();
        let state = options.seed ^ 0x6f72_6368_6172_6421;
        Self { options, state, now: START_NS, made: 0, shares, walks, named: 0 }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn event(&mut self, out: &mut Batch) {
        let draw = self.draw();
        let share = (draw >> 11) as f64 / (1u64 << 53) as f64;
        let which = self.shares.partition_point(|sum| *sum <= share).min(self.walks.len() - 1);
        let draw = self.draw();
        self.now += draw % (2 * self.options.mean_gap_ns).max(1);
        let walk = &mut self.walks[which];
        if walk.id == u32::MAX {
            walk.id = self.named;
            self.named += 1;
            out.new_symbols.push(NamedSymbol { symbol: format!("S{which:05}"), market: None });
        }
        walk.mid = (walk.mid + ((draw >> 20) % 5) as i64 - 2).max(100);
        let (id, mid) = (walk.id, walk.mid);
        // The venue stamps an event up to 1 ms before it is received.
        let ts_event = self.now - (draw >> 24) % 1_000_000;
        let size = (1 + (draw >> 44) % 1000) * 1_000_000;
        let spread = 1 + ((draw >> 30) % 3) as i64;
        if (draw >> 34).is_multiple_of(5) {
            let (side, price) = if (draw >> 40).is_multiple_of(2) {
                (Side::BUY, mid + spread)
            } else {
                (Side::SELL, mid - spread)
            };
            out.push(Tick::trade(ts_event, self.now, price * CENT, size, side).of(id));
            self.made += 1;
        } else {
            let quote = |kind, cents: i64| Tick::quote(kind, ts_event, self.now, cents * CENT, size).of(id);
            out.push(quote(Kind::BID, mid - spread));
            out.push(quote(Kind::ASK, mid + spread).last());
            self.made += 2;
        }
    }
}

impl Reader for Generator {
    fn read(&mut self, out: &mut Batch) -> Result<bool, ReadError> {
        while self.made < self.options.ticks && !out.is_full() {
            self.event(out);
        }
        Ok(self.made < self.options.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(options: GenerateOptions) -> (Vec<Tick>, usize) {
        let mut generator = Generator::new(options);
        let mut batch = Batch::default();
        let mut ticks = Vec::new();
        let mut symbols = 0;
        let mut more = true;
        while more {
            batch.clear();
            more = generator.read(&mut batch).unwrap();
            ticks.extend_from_slice(&batch.ticks);
            symbols += batch.new_symbols.len();
        }
        (ticks, symbols)
    }

    #[test]
    fn the_same_seed_is_the_same_market_and_another_is_not() {
        let options = || GenerateOptions { ticks: 20_000, ..GenerateOptions::default() };
        let (ticks, symbols) = all(options());
        assert!((20_000..=20_001).contains(&ticks.len()) && symbols == 8);
        assert!(ticks.is_sorted_by_key(|tick| tick.ts_recv));
        assert_eq!(all(options()).0, ticks);
        assert_ne!(all(GenerateOptions { seed: 2, ..options() }).0, ticks);
    }

    #[test]
    fn the_skew_makes_the_first_instrument_busiest() {
        let (ticks, _) =
            all(GenerateOptions { ticks: 50_000, instruments: 16, ..GenerateOptions::default() });
        let count = |id| ticks.iter().filter(|tick| tick.instrument == id).count();
        let busiest = (0..16).map(count).max().unwrap();
        // 1 / H(16) is 0.296 of all events.
        assert!((12_000..18_000).contains(&busiest), "{busiest}");
    }
}
