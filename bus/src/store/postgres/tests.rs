//! What only a shared server can show: stores beside each other, lost connections, and many rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use database::testing::Database;
use tick_sdk::contracts::ConversationId;

use super::*;
use crate::store::{NewEvent, StateChange, StateKind};
use crate::values;

/// The time that these tests begin at, in ms since the UNIX epoch.
const NOW: u64 = 1_767_225_600_000;
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const TABLES: &str = "CREATE TABLE IF NOT EXISTS effect (number INTEGER NOT NULL) STRICT;";

fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.url(), "tests", TABLES).unwrap()
}

fn command(number: u128) -> NewCommand {
    NewCommand {
        command_id: CommandId(Uuid::from_u128(number)),
        conversation_id: ConversationId(Uuid::from_u128(number)),
        initiator_id: None,
        name: "Do".to_owned(),
        version: 1,
        endpoint: "tests".to_owned(),
        caller: "test".to_owned(),
        body: format!(r#"{{"number":{number}}}"#),
        original: None,
    }
}

fn event(name: &str) -> NewEvent {
    NewEvent::of_bus(name, &())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Carries out what is due as a lane does; how many took effect, and how many another had first.
fn step(store: &PostgresStore, limit: usize) -> Result<(usize, usize), StoreError> {
    let (mut done, mut lost) = (0, 0);
    for due in store.due("Do", NOW, limit)? {
        let mut transaction = store.begin()?;
        let number = due.command.command_id.0.as_u128() as u64;
        let executed = transaction.tables().execute("INSERT INTO effect VALUES ($1)", &values![number]);
        match executed {
            Ok(_) => {}
            Err(TablesError::Store(error)) => return Err(error),
            Err(error) => panic!("{error}"),
        }
        let completed = NewEvent::of_command(&due.command, "CommandCompleted", "{}".to_owned());
        let change = StateChange {
            command_id: due.command.command_id,
            from: StateKind::Waiting,
            expected_attempts: Some(due.attempts),
            attempts: Some(due.attempts + 1),
            to: CommandState::Completed,
            event: &completed,
        };
        if transaction.change_all(&[change], NOW)? {
            transaction.commit()?;
            done += 1;
        } else {
            lost += 1;
        }
    }
    Ok((done, lost))
}

fn effects(store: &PostgresStore) -> Vec<u64> {
    let rows = store.query("SELECT number FROM effect ORDER BY number", &[]).unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

fn assert_no_holes(store: &PostgresStore, events: u64) {
    let log = store.events_after(0, 100_000).unwrap();
    let positions: Vec<_> = log.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=events).collect::<Vec<_>>());
    assert_eq!(store.head().unwrap(), events);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn stores_that_are_opened_at_once_do_not_collide() {
    let database = Database::create();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&database))).collect();
        opening.into_iter().map(|store| store.join().unwrap()).collect()
    });
    let numbers: std::collections::BTreeSet<_> = stores.iter().map(|store| store.own).collect();
    assert_eq!(numbers.len(), 6);
    drop(stores);
    database.execute("UPDATE tests.schema_version SET version = 99");
    let Err(error) = PostgresStore::open(&database.url(), "tests", TABLES) else { panic!("it was opened") };
    assert!(matches!(error, StoreError::Schema { found: 99, .. }), "{error}");
    for (url, expected) in
        [("postgres://u:secret@[", "cannot be read"), ("postgres://u:secret@127.0.0.1:1/d", "see that")]
    {
        let Err(error) = PostgresStore::open(url, "tests", "") else { panic!("it was opened") };
        let error = error.to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{error}");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn stores_that_share_an_inbox_carry_out_each_command_once() {
    const COMMANDS: u128 = 300;
    let database = Database::create();
    let stores = [open(&database), open(&database), open(&database)];
    wait_until("each knows of the others", || stores.iter().all(|store| !store.seat.is_alone()));
    let commands: Vec<_> = (0..COMMANDS).map(command).collect();
    stores[0].accept(&commands, NOW).unwrap();
    let (done, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                let mut looks_in_vain = 0;
                while done.load(Ordering::Acquire) < COMMANDS as usize {
                    let (did, had) = step(store, 7).unwrap();
                    done.fetch_add(did, Ordering::AcqRel);
                    lost.fetch_add(had, Ordering::AcqRel);
                    if did == 0 {
                        // A lane would sleep until then. What another is being handed just now is due here still.
                        let is_due = store.next_due("Do").unwrap().is_some_and(|due| due < now_ms() + 500);
                        looks_in_vain = if is_due { looks_in_vain + 1 } else { 0 };
                        assert!(looks_in_vain < 20, "this would be a hot loop");
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
    });
    assert_eq!(effects(&stores[0]), (0..COMMANDS as u64).collect::<Vec<_>>());
    assert_eq!(lost.into_inner(), 0, "nobody did what another had");
    assert_no_holes(&stores[1], 2 * COMMANDS as u64);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_another_was_handed_is_not_due_for_some_time() {
    let database = Database::create();
    let (first, second) = (open(&database), open(&database));
    wait_until("each knows of the other", || !first.seat.is_alone() && !second.seat.is_alone());
    first.accept(&[command(1)], NOW).unwrap();
    assert_eq!(first.due("Do", NOW, 1).unwrap().len(), 1);
    let before = now_ms();
    assert!(second.due("Do", NOW, 1).unwrap().is_empty());
    let due = second.next_due("Do").unwrap().unwrap();
    assert!(due >= before + 500, "this would be a hot loop");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_a_store_was_handed_is_free_when_it_is_gone() {
    let database = Database::create();
    let (first, second) = (open(&database), open(&database));
    wait_until("each knows of the other", || !first.seat.is_alone() && !second.seat.is_alone());
    first.accept(&(0..10).map(command).collect::<Vec<_>>(), NOW).unwrap();
    assert_eq!(first.due("Do", NOW, 6).unwrap().len(), 6);
    assert_eq!(second.due("Do", NOW, 10).unwrap().len(), 4);
    assert_eq!(first.due("Do", NOW, 10).unwrap().len(), 6, "the same again");
    let rung = Arc::new(AtomicBool::new(false));
    let ring = rung.clone();
    second.watch(Box::new(move |change| {
        ring.fetch_or(change == Change::Commands, Ordering::AcqRel);
    }));
    drop(first);
    wait_until("the other is woken", || rung.load(Ordering::Acquire));
    // It may have been woken for what was accepted, before the first had left.
    wait_until("all are free", || second.due("Do", NOW, 10).unwrap().len() == 10);
    wait_until("it is alone", || second.seat.is_alone());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_commit_wakes_other_stores_and_after_a_loss_again() {
    let database = Database::create();
    let (one, other) = (open(&database), open(&database));
    let reader = PostgresStore::open_to_read(&database.url(), "tests").unwrap();
    let counts = |store: &PostgresStore| {
        let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let counted = counts.clone();
        store.watch(Box::new(move |change| {
            counted[change as usize].fetch_add(1, Ordering::AcqRel);
        }));
        counts
    };
    let (own, others, readers) = (counts(&one), counts(&other), counts(&reader));
    let read = |counts: &[AtomicUsize; 2]| counts.each_ref().map(|count| count.load(Ordering::Acquire));
    let mut accepted = 0;
    // Its hub's own look, every few seconds, may wake it for what it did itself; each commit does not.
    let is_left_alone = (1..=20).any(|number| {
        let before = [&own, &others, &readers].map(|counts| read(counts));
        one.accept(&[command(number)], NOW).unwrap();
        accepted += 1;
        for (counts, before) in [(&others, before[1]), (&readers, before[2])] {
            wait_until("it is woken", || read(counts).iter().zip(before).all(|(now, before)| *now > before));
        }
        let commands = Change::Commands as usize;
        read(&own)[commands] == before[0][commands]
    });
    assert!(is_left_alone, "it knows what it did itself");
    let before = readers[1].load(Ordering::Acquire);
    database.cut_connections();
    wait_until("it listens again", || readers[1].load(Ordering::Acquire) > before);
    // The connections that were lost while they were idle are made again.
    assert_eq!(other.due("Do", NOW, 99).unwrap().len(), accepted);
    let before = readers[1].load(Ordering::Acquire);
    other.accept(&[command(100)], NOW).unwrap();
    wait_until("it is woken again", || readers[1].load(Ordering::Acquire) > before);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_transaction_whose_connection_is_lost_is_given_up_for_now() {
    let database = Database::create();
    let store = open(&database);
    let mut transaction = store.begin().unwrap();
    transaction.append(&[event("X")], NOW).unwrap();
    transaction.position().unwrap();
    database.cut_connections();
    let error = transaction.tables().execute("INSERT INTO effect VALUES (1)", &[]).unwrap_err();
    assert!(matches!(&error, TablesError::Store(error) if error.may_pass()), "{error}");
    assert!(!transaction.is_open());
    assert!(transaction.commit().unwrap_err().may_pass());
    let mut transaction = store.begin().unwrap();
    transaction.append(&[event("Y")], NOW).unwrap();
    database.cut_connections();
    assert!(transaction.commit().unwrap_err().may_pass());
    assert_eq!(store.head().unwrap(), 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn whoever_holds_the_log_for_too_long_is_waited_for_no_longer() {
    let database = Database::create();
    let (one, other) = (open(&database), open(&database));
    let tried = (1..=5).find(|number| {
        let mut held = one.begin().unwrap();
        held.position().unwrap();
        let refused = other.accept(&[command(*number)], NOW);
        let committed = held.append(&[event("X")], NOW).and_then(|()| held.commit());
        if committed.as_ref().is_err_and(StoreError::may_pass) {
            // This took twice as long as it should, and the server has ended it.
            return false;
        }
        committed.unwrap();
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::Busy { .. }) && error.may_pass(), "{error}");
        true
    });
    let number = tried.expect("the log is held for as long as others wait for it");
    assert_eq!(other.accept(&[command(number)], NOW).unwrap(), [Acceptance::New]);
}

/// Lanes and senders go on when the server is back, and nothing is lost or done twice.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_server_that_is_started_again_in_the_middle_costs_time_only() {
    const COMMANDS: u128 = 400;
    let database = Database::alone_on_its_server();
    let stores = [open(&database), open(&database)];
    let done = AtomicBool::new(false);
    let failures = Mutex::new(BTreeMap::<String, usize>::new());
    let note = |error: StoreError| {
        assert!(error.may_pass(), "{error}");
        *failures.lock().unwrap().entry(error.to_string()).or_default() += 1;
        std::thread::sleep(Duration::from_millis(20));
    };
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    match step(store, 10) {
                        Ok((0, _)) => std::thread::sleep(Duration::from_millis(5)),
                        Ok(_) => {}
                        Err(error) => note(error),
                    }
                }
            });
        }
        scope.spawn(|| {
            for number in 0..COMMANDS {
                while let Err(error) = stores[0].accept(&[command(number)], NOW) {
                    note(error);
                }
                if number == COMMANDS / 4 {
                    database.restart_server();
                }
                if number == COMMANDS / 2 {
                    database.cut_connections();
                }
            }
        });
        let all =
            || stores[1].query("SELECT count(*) FROM effect", &[]).map(|rows| rows[0].get::<u64>(0).unwrap());
        wait_until("all are carried out", || all().is_ok_and(|count| count == COMMANDS as u64));
        done.store(true, Ordering::Release);
    });
    assert_eq!(effects(&stores[0]), (0..COMMANDS as u64).collect::<Vec<_>>());
    assert_no_holes(&stores[0], 2 * COMMANDS as u64);
    println!("errors meanwhile: {:?}", failures.into_inner().unwrap());
}

/// Handles a command as one of several at once does, with an event of its own.
fn handle_beside(store: &PostgresStore, number: u128) {
    let due = DueCommand { command: command(number), attempts: 0, accepted_ms: NOW, is_suspect: false };
    let completed = NewEvent::of_command(&due.command, "CommandCompleted", "{}".to_owned());
    let change = StateChange {
        command_id: due.command.command_id,
        from: StateKind::Waiting,
        expected_attempts: Some(0),
        attempts: Some(1),
        to: CommandState::Completed,
        event: &completed,
    };
    let mut transaction = store.begin_beside().unwrap();
    assert!(transaction.handle_new(&[due], &[change], &[event("Done")], NOW).unwrap());
    transaction.commit().unwrap();
}

/// What a relay has published it may publish again, under the same id and position; no other event has them.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_crash_of_the_server_undoes_no_position_and_at_most_the_cursor() {
    let database = Database::alone_on_its_server();
    let store = open(&database);
    let mut noted = 0;
    for number in 0..50 {
        handle_beside(&store, number);
        assert!(store.number().unwrap());
        let head = store.head().unwrap();
        assert!(store.note_cursor("relay", "tests", noted, head).unwrap());
        noted = head;
    }
    let published = store.events_after(0, 1_000).unwrap();
    database.kill_server();
    wait_until("the server is back", || store.head().is_ok());
    let after = open(&database);
    assert_eq!(after.events_after(0, 1_000).unwrap(), published);
    let cursor = after.cursor("relay", "tests").unwrap();
    assert!(cursor <= noted, "{cursor}");
    assert!(store.note_cursor("relay", "tests", cursor, noted).unwrap());
    handle_beside(&after, 50);
    assert!(after.number().unwrap());
    assert_no_holes(&after, 3 * 51);
}

/// Its events come from memory while nobody else writes, and whoever comes later misses none.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_store_on_its_own_announces_nothing_and_wakes_who_comes_later() {
    let database = Database::create();
    let store = open(&database);
    handle_beside(&store, 1);
    assert!(store.number().unwrap());
    let page = store.opened.tail.look(0, 10, Some(&["Done"])).unwrap();
    let [event] = page.events.as_slice() else { panic!("{page:?}") };
    assert_eq!((event.position, page.looked_to), (2, 3));
    let on_server = open(&database);
    assert_eq!(on_server.look(0, 10, Some(&["Done"])).unwrap(), page);
    assert_eq!(on_server.events_after(0, 10).unwrap(), store.events_after(0, 10).unwrap());
    drop(on_server);
    wait_until("it is alone", || store.opened.wakes_as().is_none());

    let reader = PostgresStore::open_to_read(&database.url(), "tests").unwrap();
    let rung = Arc::new(AtomicUsize::new(0));
    let counted = rung.clone();
    reader.watch(Box::new(move |change| {
        counted.fetch_add(usize::from(change == Change::Events), Ordering::AcqRel);
    }));
    let mut written = 1;
    wait_until("the reader is known", || {
        written += 1;
        handle_beside(&store, written);
        assert!(store.number().unwrap());
        store.opened.wakes_as().is_some()
    });
    wait_until("the reader was woken", || rung.load(Ordering::Acquire) > 0);
    let before = rung.load(Ordering::Acquire);
    handle_beside(&store, written + 1);
    assert!(store.number().unwrap());
    wait_until("the reader is woken again", || rung.load(Ordering::Acquire) > before);
    assert_eq!(reader.head().unwrap(), 3 * (written as u64 + 1));
}

/// Ten million with `ORCHARD_TEST_LONG=1`.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn many_outgoing_rows_slow_nothing_down() {
    let rows = if std::env::var_os("ORCHARD_TEST_LONG").is_some() { 10_000_000 } else { 200_000 };
    let database = Database::create();
    drop(open(&database));
    database.execute(&format!(
        "INSERT INTO tests.outgoing (command_id, conversation_id, name, version, endpoint, caller, body)
        SELECT gen_random_uuid(), gen_random_uuid(), 'Do', 1, 'tests', 'test', '{{}}' FROM generate_series(1, {rows})"
    ));
    database.execute(&format!(
        "INSERT INTO tests.outgoing_message (exchange, key, is_mandatory, properties, body)
        SELECT 'e', 'k', TRUE, '', '' FROM generate_series(1, {rows})"
    ));
    // None of these is due, and none has ended.
    database.execute(&format!(
        "INSERT INTO tests.inbox (command_id, conversation_id, name, version, endpoint, caller, body, body_hash, state,
            attempts, due_ms, accepted_ms, positions)
        SELECT gen_random_uuid(), gen_random_uuid(), 'Do', 1, 'tests', 'test', '{{}}', gen_random_uuid(), 0, 0,
            {NOW} + n, 1, '{{}}' FROM generate_series(1, {rows} / 10) n"
    ));
    let began = Instant::now();
    let store = open(&database);
    let opened = began.elapsed();
    let sweep = Sweep { ended_before_ms: NOW, known_before_ms: NOW, limit: 500 };
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        let outgoing = store.outgoing(256).unwrap();
        store.forget_outgoing(outgoing.last().unwrap().0).unwrap();
        let messages = store.outgoing_messages(256).unwrap();
        store.forget_outgoing_messages(messages.last().unwrap().0).unwrap();
        assert_eq!((outgoing.len(), messages.len()), (256, 256));
        assert_eq!(store.sweep(&sweep, NOW).unwrap(), 0);
        assert_eq!(store.ended_beyond(1000).unwrap(), None);
        assert_eq!(
            (store.due("Do", NOW, 100).unwrap(), store.next_due("Do").unwrap()),
            (vec![], Some(NOW + 1))
        );
        longest = longest.max(began.elapsed());
    }
    println!("{rows} rows: opened in {opened:?}, the longest step took {longest:?}");
    // The server counts both at once, some time later.
    let counts = "SELECT coalesce(sum(n_tup_del), 0)::bigint, coalesce(sum(seq_tup_read), 0)::bigint
        FROM pg_catalog.pg_stat_user_tables
        WHERE schemaname = 'tests' AND relname IN ('outgoing', 'outgoing_message', 'inbox', 'event')";
    let mut read = 0;
    wait_until("the server has counted", || {
        let counted = store.query(counts, &[]).unwrap().remove(0);
        read = counted.get(1).unwrap();
        counted.get::<u64>(0).unwrap() == 2 * 20 * 256
    });
    // That is the proof: times are those of the machine.
    assert_eq!(read, 0_u64, "rows were read that nobody asked for");
}
