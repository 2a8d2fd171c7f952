//! What a lane promises to a strategy: timers, groups, ends of runs, stored state.

use serde::{Deserialize, Serialize};
use tick_sdk::test_kit::{Market, Trial};
use tick_sdk::{Context, Key, Kind, NoParams, Scope, Strategy, TargetPosition, Tick};

const SECOND: u64 = 1_000_000_000;

/// Signals the last trade price at each full second, and at the end.
#[derive(Serialize, Deserialize)]
struct Seconds {
    close: i64,
    armed: bool,
}

impl Strategy for Seconds {
    const NAME: &'static str = "seconds";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { close: 0, armed: false })
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if !self.armed {
            self.armed = true;
            context.timer_at((tick.ts_recv / SECOND + 1) * SECOND);
        }
        self.close = tick.price;
    }

    fn on_timer(&mut self, at: u64, context: &mut Context<'_>) {
        context.buy(self.close);
        context.timer_at(at + SECOND);
    }

    fn on_end(&mut self, context: &mut Context<'_>) {
        context.flat(self.close);
    }
}

#[test]
fn timers_fire_before_the_first_tick_that_reaches_them_and_none_after_the_end() {
    let market =
        Market::new().trades("A", "1 2").wait_ms(2500).trades("B", "7").trades("A", "3").wait_ms(9000);
    let trial = Trial::<Seconds>::new();
    assert_eq!(trial.run(&market), ["A buy 2", "A buy 2", "A flat 3", "B flat 7"]);
    let signals = trial.signals(&market);
    let stamps: Vec<_> = signals.iter().map(|s| (s.seq, s.n, s.ts_event / SECOND)).collect();
    // Both timers of A fire at tick 3, with their own times; the end stands one past the last tick.
    assert_eq!(stamps, [(3, 0, 1), (3, 1, 2), (4, 0, 2), (4, 1, 2)]);
    assert!(signals.iter().all(|s| s.ts_recv == market.ticks()[3].ts_recv));
}

#[test]
fn stored_state_is_the_whole_state() {
    let market = Market::random(7, 2000, 5);
    for every in [1, 2, 97] {
        Trial::<Seconds>::new().check_restarts(&market, every);
        Trial::<Spread>::new().groups("pair = S0 S1").check_restarts(&market, every);
    }
}

/// Buys the first member and sells the second whenever the first trades above the second.
#[derive(Serialize, Deserialize)]
struct Spread {
    newest: [i64; 2],
}

impl Strategy for Spread {
    const NAME: &'static str = "spread";
    const SUMMARY: &'static str = "a test";
    const SCOPE: Scope = Scope::Group;
    type Params = NoParams;

    fn new(_: &NoParams, key: &Key<'_>) -> Result<Self, String> {
        match key.members {
            [_, _] => Ok(Self { newest: [0; 2] }),
            _ => Err("a spread has two members".to_owned()),
        }
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if tick.kind == Kind::TRADE {
            self.newest[context.member()] = tick.price;
            if self.newest[0] > self.newest[1] && self.newest[1] > 0 {
                context.signal_on(0, TargetPosition::Long, self.newest[0]);
                context.signal_on(1, TargetPosition::Short, self.newest[1]);
            }
        }
    }
}

#[test]
fn a_group_sees_its_members_in_order_and_nobody_else() {
    let market = Market::new().trades("B", "10").trades("X", "99").trades("A", "11");
    let trial = Trial::<Spread>::new().groups("pair = A B");
    assert_eq!(trial.run(&market), ["A buy 11", "B sell 10"]);
    let signals = trial.signals(&market);
    assert_eq!((signals[0].n, signals[1].n), (0, 1));
}

#[test]
#[should_panic(expected = "a spread has two members")]
fn a_key_can_be_refused() {
    Trial::<Spread>::new().groups("three = A B C").run(&Market::new().trades("A", "1"));
}

/// Signals carry the book that the fill model needs.
#[test]
fn signals_carry_the_book_of_their_instrument() {
    let market = Market::new().quote("A", "9", "11").quote("B", "5", "-").trades("A", "1").wait_ms(3000);
    let signals = Trial::<Seconds>::new().signals(&market);
    let book = |i: usize| (signals[i].bid, signals[i].ask);
    assert_eq!(book(0), (9 * SECOND as i64, 11 * SECOND as i64));
    assert_eq!(book(1), (5 * SECOND as i64, tick_sdk::UNDEFINED_PRICE));
}

/// A timer that sets itself for its own time would never end: it stops the run.
#[derive(Serialize, Deserialize)]
struct Stuck;

impl Strategy for Stuck {
    const NAME: &'static str = "stuck";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        context.timer_at(tick.ts_recv);
    }

    fn on_timer(&mut self, at: u64, context: &mut Context<'_>) {
        context.timer_at(at);
    }
}

#[test]
#[should_panic(expected = "is not after its own time")]
fn a_timer_that_cannot_end_stops_the_run() {
    Trial::<Stuck>::new().run(&Market::new().trades("A", "1 2"));
}
