//! What every store promises; each implementation runs the suite.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use tick_sdk::contracts::bus::{CommandAccepted, CommandFailed, CommandRequeued, CommandsForgotten};
use tick_sdk::contracts::{CommandId, ConversationId};
use uuid::Uuid;

use super::*;

mod handled;
mod log;
mod outgoing;
mod overtaking;
mod serving;
mod tables;

/// The time that these tests begin at, in ms since the UNIX epoch.
const NOW: u64 = 1_767_225_600_000;

fn id(number: u128) -> CommandId {
    CommandId(Uuid::from_u128(number))
}

fn command(number: u128, name: &str) -> NewCommand {
    NewCommand {
        command_id: id(number),
        conversation_id: ConversationId(Uuid::from_u128(number + 1000)),
        initiator_id: number.is_multiple_of(2).then(|| id(number + 2000)),
        name: name.to_owned(),
        version: 3,
        endpoint: "tests".to_owned(),
        caller: "caller".to_owned(),
        body: format!(r#"{{"number":{number},"text":"\u0000é"}}"#),
        original: number.is_multiple_of(3).then(|| vec![0, 0xff, number as u8]),
    }
}

fn event(name: &str) -> NewEvent {
    NewEvent {
        name: name.to_owned(),
        version: 2,
        command_id: Some(id(7)),
        conversation_id: None,
        initiator_id: Some(id(8)),
        body: r#"{"a":1}"#.to_owned(),
    }
}

fn change<'a>(
    number: u128,
    from: StateKind,
    attempts: u32,
    to: CommandState,
    e: &'a NewEvent,
) -> StateChange<'a> {
    StateChange {
        command_id: id(number),
        from,
        expected_attempts: Some(attempts),
        attempts: Some(attempts + 1),
        to,
        event: e,
    }
}

/// Makes one change in a transaction of its own.
fn change_now(store: &dyn Store, change: &StateChange<'_>, now_ms: u64) -> bool {
    let mut transaction = store.begin().unwrap();
    let changed = transaction.change(change, now_ms).unwrap();
    transaction.commit().unwrap();
    changed
}

/// Accepts commands of these numbers and ends them as completed.
fn complete(store: &dyn Store, numbers: std::ops::Range<u128>, ended_ms: u64) {
    let commands: Vec<_> = numbers.map(|number| command(number, "Ended")).collect();
    store.accept(&commands, NOW).unwrap();
    let mut transaction = store.begin().unwrap();
    for one in &commands {
        let ended = NewEvent { name: "CommandCompleted".to_owned(), ..event("") };
        let to = CommandState::Completed;
        let number = one.command_id.0.as_u128();
        assert!(transaction.change(&change(number, StateKind::Waiting, 0, to, &ended), ended_ms).unwrap());
    }
    transaction.commit().unwrap();
}

/// Forgets commands that ended before a time, of which it is long known where it was said before that time.
fn sweep(store: &dyn Store, before_ms: u64, now_ms: u64, limit: usize) -> Result<usize, StoreError> {
    store.sweep(&Sweep { ended_before_ms: before_ms, known_before_ms: before_ms, limit }, now_ms)
}

fn append(store: &dyn Store, names: &[&str]) {
    let mut transaction = store.begin().unwrap();
    transaction.append(&names.iter().map(|name| event(name)).collect::<Vec<_>>(), NOW).unwrap();
    transaction.commit().unwrap();
}

fn log(store: &dyn Store) -> Vec<StoredEvent> {
    store.events_after(0, 100_000).unwrap()
}

fn names(store: &dyn Store) -> Vec<String> {
    log(store).into_iter().map(|event| event.name).collect()
}

fn positions(store: &dyn Store) -> Vec<u64> {
    log(store).iter().map(|event| event.position).collect()
}

fn due_numbers(store: &dyn Store, name: &str, now_ms: u64, limit: usize) -> Vec<u128> {
    let due = store.due(name, now_ms, limit).unwrap();
    due.iter().map(|due| due.command.command_id.0.as_u128()).collect()
}

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

macro_rules! conformance {
    ($name:ident, #[$when:meta], $make:expr, [$($promise:path => $test:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(
                #[test]
                #[$when]
                fn $test() {
                    let (store, _guard) = $make;
                    $promise(&store);
                }
            )*
        }
    };
    ($name:ident, #[$when:meta], $make:expr) => {
        conformance!($name, #[$when], $make, [
            super::a_command_is_accepted_once => a_command_is_accepted_once,
            super::an_ended_command_is_known => an_ended_command_is_known,
            super::what_is_due_comes_longest_due_first => what_is_due_comes_longest_due_first,
            super::a_change_of_state_is_fenced => a_change_of_state_is_fenced,
            super::a_dropped_transaction_stores_nothing => a_dropped_transaction_stores_nothing,
            super::log::positions_have_no_holes => positions_have_no_holes,
            super::outgoing::outgoing_commands_are_kept_until_forgotten => outgoing_commands_are_kept_until_forgotten,
            super::a_cursor_moves_from_where_it_stands => a_cursor_moves_from_where_it_stands,
            super::a_command_is_found => a_command_is_found,
            super::the_oldest_of_too_many_are_found_and_what_is_said_of_them_stays => the_oldest_of_too_many_are_found_and_what_is_said_of_them_stays,
            super::log::events_are_removed_and_no_position_is_given_twice => events_are_removed_and_no_position_is_given_twice,
            super::ended_commands_are_swept_with_their_events => ended_commands_are_swept_with_their_events,
            super::readers_do_not_wait_for_a_writer => readers_do_not_wait_for_a_writer,
            super::log::only_bodies_that_are_asked_for_are_given => only_bodies_that_are_asked_for_are_given,
            super::log::a_read_is_bounded_in_bytes => a_read_is_bounded_in_bytes,
            super::outgoing::messages_and_commands_do_not_wait_for_each_other => messages_and_commands_do_not_wait_for_each_other,
            super::outgoing::outgoing_messages_are_bounded_in_bytes => outgoing_messages_are_bounded_in_bytes,
            super::a_lease_has_one_holder_at_a_time => a_lease_has_one_holder_at_a_time,
            super::one_of_many_takes_a_lease => one_of_many_takes_a_lease,
            super::serving::who_ends_as_it_should_leaves_no_suspicion => who_ends_as_it_should_leaves_no_suspicion,
            super::serving::a_note_is_kept_until_it_is_settled => a_note_is_kept_until_it_is_settled,
            super::handled::what_is_handled_at_once_is_known_and_stands_in_order => what_is_handled_at_once_is_known_and_stands_in_order,
            super::handled::what_is_handled_beside_others_has_no_holes_and_its_order => what_is_handled_beside_others_has_no_holes_and_its_order,
            super::tables::values_come_back_as_they_were => values_come_back_as_they_were,
            super::tables::what_conflicts_is_counted => what_conflicts_is_counted,
            super::tables::a_statement_that_fails_ends_its_transaction => a_statement_that_fails_ends_its_transaction,
            super::overtaking::nobody_passes_an_event_that_commits_later => nobody_passes_an_event_that_commits_later,
            super::overtaking::many_writers_leave_no_holes => many_writers_leave_no_holes,
            super::overtaking::one_of_two_that_accept_the_same_is_first => one_of_two_that_accept_the_same_is_first,
        ]);
    };
}

conformance!(sqlite, #[cfg(test)], {
    let folder = tempfile::tempdir().unwrap();
    (SqliteStore::open(&folder.path().join("test.sqlite"), tables::TABLES).unwrap(), folder)
});

#[cfg(feature = "postgres")]
conformance!(postgres, #[ignore = "needs servers: run scripts/test"], {
    let database = database::testing::Database::create();
    (PostgresStore::open(&database.url(), "tests", tables::TABLES).unwrap(), database)
});
