//! Handlers that do not yield, and transactions that are held open.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_is_named_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let bus = started(folder.path(), &gate);
    let blocked = sent(&bus, &Block { number: 1 }).await;
    gate.wait_for(1);
    for number in 2..6 {
        let command = sent(&bus, &Put { number, fill: 0 }).await;
        assert_eq!(completed(&bus, "run", command), json!({ "attempt": 1 }));
    }
    let named = eventually(|| bus.blocked_handlers().pop()).await;
    assert_eq!((named.context.as_str(), named.handler.as_str()), ("run", "Block"));
    assert_eq!(named.message, blocked.to_string());
    assert!(!bus.stop(Duration::from_millis(50)), "it cannot be ended from outside");
    gate.open();
    assert!(bus.stop(PATIENCE));
    assert_eq!(bus.blocked_handlers(), []);
    assert_eq!(numbers(folder.path(), "run"), [1, 2, 3, 4, 5]);
}

/// A handler that waits within its transaction keeps others from theirs; they say so in time, and go on after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_held_open_makes_accepting_unavailable_for_as_long() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let bus = started(folder.path(), &gate);
    let held = sent(&bus, &Hold { number: 1 }).await;
    gate.wait_for(1);
    let id = CommandId::new();
    let put = Put { number: 2, fill: 0 };
    let reason = unavailable(bus.send(&put, with_id(id)).await);
    assert!(
        reason.contains("was busy for 5 s: a handler or another process holds a transaction"),
        "{reason}"
    );
    gate.open();
    assert!(!bus.send(&put, with_id(id)).await.unwrap().is_known, "nothing of it was stored before");
    assert_eq!(completed(&bus, "run", id), json!({ "attempt": 1 }));
    assert_eq!(completed(&bus, "run", held), json!({ "attempt": 1 }));
    assert!(bus.stop(PATIENCE));
    assert_eq!(numbers(folder.path(), "run"), [1, 2]);
}
