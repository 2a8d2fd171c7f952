//! What only a server can show: lost connections, other programs, and SQL readers.

use std::sync::mpsc::sync_channel;
use std::thread;

use sqlx::Row;
use tick_feed::NewInstrument;
use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::names::RunId;
use tick_sdk::signal::{Signal, encode_signals};

use super::PostgresLedger;
use crate::ledger::{Commit, LaneId, Ledger, LedgerError};
use database::Database;
use proxy::Proxy;

pub(in crate::ledger) mod database;
mod proxy;

fn lane(run: RunId) -> LaneId {
    LaneId { run, strategy: "apple".to_owned(), shard: 0 }
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
fn a_server_that_restarts_is_waited_for() {
    let database = Database::alone_on_its_server();
    let mut ledger = database.ledger();
    let lane = lane(RunId::random());
    let epoch = ledger.claim(&lane, 0).unwrap().epoch;
    assert!(ledger.commit(&[commit(&lane, epoch, 0)]).unwrap().is_empty());
    database.restart_server();
    assert!(ledger.commit(&[commit(&lane, epoch, 1)]).unwrap().is_empty());
    database.cut_connections();
    assert_eq!(ledger.beat(lane.run, "apple", "a").unwrap(), ["a"]);
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
                let lanes = [3, 1, 0, 2].map(|shard| LaneId { run, strategy: strategy.to_owned(), shard });
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
    assert!(error.contains("has schema 99, and this program reads 1"), "{error}");
    database.execute("UPDATE orchard.ledger SET version = 1, id = 'another'");
    database.cut_connections();
    let error = ledger.beat(RunId::random(), "apple", "a").unwrap_err();
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
        "SELECT strategy::text, shard, seq, n, instrument, ts_event, ts_recv, side, price, bid, ask
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
