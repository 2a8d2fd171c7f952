use proptest::prelude::*;
use tick_sdk::{Flags, Side};

use super::*;

const MS: u64 = 1_000_000;

fn trade(ts: u64, price: i64) -> Tick {
    Tick::trade(ts, ts, price, 1, Side::NONE)
}

fn bid(ts: u64, price: i64) -> Tick {
    Tick::quote(Kind::BID, ts, ts, price, 1)
}

fn ask(ts: u64, price: i64) -> Tick {
    Tick::quote(Kind::ASK, ts, ts, price, 1).last()
}

fn record(ticks: &[Tick]) -> Instrument {
    let mut market = Market::default();
    market.open(0, "X").unwrap();
    market.run(ticks).unwrap();
    Market::collect([market]).pop().unwrap()
}

#[test]
fn counts_times_and_last_prices() {
    let mut odd = trade(9, 7);
    odd.kind = Kind(77);
    odd.ts_event = 4;
    let seen = record(&[trade(5, 100), bid(6, 90), ask(6, 110), trade(8, 101), odd, ask(9, UNDEFINED_PRICE)]);
    assert_eq!((seen.trades, seen.bids, seen.asks, seen.others, seen.ticks()), (2, 1, 2, 1, 6));
    assert_eq!((seen.first_ts_recv, seen.last_ts_recv), (5, 9));
    assert_eq!((seen.first_ts_event, seen.last_ts_event), (5, 9));
    assert_eq!((seen.last_trade, seen.last_bid, seen.last_ask), (Some(101), Some(90), None));
}

#[test]
fn trades_are_the_price_until_the_first_whole_book() {
    let second = 1 << 30;
    let seen = record(&[
        trade(0, 100),
        bid(second, 90),
        trade(second, 120),
        ask(2 * second, 111),
        trade(2 * second, 500),
        // An empty side has no middle: the price stays.
        bid(3 * second, UNDEFINED_PRICE).last(),
        bid(3 * second, -20),
        ask(3 * second, -17),
    ]);
    let prices: Vec<_> = seen.buckets.iter().map(|b| (b.low, b.high, b.last)).collect();
    assert_eq!(prices, [(100, 100, 100), (120, 120, 120), (100, 100, 100), (-19, -19, -19)]);
}

#[test]
fn a_quote_without_last_is_no_price() {
    let seen = record(&[bid(0, 10), ask(0, 20), bid(1, 18), ask(1, 20)]);
    assert_eq!(
        (seen.buckets[0].low, seen.buckets[0].high),
        (15, 19),
        "18 and 20 only, never 18 and an old 20"
    );
}

#[test]
fn a_strange_id_is_an_error_and_what_came_before_counts() {
    let mut market = Market::default();
    assert_eq!(market.open(1, "B"), Err(MarketError::NotDense { id: 1, next: 0, symbol: "B".into() }));
    market.open(0, "A").unwrap();
    let error = market.run(&[trade(1, 1), trade(1, 1).of(3)]).unwrap_err();
    assert_eq!(error, MarketError::UnknownInstrument { id: 3, opened: 1 });
    assert_eq!(Market::collect([market])[0].trades, 1);
}

#[test]
fn times_at_both_ends_of_the_range() {
    let seen = record(&[trade(0, 1), trade(u64::MAX, 3), trade(u64::MAX, 2)]);
    assert_eq!(seen.buckets.iter().map(|b| b.last).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn marks_come_in_time_order_and_then_by_symbol() {
    let mut shards = [Market::default(), Market::default()];
    shards[0].open(0, "B").unwrap();
    shards[1].open(0, "A").unwrap();
    shards[0].run(&[trade(0, 1), trade(10 * MS, 2)]).unwrap();
    shards[1].run(&[trade(10 * MS, 3)]).unwrap();
    let instruments = Market::collect(shards);
    let mut marks = Marks::new(&instruments);
    let first = marks.next_before(10 * MS).unwrap();
    assert_eq!((first.symbol, first.price), ("B", 1));
    assert_eq!(marks.next_before(10 * MS), None, "a mark of the same time comes after the signal");
    let rest: Vec<_> = marks.map(|m| (m.ts_recv, m.symbol, m.price)).collect();
    assert_eq!(rest, [(10 * MS, "A", 3), (10 * MS, "B", 2)]);
}

/// The series as its documentation says: all prices first, then the grid.
fn naive_series(prices: &[(u64, i64)], shift: u32) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for &(ts, price) in prices {
        let start = ts >> shift << shift;
        match buckets.last_mut() {
            Some(b) if b.start == start => {
                (b.low, b.high, b.last) = (b.low.min(price), b.high.max(price), price);
            }
            _ => buckets.push(Bucket { start, low: price, high: price, last: price }),
        }
    }
    buckets
}

prop_compose! {
    fn walk()(steps in proptest::collection::vec((0..40u32, any::<u64>(), any::<i32>()), 1..1500)) -> Vec<(u64, i64)> {
        let mut ts = 0u64;
        steps.into_iter().map(|(bits, time, price)| {
            ts = ts.saturating_add(time >> (63 - bits));
            (ts, i64::from(price))
        }).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_series_is_that_of_the_whole_on_its_last_grid(prices in walk(), cut in 1..100usize) {
        let ticks: Vec<Tick> = prices.iter().map(|&(ts, price)| trade(ts, price)).collect();
        let seen = record(&ticks);
        prop_assert!(seen.buckets.len() <= MAX_BUCKETS);
        let shift = seen.bucket_ns.trailing_zeros();
        let places = |shift| (prices[prices.len() - 1].0 >> shift) - (prices[0].0 >> shift);
        prop_assert!(shift == 20 || places(shift - 1) >= MAX_BUCKETS as u64, "coarser than it must be");
        let expected = naive_series(&prices, shift);
        prop_assert_eq!(&seen.buckets, &expected);

        // Cut into frames, and among other instruments' ticks, nothing changes.
        let mut market = Market::default();
        market.open(0, "OTHER").unwrap();
        market.open(1, "X").unwrap();
        for frame in ticks.chunks(cut) {
            market.run(&[trade(frame[0].ts_recv, 5)]).unwrap();
            market.run(&frame.iter().map(|tick| tick.of(1)).collect::<Vec<_>>()).unwrap();
        }
        prop_assert_eq!(&Market::collect([market])[1], &seen);
    }

    #[test]
    fn no_tick_panics(raw in proptest::collection::vec(any::<([u64; 3], i64, [u8; 3])>(), 0..200)) {
        let mut market = Market::default();
        market.open(0, "X").unwrap();
        for ([ts_event, ts_recv, size], price, [kind, side, flags]) in raw {
            let tick = Tick {
                ts_event, ts_recv, price, size, instrument: 0,
                kind: Kind(kind % 5), side: Side(side), flags: Flags(u16::from(flags)),
            };
            market.run(&[tick]).unwrap();
        }
        let instruments = Market::collect([market]);
        prop_assert!(instruments[0].buckets.len() <= MAX_BUCKETS);
        prop_assert!(Marks::new(&instruments).is_sorted_by_key(|mark| mark.ts_recv));
    }
}
