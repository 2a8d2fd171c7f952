//! Pear: mean reversion of the mid price, by its distance from an exponential mean in deviations.

use serde::{Deserialize, Serialize};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::{Context, Key, Kind, Price, Strategy, TargetPosition, Tick, params, register};

params! {
    /// Parameters of [`Pear`].
    pub struct PearParams {
        /// Period of mean and variance, in evaluations of the book; it acts only after as many.
        window: u32 = 200,
        /// Deviations from the mean at which it opens a position.
        entry: f64 = 2.0,
    }
}

/// One instrument's book, mean and variance. The specification is exact: an independent
/// implementation gives the same signals, bit for bit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pear {
    /// The raw numbers of the ticks, as most of them are only compared and averaged.
    bid: i64,
    ask: i64,
    mean: f64,
    var: f64,
    a: f64,
    entry: f64,
    /// Evaluations so far.
    n: u64,
    window: u64,
    position: TargetPosition,
}

impl Strategy for Pear {
    const NAME: &'static str = "pear";
    const SUMMARY: &'static str = "mean reversion: the mid price leaves its exponential mean and comes back";
    type Params = PearParams;

    fn check(params: &PearParams) -> Result<(), String> {
        if params.window == 0 {
            return Err("window is at least 1".to_owned());
        }
        if !(params.entry.is_finite() && params.entry >= 0.0) {
            return Err("entry is a number of deviations, not negative".to_owned());
        }
        Ok(())
    }

    fn new(params: &PearParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self {
            bid: UNDEFINED_PRICE,
            ask: UNDEFINED_PRICE,
            mean: 0.0,
            var: 0.0,
            a: 2.0 / (f64::from(params.window) + 1.0),
            entry: params.entry,
            n: 0,
            window: u64::from(params.window),
            position: TargetPosition::Flat,
        })
    }

    #[inline]
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        match tick.kind {
            Kind::BID => self.bid = tick.price,
            Kind::ASK => self.ask = tick.price,
            _ => return,
        }
        if tick.is_last() && self.bid != UNDEFINED_PRICE && self.ask != UNDEFINED_PRICE {
            self.evaluate(context);
        }
    }
}

impl Pear {
    #[inline]
    fn evaluate(&mut self, context: &mut Context<'_>) {
        let mid = (self.bid as f64 * 1e-9 + self.ask as f64 * 1e-9) * 0.5;
        let n = self.n;
        self.n += 1;
        if n == 0 {
            self.mean = mid;
            self.var = 0.0;
            return;
        }
        let var = self.var;
        let d = mid - self.mean;
        self.mean += self.a * d;
        self.var = (1.0 - self.a) * (var + self.a * d * d);
        if n >= self.window && !self.is_surely_quiet(d, var) {
            self.act(d, var, context);
        }
    }

    /// Whether z certainly asks for nothing, without the square root and the division that z takes
    /// and that few evaluations need; what it brings is in `perf/RESULTS.md`.
    ///
    /// Flat, z is quiet where d² < entry² var; by the margin of 1e-9, rounding (below 1e-15) cannot
    /// make it otherwise. Short it is quiet where d > 0 and long where d < 0, unless var is 0, for
    /// then z is 0. What is too small for any of this to be certain counts as not quiet.
    #[inline]
    fn is_surely_quiet(&self, d: f64, var: f64) -> bool {
        // By position: the factors of d², d and entry² var.
        const FLAT_LONG_SHORT: [[f64; 3]; 3] = [[-1.0, 0.0, 1.0], [0.0, -1.0, 0.0], [0.0, 1.0, 0.0]];
        const MARGIN: f64 = 1.0 - 1e-9;
        let [square, linear, entry] = FLAT_LONG_SHORT[self.position as usize];
        let distance = entry * (self.entry * self.entry * MARGIN) * var + linear * d + square * (d * d);
        distance > 1e-100 && var > 0.0
    }

    #[cold]
    fn act(&mut self, d: f64, var: f64, context: &mut Context<'_>) {
        let z = if var > 0.0 { d / var.sqrt() } else { 0.0 };
        let target = match self.position {
            TargetPosition::Flat if z > self.entry => TargetPosition::Short,
            TargetPosition::Flat if z < -self.entry => TargetPosition::Long,
            TargetPosition::Short if z <= 0.0 => TargetPosition::Flat,
            TargetPosition::Long if z >= 0.0 => TargetPosition::Flat,
            _ => return,
        };
        self.position = target;
        // Both are prices, or nothing would have been evaluated.
        if let (Some(bid), Some(ask)) = (Price::from_raw(self.bid), Price::from_raw(self.ask)) {
            context.signal(target, bid.midpoint(ask));
        }
    }
}

register!(Pear);

#[cfg(test)]
mod tests {
    use tick_sdk::test_kit::{Market, Trial};

    use super::*;

    fn trial() -> Trial<Pear> {
        Trial::new().with("window", "2").with("entry", "1")
    }

    #[test]
    fn it_sells_above_and_is_flat_at_the_mean() {
        // Mids 10, 11, 11, 14: mean and variance move; at the fourth evaluation z is above 1.
        let market = Market::new().quote("BTC", "9", "11").quote("BTC", "10", "12").quote("BTC", "10", "12");
        let market = market.quote("BTC", "13", "15").quote("BTC", "9", "11");
        assert_eq!(trial().run(&market), ["BTC sell 14", "BTC flat 10"]);
    }

    #[test]
    fn a_half_empty_book_is_not_evaluated() {
        let warm = || Market::new().quote("BTC", "9", "11").quote("BTC", "10", "12").quote("BTC", "10", "12");
        assert_eq!(trial().run(&warm().quote("BTC", "-", "99")), Vec::<String>::new());
        assert_eq!(trial().run(&warm().quote("BTC", "13", "15")), ["BTC sell 14"]);
    }

    #[test]
    fn the_price_is_the_floor_of_the_mid() {
        let market = Market::new().quote("X", "-9", "-11").quote("X", "-10", "-12").quote("X", "-10", "-12");
        let market = market.quote("X", "-20.000000001", "-22");
        assert_eq!(trial().run(&market), ["X buy -21.000000001"]);
    }

    /// The specification as it is written, computed for every evaluation.
    fn plain(market: &Market, window: u64, entry: f64) -> Vec<String> {
        let (mut mean, mut var, mut n, mut position) = (0.0f64, 0.0f64, 0u64, TargetPosition::Flat);
        let (mut bid, mut signals) = (0i64, Vec::new());
        for tick in market.ticks() {
            match tick.kind {
                Kind::BID => bid = tick.price,
                Kind::ASK => {
                    let mid = (bid as f64 * 1e-9 + tick.price as f64 * 1e-9) * 0.5;
                    if n == 0 {
                        (mean, var) = (mid, 0.0);
                    } else {
                        let a = 2.0 / (window as f64 + 1.0);
                        let z = if var > 0.0 { (mid - mean) / var.sqrt() } else { 0.0 };
                        let d = mid - mean;
                        mean += a * d;
                        var = (1.0 - a) * (var + a * d * d);
                        let target = match position {
                            TargetPosition::Flat if z > entry => TargetPosition::Short,
                            TargetPosition::Flat if z < -entry => TargetPosition::Long,
                            TargetPosition::Short if z <= 0.0 => TargetPosition::Flat,
                            TargetPosition::Long if z >= 0.0 => TargetPosition::Flat,
                            same => same,
                        };
                        if n >= window && target != position {
                            position = target;
                            let price = tick_sdk::decimal::format_decimal((bid + tick.price).div_euclid(2));
                            signals.push(format!("S0 {} {price}", target.name()));
                        }
                    }
                    n += 1;
                }
                _ => {}
            }
        }
        signals
    }

    #[test]
    fn the_shortcut_gives_what_the_specification_gives() {
        for seed in 0..40 {
            // Long constant stretches let the variance fall to 0 and the mean meet the price.
            let mut market = Market::random(seed, 600, 1);
            for _ in 0..(seed % 4) * 3000 {
                market = market.quote("S0", "999", "1001");
            }
            market = market.quote("S0", "1000", "1003").quote("S0", "998", "1000").quote("S0", "999", "1001");
            for (window, entry) in [(2, 1.0), (2, 0.0), (20, 2.0), (1, 1.0), (50, 1e-9)] {
                let trial = Trial::<Pear>::new().with("window", &window.to_string());
                let signals = trial.with("entry", &entry.to_string()).run(&market);
                assert_eq!(
                    signals,
                    plain(&market, window, entry),
                    "seed {seed} window {window} entry {entry}"
                );
            }
        }
    }

    #[test]
    fn a_restart_changes_nothing() {
        Trial::<Pear>::new().with("window", "20").check_restarts(&Market::random(2, 3000, 3), 13);
    }
}
