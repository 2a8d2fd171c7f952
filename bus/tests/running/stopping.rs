//! Stopping, and starting again.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_done_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let bus = Arc::new(started(folder.path(), &gate));
    // One is at the gate, others wait behind it in the inbox.
    let mut accepted = vec![sent(&bus, &Hold { number: -1 }).await];
    gate.wait_for(1);
    for number in 2..=20 {
        accepted.push(sent(&bus, &Hold { number: -number }).await);
    }
    let stopper = bus.clone();
    let stopped = tokio::task::spawn_blocking(move || stopper.stop(PATIENCE));
    // It accepts nothing more, though it has not stopped yet.
    let until = Instant::now() + PATIENCE;
    let mut last = Vec::new();
    let reason = loop {
        match send(&bus, &Put { number: 100, fill: 0 }).await {
            Ok(one) => last.push(one.command_id),
            Err(error) => break unavailable(Err(error)),
        }
        assert!(Instant::now() < until);
    };
    assert_eq!(reason, "the service is shutting down");
    assert!(!stopped.is_finished());
    gate.open();
    assert!(stopped.await.unwrap());
    // The one that was at the gate is done, and its events can be read; the others were not begun.
    assert_eq!(completed(&bus, "run", accepted[0]), json!({ "attempt": 1 }));
    let done = numbers(folder.path(), "run");
    assert_eq!(done.iter().filter(|number| **number < 0).count(), 1, "{done:?}");
    drop(bus);

    let bus = started(folder.path(), &gate);
    for command in accepted.iter().chain(&last) {
        assert_eq!(completed(&bus, "run", *command), json!({ "attempt": 1 }));
    }
    assert!(bus.stop(PATIENCE));
    let counts = counts(&numbers(folder.path(), "run"));
    assert_eq!(counts.get(&100).copied().unwrap_or(0), last.len());
    assert!((1..=20).all(|number| counts[&-number] == 1), "{counts:?}");
}

#[tokio::test]
async fn a_bus_that_is_dropped_lets_go_of_its_stores() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn bus::Store> = Arc::new(open(folder.path(), "run"));
    let bus = Bus::builder().shared_context("run", store.clone()).start().unwrap();
    let command = sent(&bus, &Put { number: 1, fill: 0 }).await;
    completed(&bus, "run", command);
    let log = bus.events();
    drop(bus);
    assert!(!log.events_after("run", 0, 9).unwrap().is_empty(), "a log outlives its bus");
    drop(log);
    assert_eq!(Arc::strong_count(&store), 1, "a thread still has it");
}
