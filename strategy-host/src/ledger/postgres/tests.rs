//! What only a server can show: lost connections, other programs, and SQL readers.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use database::testing::Database;
use sqlx::Row;
use tick_feed::NewInstrument;
use tick_sdk::names::{RunId, StrategyName};

use super::{PostgresLedger, PostgresStore};
use crate::ledger::{Commit, LaneId, Ledger, LedgerError, MEMBER_CALL_TIMEOUT, MEMBER_LIVES};
use proxy::Proxy;

mod proxy;
mod sql;

fn ledger_in(database: &Database) -> PostgresLedger {
    PostgresLedger::open(&database.url()).unwrap()
}

fn lane(run: RunId) -> LaneId {
    LaneId { run, strategy: "apple".parse().unwrap(), shard: 0 }
}

fn name(text: &str) -> StrategyName {
    text.parse().unwrap()
}

/// A commit of one signal batch, one state and one skipped tick, each of which must be stored once.
fn commit(lane: &LaneId, epoch: u64, seq: u64) -> Commit {
    Commit {
        lane: lane.clone(),
        epoch,
        from_seq: seq,
        to_seq: seq + 1,
        signals: vec![seq as u8],
        new_instruments: Vec::new(),
        states: Some(vec![("S".to_owned(), vec![seq as u8])]),
        ended: false,
        skipped: 1,
    }
}

/// Checks that each of the commits up to `end` has had its effect once.
fn assert_whole(ledger: &mut PostgresLedger, lane: &LaneId, end: u64) {
    let begins: Vec<_> = ledger.batches(lane, 0, usize::MAX >> 1).unwrap();
    let begins: Vec<_> = begins.into_iter().map(|batch| batch.from_seq).collect();
    assert_eq!(begins, (0..end).collect::<Vec<_>>());
    let row = &ledger.lanes(lane.run).unwrap()[0];
    assert_eq!((row.cursor, row.skipped), (end, end));
    let claim = ledger.claim(lane, 0).unwrap();
    assert_eq!(claim.states, [("S".to_owned(), vec![end as u8 - 1])]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn connections_that_are_cut_at_any_time_lose_nothing_and_double_nothing() {
    const COMMITS: u64 = 200;
    let database = Database::create();
    let mut ledger = ledger_in(&database);
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    // Every third commit starts a cut, which comes while later ones are under way.
    let (committed, cuts) = sync_channel::<()>(0);
    thread::scope(|scope| {
        let database = &database;
        scope.spawn(move || {
            while cuts.recv().is_ok() {
                database.cut_connections()
            }
        });
        for seq in 0..COMMITS {
            if seq % 3 == 0 {
                let _ = committed.try_send(());
            }
            assert!(ledger.commit(&[commit(&lane, epoch, seq)]).unwrap().is_empty(), "commit {seq}");
        }
        drop(committed);
    });
    assert_whole(&mut ledger, &lane, COMMITS);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_commit_whose_answer_is_lost_is_recognised() {
    let database = Database::create();
    let proxy = Proxy::before(&database.url());
    let mut ledger = PostgresLedger::open(proxy.url()).unwrap();
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    for seq in 0..4 {
        proxy.swallow_next_answer();
        assert!(ledger.commit(&[commit(&lane, epoch, seq)]).unwrap().is_empty(), "commit {seq}");
        assert_eq!(proxy.swallowed(), seq as usize + 1, "the answer was lost");
    }
    let end = Commit {
        from_seq: 4,
        to_seq: 4,
        ended: true,
        skipped: 0,
        signals: Vec::new(),
        ..commit(&lane, epoch, 3)
    };
    proxy.swallow_next_answer();
    assert!(ledger.commit(&[end]).unwrap().is_empty());
    assert_whole(&mut ledger, &lane, 4);

    // What looks the same without a lost answer is not a repetition, and one after a new claim is late.
    let other = LaneId { shard: 1, ..lane };
    let epoch = ledger.claim(&other, 0).unwrap().epoch;
    assert!(ledger.commit(&[commit(&other, epoch, 0)]).unwrap().is_empty());
    assert_eq!(ledger.commit(&[commit(&other, epoch, 0)]).unwrap(), [0]);
    ledger.claim(&other, 0).unwrap();
    proxy.swallow_next_answer();
    assert_eq!(ledger.commit(&[commit(&other, epoch, 0)]).unwrap(), [0]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_member_learns_within_a_second_that_the_server_is_silent() {
    let database = Database::create();
    let proxy = Proxy::before(&database.url());
    let mut ledger = PostgresLedger::open(proxy.url()).unwrap();
    let (run, apple) = (RunId::random(), name("apple"));
    assert_eq!(ledger.beat(run, &apple, "a").unwrap(), ["a"]);
    proxy.fall_silent();
    let mut ends_in_time = |what: &str, call: &mut dyn FnMut(&mut PostgresLedger) -> LedgerError| {
        let began = Instant::now();
        let error = call(&mut ledger);
        assert!(error.is_temporary() && began.elapsed() < MEMBER_LIVES, "{what}: {error}");
    };
    ends_in_time("a beat", &mut |ledger| ledger.beat(run, &apple, "a").unwrap_err());
    ends_in_time("a leave", &mut |ledger| ledger.leave(run, &apple, "a").unwrap_err());
    ends_in_time("reading lanes", &mut |ledger| {
        ledger.set_call_timeout(MEMBER_CALL_TIMEOUT);
        ledger.lanes(run).unwrap_err()
    });
    proxy.pass_again();
    assert_eq!(ledger.beat(run, &apple, "a").unwrap(), ["a"]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn async_code_uses_the_store_on_its_own_runtime_and_cancels_calls() {
    let database = Database::create();
    let proxy = Proxy::before(&database.url());
    let url = proxy.url().to_owned();
    let lane = lane(RunId::random());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A task of its own, as only what can move between threads may be.
    let task = async move {
        let mut store = PostgresStore::open(&url).await.unwrap();
        let epoch = store.claim(&lane, 0).await.unwrap().epoch;
        assert!(store.commit(&[commit(&lane, epoch, 0)]).await.unwrap().is_empty());
        proxy.fall_silent();
        let late = [commit(&lane, epoch, 1)];
        let cancelled = tokio::time::timeout(Duration::from_millis(50), store.commit(&late)).await;
        assert!(cancelled.is_err(), "it waits for the server");
        proxy.pass_again();
        let claim = store.claim(&lane, 0).await.unwrap();
        assert_eq!((claim.epoch, claim.cursor), (epoch + 1, 1), "nothing of it was stored");
        assert!(store.commit(&[commit(&lane, claim.epoch, 1)]).await.unwrap().is_empty());
        lane
    };
    let lane = runtime.block_on(async { tokio::spawn(task).await }).unwrap();
    assert_whole(&mut ledger_in(&database), &lane, 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_server_that_restarts_is_waited_for() {
    let database = Database::alone_on_its_server();
    let mut ledger = ledger_in(&database);
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    assert!(ledger.commit(&[commit(&lane, epoch, 0)]).unwrap().is_empty());
    database.restart_server();
    assert!(ledger.commit(&[commit(&lane, epoch, 1)]).unwrap().is_empty());
    database.cut_connections();
    assert_eq!(ledger.beat(lane.run, &name("apple"), "a").unwrap(), ["a"]);
    assert_whole(&mut ledger, &lane, 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn several_programs_make_one_ledger_and_share_it() {
    let database = Database::create();
    let ids: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| ledger_in(&database).id().to_owned())).collect();
        opening.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    // Members that commit lanes in any order, with the same instruments, do not block each other.
    let run = RunId::random();
    thread::scope(|scope| {
        for strategy in ["apple", "pear"] {
            let mut ledger = ledger_in(&database);
            scope.spawn(move || {
                let lanes =
                    [3, 1, 0, 2].map(|shard| LaneId { run, strategy: strategy.parse().unwrap(), shard });
                let epochs = lanes.clone().map(|lane| ledger.claim(&lane, 0).unwrap().epoch);
                for seq in 0..50 {
                    let named = |id| NewInstrument { id, symbol: format!("S{id}"), key: String::new() };
                    let commits = lanes.iter().zip(epochs).map(|(lane, epoch)| Commit {
                        new_instruments: (seq as u32 * 4..seq as u32 * 4 + 4).rev().map(named).collect(),
                        ..commit(lane, epoch, seq)
                    });
                    assert!(ledger.commit(&commits.collect::<Vec<_>>()).unwrap().is_empty());
                }
            });
        }
    });
    let ledger = ledger_in(&database);
    assert!((0..4).all(|shard| ledger.dictionary(run, shard).unwrap().len() == 200));
    assert!(ledger.lanes(run).unwrap().iter().all(|row| row.cursor == 50));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_not_a_ledger_of_this_program_is_refused() {
    let database = Database::create();
    let mut ledger = ledger_in(&database);
    database.execute("UPDATE orchard.ledger SET version = 99");
    let error = PostgresLedger::open(&database.url()).unwrap_err().to_string();
    assert!(error.contains("has schema 99, and this program reads 2"), "{error}");
    database.execute("UPDATE orchard.ledger SET version = 2, id = 'another'");
    database.cut_connections();
    let error = ledger.beat(RunId::random(), &name("apple"), "a").unwrap_err();
    assert!(error.to_string().contains("replaced by another ledger"), "{error}");

    let missing = format!("{}_missing", database.url());
    let with_password = missing.replacen("@", ":a-secret@", 1);
    let error = PostgresLedger::open(&with_password).unwrap_err();
    assert!(!error.is_temporary());
    let text = error.to_string();
    assert!(text.contains("CREATE DATABASE") && !text.contains("a-secret"), "{text}");
}

#[test]
fn urls_that_cannot_be_read_are_shown_without_their_password() {
    for url in [
        "postgres://user:a-secret/with#signs@host/database",
        "postgres://user:a-secret@host:port/database",
        "postgres://user:a-secret@host/database?sslmode=what",
    ] {
        let error = PostgresLedger::open(url).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LedgerError::Address { .. }), "{text}");
        assert!(!text.contains("secret") && text.contains("write postgres://"), "{text}");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_ledger_of_the_version_before_is_brought_to_this_one() {
    let database = Database::create();
    let id = ledger_in(&database).id().to_owned();
    // As version 1 had it.
    database.execute("DROP VIEW orchard.signal");
    database.execute("CREATE VIEW orchard.signal AS SELECT 1::bigint AS price");
    database.execute("UPDATE orchard.ledger SET version = 1");
    assert_eq!(ledger_in(&database).id(), id);
    let rows = database.query("SELECT version FROM orchard.ledger");
    assert_eq!(rows[0].get::<i32, _>(0), 2);
    assert!(database.query("SELECT ts_recv_ns FROM orchard.signal").is_empty());
}
