//! The service on a bus for tests: real handlers and a real store, with a clock that stands still until it is
//! set forward.

use std::time::Duration;

use bus::testing::TestBus;
use tick_sdk::contracts::strategies::{CommittedSignal, SignalsCommitted, StopStrategy};

use super::{ALERTS, AlertRaised, DEFAULT_LIMIT, SetAlertLimit, TABLES};

const SECOND: u64 = 1_000_000_000;

fn bus() -> TestBus {
    TestBus::new(ALERTS, TABLES)
}

/// Signals on one instrument at these seconds.
fn signals(strategy: &str, symbol: &str, seconds: impl IntoIterator<Item = u64>) -> SignalsCommitted {
    let at = |second| CommittedSignal {
        symbol: symbol.to_owned(),
        seq: second,
        n: 0,
        ts_event: second * SECOND,
        ts_recv: second * SECOND,
        side: "buy".to_owned(),
        price: Some("61800.1".to_owned()),
    };
    let (run, strategy) = ("run".to_owned(), strategy.to_owned());
    let signals = seconds.into_iter().map(at).collect();
    SignalsCommitted { run, strategy, shard: 0, from_seq: 0, to_seq: u64::MAX, signals }
}

fn limit(strategy: &str, per_minute: u32) -> SetAlertLimit {
    SetAlertLimit { strategy: strategy.to_owned(), per_minute }
}

#[test]
fn one_signal_too_many_within_a_minute_raises_an_alert_and_stops_the_strategy() {
    let mut bus = bus();
    bus.send(&limit("trend@2", 3));
    bus.settle();
    assert_eq!(bus.consumed::<SetAlertLimit>().len(), 1);

    bus.publish(&signals("trend@2", "BTC", [100, 120, 140]));
    bus.settle();
    assert!(bus.published::<AlertRaised>().is_empty());

    bus.publish(&signals("trend@2", "BTC", [159]));
    bus.settle();
    let (run, strategy, symbol) = ("run".to_owned(), "trend@2".to_owned(), "BTC".to_owned());
    let alert = AlertRaised { run, strategy, symbol, ts_event: 159 * SECOND };
    assert_eq!(bus.published::<AlertRaised>(), [alert]);
    assert_eq!(bus.sent::<StopStrategy>(), [StopStrategy { name: "trend".to_owned() }]);
    assert!(bus.faults().is_empty());
}

#[test]
fn a_minute_later_a_signal_no_longer_counts() {
    let mut bus = bus();
    bus.send(&limit("trend", 3));
    bus.settle();
    bus.publish(&signals("trend", "BTC", [100, 120, 140, 160, 180, 200]));
    bus.settle();
    assert!(bus.published::<AlertRaised>().is_empty());
}

#[test]
fn the_first_minute_of_all_is_a_minute_too() {
    let mut bus = bus();
    bus.send(&limit("trend", 1));
    bus.settle();
    bus.publish(&signals("trend", "BTC", [0, 1]));
    bus.settle();
    assert_eq!(bus.published::<AlertRaised>().len(), 1);
}

#[test]
fn instruments_and_strategies_are_counted_each_on_its_own_whatever_the_order() {
    for seed in 0..10 {
        let mut bus = bus().seed(seed);
        for (strategy, symbol) in [("a", "BTC"), ("a", "ETH"), ("b", "BTC")] {
            bus.publish(&signals(strategy, symbol, std::iter::repeat_n(7, DEFAULT_LIMIT as usize)));
        }
        bus.publish(&signals("a", "ETH", [7]));
        bus.send(&limit("c", 1));
        bus.settle();
        let alerts = bus.published::<AlertRaised>();
        assert_eq!(alerts.len(), 1, "seed {seed}: {alerts:?}");
        assert_eq!((alerts[0].strategy.as_str(), alerts[0].symbol.as_str()), ("a", "ETH"));
    }
}

#[test]
fn one_storm_is_one_alert_and_the_next_is_another() {
    let mut bus = bus();
    bus.publish(&signals("trend", "BTC", std::iter::repeat_n(7, 500)));
    bus.settle();
    bus.advance(Duration::from_secs(599));
    bus.publish(&signals("trend", "BTC", std::iter::repeat_n(8, 500)));
    bus.settle();
    assert_eq!(bus.published::<AlertRaised>().len(), 1);

    bus.advance(Duration::from_secs(1));
    bus.publish(&signals("trend", "BTC", std::iter::repeat_n(9, 500)));
    bus.settle();
    assert_eq!(bus.published::<AlertRaised>().len(), 2);
    assert_eq!(bus.sent::<StopStrategy>().len(), 2);
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let mut bus = bus();
    bus.send(&limit("trend", 0));
    bus.settle();
    assert_eq!(bus.faults(), ["perMinute is 0: give 1 or more"]);
    assert!(bus.consumed::<SetAlertLimit>().is_empty());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn alerts_are_kept_alike_on_postgresql() {
    bus::testing::on_postgres(&[
        one_signal_too_many_within_a_minute_raises_an_alert_and_stops_the_strategy,
        a_minute_later_a_signal_no_longer_counts,
        the_first_minute_of_all_is_a_minute_too,
        instruments_and_strategies_are_counted_each_on_its_own_whatever_the_order,
        one_storm_is_one_alert_and_the_next_is_another,
        a_limit_of_nothing_is_refused,
    ]);
}
