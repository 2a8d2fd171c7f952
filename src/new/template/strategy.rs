//! `my-strategy`: follows a move of the price. Replace it by your own idea.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Price, Strategy, TargetPosition, Tick, params, register};

// What a user can set, as in `--strategy my-strategy:window=50,move_bps=10`. The comments are the
// help that `strategies` prints.
params! {
    /// Parameters of `my-strategy`.
    #[derive(Serialize, Deserialize)]
    struct MyStrategyParams {
        /// How many trades it looks back, 1 to 100000.
        window: u32 = 100,
        /// The move over the window at which it takes a position, in basis points.
        move_bps: f64 = 2.0,
    }
}

/// What it knows of one instrument. All of it is stored, so that a run which was interrupted goes
/// on with the same signals.
#[derive(Serialize, Deserialize)]
struct MyStrategy {
    params: MyStrategyParams,
    /// Prices of the newest trades, oldest first: at most `window`.
    prices: VecDeque<Price>,
}

impl Strategy for MyStrategy {
    const NAME: &'static str = "my-strategy";
    const SUMMARY: &'static str = "follows a move of the price until it turns";
    type Params = MyStrategyParams;

    /// Refuses parameters that make no sense, before the run begins.
    fn check(params: &MyStrategyParams) -> Result<(), String> {
        if !(1..=100_000).contains(&params.window) {
            return Err("window is 1 to 100000".to_owned());
        }
        if !(params.move_bps.is_finite() && params.move_bps >= 0.0) {
            return Err("move_bps is a number of basis points, not negative".to_owned());
        }
        Ok(())
    }

    /// The state of an instrument that has had no tick yet.
    fn new(params: &MyStrategyParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { params: params.clone(), prices: VecDeque::new() })
    }

    /// Every trade, best bid and best ask of the instrument, in order.
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let Some(price) = tick.trade_price() else { return };
        if self.prices.len() == self.params.window as usize
            && let Some(before) = self.prices.pop_front()
        {
            let change_bps = (price / before - 1.0) * 1e4;
            self.act(change_bps, price, context);
        }
        self.prices.push_back(price);
    }
}

impl MyStrategy {
    fn act(&self, change_bps: f64, price: Price, context: &mut Context<'_>) {
        let target = match context.position() {
            TargetPosition::Flat if change_bps > self.params.move_bps => TargetPosition::Long,
            TargetPosition::Flat if change_bps < -self.params.move_bps => TargetPosition::Short,
            TargetPosition::Long if change_bps <= 0.0 => TargetPosition::Flat,
            TargetPosition::Short if change_bps >= 0.0 => TargetPosition::Flat,
            _ => return,
        };
        context.signal(target, price);
    }
}

register!(MyStrategy);

#[cfg(test)]
mod tests {
    use tick_sdk::test_kit::{Market, Trial};

    use super::*;

    fn trial() -> Trial<MyStrategy> {
        Trial::new().with("window", "2").with("move_bps", "100")
    }

    #[test]
    fn it_follows_a_move_until_it_turns() {
        // Against the price two trades before: 102 is 2 % up, 101 is below 101.5.
        let market = Market::new().trades("BTC", "100 101.5 102 103 101 99");
        assert_eq!(trial().run(&market), ["BTC buy 102", "BTC flat 101", "BTC sell 99"]);
    }

    #[test]
    fn a_small_move_is_none() {
        let market = Market::new().trades("BTC", "100 100.4 100.8 101.2 101.6");
        assert!(trial().run(&market).is_empty());
    }

    #[test]
    fn a_restart_changes_nothing() {
        let (market, trial) = (Market::random(1, 3000, 3), trial().with("move_bps", "0.5"));
        assert!(!trial.run(&market).is_empty());
        trial.check_restarts(&market, 17);
    }
}
