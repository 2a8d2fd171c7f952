//! What is shown is what the ticks say, however they are cut, and whoever reads it now and then misses nothing.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Kind, Side, Tick};

use crate::board::MOST_ENDED;
use crate::candles::{MOST_CANDLES, kept};
use crate::{Candle, CandleMaker, Interval, LiveMarket, Quote, Recorder, Selection};

const RUN: &str = "00000000000000000000000000000001";
const SHARDS: u16 = 3;

/// A tick of one of some instruments, each of which has a shard.
fn tick() -> impl Strategy<Value = (u8, Tick)> {
    let price = prop_oneof![9 => -5..50i64, 1 => Just(UNDEFINED_PRICE)];
    let size = prop_oneof![9 => 0..1_000u64, 1 => Just(u64::MAX)];
    // Most ticks are close to each other, some go back, and some are minutes apart.
    let step = prop_oneof![6 => 0..400_000_000i64, 1 => Just(-300_000_000i64), 1 => 0..400_000_000_000i64];
    (0..8u8, price, size, step, 0..6u8, any::<bool>()).prop_map(|(name, price, size, step, kind, is_last)| {
        let step = step as u64;
        let tick = match kind {
            // Two instruments have quotes only.
            0 | 1 if name > 1 => Tick::trade(0, step, price, size, Side::BUY),
            0 | 2 | 3 => Tick::quote(Kind::BID, 0, step, price, size),
            1 | 4 => Tick::quote(Kind::ASK, 0, step, price, size),
            _ => Tick { kind: Kind(9), ..Tick::quote(Kind::BID, 0, step, price, size) },
        };
        (name, if is_last { tick.last() } else { tick })
    })
}

/// Ticks in order of receipt, but for those that go back.
fn ticks() -> impl Strategy<Value = Vec<(u8, Tick)>> {
    proptest::collection::vec(tick(), 0..300).prop_map(|mut ticks| {
        let mut now = 1_700_000_000_000_000_000u64;
        for (_, tick) in &mut ticks {
            let step = tick.ts_recv as i64;
            tick.ts_recv = now.wrapping_add_signed(step);
            now = now.max(tick.ts_recv);
        }
        ticks
    })
}

fn symbol(name: u8) -> String {
    format!("{}{name}", if name.is_multiple_of(2) { "EVEN" } else { "ODD" })
}

/// Cuts ticks into frames, as a feed does.
#[derive(Default)]
struct Cutter {
    ids: HashMap<u8, u32>,
    shards: [(Vec<Tick>, Vec<NewInstrument>, u64, u32); SHARDS as usize],
    sent: Vec<Frame>,
}

impl Cutter {
    fn take(&mut self, name: u8, tick: Tick) {
        let (ticks, new, _, known) = &mut self.shards[usize::from(u16::from(name) % SHARDS)];
        let id = *self.ids.entry(name).or_insert_with(|| {
            *known += 1;
            new.push(NewInstrument { id: *known - 1, symbol: symbol(name), key: symbol(name) });
            *known - 1
        });
        ticks.push(tick.of(id));
    }

    fn cut(&mut self, shard: u16, recorder: &Recorder) {
        let (ticks, new, next_seq, known) = &mut self.shards[usize::from(shard)];
        let header = FrameHeader {
            run: RUN.parse().unwrap(),
            shard,
            shards: SHARDS,
            attempt: 0,
            first_seq: *next_seq,
            published_at: 0,
            watermark: 0,
            flags: FrameFlags::TICKS,
        };
        *next_seq += ticks.len() as u64;
        let frame = Frame::owned(header, std::mem::take(ticks)).naming(std::mem::take(new), *known);
        recorder.record(&frame);
        self.sent.push(frame);
    }

    fn cut_all(&mut self, recorder: &Recorder) {
        (0..SHARDS).for_each(|shard| self.cut(shard, recorder));
    }

    /// A feed that was rewound sends some frames again.
    fn rewind(&self, frames: usize, recorder: &Recorder) {
        self.sent.iter().rev().take(frames).rev().for_each(|frame| recorder.record(frame));
    }
}

fn play(market: &LiveMarket, ticks: &[(u8, Tick)], cuts: &[u8]) {
    let recorder = market.begin("replay/1", RUN);
    let mut cutter = Cutter::default();
    for (place, (name, tick)) in ticks.iter().enumerate() {
        cutter.take(*name, *tick);
        match cuts.get(place % cuts.len().max(1)) {
            Some(cut @ 0..3) => cutter.cut((*cut).into(), &recorder),
            Some(3) => cutter.rewind(place % 5, &recorder),
            Some(4) => market.shared.hand_over(recorder.id),
            _ => {}
        }
    }
    cutter.cut_all(&recorder);
}

/// What an instrument's ticks say, one after the other.
fn naive_quote(ticks: &[&Tick]) -> Quote {
    let last_of = |kind: Kind| ticks.iter().rev().find(|tick| tick.kind == kind);
    let price = |kind| last_of(kind).filter(|tick| tick.has_price()).map(|tick| tick.price);
    let size = |kind| {
        last_of(kind).filter(|tick| tick.has_price()).map(|tick| tick.size.min(i64::MAX as u64) as i64)
    };
    Quote {
        source: "replay/1".to_owned(),
        symbol: String::new(),
        version: 0,
        bid: price(Kind::BID),
        bid_size: size(Kind::BID),
        ask: price(Kind::ASK),
        ask_size: size(Kind::ASK),
        last: price(Kind::TRADE),
        last_size: size(Kind::TRADE),
        first: naive_prices(ticks).first().map(|(_, price, _, _)| *price),
        ticks: ticks.len() as u64,
        ts_recv: ticks.last().unwrap().ts_recv,
        seen_ms: 0,
    }
}

/// Receive time, price, volume and number of all that candles are made of.
fn naive_prices(ticks: &[&Tick]) -> Vec<(u64, i64, i64, u64)> {
    let (mut trades, mut middles) = (Vec::new(), Vec::new());
    let (mut bid, mut ask) = (UNDEFINED_PRICE, UNDEFINED_PRICE);
    for tick in ticks {
        match tick.kind {
            Kind::TRADE if tick.has_price() => {
                trades.push((tick.ts_recv, tick.price, tick.size.min(i64::MAX as u64) as i64, 1));
            }
            Kind::BID => bid = tick.price,
            Kind::ASK => ask = tick.price,
            _ => {}
        }
        let is_quote = tick.kind == Kind::BID || tick.kind == Kind::ASK;
        if is_quote && tick.is_last() && bid != UNDEFINED_PRICE && ask != UNDEFINED_PRICE {
            middles.push((tick.ts_recv, (bid + ask).div_euclid(2), 0, 0));
        }
    }
    if trades.is_empty() { middles } else { trades }
}

/// Each price for itself; one that goes back in time counts for the second that is open.
fn naive_candles(prices: &[(u64, i64, i64, u64)], interval: Interval) -> Vec<Candle> {
    let (mut candles, mut open) = (BTreeMap::<u64, Candle>::new(), 0);
    for (ts, price, volume, trades) in prices {
        open = open.max(ts - ts % 1_000_000_000);
        let start = open - open % (interval as u64 * 1_000_000_000);
        let candle = candles.entry(start).or_insert(Candle {
            start,
            open: *price,
            high: *price,
            low: *price,
            close: *price,
            volume: 0,
            trades: 0,
        });
        candle.high = candle.high.max(*price);
        candle.low = candle.low.min(*price);
        candle.close = *price;
        candle.volume = candle.volume.saturating_add(*volume);
        candle.trades += trades;
    }
    candles.into_values().collect()
}

fn of_each(ticks: &[(u8, Tick)]) -> BTreeMap<String, Vec<&Tick>> {
    let mut each = BTreeMap::<_, Vec<_>>::new();
    ticks.iter().for_each(|(name, tick)| each.entry(symbol(*name)).or_default().push(tick));
    each
}

proptest! {
    #[test]
    fn quotes_are_the_last_ticks_however_frames_are_cut(
        ticks in ticks(),
        cuts in proptest::collection::vec(0..20u8, 1..40),
    ) {
        let market = LiveMarket::default();
        play(&market, &ticks, &cuts);
        let shown = market.quotes(&Selection::default(), 0).quotes;
        let shown: Vec<_> = shown.into_iter().map(|quote| Quote { version: 0, seen_ms: 0, ..quote }).collect();
        let each = of_each(&ticks);
        let expected = each.iter().map(|(symbol, ticks)| Quote { symbol: symbol.clone(), ..naive_quote(ticks) });
        prop_assert_eq!(shown, expected.collect::<Vec<_>>());
        let source = &market.sources()[0];
        prop_assert_eq!((source.ticks, source.has_ended), (ticks.len() as u64, true));
        prop_assert_eq!(source.instruments, each.len() as u64);
    }

    #[test]
    fn candles_are_those_of_all_trades_however_frames_are_cut(
        ticks in ticks(),
        cuts in proptest::collection::vec(0..20u8, 1..40),
        limit in 0..60usize,
    ) {
        let market = LiveMarket::default();
        play(&market, &ticks, &cuts);
        for (symbol, ticks) in of_each(&ticks) {
            let prices = naive_prices(&ticks);
            let mut maker = CandleMaker::new(limit.max(1));
            ticks.iter().for_each(|tick| maker.take(tick));
            for interval in Interval::ALL {
                let expected = naive_candles(&prices, interval);
                prop_assert_eq!(&market.candles("replay/1", &symbol, interval, usize::MAX), &expected);
                let last = &expected[expected.len().saturating_sub(limit)..];
                prop_assert_eq!(market.candles("replay/1", &symbol, interval, limit), last);
                prop_assert_eq!(maker.last(interval, limit), last);
            }
        }
    }

    /// A reader that is not served now and then, or whose answer is replaced by the next one, asks from the last version
    /// that it has.
    #[test]
    fn reads_that_are_missed_lose_nothing(
        ticks in ticks(),
        steps in proptest::collection::vec((0..3u8, any::<bool>(), any::<bool>()), 300),
    ) {
        let market = LiveMarket::default();
        let selection = Selection { source: Some("replay/1".into()), symbols: vec!["EVEN*".into(), "ODD3".into()] };
        let recorder = market.begin("replay/1", RUN);
        let (mut cutter, mut known, mut after) = (Cutter::default(), BTreeMap::new(), 0);
        let mut read = |known: &mut BTreeMap<_, _>| {
            let read = market.quotes(&selection, after);
            after = read.version;
            known.extend(read.quotes.into_iter().map(|quote| (quote.symbol.clone(), quote)));
        };
        for ((name, tick), (shard, is_handed_over, is_read)) in ticks.iter().zip(steps) {
            cutter.take(*name, *tick);
            cutter.cut(shard.into(), &recorder);
            if is_handed_over {
                market.shared.hand_over(recorder.id);
            }
            if is_read {
                read(&mut known);
            } else {
                // Made, and never received.
                market.quotes(&selection, 0);
            }
        }
        cutter.cut_all(&recorder);
        drop(recorder);
        read(&mut known);
        let all = market.quotes(&selection, 0).quotes;
        prop_assert_eq!(known.into_values().collect::<Vec<_>>(), all.clone());
        let expected = of_each(&ticks).into_keys().filter(|symbol| selection.has_symbol(symbol));
        prop_assert_eq!(all.into_iter().map(|quote| quote.symbol).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        prop_assert!(market.quotes(&selection, after).quotes.is_empty());
    }
}

fn trade(market: &LiveMarket, source: &str) -> Recorder {
    let recorder = market.begin(source, RUN);
    let mut cutter = Cutter::default();
    cutter.take(0, Tick::trade(1, 1, 7, 1, Side::SELL));
    cutter.cut_all(&recorder);
    recorder
}

#[test]
fn changes_are_shown_while_nothing_more_comes_and_watchers_know_it() {
    let market = LiveMarket::default();
    let changes = market.changes();
    let before = *changes.borrow();
    let _recorder = trade(&market, "feed/btc");
    let until = Instant::now() + Duration::from_secs(10);
    while market.quotes(&Selection::default(), 0).quotes.is_empty() {
        assert!(Instant::now() < until, "what was recorded is not shown");
        std::thread::sleep(Duration::from_millis(5));
    }
    let quotes = market.quotes(&Selection::default(), 0);
    assert_eq!(quotes.quotes[0].last, Some(7));
    assert!(quotes.version > before && *market.changes().borrow() >= quotes.quotes[0].version);
}

#[test]
fn a_source_that_begins_anew_forgets_what_it_was() {
    let market = LiveMarket::default();
    let first = trade(&market, "feed/btc");
    market.shared.hand_over(first.id);
    let version = market.quotes(&Selection::default(), 0).version;
    let second = market.begin("feed/btc", RUN);
    assert!(market.quotes(&Selection::default(), 0).quotes.is_empty());
    // The first one's end ends nothing any more.
    drop(first);
    assert!(!market.sources()[0].has_ended);
    drop(second);
    drop(trade(&market, "feed/btc"));
    assert!(market.quotes(&Selection::default(), version).quotes[0].version > version);
    assert_eq!(market.sources().len(), 1);
}

#[test]
fn sources_that_have_ended_are_kept_for_a_while() {
    let market = LiveMarket::default();
    let played = [trade(&market, "feed/b"), trade(&market, "feed/a")];
    (0..MOST_ENDED + 3).for_each(|number| drop(trade(&market, &format!("replay/{number}"))));
    let names: Vec<_> = market.sources().into_iter().map(|source| source.source).collect();
    assert_eq!(names.len(), MOST_ENDED + 2);
    assert_eq!(names[..3], ["feed/a", "feed/b", &format!("replay/{}", MOST_ENDED + 2)]);
    assert_eq!(names[names.len() - 1], "replay/3");
    drop(played);
}

#[test]
fn candles_are_bounded_by_instrument_and_by_source() {
    assert_eq!((kept(1), kept(50), kept(51), kept(200), kept(65_536)), (2_000, 2_000, 1_000, 500, 1));
    let market = LiveMarket::default();
    let recorder = market.begin("feed/btc", RUN);
    let mut cutter = Cutter::default();
    for second in 0..MOST_CANDLES as u64 + 100 {
        cutter.take(0, Tick::trade(0, second * 1_000_000_000, second as i64, 1, Side::BUY));
    }
    cutter.cut_all(&recorder);
    drop(recorder);
    let candles = market.candles("feed/btc", "EVEN0", Interval::Second, usize::MAX);
    // The one that is open comes beside those that are kept.
    assert_eq!((candles.len(), candles.last().unwrap().close), (MOST_CANDLES + 1, MOST_CANDLES as i64 + 99));
    let minutes = market.candles("feed/btc", "EVEN0", Interval::Minute, usize::MAX);
    assert_eq!(minutes.iter().map(|candle| candle.trades).sum::<u64>(), MOST_CANDLES as u64 + 100);
}
