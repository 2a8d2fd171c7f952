//! What every store promises; each implementation runs the suite.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use tick_sdk::contracts::bus::{CommandAccepted, CommandFailed, CommandRequeued, CommandsForgotten};
use tick_sdk::contracts::{CommandId, ConversationId};
use uuid::Uuid;

use super::*;

mod commands;
mod handled;
mod log;
mod outgoing;
mod overtaking;
mod serving;
mod sweeping;
mod tables;
mod transactions;

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

macro_rules! conformance {
    ($name:ident, #[$when:meta], $make:expr, [$($module:ident::$promise:ident),* $(,)?]) => {
        mod $name {
            use super::*;
            $(
                #[test]
                #[$when]
                fn $promise() {
                    let (store, _guard) = $make;
                    super::$module::$promise(&store);
                }
            )*
        }
    };
    ($name:ident, #[$when:meta], $make:expr) => {
        conformance!($name, #[$when], $make, [
            commands::a_command_is_accepted_once,
            commands::an_ended_command_is_known,
            commands::what_is_due_comes_longest_due_first,
            commands::a_change_of_state_is_fenced,
            transactions::a_dropped_transaction_stores_nothing,
            log::positions_have_no_holes,
            outgoing::outgoing_commands_are_kept_until_forgotten,
            transactions::a_cursor_moves_from_where_it_stands,
            commands::a_command_is_found,
            sweeping::the_oldest_of_too_many_are_found_and_what_is_said_of_them_stays,
            log::events_are_removed_and_no_position_is_given_twice,
            sweeping::ended_commands_are_swept_with_their_events,
            transactions::readers_do_not_wait_for_a_writer,
            log::only_bodies_that_are_asked_for_are_given,
            log::a_read_is_bounded_in_bytes,
            outgoing::messages_and_commands_do_not_wait_for_each_other,
            outgoing::outgoing_messages_are_bounded_in_bytes,
            transactions::a_lease_has_one_holder_at_a_time,
            transactions::one_of_many_takes_a_lease,
            serving::who_ends_as_it_should_leaves_no_suspicion,
            serving::a_note_is_kept_until_it_is_settled,
            handled::what_is_handled_at_once_is_known_and_stands_in_order,
            handled::what_is_handled_beside_others_has_no_holes_and_its_order,
            tables::values_come_back_as_they_were,
            tables::what_conflicts_is_counted,
            tables::a_statement_that_fails_ends_its_transaction,
            overtaking::nobody_passes_an_event_that_commits_later,
            overtaking::many_writers_leave_no_holes,
            overtaking::one_of_two_that_accept_the_same_is_first,
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
