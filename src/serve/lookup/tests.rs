use std::fmt::Write;

use live::Interval;
use tick_sdk::Kind;

use super::*;

/// A trade a millisecond, of two instruments in turn.
const TRADES: u64 = 20_000;
const BEGIN: u64 = 1_700_000_000_000_000_000;

fn lookup() -> (tempfile::TempDir, CaptureLookup) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "ts_event,ts_recv,symbol,kind,side,price,size,flags\n".to_owned();
    for number in 0..TRADES {
        let (at, symbol) = (BEGIN + number * 1_000_000, ["A", "B"][(number % 2) as usize]);
        writeln!(text, "{at},{at},{symbol},trade,buy,{},1,1", 100 + number % 7).unwrap();
    }
    std::fs::write(folder.path().join("day.csv"), text).unwrap();
    let captures = Captures::open(folder.path()).unwrap();
    (folder, CaptureLookup::new(captures))
}

fn plan() -> StartReplay {
    StartReplay { files: vec!["day.csv".into()], ..StartReplay::default() }
}

fn around(number: u64) -> TicksAsked {
    TicksAsked { plan: plan(), symbol: "A".into(), around: BEGIN + number * 1_000_000, each: 3 }
}

fn numbers(ticks: &[Tick]) -> Vec<u64> {
    ticks.iter().map(|tick| (tick.ts_recv - BEGIN) / 1_000_000).collect()
}

#[test]
fn ticks_around_a_time_are_the_instruments_own() {
    let (_folder, lookup) = lookup();
    let found = lookup.ticks(&around(10_000)).unwrap();
    assert_eq!(numbers(&found), [9_996, 9_998, 10_000, 10_002, 10_004, 10_006]);
    assert!(found.iter().all(|tick| tick.kind == Kind::TRADE));
    assert_eq!(numbers(&lookup.ticks(&around(0)).unwrap()), [0, 2, 4, 6]);
    assert_eq!(numbers(&lookup.ticks(&around(TRADES)).unwrap()), [TRADES - 6, TRADES - 4, TRADES - 2]);
    // What the replay did not take is not there.
    let cut = StartReplay { from: Some("2023-11-14T22:13:25Z".into()), ..plan() };
    let found = lookup.ticks(&TicksAsked { plan: cut, ..around(5_001) }).unwrap();
    assert_eq!(numbers(&found), [5_000, 5_002, 5_004, 5_006]);
}

#[test]
fn candles_are_the_last_up_to_a_time() {
    let (_folder, lookup) = lookup();
    let asked =
        CandlesAsked { plan: plan(), symbol: "B".into(), interval: Interval::Second, to: None, count: 100 };
    let found = lookup.candles(&asked).unwrap();
    assert!(found.is_complete);
    assert_eq!(found.candles.len() as u64, TRADES / 1_000);
    assert_eq!(found.candles.iter().map(|candle| candle.trades).sum::<u64>(), TRADES / 2);
    let to = Some(BEGIN + 10_000 * 1_000_000);
    let some = lookup.candles(&CandlesAsked { to, count: 3, ..asked }).unwrap();
    assert_eq!(some.candles, found.candles[7..10]);
}

#[test]
fn what_is_not_there_is_named() {
    let (folder, lookup) = lookup();
    let of = |symbol: &str, plan| {
        lookup.ticks(&TicksAsked { plan, symbol: symbol.into(), ..around(5) }).unwrap_err()
    };
    assert!(matches!(of("C", plan()), LookupError::NotThere(reason) if reason.contains("'C'")));
    let selected = StartReplay { symbols: vec!["B".into()], ..plan() };
    assert!(matches!(of("A", selected), LookupError::NotThere(_)));
    std::fs::remove_file(folder.path().join("day.csv")).unwrap();
    let gone = of("A", plan());
    assert!(
        matches!(&gone, LookupError::NotThere(reason) if reason.contains("\"day.csv\" is no longer")),
        "{gone}"
    );
}

#[test]
fn what_takes_too_long_is_refused_and_candles_are_given_as_far_as_they_are() {
    let (_folder, mut lookup) = lookup();
    lookup.longest = Duration::ZERO;
    // The alarm may come after a file as short as this one was read: it is as if it had come before.
    let reading = lookup.open(&plan(), "A").unwrap();
    while !reading.is_late() {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(reading);
    match lookup.ticks(&around(TRADES)) {
        Err(LookupError::Unreadable(reason)) => assert!(reason.contains("within 0 s"), "{reason}"),
        other => assert_eq!(other.unwrap().len(), 3),
    }
}
