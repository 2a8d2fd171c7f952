//! Apple: trend following by the crossing of two exponential averages of trade prices.

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Kind, Strategy, Tick, params, register};

params! {
    /// Parameters of [`Apple`].
    pub struct AppleParams {
        /// Period of the fast average, in trades; at least 1.
        fast: u32 = 12,
        /// Period of the slow average, in trades; at least 1.
        slow: u32 = 26,
    }
}

/// One instrument's averages. The specification is exact: an independent implementation gives the
/// same signals, bit for bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Apple {
    fast: f64,
    slow: f64,
    a_fast: f64,
    a_slow: f64,
    started: bool,
    /// The sign that was last nonzero; 0 before the first.
    trend: i8,
}

impl Strategy for Apple {
    const NAME: &'static str = "apple";
    const SUMMARY: &'static str = "trend: two exponential averages of trade prices cross";
    type Params = AppleParams;

    fn check(params: &AppleParams) -> Result<(), String> {
        if params.fast == 0 || params.slow == 0 {
            return Err("fast and slow are at least 1".to_owned());
        }
        Ok(())
    }

    fn new(params: &AppleParams, _: &Key<'_>) -> Result<Self, String> {
        let weight = |period: u32| 2.0 / (f64::from(period) + 1.0);
        let (a_fast, a_slow) = (weight(params.fast), weight(params.slow));
        Ok(Self { fast: 0.0, slow: 0.0, a_fast, a_slow, started: false, trend: 0 })
    }

    #[inline]
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if tick.kind != Kind::TRADE {
            return;
        }
        let p = tick.price_f64();
        if !self.started {
            self.started = true;
            self.fast = p;
            self.slow = p;
            return;
        }
        self.fast += self.a_fast * (p - self.fast);
        self.slow += self.a_slow * (p - self.slow);
        let difference = self.fast - self.slow;
        let trend = i8::from(difference > 0.0) - i8::from(difference < 0.0);
        if trend != 0 && trend != self.trend {
            let before = std::mem::replace(&mut self.trend, trend);
            match (before, tick.price()) {
                (0, _) | (_, None) => {}
                (_, Some(price)) if trend > 0 => context.buy(price),
                (_, Some(price)) => context.sell(price),
            }
        }
    }
}

register!(Apple);

#[cfg(test)]
mod tests {
    use tick_sdk::test_kit::{Market, Trial};

    use super::*;

    fn trial() -> Trial<Apple> {
        Trial::new().with("fast", "1").with("slow", "3")
    }

    #[test]
    fn the_first_trend_is_only_remembered() {
        // fast follows the price, slow goes half-way: 100, 105, 112.5, 96.25, …
        let market = Market::new().trades("BTC", "100 110 120 80 70 90 130");
        assert_eq!(trial().run(&market), ["BTC sell 80", "BTC buy 90"]);
    }

    #[test]
    fn equal_averages_are_no_trend() {
        let market = Market::new().trades("BTC", "100 100 100 110 110").trades("BTC", "100");
        assert_eq!(trial().run(&market), ["BTC sell 100"]);
    }

    #[test]
    fn quotes_are_not_looked_at() {
        let market = Market::new().trades("BTC", "100 110").quote("BTC", "1", "2").trades("BTC", "120");
        assert!(trial().run(&market).is_empty());
    }

    #[test]
    fn instruments_do_not_see_each_other() {
        let one = Market::new().trades("A", "100 110 80").trades("B", "5 6 4");
        let mixed =
            Market::new().trades("A", "100").trades("B", "5 6").trades("A", "110 80").trades("B", "4");
        let sorted = |market| {
            let mut signals = trial().run(market);
            signals.sort();
            signals
        };
        assert_eq!(sorted(&one), sorted(&mixed));
    }

    #[test]
    fn a_restart_changes_nothing() {
        Trial::<Apple>::new().check_restarts(&Market::random(1, 3000, 3), 17);
    }

    #[test]
    fn a_period_of_zero_is_refused() {
        let zero = [("fast".to_owned(), "0".to_owned())];
        let error = tick_sdk::host::Registration::find("apple").unwrap().configure(&zero).err().unwrap();
        assert_eq!(error.to_string(), "fast and slow are at least 1");
    }
}
