//! What a page costs, wherever it begins.

use std::time::{Duration, Instant};

use super::*;
use crate::documents::{Commit, DocumentStore, Durability, SqliteDocuments};

const RUN: &str = "0123456789abcdef0123456789abcdef";
const BEGIN: u64 = 1_723_161_258_000_000_000;

/// Signals of so many instruments and two strategies, a millisecond apart within each series.
fn store(instruments: u64, each: u64) -> (tempfile::TempDir, SqliteDocuments) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteDocuments::open(&folder.path().join("read.sqlite"), Durability::None).unwrap();
    store.prepare(Signals::NAME, 1, Signals::COLLECTIONS).unwrap();
    for begin in (0..each).step_by(500) {
        let mut batch = Batch::new(&store);
        for strategy in ["apple", "pear"] {
            for instrument in 0..instruments {
                let rows: Vec<Row> = (begin..each.min(begin + 500))
                    .map(|seq| {
                        let at = BEGIN + seq * 1_000_000 + instrument * 15_000;
                        (seq * 17, 0, at, -40_000, 1, Some(64_000_000_000_000 + seq as i64))
                    })
                    .collect();
                let committed = SignalsCommitted {
                    run: RUN.into(),
                    strategy: strategy.into(),
                    shard: (instrument % 2) as u16,
                    from_seq: begin,
                    to_seq: begin,
                    signals: Vec::new(),
                };
                append(&mut batch, &committed, &format!("SYMBOL{instrument:03}"), &rows).unwrap();
            }
        }
        let changes = batch.into_changes().collect();
        store.commit(&Commit { changes, ..Commit::default() }).unwrap();
    }
    (folder, store)
}

/// A page of 100 that begins behind so many of each series' signals.
fn page(store: &dyn DocumentStore, skipped: u64) -> Vec<ReadSignal> {
    let filter = SignalFilter { run: Some(RUN.into()), ..SignalFilter::default() };
    let place = |skipped| Place { run: RUN.into(), ts_recv: BEGIN + skipped * 1_000_000, ..Place::default() };
    let mut signals = OrderedSignals::new(store, filter, (skipped > 0).then(|| place(skipped)));
    let mut found = Vec::new();
    while found.len() < 100 {
        match signals.next_within(&mut usize::MAX.clone()).unwrap() {
            Looked::Found(signal) => found.push(signal),
            _ => break,
        }
    }
    found
}

/// `cargo test --release -p gateway --lib a_page_anywhere -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_page_anywhere_takes_the_time_of_the_first() {
    const EACH: u64 = 100_000;
    let begun = Instant::now();
    let (folder, store) = store(32, EACH);
    let took = begun.elapsed();
    let bytes = std::fs::metadata(folder.path().join("read.sqlite")).unwrap().len();
    println!("{} signals in {took:.1?}, {} MB", 64 * EACH, bytes >> 20);
    for part in [0, 25, 50, 75, 99] {
        let mut times: Vec<Duration> = (0..15)
            .map(|time| {
                let begun = Instant::now();
                let found = page(&store, EACH * part / 100 + u64::from(part > 0) * time * 37);
                assert_eq!(found.len(), 100);
                begun.elapsed()
            })
            .collect();
        let first = times[0];
        times.sort();
        println!(
            "{part:>3} %: {:.2?} at best, {:.2?} as a rule, {first:.2?} the first time",
            times[0], times[7]
        );
    }
}
