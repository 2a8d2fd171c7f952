//! A full disk: nothing is half done, no attempt is used up, and all goes on when there is space.

use super::*;

const FILL: u32 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_makes_accepting_unavailable_and_costs_no_attempts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path(), "run"));
    let bus = Bus::builder().shared_context("run", store.clone()).start().unwrap();
    let before = sent(&bus, &Put { number: -1, fill: FILL }).await;
    completed(&bus, "run", before);
    let pages: u32 =
        store.read(|reader| reader.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap();
    store.limit_pages(pages + 20).unwrap();

    // Each is small until it is handled; then it does not fit.
    let mut accepted = Vec::new();
    let mut number = 0;
    let reason = loop {
        match send(&bus, &Put { number, fill: FILL }).await {
            Ok(one) => accepted.push(one.command_id),
            Err(error) => break unavailable(Err(error)),
        }
        number += 1;
        assert!(number < 1_000, "it never gets full");
    };
    assert!(reason.contains("disk is full"), "{reason}");
    assert!(accepted.len() > 1, "{accepted:?}");
    // Nobody of them has failed or lost an attempt meanwhile, and nothing is half done.
    let names: Vec<_> =
        bus.events_after("run", 0, 9999).unwrap().into_iter().map(|event| event.name).collect();
    let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
    assert_eq!(count("CommandAccepted"), accepted.len() + 1);
    assert_eq!(count("Done"), numbers(folder.path(), "run").len());
    assert_eq!((count(CommandFailed::NAME), count("CommandRetried")), (0, 0));

    store.limit_pages(1 << 30).unwrap();
    for command in &accepted {
        assert_eq!(completed(&bus, "run", *command), json!({ "attempt": 1 }));
    }
    let after = sent(&bus, &Put { number, fill: 0 }).await;
    completed(&bus, "run", after);
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), (-1..=number).collect::<Vec<_>>());
}

/// SQLite rolls a transaction back by itself when the disk is full; what a handler writes after it, having looked
/// away, would be a commit of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_overlooks_a_full_disk_does_no_half_work() {
    let folder = tempfile::tempdir().unwrap();
    let (store, gate) = (Arc::new(open(folder.path(), "run")), Gate::default());
    let bus = Bus::builder().shared_context("run", store.clone()).resource(gate.clone()).start().unwrap();
    let pages: u32 =
        store.read(|reader| reader.query_row("PRAGMA page_count", [], |row| row.get(0))).unwrap();
    store.limit_pages(pages + 5).unwrap();
    let command = sent(&bus, &Careless { number: 1, fill: FILL }).await;
    // The first attempt is over when the second comes here.
    gate.wait_for(2);
    assert_eq!(numbers(folder.path(), "run"), [0; 0]);
    store.limit_pages(1 << 30).unwrap();
    assert_eq!(completed(&bus, "run", command), json!({ "attempt": 1 }));
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), [1, 2]);
}
