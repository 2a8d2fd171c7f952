use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::signal::{Signal, encode_signals};

use super::*;
use crate::ledger::{Commit, LaneId, MemoryLedger};

/// A ledger with a run of one lane that has committed one signal a second, and has ended.
fn ledger_with(signals: u64) -> (MemoryLedger, RunId) {
    let mut ledger = MemoryLedger::default();
    let run = RunId::random();
    ledger.record_run(run, "market", &Manifest::new([("--shards", "1")])).unwrap();
    let lane = LaneId { run, strategy: "apple".parse().unwrap(), shard: 0 };
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    let signal = |seq| Signal {
        ts_event: seq,
        ts_recv: seq,
        seq,
        n: 0,
        instrument: 0,
        side: TargetPosition::Long,
        price: 1_500_000_000,
        bid: UNDEFINED_PRICE,
        ask: UNDEFINED_PRICE,
    };
    let mut encoded = Vec::new();
    encode_signals(&(0..signals).map(signal).collect::<Vec<_>>(), &mut encoded);
    let commit = Commit {
        lane,
        epoch,
        from_seq: 0,
        to_seq: signals,
        signals: encoded,
        new_instruments: vec![NewInstrument { id: 0, symbol: "A".to_owned(), key: "A".to_owned() }],
        states: None,
        ended: true,
        skipped: 0,
    };
    assert!(ledger.commit(&[commit]).unwrap().is_empty());
    (ledger, run)
}

fn csv(times: impl Iterator<Item = u64>) -> String {
    let rows = times.map(|time| format!("00,apple,A,0,{time},{time},buy,1.5\n"));
    SIGNAL_COLUMNS.to_owned() + &rows.collect::<String>()
}

fn plan() -> VerifyPlan {
    VerifyPlan { feed: "market".parse().unwrap(), run: None, strategies: Vec::new() }
}

fn verified(
    ledger: &MemoryLedger,
    plan: &VerifyPlan,
    text: &str,
    control: &VerifyControl,
) -> Result<Verdict, VerifyError> {
    let expected = ExpectedSignals::new(text.as_bytes(), "expected.csv").unwrap();
    verify(ledger, plan, expected, control)
}

#[test]
fn equal_sides_are_equal_and_differences_are_counted() {
    let (ledger, run) = ledger_with(10);
    let control = VerifyControl::default();
    let verdict = verified(&ledger, &plan(), &csv(0..10), &control).unwrap();
    assert!(verdict.is_equal() && verdict.is_complete() && verdict.run == run);
    assert_eq!(control.progress(), VerifyProgress { expected: 10, committed: 10 });
    let verdict = verified(&ledger, &plan(), &csv(2..11), &control).unwrap();
    assert_eq!((verdict.lost.count, verdict.unexpected.count, verdict.is_equal()), (1, 2, false));
}

#[test]
fn a_cancelled_verification_ends_without_a_verdict() {
    let (ledger, _) = ledger_with(10);
    let control = VerifyControl::default();
    control.cancel();
    let error = verified(&ledger, &plan(), &csv(0..10), &control).unwrap_err();
    assert!(matches!(error, VerifyError::Cancelled), "{error}");
}

#[test]
fn what_the_ledger_does_not_have_is_named() {
    let (ledger, run) = ledger_with(1);
    let error = |plan: VerifyPlan| {
        verified(&ledger, &plan, &csv(0..1), &VerifyControl::default()).unwrap_err().to_string()
    };
    let other = RunId::random();
    assert!(error(VerifyPlan { run: Some(other), ..plan() }).contains(&format!("its runs are {run}")));
    assert!(error(VerifyPlan { feed: "other".parse().unwrap(), ..plan() }).contains("no run of feed other"));
    let plum = vec!["plum".parse().unwrap()];
    assert!(error(VerifyPlan { strategies: plum, ..plan() }).contains("no strategy has begun run"));
}
