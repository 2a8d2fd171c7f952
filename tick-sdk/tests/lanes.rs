//! What a lane promises to a strategy: timers, groups, ends of runs, stored state.

use serde::{Deserialize, Serialize};
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::groups::Groups;
use tick_sdk::host::{Lane, TypedLane};
use tick_sdk::test_kit::{Market, Trial};
use tick_sdk::{Context, Key, Kind, NoParams, Price, Scope, Side, Strategy, TargetPosition, Tick};

const SECOND: u64 = 1_000_000_000;

/// Signals the last trade price at each full second, and at the end.
#[derive(Serialize, Deserialize)]
struct Seconds {
    close: Price,
    armed: bool,
}

impl Strategy for Seconds {
    const NAME: &'static str = "seconds";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { close: Price::ZERO, armed: false })
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if !self.armed {
            self.armed = true;
            context.timer_at((tick.ts_recv / SECOND + 1) * SECOND);
        }
        self.close = tick.price().unwrap_or(self.close);
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
    newest: [Price; 2],
}

impl Strategy for Spread {
    const NAME: &'static str = "spread";
    const SUMMARY: &'static str = "a test";
    const SCOPE: Scope = Scope::Group;
    type Params = NoParams;

    fn new(_: &NoParams, key: &Key<'_>) -> Result<Self, String> {
        match key.members {
            [_, _] => Ok(Self { newest: [Price::ZERO; 2] }),
            _ => Err("a spread has two members".to_owned()),
        }
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        if let Some(price) = tick.trade_price() {
            self.newest[context.member()] = price;
            if self.newest[0] > self.newest[1] && self.newest[1] > Price::ZERO {
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
    assert_eq!(book(1), (5 * SECOND as i64, UNDEFINED_PRICE));
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

/// Sets a timer at the end of time, as a bar's end saturates there.
#[derive(Serialize, Deserialize)]
struct Late {
    fired: u32,
}

impl Strategy for Late {
    const NAME: &'static str = "late";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { fired: 0 })
    }

    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        if self.fired == 0 {
            context.timer_at(u64::MAX);
        }
    }

    fn on_timer(&mut self, at: u64, context: &mut Context<'_>) {
        assert_eq!((at, context.now()), (u64::MAX, u64::MAX));
        self.fired += 1;
        assert_eq!(self.fired, 1, "it fires once");
        context.buy(Price::whole(1));
    }
}

#[test]
fn ticks_at_the_end_of_time_end() {
    let mut lane = TypedLane::<Late>::new(NoParams {}, Default::default());
    lane.open(0, "A", "A").unwrap();
    let tick = |ts| Tick::trade(ts, ts, 1, 1, Side::NONE);
    lane.run(0, &[tick(5), tick(u64::MAX), tick(u64::MAX)]).unwrap();
    assert_eq!(lane.signals().len(), 1);
}

/// Follows trades and writes down what it sees of the book: a tick of an unknown kind is not a trade.
#[derive(Serialize, Deserialize)]
struct Watcher {
    seen: u32,
}

impl Strategy for Watcher {
    const NAME: &'static str = "watcher";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { seen: 0 })
    }

    fn on_tick(&mut self, _: &Tick, context: &mut Context<'_>) {
        self.seen += 1;
        if self.seen == 10 {
            let newest = |kind| context.newest(kind).map(Price::raw);
            assert_eq!([Kind::TRADE, Kind::BID, Kind::ASK].map(newest), [Some(1), Some(2), Some(3)]);
            assert_eq!([0, 4, 5, 6, 7, 255].map(|kind| newest(Kind(kind))), [None; 6]);
            context.buy(Price::ZERO);
        }
    }
}

#[test]
fn a_tick_of_an_unknown_kind_reaches_the_strategy_and_no_book() {
    let mut lane = TypedLane::<Watcher>::new(NoParams {}, Default::default());
    lane.open(0, "A", "A").unwrap();
    let kinds = [1, 2, 3, 0, 4, 5, 6, 7, 8, 255];
    let ticks: Vec<_> = kinds.map(|kind| Tick::quote(Kind(kind), 1, 1, i64::from(kind), 1)).into();
    lane.run(0, &ticks).unwrap();
    let signal = lane.signals()[0];
    assert_eq!((signal.bid, signal.ask), (2, 3));
}

/// Turns at each trade, by the position that the context knows.
#[derive(Serialize, Deserialize)]
struct Turner;

impl Strategy for Turner {
    const NAME: &'static str = "turner";
    const SUMMARY: &'static str = "a test";
    const SCOPE: Scope = Scope::Group;
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        assert_eq!(context.now(), tick.ts_recv);
        assert_eq!(context.position_of(context.member()), context.position());
        assert_eq!(context.position_of(99), TargetPosition::Flat);
        let Some(price) = tick.trade_price() else { return };
        match context.position() {
            TargetPosition::Flat => context.buy(price),
            TargetPosition::Long => context.sell(price),
            TargetPosition::Short => context.flat(price),
        }
    }
}

#[test]
fn the_position_is_an_instrument_s_own_and_survives_a_restart() {
    let trial = Trial::<Turner>::new().groups("pair = A B");
    let market = Market::new().trades("A", "1 2 3 4").trades("B", "5").trades("A", "6");
    let turns = ["A buy 1", "A sell 2", "A flat 3", "A buy 4", "B buy 5", "A sell 6"];
    assert_eq!(trial.run(&market), turns);
    trial.check_restarts(&market, 1);
}

#[test]
fn the_position_counts_signals_that_are_committed_already() {
    let groups: Groups = "pair = A B".parse().unwrap();
    let mut lane = TypedLane::<Turner>::new(NoParams {}, groups.into());
    lane.open(0, "A", "pair").unwrap();
    lane.suppress_below(1);
    let market = Market::new().trades("A", "1 2");
    lane.run(0, market.ticks()).unwrap();
    let sides: Vec<_> = lane.signals().iter().map(|signal| signal.side).collect();
    assert_eq!(sides, [TargetPosition::Short]);
}

/// Panics at a price of 13, and at the end.
#[derive(Serialize, Deserialize)]
struct Superstitious;

impl Strategy for Superstitious {
    const NAME: &'static str = "superstitious";
    const SUMMARY: &'static str = "a test";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_tick(&mut self, tick: &Tick, _: &mut Context<'_>) {
        assert_ne!(tick.price(), Some(Price::whole(13)));
    }

    fn on_end(&mut self, _: &mut Context<'_>) {
        panic!("the end is refused");
    }
}

#[test]
fn after_a_panic_the_lane_says_where_it_was() {
    let mut lane = TypedLane::<Superstitious>::new(NoParams {}, Default::default());
    let market = Market::new().trades("A", "11").trades("B", "12 13").trades("A", "14");
    for (id, symbol) in market.symbols().iter().enumerate() {
        lane.open(id as u32, symbol, symbol).unwrap();
    }
    assert_eq!(lane.position(), None);
    let mut panics = |work: &mut dyn FnMut(&mut TypedLane<Superstitious>)| {
        let work = std::panic::AssertUnwindSafe(|| work(&mut lane));
        assert!(std::panic::catch_unwind(work).is_err());
        let position = lane.position().unwrap();
        (position.key.to_owned(), position.seq)
    };
    let run = panics(&mut |lane| lane.run(40, market.ticks()).unwrap());
    assert_eq!(run, ("B".to_owned(), 42));
    let end = panics(&mut |lane| lane.end(44, 1).unwrap());
    assert_eq!(end, ("A".to_owned(), 44));
}
