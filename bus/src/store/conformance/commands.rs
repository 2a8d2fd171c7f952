//! Commands, from their acceptance to their end.

use super::*;

pub(super) fn a_command_is_accepted_once(store: &dyn Store) {
    let first = command(1, "A");
    let other = NewCommand { body: r#"{"number":2}"#.to_owned(), ..first.clone() };
    let second = command(2, "A");
    let accepted = store.accept(&[first.clone(), first.clone(), other, second.clone()], NOW).unwrap();
    use Acceptance::{Known, New, OtherBody};
    assert_eq!(accepted, [New, Known, OtherBody, New]);
    assert_eq!(store.accept(std::slice::from_ref(&first), NOW + 9).unwrap(), [Known]);
    // How it came does not make another command of it, nor change the stored one.
    let delivered = NewCommand { original: Some(vec![1]), ..first.clone() };
    assert_eq!(store.accept(&[delivered], NOW + 9).unwrap(), [Known]);
    // Another contract under the same id is another command, too.
    let renamed = NewCommand { name: "B".to_owned(), ..first.clone() };
    assert_eq!(store.accept(&[renamed], NOW).unwrap(), [OtherBody]);
    let due = store.due("A", NOW, 9).unwrap();
    let expected = [&first, &second].map(|command| DueCommand {
        command: command.clone(),
        attempts: 0,
        accepted_ms: NOW,
        is_suspect: false,
    });
    assert_eq!(due, expected);
    assert_eq!(store.state(id(1)).unwrap(), Some(CommandState::Waiting { due_ms: NOW }));
    assert_eq!(store.state(id(3)).unwrap(), None);
    let log = log(store);
    assert_eq!(log.len(), 2);
    let accepted: CommandAccepted = serde_json::from_str(&log[0].body).unwrap();
    assert_eq!((accepted.command.as_str(), accepted.caller.as_str()), ("A", "caller"));
    assert_eq!(accepted.body, serde_json::json!({"number": 1, "text": "\0é"}));
    assert_eq!(log[1].command_id, Some(second.command_id));
    assert_eq!(log[1].conversation_id, Some(second.conversation_id));
    assert_eq!(log[1].initiator_id, second.initiator_id);
}

/// The ended command's id is still taken.
pub(super) fn an_ended_command_is_known(store: &dyn Store) {
    complete(store, 1..2, NOW);
    assert_eq!(store.accept(&[command(1, "Ended")], NOW).unwrap(), [Acceptance::Known]);
    assert_eq!(due_numbers(store, "Ended", NOW + 99, 9), [0; 0]);
    assert_eq!(store.next_due("Ended").unwrap(), None);
}

pub(super) fn what_is_due_comes_longest_due_first(store: &dyn Store) {
    for (number, name, at) in [(1, "A", 30), (2, "A", 10), (3, "B", 5), (4, "A", 20), (5, "A", 10)] {
        store.accept(&[command(number, name)], NOW + at).unwrap();
    }
    assert_eq!(due_numbers(store, "A", NOW + 29, 9), [2, 5, 4]);
    assert_eq!(due_numbers(store, "A", NOW + 30, 2), [2, 5]);
    assert_eq!(due_numbers(store, "A", NOW + 9, 9), [0; 0]);
    assert_eq!(store.next_due("A").unwrap(), Some(NOW + 10));
    assert_eq!(store.next_due("C").unwrap(), None);
    let (retried, to) = (event("CommandRetried"), CommandState::Waiting { due_ms: NOW + 25 });
    assert!(change_now(store, &change(2, StateKind::Waiting, 0, to, &retried), NOW + 11));
    assert_eq!(due_numbers(store, "A", NOW + 30, 9), [5, 4, 2, 1]);
    assert_eq!(store.due("A", NOW + 30, 9).unwrap()[2].attempts, 1);
    assert!(change_now(store, &change(5, StateKind::Waiting, 0, CommandState::Processing, &retried), NOW));
    assert_eq!(due_numbers(store, "A", NOW + 30, 9), [4, 2, 1]);
}

pub(super) fn a_change_of_state_is_fenced(store: &dyn Store) {
    store.accept(&[command(1, "A")], NOW).unwrap();
    let e = event("X");
    let waiting = |attempts, to| change(1, StateKind::Waiting, attempts, to, &e);
    assert!(!change_now(store, &waiting(1, CommandState::Completed), NOW));
    assert!(change_now(store, &waiting(0, CommandState::Waiting { due_ms: NOW }), NOW));
    // Whoever found it before that attempt is too late.
    assert!(!change_now(store, &waiting(0, CommandState::Completed), NOW));
    assert!(change_now(store, &waiting(1, CommandState::Processing), NOW));
    assert!(!change_now(store, &waiting(2, CommandState::Completed), NOW));
    assert!(!change_now(store, &change(2, StateKind::Processing, 0, CommandState::Completed, &e), NOW));
    let end =
        |from, to| StateChange { expected_attempts: None, attempts: None, ..change(1, from, 0, to, &e) };
    assert!(change_now(store, &end(StateKind::Processing, CommandState::Failed), NOW));
    assert_eq!(store.state(id(1)).unwrap(), Some(CommandState::Failed));
    assert!(!change_now(store, &end(StateKind::Processing, CommandState::Completed), NOW));
    assert!(change_now(store, &end(StateKind::Failed, CommandState::Waiting { due_ms: NOW + 1 }), NOW));
    assert!(change_now(store, &waiting(2, CommandState::Cancelled), NOW));
    assert_eq!(store.state(id(1)).unwrap(), Some(CommandState::Cancelled));
    // A change that did not take place left no event.
    assert_eq!(names(store), ["CommandAccepted", "X", "X", "X", "X", "X"]);
}

pub(super) fn a_command_is_found(store: &dyn Store) {
    store.accept(&[command(1, "A"), command(2, "A")], NOW).unwrap();
    let found = |number, attempts, accepted_ms| {
        Some(DueCommand { command: command(number, "A"), attempts, accepted_ms, is_suspect: false })
    };
    let mut transaction = store.begin().unwrap();
    assert_eq!(transaction.find(id(2)).unwrap(), found(2, 0, NOW));
    assert_eq!(transaction.find(id(3)).unwrap(), None);
    transaction.accept(&command(3, "A"), NOW + 5).unwrap();
    assert_eq!(transaction.find(id(3)).unwrap(), found(3, 0, NOW + 5), "in the same transaction");
    let e = event("X");
    assert!(transaction.change(&change(2, StateKind::Waiting, 0, CommandState::Failed, &e), NOW).unwrap());
    assert_eq!(transaction.find(id(2)).unwrap(), found(2, 1, NOW), "in whatever state");
    assert!(transaction.is_open());
}
