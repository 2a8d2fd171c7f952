//! What only a server can show: lost connections, other programs, and SQL readers.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use sqlx::Row;
use tick_feed::NewInstrument;
use tick_sdk::signal::encode_signals;
use tick_sdk::{RunId, Signal, StrategyName, TargetPosition, UNDEFINED_PRICE};

use super::{PostgresLedger, PostgresStore};
use crate::ledger::{Commit, LaneId, Ledger, LedgerError, MEMBER_CALL_TIMEOUT, MEMBER_LIVES};
use database::Database;
use proxy::Proxy;

pub(in crate::ledger) mod database;
mod proxy;

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
    let database = Database::new();
    let mut ledger = database.ledger();
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
    let database = Database::new();
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

    // What looks the same without a lost answer is a mistake, and one after a new claim is late.
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
    let database = Database::new();
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
    let database = Database::new();
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
    assert_whole(&mut database.ledger(), &lane, 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_server_that_restarts_is_waited_for() {
    let database = Database::alone_on_its_server();
    let mut ledger = database.ledger();
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
    let database = Database::new();
    let ids: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| database.ledger().id().to_owned())).collect();
        opening.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    // Members that commit lanes in any order, with the same instruments, do not block each other.
    let run = RunId::random();
    thread::scope(|scope| {
        for strategy in ["apple", "pear"] {
            let mut ledger = database.ledger();
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
    let ledger = database.ledger();
    assert!((0..4).all(|shard| ledger.dictionary(run, shard).unwrap().len() == 200));
    assert!(ledger.lanes(run).unwrap().iter().all(|row| row.cursor == 50));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_no_ledger_of_this_program_is_refused() {
    let database = Database::new();
    let mut ledger = database.ledger();
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
fn urls_that_cannot_be_read_are_told_without_their_password() {
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
fn sql_readers_see_the_signals_that_were_committed() {
    let database = Database::new();
    let mut ledger = database.ledger();
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    let instruments = ["A", "B", "C"].map(str::to_owned);
    let batches: Vec<Vec<Signal>> = (0..5).map(|batch| signals(batch, 200)).collect();
    for (seq, batch) in (0..).zip(&batches) {
        let mut signals = Vec::new();
        encode_signals(batch, &mut signals);
        let named = (0..).zip(instruments.clone());
        let named = named.map(|(id, symbol)| NewInstrument { id, symbol, key: String::new() }).collect();
        let commit = Commit { signals, new_instruments: named, ..commit(&lane, epoch, seq) };
        assert!(ledger.commit(&[commit]).unwrap().is_empty());
    }
    let sql = format!(
        "SELECT strategy::text, shard, seq, n, instrument, ts_event_ns, ts_recv_ns, side,
            (price * 1000000000)::bigint, (bid * 1000000000)::bigint, (ask * 1000000000)::bigint
        FROM orchard.signal WHERE run = '{}'",
        lane.run
    );
    let mut read: Vec<_> = database
        .query(&sql)
        .iter()
        .map(|row| {
            assert_eq!((row.get::<String, _>(0), row.get::<i32, _>(1)), ("apple".to_owned(), 0));
            let number = |column: usize| row.get::<i64, _>(column);
            let symbol: String = row.get(4);
            let named = instruments.iter().position(|instrument| *instrument == symbol);
            let sides = [TargetPosition::Flat, TargetPosition::Long, TargetPosition::Short];
            let book = |column: usize| row.get::<Option<i64>, _>(column).unwrap_or(UNDEFINED_PRICE);
            Signal {
                seq: number(2) as u64,
                n: number(3) as u32,
                instrument: named.expect("a symbol of these") as u32,
                ts_event: number(5) as u64,
                ts_recv: number(6) as u64,
                side: *sides.iter().find(|side| side.name() == row.get::<String, _>(7)).unwrap(),
                price: number(8),
                bid: book(9),
                ask: book(10),
            }
        })
        .collect();
    let mut expected = batches.concat();
    for signals in [&mut read, &mut expected] {
        signals.sort_by_key(|signal| (signal.seq, signal.n, signal.ts_recv, signal.price));
    }
    assert_eq!(read, expected);
    assert!(database.fails("SELECT * FROM orchard.decode_signals('\\x0480')").contains("damaged at byte"));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn sql_readers_see_times_and_prices_in_their_own_units() {
    let database = Database::new();
    let mut ledger = database.ledger();
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    let signal = Signal {
        seq: 0,
        n: 0,
        instrument: 0,
        ts_recv: 1_723_161_258_362_123_456,
        ts_event: 1_723_161_258_000_000_999,
        side: TargetPosition::Long,
        price: 61_800_100_000_000,
        bid: -1,
        ask: UNDEFINED_PRICE,
    };
    let mut signals = Vec::new();
    encode_signals(&[signal], &mut signals);
    assert!(ledger.commit(&[Commit { signals, ..commit(&lane, epoch, 0) }]).unwrap().is_empty());
    let rows = database.query(
        "SELECT concat_ws(' ', pg_typeof(ts_event), pg_typeof(ts_recv), pg_typeof(price)),
            concat_ws(' ', ts_recv AT TIME ZONE 'UTC', ts_event AT TIME ZONE 'UTC', price, bid),
            ask IS NULL, ts_recv_ns, ts_event_ns
        FROM orchard.signal",
    );
    let types = "timestamp with time zone timestamp with time zone numeric";
    assert_eq!(rows[0].get::<String, _>(0), types);
    let values = "2024-08-08 23:54:18.362123 2024-08-08 23:54:18 61800.100000000 -0.000000001";
    assert_eq!(rows[0].get::<String, _>(1), values);
    assert!(rows[0].get::<bool, _>(2), "a side of the book that was not seen");
    assert_eq!(rows[0].get::<i64, _>(3) as u64, signal.ts_recv);
    assert_eq!(rows[0].get::<i64, _>(4) as u64, signal.ts_event);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_ledger_of_the_version_before_is_brought_to_this_one() {
    let database = Database::new();
    let id = database.ledger().id().to_owned();
    // As version 1 had it.
    database.execute("DROP VIEW orchard.signal");
    database.execute("CREATE VIEW orchard.signal AS SELECT 1::bigint AS price");
    database.execute("UPDATE orchard.ledger SET version = 1");
    assert_eq!(database.ledger().id(), id);
    let rows = database.query("SELECT version FROM orchard.ledger");
    assert_eq!(rows[0].get::<i32, _>(0), 2);
    assert!(database.query("SELECT ts_recv_ns FROM orchard.signal").is_empty());
}

/// Seeded signals whose values are of every size that SQL's 64-bit numbers hold.
fn signals(seed: u64, count: usize) -> Vec<Signal> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ (seed + 1);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    // Differences of two such numbers fit, too.
    let mut number = move || (random() >> 2 >> (random() % 62)) as i64;
    let mut seqs: Vec<_> = (0..count).map(|_| number() as u64).collect();
    seqs.sort_unstable();
    let sided = |number: i64| if number & 1 == 0 { number } else { -number };
    seqs.into_iter()
        .map(|seq| Signal {
            seq,
            n: number() as u32,
            instrument: (number() % 3) as u32,
            ts_recv: number() as u64,
            ts_event: number() as u64,
            side: [TargetPosition::Flat, TargetPosition::Long, TargetPosition::Short]
                [(number() % 3) as usize],
            price: sided(number()),
            bid: if number() % 4 == 0 { UNDEFINED_PRICE } else { sided(number()) },
            ask: if number() % 4 == 0 { UNDEFINED_PRICE } else { sided(number()) },
        })
        .collect()
}
