use proptest::prelude::*;

use tick_sdk::TargetPosition;

use super::curve::Curve;
use super::*;

const ONE: i64 = 1_000_000_000;
const ONE_WIDE: i128 = 1_000_000_000;

fn rules(fill: Fill, slippage: &str, fee: &str) -> PaperRules {
    PaperRules { fill, slippage_bp: slippage.parse().unwrap(), fee_bp: fee.parse().unwrap() }
}

fn signal(ts_recv: u64, side: TargetPosition, price: i64) -> Signal {
    let (bid, ask) = (UNDEFINED_PRICE, UNDEFINED_PRICE);
    Signal { ts_event: ts_recv, ts_recv, seq: 0, n: 0, instrument: 0, side, price, bid, ask }
}

fn with_book(bid: i64, ask: i64, signal: Signal) -> Signal {
    Signal { bid, ask, ..signal }
}

fn only(results: &PaperResults) -> &Figures {
    assert_eq!(results.strategies[0].instruments.len(), 1);
    &results.strategies[0].instruments[0].figures
}

#[test]
fn a_round_trip_and_a_reversal_by_hand() {
    let mut account = PaperAccount::new(rules(Fill::Signal, "0", "0"), ["apple"]);
    for (ts, side, price) in [
        (10, TargetPosition::Flat, 99),   // nothing is held: redundant
        (20, TargetPosition::Long, 100),  // long at 100
        (30, TargetPosition::Long, 101),  // redundant
        (40, TargetPosition::Short, 110), // +10, short at 110
        (60, TargetPosition::Flat, 113),  // -3
    ] {
        account.signal(0, "BTC", &signal(ts, side, price * ONE)).unwrap();
    }
    account.mark(70, "BTC", 500 * ONE);
    let results = account.finish(0, 100);
    let expected = Figures {
        signals: 5,
        redundant: 2,
        fills: 4,
        trades: 2,
        wins: 1,
        realised: 7 * ONE_WIDE,
        max_drawdown: 3 * ONE_WIDE,
        exposure: 0.4,
        ..Figures::default()
    };
    assert_eq!(only(&results), &expected);
    assert_eq!(results.strategies[0].total, expected, "with one instrument the total is that instrument");
    assert_eq!(expected.hit_rate(), Some(0.5));
    let curve: Vec<_> =
        results.strategies[0].curve.iter().map(|p| (p.ts_recv, p.equity / ONE_WIDE)).collect();
    assert_eq!(curve, [(10, 0), (20, 0), (30, 1), (40, 10), (60, 7), (100, 7)]);
}

#[test]
fn slippage_and_fees_by_hand() {
    // 2 bp slippage, 10 bp fee: buy 100 -> 100.02, fee 0.10002; sell 200 -> 199.96, fee 0.19996.
    let mut account = PaperAccount::new(rules(Fill::Signal, "2", "10"), ["apple"]);
    account.signal(0, "X", &signal(1, TargetPosition::Long, 100 * ONE)).unwrap();
    account.signal(0, "X", &signal(2, TargetPosition::Short, 200 * ONE)).unwrap();
    account.mark(3, "X", 190 * ONE);
    let results = account.finish(1, 3);
    let figures = only(&results);
    assert_eq!(figures.fills, 3, "a reversal is two fills");
    assert_eq!(figures.realised, 99_940_000_000);
    assert_eq!(figures.fees, 100_020_000 + 2 * 199_960_000, "each with its fee");
    assert_eq!(figures.open, 9_960_000_000);
    assert_eq!(figures.equity(), 99_940_000_000 + 9_960_000_000 - 499_940_000);
}

#[test]
fn a_gain_below_its_fees_is_no_win() {
    let mut account = PaperAccount::new(rules(Fill::Signal, "0", "50"), ["apple"]);
    account.signal(0, "X", &signal(1, TargetPosition::Long, 100 * ONE)).unwrap();
    account.signal(0, "X", &signal(2, TargetPosition::Flat, 101 * ONE)).unwrap();
    let results = account.finish(1, 2);
    let figures = only(&results);
    assert_eq!((figures.trades, figures.wins, figures.realised), (1, 0, ONE_WIDE));
}

#[test]
fn cross_buys_at_the_ask_and_sells_at_the_bid() {
    let mut account = PaperAccount::new(rules(Fill::Cross, "0", "0"), ["pear"]);
    let (bid, ask, mid) = (99 * ONE, 101 * ONE, 100 * ONE);
    account.signal(0, "X", &with_book(bid, ask, signal(1, TargetPosition::Short, mid))).unwrap();
    account.signal(0, "X", &with_book(bid, ask, signal(2, TargetPosition::Flat, mid))).unwrap();
    // The ask is empty: both fills of the reversal take the signal's price.
    account.signal(0, "X", &with_book(bid, ask, signal(3, TargetPosition::Short, mid))).unwrap();
    account.signal(0, "X", &with_book(bid, UNDEFINED_PRICE, signal(4, TargetPosition::Long, mid))).unwrap();
    let results = account.finish(1, 4);
    let figures = only(&results);
    assert_eq!(figures.realised, -3 * ONE_WIDE);
    assert_eq!((figures.fallbacks, figures.fills), (2, 5));
    assert_eq!(figures.max_drawdown, 3 * ONE_WIDE);
}

#[test]
fn without_any_price_nothing_is_traded() {
    let mut account = PaperAccount::new(PaperRules::default(), ["a"]);
    account.signal(0, "X", &signal(1, TargetPosition::Long, UNDEFINED_PRICE)).unwrap();
    account.signal(0, "X", &signal(2, TargetPosition::Long, 5)).unwrap();
    account.mark(3, "X", UNDEFINED_PRICE);
    account.signal(0, "X", &signal(4, TargetPosition::Long, UNDEFINED_PRICE)).unwrap();
    let results = account.finish(1, 4);
    let figures = only(&results);
    assert_eq!((figures.unpriced, figures.fills, figures.redundant, figures.open), (1, 1, 1, 0));
}

#[test]
fn two_legs_that_move_together_have_no_drawdown_between_them() {
    let mut account = PaperAccount::new(PaperRules::default(), ["pair"]);
    account.signal(0, "BTC", &signal(1, TargetPosition::Long, 100)).unwrap();
    account.signal(0, "ETH", &signal(1, TargetPosition::Short, 100)).unwrap();
    account.mark(2, "BTC", 50);
    account.mark(2, "ETH", 50);
    let results = account.finish(1, 2);
    let pair = &results.strategies[0];
    assert_eq!(pair.total.max_drawdown, 0);
    assert_eq!((pair.instruments[0].figures.max_drawdown, pair.instruments[1].figures.max_drawdown), (50, 0));
    assert_eq!(pair.total.exposure, 1.0);
}

#[test]
fn strategies_do_not_touch_each_other() {
    let mut account = PaperAccount::new(PaperRules::default(), ["a", "b"]);
    account.signal(0, "X", &signal(1, TargetPosition::Long, 100)).unwrap();
    account.signal(1, "X", &signal(2, TargetPosition::Short, 90)).unwrap();
    let error = account.signal(2, "X", &signal(3, TargetPosition::Short, 90)).unwrap_err();
    assert_eq!(error, UnknownStrategy { index: 2, ts_recv: 3, strategies: 2 });
    let results = account.finish(1, 3);
    let open: Vec<_> = results.strategies.iter().map(|s| s.total.open).collect();
    assert_eq!(open, [0, 0], "b's signal is no mark of a's position");
}

#[test]
fn basis_points_are_exact_and_bounded() {
    for (text, back) in [("0.5", "0.5"), ("-1.25", "-1.25"), ("10000", "10000"), ("1e-9", "0.000000001")] {
        assert_eq!(text.parse::<BasisPoints>().unwrap().to_string(), back);
    }
    for text in ["", "1%", "nan", "10000.1", "-10001", "0.0000000001"] {
        let error = text.parse::<BasisPoints>().unwrap_err().to_string();
        assert!(error.contains("such as 0.5"), "{error}");
    }
}

#[test]
fn a_share_is_rounded_to_the_nearest_and_halves_away_from_zero() {
    // 1 bp of 15,000 units is 1.5, of 14,999 1.4999; of -15,000 it is 1.5 of the magnitude.
    let fee = |rate, price: i64| rules(Fill::Signal, "0", rate).fee_of(price.into());
    assert_eq!([fee("1", 15_000), fee("1", 14_999), fee("1", -15_000), fee("-1", 15_000)], [2, 1, 2, -2]);
}

#[test]
fn drawdown_and_ratios_by_hand() {
    const SECOND: u64 = 1_000_000_000;
    let account = PaperAccount::new(PaperRules::default(), ["apple"]);
    let mut account = account.with_capital(Some(1000 * ONE_WIDE));
    account.signal(0, "X", &signal(SECOND, TargetPosition::Long, 100 * ONE)).unwrap();
    for (second, price) in [(2, 110), (3, 102), (4, 106), (5, 110), (6, 108)] {
        account.mark(second * SECOND, "X", price * ONE);
    }
    let closed =
        account.signal(0, "X", &signal(7 * SECOND, TargetPosition::Flat, 108 * ONE)).unwrap().unwrap();
    assert_eq!((closed.opened_at, closed.closed_at, closed.profit), (SECOND, 7 * SECOND, 8 * ONE_WIDE));
    let results = account.finish(SECOND, 8 * SECOND);
    let Performance { drawdown, returns, sharpe, sortino, under_water_ns, .. } =
        results.strategies[0].performance;
    let expected = DrawdownFigures {
        depth: 8 * ONE_WIDE,
        begin: 2 * SECOND,
        bottom: 3 * SECOND,
        recovered: Some(5 * SECOND),
        duration_ns: 3 * SECOND,
        recovery_ns: Some(2 * SECOND),
    };
    // Below the highest from the third second to the fifth, and from the sixth to the end.
    assert_eq!((drawdown, under_water_ns), (Some(expected), 4 * SECOND));
    // Each second is a stretch: 0, +10, -8, +4, +4, -2, 0 and 0; their mean is 1, their squares' sum 200.
    assert_eq!(returns, ReturnBasis { stretch_ns: SECOND, stretches: 8 });
    let a_year = (365.0 * 86400.0f64).sqrt();
    let is_near = |found: Option<f64>, expected: f64| (found.unwrap() / expected - 1.0).abs() < 1e-12;
    assert!(is_near(sharpe, 1.0 / (192.0f64 / 7.0).sqrt() * a_year), "{sharpe:?}");
    assert!(is_near(sortino, 1.0 / (68.0f64 / 8.0).sqrt() * a_year), "{sortino:?}");
    assert_eq!(results.strategies[0].performance.percent(8 * ONE_WIDE), Some(0.8));
}

#[test]
fn a_run_of_years_is_bounded_and_its_parts_are_the_whole() {
    const DAY: u64 = 86_400_000_000_000;
    let mut account = PaperAccount::new(rules(Fill::Signal, "1", "2"), ["apple"]);
    for day in 0..1500 {
        let side = [TargetPosition::Long, TargetPosition::Short, TargetPosition::Flat][day as usize % 3];
        let price = (100 + day as i64 * 7919 % 97) * ONE;
        account.signal(0, "X", &signal(day * DAY + day * 1_000_000, side, price)).unwrap();
    }
    let apple = account.finish(0, 1501 * DAY).strategies.remove(0);
    let traded = &apple.performance.traded;
    assert!(
        apple.days.len() <= MAX_DAYS && apple.days.iter().all(|day| day.days == 4),
        "{}",
        apple.days.len()
    );
    assert!(apple.exposure.len() <= 256 && apple.performance.returns.stretches <= 256);
    assert!(apple.distribution.bins.len() <= MAX_BINS);
    for periods in [
        apple.days.iter().map(|day| &day.figures).collect::<Vec<_>>(),
        apple.hours.iter().map(|hour| &hour.figures).collect(),
    ] {
        let mut all = PeriodFigures::default();
        periods.iter().for_each(|period| {
            all.profit += period.profit;
            all.traded.add(&period.traded);
            all.held_ns += period.held_ns;
        });
        assert_eq!((all.profit, &all.traded), (apple.performance.net_profit, traded));
        assert_eq!(all.held_ns, apple.exposure.iter().map(|point| point.held_ns).sum::<u64>());
    }
    let binned: u64 = apple.distribution.bins.iter().map(|bin| bin.trades).sum();
    assert_eq!((binned, traded.trades), (apple.total.trades, apple.total.trades));
    assert_eq!((traded.fees, traded.wins), (apple.total.fees, apple.total.wins));
}

#[derive(Clone, Debug)]
enum Event {
    Signal(u64, TargetPosition, i64, i64, i64),
    Mark(u64, i64),
}

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -1_000_000..1_000_000i64, 1 => any::<i64>(), 1 => Just(UNDEFINED_PRICE)]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let side =
        prop_oneof![Just(TargetPosition::Long), Just(TargetPosition::Short), Just(TargetPosition::Flat)];
    let event = prop_oneof![
        (side, price(), price(), price()).prop_map(|(s, p, b, a)| Event::Signal(0, s, p, b, a)),
        price().prop_map(|p| Event::Mark(0, p)),
    ];
    proptest::collection::vec((0..3u64, event), 0..200).prop_map(|steps| {
        let mut now = 1;
        let timed = steps.into_iter().map(|(pause, event)| {
            now += pause;
            match event {
                Event::Signal(_, s, p, b, a) => Event::Signal(now, s, p, b, a),
                Event::Mark(_, p) => Event::Mark(now, p),
            }
        });
        timed.collect()
    })
}

fn play(rules: PaperRules, events: &[Event]) -> PaperResults {
    let mut account = PaperAccount::new(rules, ["s"]);
    for event in events {
        match *event {
            Event::Signal(ts, side, price, bid, ask) => {
                account.signal(0, "X", &with_book(bid, ask, signal(ts, side, price))).unwrap();
            }
            Event::Mark(ts, price) => account.mark(ts, "X", price),
        }
    }
    account.finish(1, 1000)
}

/// Cash and stock instead of entries and round trips: equity = cash + units × mark. Returns fees,
/// fills, equity, and the deepest fall of the equity that each time left behind.
fn naive(rules: PaperRules, events: &[Event]) -> (i128, u64, i128, i128) {
    let (mut cash, mut fees, mut fills, mut units, mut mark) = (0i128, 0i128, 0u64, 0i64, 0i128);
    let mut path: Vec<(u64, i128)> = vec![(0, 0)];
    for event in events {
        let ts = match *event {
            Event::Mark(ts, price) => {
                if price != UNDEFINED_PRICE {
                    mark = price.into();
                }
                ts
            }
            Event::Signal(ts, side, price, bid, ask) => {
                let change = side.units() - units;
                let other = if change > 0 { ask } else { bid };
                let base = if rules.fill == Fill::Cross && other != UNDEFINED_PRICE { other } else { price };
                if change != 0 && base != UNDEFINED_PRICE {
                    let base = i128::from(base);
                    let paid = base + i128::from(change.signum()) * rules.slippage_bp_of(base);
                    cash -= i128::from(change) * paid;
                    let fee = rules.fee_of(paid) * i128::from(change.abs());
                    (fees, cash) = (fees + fee, cash - fee);
                    fills += change.unsigned_abs();
                    units = side.units();
                    mark = base;
                }
                if price != UNDEFINED_PRICE {
                    mark = price.into();
                }
                ts
            }
        };
        let equity = cash + i128::from(units) * mark;
        match path.last_mut() {
            Some(last) if last.0 == ts => last.1 = equity,
            _ => path.push((ts, equity)),
        }
    }
    let (mut highest, mut deepest) = (0, 0);
    for &(_, equity) in &path {
        highest = highest.max(equity);
        deepest = deepest.max(highest - equity);
    }
    (fees, fills, path[path.len() - 1].1, deepest)
}

impl PaperRules {
    /// The slippage alone, from the documented formula rather than from the code under test.
    fn slippage_bp_of(&self, price: i128) -> i128 {
        let share: f64 = self.slippage_bp.to_string().parse().unwrap();
        let tenths = (share * 10.0) as i128 * price.abs();
        tenths / 100_000 + i128::from(tenths % 100_000 >= 50_000)
    }
}

fn some_rules() -> impl Strategy<Value = PaperRules> {
    let fill = prop_oneof![Just(Fill::Signal), Just(Fill::Cross)];
    let points = || prop_oneof![Just("0"), Just("0.5"), Just("25")];
    (fill, points(), points()).prop_map(|(fill, slippage, fee)| rules(fill, slippage, fee))
}

proptest! {
    #[test]
    fn equity_is_cash_and_stock(rules in some_rules(), events in events()) {
        let results = play(rules, &events);
        let (fees, fills, equity, deepest) = naive(rules, &events);
        let total = &results.strategies[0].total;
        prop_assert_eq!((total.fees, total.fills, total.equity()), (fees, fills, equity));
        prop_assert_eq!(total.max_drawdown, deepest);
        prop_assert!(total.wins <= total.trades && (0.0..=1.0).contains(&total.exposure));
        let signals = events.iter().filter(|e| matches!(e, Event::Signal(..))).count() as u64;
        prop_assert_eq!(total.signals, signals);
    }

    /// With all prices mirrored at 0 and buy and sell swapped, a strategy earns the same.
    #[test]
    fn long_and_short_are_mirror_images(rules in some_rules(), events in events()) {
        let mirror = |price: i64| if price == UNDEFINED_PRICE { price } else { -price };
        let has_no_mirror = |price: i64| price <= i64::MIN + 1;
        prop_assume!(!events.iter().any(|e| match *e {
            Event::Signal(_, _, p, b, a) => [p, b, a].into_iter().any(has_no_mirror),
            Event::Mark(_, p) => has_no_mirror(p),
        }));
        let mirrored: Vec<Event> = events.iter().map(|event| match *event {
            Event::Signal(ts, side, p, bid, ask) => {
                let side = match side {
                    TargetPosition::Long => TargetPosition::Short,
                    TargetPosition::Short => TargetPosition::Long,
                    TargetPosition::Flat => TargetPosition::Flat,
                };
                Event::Signal(ts, side, mirror(p), mirror(ask), mirror(bid))
            }
            Event::Mark(ts, p) => Event::Mark(ts, mirror(p)),
        }).collect();
        let mut mirrored = play(rules, &mirrored);
        for instrument in &mut mirrored.strategies[0].instruments {
            instrument.position = instrument.position.opposite();
        }
        prop_assert_eq!(play(rules, &events), mirrored);
    }

    #[test]
    fn curves_are_bounded_and_keep_the_extremes(steps in proptest::collection::vec((0..50u32, any::<i32>()), 1..4000)) {
        let mut curve = Curve::default();
        let mut ts = 0u64;
        let mut seen: Vec<EquityPoint> = Vec::new();
        for (bits, equity) in steps {
            ts = ts.saturating_add(1 << bits);
            let equity = i128::from(equity);
            curve.see(ts, equity);
            seen.push(EquityPoint { ts_recv: ts, equity });
        }
        let kept = curve.finish();
        prop_assert!(kept.len() <= MAX_CURVE_POINTS);
        prop_assert!(kept.is_sorted_by(|a, b| a.ts_recv < b.ts_recv));
        prop_assert_eq!((kept.first(), kept.last()), (seen.first(), seen.last()));
        let range = |points: &[EquityPoint]| {
            let equities = points.iter().map(|p| p.equity);
            (equities.clone().min(), equities.max())
        };
        prop_assert_eq!(range(&kept), range(&seen));
        if seen.len() <= 500 {
            prop_assert!(kept.iter().all(|point| seen.contains(point)));
        }
    }
}
