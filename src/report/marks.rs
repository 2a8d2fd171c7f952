//! Which signals a chart marks: a bounded sample of all.

use std::collections::HashMap;

use serde::Serialize;
use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::Signal;

/// The most marks kept of one instrument, all strategies together: what a chart can show at once. With
/// hundreds of strategies it is eight of each.
pub const MARKS_PER_INSTRUMENT: usize = 1600;

/// The most marks kept of all, 400 each of 500 instruments: some 2.5 MB of a page.
const MARKS: usize = 200_000;

/// First, last, lowest and highest are kept beside the sample.
const ALWAYS_KEPT: usize = 4;
const MOST_PER_LANE: usize = 800;
const LEAST_PER_LANE: usize = 8;

/// A signal in a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ReportMark {
    /// In ns since the UNIX epoch.
    pub ts_recv: u64,
    /// In 1e-9 of the quote unit.
    pub price: i64,
    /// The position it asked for.
    pub side: TargetPosition,
}

/// The sample of one strategy's signals for one instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstrumentMarks {
    /// The instrument.
    pub symbol: String,
    /// The strategy's number in the account.
    pub strategy: usize,
    /// How many signals there were.
    pub signals: u64,
    /// Those that were kept, in their order.
    pub marks: Vec<ReportMark>,
}

/// Takes all signals of a run one by one and keeps a bounded sample of each strategy and instrument:
/// the first, the last, those of the lowest and highest price, and a random share of the rest.
///
/// The share is drawn from the signal's number, so it is the same in every run, and it does not
/// prefer a side, as every second of buys and sells in turn would.
#[derive(Debug)]
pub struct MarksSample {
    strategies: usize,
    instruments: HashMap<String, usize>,
    /// By instrument, then strategy.
    lanes: Vec<Lane>,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    signals: u64,
    /// A signal is in the sample when its draw ends with this many zero bits.
    level: u32,
    always: Option<[(u64, ReportMark); ALWAYS_KEPT]>,
    sample: Vec<(u64, ReportMark)>,
}

impl MarksSample {
    /// For this many strategies.
    pub fn new(strategies: usize) -> Self {
        Self { strategies, instruments: HashMap::new(), lanes: Vec::new() }
    }

    /// Takes the next signal of strategy number `strategy`. One of a number that is too large, or
    /// without a price, has no place in a chart and is left out.
    pub fn add(&mut self, strategy: usize, symbol: &str, signal: &Signal) {
        if strategy >= self.strategies || signal.price == UNDEFINED_PRICE {
            return;
        }
        let instrument = match self.instruments.get(symbol) {
            Some(&known) => known,
            None => self.open(symbol),
        };
        let room = self.room();
        let mark = ReportMark { ts_recv: signal.ts_recv, price: signal.price, side: signal.side };
        self.lanes[instrument * self.strategies + strategy].add(mark, room);
    }

    /// The sample, by symbol and strategy; without those that gave no signal.
    pub fn finish(self) -> Vec<InstrumentMarks> {
        let mut symbols: Vec<(String, usize)> = self.instruments.into_iter().collect();
        symbols.sort();
        let mut all = Vec::new();
        for (symbol, at) in symbols {
            for strategy in 0..self.strategies {
                let lane = &self.lanes[at * self.strategies + strategy];
                if lane.signals > 0 {
                    let (symbol, marks) = (symbol.clone(), lane.marks());
                    all.push(InstrumentMarks { symbol, strategy, signals: lane.signals, marks });
                }
            }
        }
        all
    }

    fn open(&mut self, symbol: &str) -> usize {
        let next = self.instruments.len();
        let before = self.room();
        self.instruments.insert(symbol.to_owned(), next);
        self.lanes.resize((next + 1) * self.strategies, Lane::default());
        let room = self.room();
        if room < before {
            self.lanes.iter_mut().for_each(|lane| lane.thin(room));
        }
        next
    }

    /// How many marks a lane may hold; halved rather than reduced step by step, so that thinning all
    /// lanes stays rare.
    fn room(&self) -> usize {
        let mut room = (MARKS_PER_INSTRUMENT / self.strategies.max(1)).min(MOST_PER_LANE);
        while room > LEAST_PER_LANE && room * self.lanes.len() > MARKS {
            room /= 2;
        }
        room.max(LEAST_PER_LANE)
    }
}

impl Lane {
    fn add(&mut self, mark: ReportMark, room: usize) {
        let numbered = (self.signals, mark);
        self.signals += 1;
        let [_, last, lowest, highest] = self.always.get_or_insert([numbered; ALWAYS_KEPT]);
        *last = numbered;
        if mark.price < lowest.1.price {
            *lowest = numbered;
        }
        if mark.price > highest.1.price {
            *highest = numbered;
        }
        if draw(numbered.0).trailing_zeros() >= self.level {
            self.sample.push(numbered);
            self.thin(room);
        }
    }

    fn thin(&mut self, room: usize) {
        while self.sample.len() > room - ALWAYS_KEPT {
            self.level += 1;
            let level = self.level;
            self.sample.retain(|&(number, _)| draw(number).trailing_zeros() >= level);
        }
    }

    fn marks(&self) -> Vec<ReportMark> {
        let mut kept = self.sample.clone();
        kept.extend(self.always.iter().flatten());
        kept.sort_by_key(|&(number, _)| number);
        kept.dedup_by_key(|&mut (number, _)| number);
        kept.into_iter().map(|(_, mark)| mark).collect()
    }
}

/// 64 well-mixed bits of a number (the finaliser of splitmix64); distinct numbers have distinct draws.
fn draw(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(ts_recv: u64, side: TargetPosition, price: i64) -> Signal {
        let (bid, ask) = (UNDEFINED_PRICE, UNDEFINED_PRICE);
        Signal { ts_event: 0, ts_recv, seq: 0, n: 0, instrument: 0, side, price, bid, ask }
    }

    #[test]
    fn few_signals_are_all_kept() {
        let mut sample = MarksSample::new(1);
        for ts in 0..300 {
            sample.add(0, "X", &signal(ts, TargetPosition::Long, 5));
        }
        let marks = sample.finish();
        assert!(marks[0].marks.iter().map(|mark| mark.ts_recv).eq(0..300));
    }

    #[test]
    fn of_many_the_extremes_and_both_sides_stay() {
        let mut sample = MarksSample::new(2);
        for ts in 0..1_000_000u64 {
            let side = if ts % 2 == 0 { TargetPosition::Long } else { TargetPosition::Short };
            let price = match ts {
                777_777 => -9,
                123_456 => 1_000,
                _ => 5,
            };
            sample.add(1, "X", &signal(ts, side, price));
        }
        let marks = sample.finish().pop().unwrap();
        assert_eq!((marks.strategy, marks.signals), (1, 1_000_000));
        let kept = &marks.marks;
        assert!((300..=800).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept[0].ts_recv, kept[kept.len() - 1].ts_recv), (0, 999_999));
        assert!(kept.iter().any(|mark| mark.price == -9) && kept.iter().any(|mark| mark.price == 1_000));
        let buys = kept.iter().filter(|mark| mark.side == TargetPosition::Long).count();
        assert!(buys * 3 > kept.len() && buys * 3 < kept.len() * 2, "{buys} of {}", kept.len());
    }

    #[test]
    fn many_instruments_share_one_bound() {
        let mut sample = MarksSample::new(3);
        for ts in 0..200 {
            for instrument in 0..3000 {
                sample.add(2, &format!("S{instrument}"), &signal(ts, TargetPosition::Flat, 1));
            }
        }
        let kept: usize = sample.finish().iter().map(|marks| marks.marks.len()).sum();
        assert!(kept <= MARKS, "{kept}");
    }
}
