//! What is refused before anything is connected.

use std::time::Instant;

use tick_sdk::host::Registration;

use super::*;
use crate::ledger::LedgerError;
// Linked, so that Apple is registered.
use strategies as _;

fn plan(state: &str) -> RunPlan {
    RunPlan {
        // Nothing listens there.
        brokers: vec!["amqp://127.0.0.1:1".parse().unwrap()],
        feed: "test".parse().unwrap(),
        name: "apple".parse().unwrap(),
        configured: Registration::find("apple").unwrap().configure(&[]).unwrap().into(),
        state: state.to_owned(),
        begin: Begin::Start,
        accept_gaps: false,
        prefetch_bytes: 1 << 20,
        at_end: AtEnd::WaitForNext,
    }
}

fn ignore(_: RunEvent) {}

#[test]
fn a_misspelt_ledger_is_refused_before_a_broker_is_asked() {
    let error = run(&plan("postgre://localhost/x"), &Cancellation::default(), ignore).unwrap_err();
    assert!(matches!(error, RunError::Ledger(LedgerError::Scheme { .. })), "{error}");
    assert!(error.is_usage());
}

#[test]
fn a_broker_that_is_not_there_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let error = run(&plan(state), &Cancellation::default(), ignore).unwrap_err();
    assert!(matches!(error, RunError::Broker(_)) && !error.is_usage(), "{error}");
}

#[test]
fn a_cancellation_ends_a_wait_within_a_poll() {
    let cancellation = Cancellation::default();
    let canceller = cancellation.clone();
    let began = Instant::now();
    let waiting = std::thread::spawn(move || canceller.wait(Duration::from_secs(600)));
    cancellation.cancel();
    assert!(waiting.join().unwrap());
    assert!(began.elapsed() < Duration::from_secs(60));
}
