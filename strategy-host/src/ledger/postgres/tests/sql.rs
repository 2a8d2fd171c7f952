//! What people and their tools read with SQL.

use sqlx::Row;
use tick_feed::NewInstrument;
use tick_sdk::TargetPosition;
use tick_sdk::decimal::UNDEFINED_PRICE;
use tick_sdk::names::RunId;
use tick_sdk::signal::{Signal, encode_signals};

use super::{commit, lane, ledger_in};
use crate::ledger::{Commit, Ledger};
use database::testing::Database;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn sql_readers_see_the_signals_that_were_committed() {
    let database = Database::create();
    let mut ledger = ledger_in(&database);
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
    let database = Database::create();
    let mut ledger = ledger_in(&database);
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
