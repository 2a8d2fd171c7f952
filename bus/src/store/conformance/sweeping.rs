//! What is forgotten, and what is said of it.

use super::*;

pub(super) fn ended_commands_are_swept_with_their_events(store: &dyn Store) {
    complete(store, 1..3, NOW + 10);
    append(store, &["Own"]);
    // Waiting, processing, failed and requeued, failed later.
    store.accept(&[11, 12, 13, 14].map(|number| command(number, "Other")), NOW).unwrap();
    let e = event("X");
    let failed = event(CommandFailed::NAME);
    let requeued = event(CommandRequeued::NAME);
    let waiting = |number, to, e| change(number, StateKind::Waiting, 0, to, e);
    assert!(change_now(store, &waiting(12, CommandState::Processing, &e), NOW));
    assert!(change_now(store, &waiting(13, CommandState::Failed, &failed), NOW + 1));
    let back = CommandState::Waiting { due_ms: NOW + 2 };
    assert!(change_now(store, &change(13, StateKind::Failed, 1, back, &requeued), NOW + 2));
    assert!(change_now(store, &waiting(14, CommandState::Failed, &failed), NOW + 100));
    assert_eq!(sweep(store, NOW + 10, NOW + 200, 9).unwrap(), 0, "none ended before");
    let head = store.head().unwrap();
    assert_eq!(sweep(store, NOW + 11, NOW + 200, 1).unwrap(), 1);
    assert_eq!(sweep(store, NOW + 11, NOW + 200, 9).unwrap(), 1);
    assert_eq!(sweep(store, NOW + 11, NOW + 200, 9).unwrap(), 0);
    assert_eq!((store.state(id(1)).unwrap(), store.state(id(2)).unwrap()), (None, None));
    let left = log(store);
    let kept = [
        "Own",
        CommandAccepted::NAME,
        CommandAccepted::NAME,
        CommandAccepted::NAME,
        CommandAccepted::NAME,
        "X",
        CommandFailed::NAME,
        CommandRequeued::NAME,
        CommandFailed::NAME,
        CommandsForgotten::NAME,
        CommandsForgotten::NAME,
    ];
    assert_eq!(left.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), kept);
    assert_eq!(store.head().unwrap(), head + 2);
    let forgotten = |event: &StoredEvent| serde_json::from_str::<CommandsForgotten>(&event.body).unwrap();
    let ids: Vec<_> = left[9..].iter().flat_map(|event| forgotten(event).command_ids).collect();
    assert_eq!(ids, [id(1), id(2)]);
    // What is forgotten is new again.
    assert_eq!(store.accept(&[command(1, "Ended")], NOW + 300).unwrap(), [Acceptance::New]);
    assert_eq!(sweep(store, NOW + 1000, NOW + 2000, 9).unwrap(), 1, "the one that failed later");
    let what_was_forgotten = names(store).iter().filter(|name| *name == CommandsForgotten::NAME).count();
    assert_eq!(what_was_forgotten, 1, "what was forgotten long ago need not be said any more");
    assert_eq!(store.state(id(13)).unwrap(), Some(back));
    assert_eq!(store.state(id(12)).unwrap(), Some(CommandState::Processing));
    append(store, &["Next"]);
    assert_eq!(store.head().unwrap(), head + 5, "no position is given twice");
}

pub(super) fn the_oldest_of_too_many_are_found_and_what_is_said_of_them_stays(store: &dyn Store) {
    for number in 1..=6 {
        complete(store, number..number + 1, NOW + number as u64 * 10);
    }
    complete(store, 7..9, NOW + 70);
    store.accept(&[command(99, "Waits")], NOW).unwrap();
    assert_eq!(store.ended_beyond(100).unwrap(), None);
    assert_eq!(store.ended_beyond(8).unwrap(), None, "one that waits does not count");
    assert_eq!(store.ended_beyond(7).unwrap(), Some(NOW + 10));
    assert_eq!(store.ended_beyond(1).unwrap(), Some(NOW + 70), "of two that ended at once neither is kept");
    assert_eq!(store.ended_beyond(5).unwrap(), Some(NOW + 30));
    let young = Sweep { ended_before_ms: NOW + 31, known_before_ms: 0, limit: 2 };
    assert_eq!(store.sweep(&young, NOW + 100).unwrap(), 2);
    assert_eq!((store.state(id(1)).unwrap(), store.state(id(2)).unwrap()), (None, None));
    assert_eq!(store.sweep(&young, NOW + 200).unwrap(), 1);
    assert_eq!(store.ended_beyond(5).unwrap(), None);
    // Whoever reads the log later than that still learns what was forgotten.
    let said =
        |store: &dyn Store| names(store).iter().filter(|name| *name == CommandsForgotten::NAME).count();
    assert_eq!(said(store), 2);
    let old = Sweep { ended_before_ms: NOW + 41, known_before_ms: NOW + 150, limit: 9 };
    assert_eq!(store.sweep(&old, NOW + 300).unwrap(), 1);
    assert_eq!(said(store), 2, "the first is known by now, and another was said");
    assert_eq!(store.state(id(5)).unwrap(), Some(CommandState::Completed));
}
