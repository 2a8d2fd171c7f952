//! `basket`: a strategy that trades nothing sensible and forgets nothing. It keeps a digest of every tick
//! of its group and of every timer, and its signals are made of that digest: one tick lost, taken twice or
//! out of order, one timer that fires early or twice, changes every signal after it.

use serde::{Deserialize, Serialize};
use tick_sdk::{Context, Key, Kind, Price, Scope, Strategy, TargetPosition, Tick, params, register};

params! {
    /// Parameters of `basket`.
    struct BasketParams {
        /// Time between two timers in milliseconds of receive time, at least 1.
        every: u32 = 100,
    }
}

/// One group's digest.
#[derive(Serialize, Deserialize)]
struct Basket {
    /// Time between two timers in nanoseconds.
    every: u64,
    /// Of everything so far.
    digest: u64,
    is_timer_set: bool,
    /// Whose tick came last: an instrument without any cannot be traded.
    member: usize,
}

impl Strategy for Basket {
    const NAME: &'static str = "basket";
    const SUMMARY: &'static str = "a digest of every tick and timer of a group, for tests";
    const SCOPE: Scope = Scope::Group;
    type Params = BasketParams;

    fn check(params: &BasketParams) -> Result<(), String> {
        if params.every == 0 { Err("every is at least 1".to_owned()) } else { Ok(()) }
    }

    fn new(params: &BasketParams, key: &Key<'_>) -> Result<Self, String> {
        let digest = key.name.bytes().fold(0, |digest, byte| mix(digest, u64::from(byte)));
        Ok(Self { every: u64::from(params.every) * 1_000_000, digest, is_timer_set: false, member: 0 })
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.member = context.member();
        for part in [self.member as u64, tick.ts_recv, tick.price as u64, tick.size] {
            self.digest = mix(self.digest, part);
        }
        if tick.kind == Kind::TRADE && !self.is_timer_set {
            self.is_timer_set = true;
            context.timer_at((tick.ts_recv / self.every + 1).saturating_mul(self.every));
        }
    }

    fn on_timer(&mut self, at: u64, context: &mut Context<'_>) {
        self.is_timer_set = false;
        self.digest = mix(self.digest, at);
        self.signal(context);
    }

    fn on_end(&mut self, context: &mut Context<'_>) {
        self.signal(context);
    }
}

impl Basket {
    /// Position and price are the digest's, without any other meaning.
    fn signal(&self, context: &mut Context<'_>) {
        let positions = [TargetPosition::Long, TargetPosition::Short, TargetPosition::Flat];
        let position = positions[(self.digest % 3) as usize];
        let price = Price::from_raw((self.digest >> 24) as i64).expect("it is far below the largest");
        context.signal_on(self.member, position, price);
    }
}

/// FNV-1a, a word at a time, with the high bits brought down.
const fn mix(digest: u64, word: u64) -> u64 {
    let mixed = (digest ^ word).wrapping_mul(0x0100_0000_01b3);
    mixed ^ (mixed >> 32)
}

register!(Basket);

#[cfg(test)]
mod tests {
    use tick_sdk::test_kit::{Market, Trial};

    use super::*;

    #[test]
    fn timers_and_the_end_give_a_signal_each_and_a_restart_changes_none() {
        let market = Market::random(3, 5_000, 3);
        let trial = Trial::<Basket>::new().groups("pair = S0 S1");
        assert!(trial.run(&market).len() > 10);
        trial.check_restarts(&market, 97);
    }
}
