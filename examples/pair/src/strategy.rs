//! `pair`: two instruments as one key. When the ratio of their mid prices leaves its mean it sells
//! the dear one and buys the cheap one; when the ratio is back it holds neither.

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Kind, Price, Scope, Strategy, TargetPosition, Tick, params, register};

params! {
    /// Parameters of `pair`.
    struct PairParams {
        /// Period of mean and variance, in quotes of the pair; it acts only after as many.
        window: u32 = 2000,
        /// Deviations from the mean at which it takes a position.
        entry: f64 = 2.5,
    }
}

/// The state of one pair.
#[derive(Serialize, Deserialize)]
struct Pair {
    window: u64,
    entry: f64,
    /// The weight of a new ratio in mean and variance.
    a: f64,
    mean: f64,
    var: f64,
    /// Ratios so far.
    n: u64,
}

impl Strategy for Pair {
    const NAME: &'static str = "pair";
    const SUMMARY: &'static str = "mean reversion: the price ratio of two instruments leaves its mean";
    const SCOPE: Scope = Scope::Group;
    type Params = PairParams;

    fn check(params: &PairParams) -> Result<(), String> {
        if params.window == 0 {
            return Err("window is at least 1".to_owned());
        }
        if !(params.entry.is_finite() && params.entry >= 0.0) {
            return Err("entry is a number of deviations, not negative".to_owned());
        }
        Ok(())
    }

    fn new(params: &PairParams, key: &Key<'_>) -> Result<Self, String> {
        if key.members.len() != 2 {
            return Err(format!(
                "a pair is a group of two instruments, and this one has {}",
                key.members.len()
            ));
        }
        Ok(Self {
            window: u64::from(params.window),
            entry: params.entry,
            a: 2.0 / (f64::from(params.window) + 1.0),
            mean: 0.0,
            var: 0.0,
            n: 0,
        })
    }

    /// The ticks of both members, in order; `context.member()` says whose this one is.
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        // Between a bid and its ask the book may be crossed: only the last tick of a quote counts.
        if tick.kind != Kind::TRADE
            && tick.is_last()
            && let Some(mids) = mids(context)
        {
            self.evaluate(mids, context);
        }
    }

    /// Nobody knows the prices after the end: the pair is closed at the newest ones.
    fn on_end(&mut self, context: &mut Context<'_>) {
        if context.position_of(0) != TargetPosition::Flat
            && let Some(mids) = mids(context)
        {
            take(TargetPosition::Flat, mids, context);
        }
    }
}

impl Pair {
    fn evaluate(&mut self, mids: [Price; 2], context: &mut Context<'_>) {
        // A quotient is the same on every machine; a logarithm need not be.
        let ratio = mids[0] / mids[1];
        self.n += 1;
        if self.n == 1 {
            self.mean = ratio;
            return;
        }
        let d = ratio - self.mean;
        let z = if self.var > 0.0 { d / self.var.sqrt() } else { 0.0 };
        self.mean += self.a * d;
        self.var = (1.0 - self.a) * (self.var + self.a * d * d);
        if self.n <= self.window {
            return;
        }
        match context.position_of(0) {
            TargetPosition::Flat if z > self.entry => take(TargetPosition::Short, mids, context),
            TargetPosition::Flat if z < -self.entry => take(TargetPosition::Long, mids, context),
            TargetPosition::Short if z <= 0.0 => take(TargetPosition::Flat, mids, context),
            TargetPosition::Long if z >= 0.0 => take(TargetPosition::Flat, mids, context),
            _ => {}
        }
    }
}

/// Asks for `position` in the first member and for the opposite in the second.
fn take(position: TargetPosition, mids: [Price; 2], context: &mut Context<'_>) {
    context.signal_on(0, position, mids[0]);
    context.signal_on(1, position.opposite(), mids[1]);
}

/// Both members' mid prices; `None` while a side of a book is empty, and for a price that cannot divide.
fn mids(context: &Context<'_>) -> Option<[Price; 2]> {
    let mid = |member| {
        let (bid, ask) = (context.newest_of(member, Kind::BID)?, context.newest_of(member, Kind::ASK)?);
        Some(bid.midpoint(ask)).filter(|mid| *mid > Price::ZERO)
    };
    Some([mid(0)?, mid(1)?])
}

register!(Pair);

#[cfg(test)]
mod tests {
    use tick_sdk::test_kit::{Market, Trial, check_golden};

    use super::*;

    fn trial() -> Trial<Pair> {
        Trial::new().with("window", "2").with("entry", "1").groups("btc-eth = BTC ETH")
    }

    /// Quotes of one wide around these mids.
    fn quotes(market: Market, symbol: &str, mids: &[f64]) -> Market {
        let quote = |market: Market, mid: &f64| {
            market.quote(symbol, &(mid - 0.5).to_string(), &(mid + 0.5).to_string())
        };
        mids.iter().fold(market, quote)
    }

    #[test]
    fn the_dear_one_is_sold_and_the_cheap_one_bought_until_the_ratio_is_back() {
        // Ratios 10, 11, 11, 14, 10 with a weight of 2/3: at the fourth z is above 1.
        let market = quotes(Market::new(), "ETH", &[1.0]);
        let market = quotes(market, "BTC", &[10.0, 11.0, 11.0, 14.0, 10.0]);
        assert_eq!(trial().run(&market), ["BTC sell 14", "ETH buy 1", "BTC flat 10", "ETH flat 1"]);
    }

    #[test]
    fn a_move_of_the_second_member_moves_the_ratio_too() {
        // ETH gains: BTC is the cheap one. The run ends before the ratio is back.
        let market = quotes(Market::new(), "BTC", &[100.0]);
        let market = quotes(market, "ETH", &[10.0, 9.0, 9.0, 12.0]);
        assert_eq!(trial().run(&market), ["BTC buy 100", "ETH sell 12", "BTC flat 100", "ETH flat 12"]);
    }

    #[test]
    fn it_acts_only_after_a_whole_window() {
        // 14 is 7 deviations away, but only two ratios came before it; before 18 there are three.
        let run = |ratios: &[f64]| {
            let market = quotes(quotes(Market::new(), "ETH", &[1.0]), "BTC", ratios);
            trial().with("window", "3").run(&market)
        };
        assert!(run(&[10.0, 11.0, 14.0]).is_empty());
        assert_eq!(run(&[10.0, 11.0, 14.0, 18.0])[..2], ["BTC sell 18", "ETH buy 1"]);
    }

    #[test]
    fn nothing_is_decided_while_one_side_is_missing() {
        let market = quotes(Market::new(), "ETH", &[1.0]);
        let market = quotes(market, "BTC", &[10.0, 11.0, 11.0]).quote("ETH", "0.5", "-");
        let market = quotes(market, "BTC", &[14.0]);
        assert!(trial().run(&market).is_empty());
        let market = quotes(quotes(market, "ETH", &[1.0]), "BTC", &[14.0]);
        assert_eq!(trial().run(&market)[..2], ["BTC sell 14", "ETH buy 1"]);
    }

    #[test]
    fn instruments_outside_the_pair_are_not_seen() {
        let market = quotes(Market::new(), "ETH", &[1.0]);
        let with_others = quotes(market.clone(), "SOL", &[3.0, 4.0, 5.0]);
        let run = |market| trial().run(&quotes(market, "BTC", &[10.0, 11.0, 11.0, 14.0, 10.0]));
        assert_eq!(run(with_others), run(market));
    }

    #[test]
    fn a_group_that_is_no_pair_is_refused() {
        let refused = |members: &[&str]| {
            let members: Vec<_> = members.iter().map(|&symbol| symbol.to_owned()).collect();
            Pair::new(&PairParams::default(), &Key { name: "sector", members: &members }).err()
        };
        assert!(refused(&["BTC"]).unwrap().contains("this one has 1"));
        assert!(refused(&["BTC", "ETH", "SOL"]).unwrap().contains("this one has 3"));
        assert_eq!(refused(&["BTC", "ETH"]), None);
    }

    fn random_trial() -> Trial<Pair> {
        Trial::new().with("window", "50").with("entry", "2").groups("pair = S0 S1")
    }

    #[test]
    fn a_restart_changes_nothing() {
        let market = Market::random(1, 5000, 3);
        assert!(!random_trial().run(&market).is_empty());
        random_trial().check_restarts(&market, 97);
    }

    #[test]
    fn signals_are_those_of_the_golden_file() {
        let text = random_trial().run(&Market::random(7, 5000, 2)).join("\n") + "\n";
        check_golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/signals.txt"), text);
    }
}
