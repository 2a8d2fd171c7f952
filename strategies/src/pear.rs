//! Pear: mean reversion of the mid price, by its distance from an exponential mean in deviations.

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Kind, Strategy, Tick, UNDEFINED_PRICE, Wanted, params, register};

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
    bid: i64,
    ask: i64,
    mean: f64,
    var: f64,
    a: f64,
    entry: f64,
    /// Evaluations so far.
    n: u64,
    window: u64,
    position: Wanted,
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
            position: Wanted::Flat,
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
            (self.mean, self.var) = (mid, 0.0);
            return;
        }
        let z = if self.var > 0.0 { (mid - self.mean) / self.var.sqrt() } else { 0.0 };
        let d = mid - self.mean;
        self.mean += self.a * d;
        self.var = (1.0 - self.a) * (self.var + self.a * d * d);
        if n >= self.window {
            self.act(z, context);
        }
    }

    #[inline]
    fn act(&mut self, z: f64, context: &mut Context<'_>) {
        let wanted = match self.position {
            Wanted::Flat if z > self.entry => Wanted::Sell,
            Wanted::Flat if z < -self.entry => Wanted::Buy,
            Wanted::Sell if z <= 0.0 => Wanted::Flat,
            Wanted::Buy if z >= 0.0 => Wanted::Flat,
            _ => return,
        };
        self.position = wanted;
        let mid = (i128::from(self.bid) + i128::from(self.ask)).div_euclid(2);
        // The mean of two i64 is an i64.
        context.signal(wanted, mid as i64);
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

    #[test]
    fn a_restart_changes_nothing() {
        Trial::<Pear>::new().with("window", "20").check_restarts(&Market::random(2, 3000, 3), 13);
    }
}
