//! `bars`: bars of a fixed length in receive time, closed by a timer; it follows a close that leaves
//! the range of the bars before.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Price, Strategy, TargetPosition, Tick, params, register};

params! {
    /// Parameters of `bars`.
    struct BarsParams {
        /// Length of a bar in seconds of receive time, 1 to 86400.
        seconds: u32 = 60,
        /// How many bars make the range, 1 to 10000.
        range: u32 = 20,
    }
}

/// One instrument's bars.
#[derive(Serialize, Deserialize)]
struct Bars {
    /// Length of a bar in nanoseconds.
    length: u64,
    range: usize,
    /// The bar that trades go into now. There is none between a bar's end and the next trade.
    open: Option<Bar>,
    /// The newest bars, oldest first: at most `range`.
    closed: VecDeque<Bar>,
}

/// The prices of a bar's trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bar {
    open: Price,
    high: Price,
    low: Price,
    close: Price,
}

impl Strategy for Bars {
    const NAME: &'static str = "bars";
    const SUMMARY: &'static str = "breakout: a bar closes outside the range of the bars before";
    type Params = BarsParams;

    fn check(params: &BarsParams) -> Result<(), String> {
        if !(1..=86_400).contains(&params.seconds) {
            return Err("seconds is 1 to 86400".to_owned());
        }
        if !(1..=10_000).contains(&params.range) {
            return Err("range is 1 to 10000".to_owned());
        }
        Ok(())
    }

    fn new(params: &BarsParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self {
            length: u64::from(params.seconds) * 1_000_000_000,
            range: params.range as usize,
            open: None,
            closed: VecDeque::new(),
        })
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let Some(price) = tick.trade_price() else { return };
        match &mut self.open {
            Some(bar) => bar.add(price),
            None => {
                self.open = Some(Bar::of(price));
                // Only a bar with trades has a timer, so that a weekend without any is not a loop over
                // empty bars.
                context.timer_at((context.now() / self.length + 1).saturating_mul(self.length));
            }
        }
    }

    /// The end of a bar. It comes before the first tick at or after that time, of whatever kind.
    fn on_timer(&mut self, _: u64, context: &mut Context<'_>) {
        let Some(bar) = self.open.take() else { return };
        if self.closed.len() == self.range {
            self.act(bar.close, context);
            self.closed.pop_front();
        }
        self.closed.push_back(bar);
    }

    /// The last bar is not complete, so nothing is decided on it; a position is closed at its price.
    fn on_end(&mut self, context: &mut Context<'_>) {
        let newest = self.open.as_ref().or(self.closed.back());
        if let Some(bar) = newest.filter(|_| context.position() != TargetPosition::Flat) {
            context.flat(bar.close);
        }
    }
}

impl Bars {
    fn act(&self, close: Price, context: &mut Context<'_>) {
        let target = if self.closed.iter().all(|bar| close > bar.high) {
            TargetPosition::Long
        } else if self.closed.iter().all(|bar| close < bar.low) {
            TargetPosition::Short
        } else {
            return;
        };
        if target != context.position() {
            context.signal(target, close);
        }
    }
}

impl Bar {
    const fn of(price: Price) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    fn add(&mut self, price: Price) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
    }
}

register!(Bars);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write;

    use tick_sdk::Kind;
    use tick_sdk::decimal::format_decimal;
    use tick_sdk::test_kit::{Market, Trial, check_golden};

    use super::*;

    fn trial() -> Trial<Bars> {
        Trial::new().with("seconds", "1").with("range", "2")
    }

    #[test]
    fn a_close_outside_the_range_is_followed_until_the_other_side_breaks() {
        let market = Market::new().trades("BTC", "100 103 101").wait_ms(1000).trades("BTC", "99 102");
        let market = market.wait_ms(1000).trades("BTC", "90 104"); // closes above 103, the range's high
        let market = market.wait_ms(1000).trades("BTC", "120 95"); // closes within 90 to 104
        let market = market.wait_ms(1000).trades("BTC", "89"); // closes below 90
        let market = market.wait_ms(1000).trades("BTC", "93"); // is not closed
        assert_eq!(trial().run(&market), ["BTC buy 104", "BTC sell 89", "BTC flat 93"]);
    }

    #[test]
    fn a_close_at_the_edge_of_the_range_is_within_it() {
        let market = Market::new().trades("BTC", "100 103").wait_ms(1000).trades("BTC", "101");
        let market = market.wait_ms(1000).trades("BTC", "103").wait_ms(1000).trades("BTC", "101");
        let market = market.wait_ms(1000).quote("BTC", "1", "2");
        assert!(trial().run(&market).is_empty());
    }

    #[test]
    fn a_quote_closes_a_bar_too_and_the_signal_is_as_of_the_bar_s_end() {
        let market = Market::new().trades("BTC", "100").wait_ms(1000).trades("BTC", "100");
        let market = market.wait_ms(1000).trades("BTC", "101").wait_ms(5000).quote("BTC", "1", "2");
        let signals = trial().signals(&market);
        assert_eq!((signals[0].ts_event, signals[0].price), (3_000_000_000, 101_000_000_000));
        assert_eq!(signals[0].ts_recv, market.ticks()[3].ts_recv);
    }

    /// What the bars and signals should be, by sorting all trades into bars at once.
    fn by_hand(market: &Market, length: u64, range: usize) -> Vec<String> {
        let mut bars = BTreeMap::<u64, Vec<i64>>::new();
        for tick in market.ticks().iter().filter(|tick| tick.kind == Kind::TRADE) {
            bars.entry(tick.ts_recv / length).or_default().push(tick.price);
        }
        let last = bars.values().last().unwrap().last().copied().unwrap();
        bars.remove(&(market.ticks().last().unwrap().ts_recv / length));
        let bars: Vec<_> = bars.into_values().collect();
        let mut signals: Vec<(&str, i64)> = Vec::new();
        for i in range..bars.len() {
            let before = bars[i - range..i].concat();
            let close = *bars[i].last().unwrap();
            let side = match close {
                close if close > *before.iter().max().unwrap() => "buy",
                close if close < *before.iter().min().unwrap() => "sell",
                _ => continue,
            };
            if signals.last().is_none_or(|(newest, _)| *newest != side) {
                signals.push((side, close));
            }
        }
        if !signals.is_empty() {
            signals.push(("flat", last));
        }
        signals.iter().map(|(side, price)| format!("S0 {side} {}", format_decimal(*price))).collect()
    }

    #[test]
    fn the_timer_makes_the_bars_that_sorting_all_trades_would_make() {
        let mut signals = 0;
        for seed in 0..8 {
            let market = Market::random(seed, 40_000, 1);
            let found = trial().run(&market);
            assert_eq!(found, by_hand(&market, 1_000_000_000, 2), "seed {seed}");
            signals += found.len();
        }
        assert!(signals > 40, "{signals} signals prove little");
    }

    #[test]
    fn a_restart_changes_nothing() {
        let market = Market::random(1, 10_000, 3);
        assert!(!trial().run(&market).is_empty());
        trial().check_restarts(&market, 97);
    }

    #[test]
    fn signals_are_those_of_the_golden_file() {
        let market = Market::random(7, 60_000, 2);
        let mut text = String::new();
        for signal in Trial::<Bars>::new().with("seconds", "1").with("range", "5").signals(&market) {
            let symbol = &market.symbols()[signal.instrument as usize];
            let (side, price) = (signal.side.name(), format_decimal(signal.price));
            writeln!(text, "{} {symbol} {side} {price}", signal.ts_event).unwrap();
        }
        check_golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/signals.txt"), text);
    }

    #[test]
    fn lengths_that_make_no_bars_are_refused() {
        let refused = |seconds, range| Bars::check(&BarsParams { seconds, range }).is_err();
        assert!(refused(0, 20) && refused(86_401, 20) && refused(60, 0) && refused(60, 10_001));
        assert!(!refused(86_400, 10_000));
    }
}
