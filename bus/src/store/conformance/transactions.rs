//! A transaction beside readers, cursors and leases: what is not committed is nowhere.

use super::*;

pub(super) fn a_dropped_transaction_stores_nothing(store: &dyn Store) {
    store.accept(&[command(1, "A")], NOW).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.append(&[event("X")], NOW).unwrap();
    let e = event("Y");
    transaction.change(&change(1, StateKind::Waiting, 0, CommandState::Completed, &e), NOW).unwrap();
    transaction.accept(&command(2, "A"), NOW).unwrap();
    transaction.send(&[command(3, "A")]).unwrap();
    transaction.send_messages(&[outgoing::message(4, 1)]).unwrap();
    assert!(transaction.move_cursor("c", "other", 0, 9).unwrap());
    drop(transaction);
    assert_eq!(due_numbers(store, "A", NOW, 9), [1]);
    assert_eq!(store.outgoing(9).unwrap(), []);
    assert_eq!(store.outgoing_messages(9).unwrap(), []);
    assert_eq!(store.cursor("c", "other").unwrap(), 0);
    append(store, &["Z"]);
    assert_eq!(names(store), ["CommandAccepted", "Z"]);
    assert_eq!(positions(store), [1, 2]);
}

pub(super) fn readers_do_not_wait_for_a_writer(store: &dyn Store) {
    store.accept(&[command(1, "A")], NOW).unwrap();
    store.events_after(0, 9).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.append(&[event("X")], NOW).unwrap();
    let e = event("Y");
    transaction.change(&change(1, StateKind::Waiting, 0, CommandState::Completed, &e), NOW).unwrap();
    // In this very thread, which has the transaction: a reader that waited would wait for ever.
    assert_eq!(names(store), ["CommandAccepted"]);
    assert_eq!(store.head().unwrap(), 1);
    assert_eq!(due_numbers(store, "A", NOW, 9), [1]);
    assert_eq!(store.next_due("A").unwrap(), Some(NOW));
    assert_eq!(store.state(id(1)).unwrap(), Some(CommandState::Waiting { due_ms: NOW }));
    assert_eq!(store.outgoing(9).unwrap(), []);
    assert_eq!(store.cursor("c", "x").unwrap(), 0);
    transaction.commit().unwrap();
    assert_eq!(names(store), ["CommandAccepted", "X", "Y"]);
}

pub(super) fn a_cursor_moves_from_where_it_stands(store: &dyn Store) {
    let moved = |consumer: &str, context: &str, from, to| {
        let mut transaction = store.begin().unwrap();
        let moved = transaction.move_cursor(consumer, context, from, to).unwrap();
        transaction.commit().unwrap();
        moved
    };
    assert!(!moved("c", "x", 3, 5));
    assert!(moved("c", "x", 0, 5));
    assert!(!moved("c", "x", 0, 7));
    assert!(!moved("c", "x", 4, 7));
    assert!(moved("c", "x", 5, 7));
    assert!(moved("d", "x", 0, 1));
    assert!(moved("c", "y", 0, 2));
    let at = |consumer, context| store.cursor(consumer, context).unwrap();
    assert_eq!([at("c", "x"), at("d", "x"), at("c", "y"), at("d", "y")], [7, 1, 2, 0]);
}

pub(super) fn a_lease_has_one_holder_at_a_time(store: &dyn Store) {
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let take = |name: &str, holder, for_ms, now_ms| store.lease(name, holder, for_ms, now_ms).unwrap();
    assert_eq!(take("relay", one, 100, NOW), Some(1));
    assert_eq!(take("relay", other, 100, NOW + 99), None, "it is held");
    assert_eq!(take("else", other, 100, NOW), Some(1), "another lease");
    assert_eq!(take("relay", one, 100, NOW + 50), Some(1), "renewed");
    assert_eq!(take("relay", other, 100, NOW + 149), None, "it was renewed");
    assert_eq!(take("relay", other, 100, NOW + 150), Some(2), "it has run out");
    assert_eq!(take("relay", one, 100, NOW + 150), None);
    assert_eq!(take("relay", other, 0, NOW + 160), Some(2), "released");
    assert_eq!(take("relay", one, 100, NOW + 160), Some(3));
    assert_eq!(take("relay", one, 100, NOW + 260), Some(4), "somebody may have had it meanwhile");
    assert_eq!(names(store), [""; 0], "no event says so");
}

pub(super) fn one_of_many_takes_a_lease(store: &dyn Store) {
    let start = Barrier::new(4);
    let taken: Vec<_> = std::thread::scope(|scope| {
        let take = |holder| {
            start.wait();
            store.lease("relay", Uuid::from_u128(holder), 1000, NOW).unwrap()
        };
        let threads: Vec<_> = (1..=4).map(|holder| scope.spawn(move || take(holder))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken, [1]);
}
