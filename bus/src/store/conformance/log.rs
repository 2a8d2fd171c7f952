//! The log: positions, what a look gives, and what is removed.

use super::*;

pub(in crate::store) fn positions_have_no_holes(store: &dyn Store) {
    assert_eq!(store.head().unwrap(), 0);
    append(store, &["A", "B"]);
    let mut transaction = store.begin().unwrap();
    transaction.append(&[event("never")], NOW).unwrap();
    drop(transaction);
    store.accept(&[command(1, "A"), command(1, "A")], NOW).unwrap();
    append(store, &["C"]);
    assert_eq!(names(store), ["A", "B", "CommandAccepted", "C"]);
    assert_eq!(positions(store), [1, 2, 3, 4]);
    assert_eq!(store.head().unwrap(), 4);
    let two = store.events_after(1, 2).unwrap();
    assert_eq!(two.iter().map(|event| event.position).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(store.events_after(4, 9).unwrap(), []);
    let first = &store.events_after(0, 1).unwrap()[0];
    let NewEvent { name, version, command_id, conversation_id, initiator_id, body } = event("A");
    let expected = StoredEvent {
        position: 1,
        message_id: first.message_id,
        name,
        version,
        command_id,
        conversation_id,
        initiator_id,
        at_ms: NOW,
        body,
    };
    assert_eq!(*first, expected);
    assert_ne!(first.message_id, two[0].message_id);
}

pub(in crate::store) fn events_are_removed_and_no_position_is_given_twice(store: &dyn Store) {
    append(store, &["A", "B", "C", "D", "E"]);
    let mut transaction = store.begin().unwrap();
    transaction.remove_events(2, 3).unwrap();
    transaction.commit().unwrap();
    // Readers pass over the hole, wherever in it they stood.
    assert_eq!(positions(store), [1, 4, 5]);
    for after in 1..4 {
        assert_eq!(store.events_after(after, 1).unwrap()[0].position, 4);
    }
    assert_eq!(store.head().unwrap(), 5);
    let mut transaction = store.begin().unwrap();
    transaction.remove_events(4, 5).unwrap();
    let error = transaction.commit().unwrap_err().to_string();
    assert!(error.contains("given again"), "{error}");
    assert_eq!(positions(store), [1, 4, 5]);
    let mut transaction = store.begin().unwrap();
    transaction.remove_events(4, 5).unwrap();
    transaction.append(&[event("F")], NOW).unwrap();
    transaction.commit().unwrap();
    assert_eq!(positions(store), [1, 6]);
}

pub(in crate::store) fn only_bodies_that_are_asked_for_are_given(store: &dyn Store) {
    let nothing = LogPage { events: Vec::new(), looked_to: 0 };
    assert_eq!(store.look(0, 9, Some(&["A"])).unwrap(), nothing);
    append(store, &["A", "B", "A", "C", "B"]);
    let look = |position, limit, names: &[&str]| {
        let page = store.look(position, limit, Some(names)).unwrap();
        (page.events.iter().map(|event| event.position).collect::<Vec<_>>(), page.looked_to)
    };
    assert_eq!(look(0, 9, &["A"]), (vec![1, 3], 5));
    assert_eq!(look(0, 3, &["B"]), (vec![2], 3), "so many are looked at");
    assert_eq!(look(3, 9, &["A", "B"]), (vec![5], 5));
    assert_eq!(look(3, 9, &["a"]), (vec![], 5));
    assert_eq!(look(0, 9, &[]), (vec![], 5));
    assert_eq!(look(5, 9, &["A"]), (vec![], 5), "nothing follows");
    let page = store.look(0, 2, None).unwrap();
    assert_eq!((page.events.len(), page.looked_to), (2, 2));
    assert_eq!(store.look(2, 1, Some(&["A"])).unwrap().events, log(store)[2..3]);
}

pub(in crate::store) fn a_read_is_bounded_in_bytes(store: &dyn Store) {
    let large = NewEvent { body: format!("\"{}\"", "x".repeat(LARGEST_READ / 4)), ..event("Large") };
    let mut transaction = store.begin().unwrap();
    for _ in 0..3 {
        transaction.append(&[large.clone(), event("Small"), large.clone()], NOW).unwrap();
    }
    transaction.commit().unwrap();
    let page = store.look(0, 99, None).unwrap();
    assert_eq!((page.events.len(), page.looked_to), (6, 6), "four of six that are large");
    let page = store.look(0, 99, Some(&["Small"])).unwrap();
    assert_eq!((page.events.len(), page.looked_to), (3, 9), "large ones that are not asked for do not count");
    let page = store.look(8, 99, Some(&["Large"])).unwrap();
    assert_eq!((page.events.len(), page.looked_to), (1, 9));
}
