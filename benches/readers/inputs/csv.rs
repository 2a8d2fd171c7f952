//! How many bytes of CSV a second does one thread turn into ticks?
//!
//! Each line goes through the format's own parser, found by detection as for a file; the loop that
//! cuts lines is a bare memchr, and has a row of its own. Files, decompression and threads are not in it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;
use tick_ingest::{Batch, ReadOptions, formats};
use tick_sdk::{Kind, Side, Tick};

/// About 8 MB a format: more than the caches of a core hold.
const ROWS: u64 = 100_000;

/// A random walk, so that the lengths of numbers change as in a capture.
struct Walk {
    state: u64,
    price: i64,
    ns: u64,
}

impl Walk {
    fn new() -> Self {
        Self { state: 1, price: 618_001, ns: 1_723_161_258_362_104_917 }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn step(&mut self) -> (u64, String, String) {
        self.ns += self.next(20_000_000) + 1_000;
        self.price += self.next(21) as i64 - 10;
        let size = match self.next(3) {
            0 => format!("0.00{}", self.next(9) + 1),
            1 => format!("0.{:03}", self.next(999)),
            _ => format!("{}.{:03}", self.next(40), self.next(999)),
        };
        (self.ns, format!("{}.{}", self.price / 10, self.price % 10), size)
    }
}

fn text(header: &str, mut row: impl FnMut(&mut Walk, &mut String)) -> String {
    let mut walk = Walk::new();
    let mut text = format!("{header}\n");
    for _ in 0..ROWS {
        row(&mut walk, &mut text);
        text.push('\n');
    }
    text
}

fn orchard(symbols: u64) -> String {
    let mut writer = formats::orchard_csv::CsvTickWriter::new(Vec::new());
    let mut walk = Walk::new();
    let names: Vec<String> =
        (0..symbols).map(|i| if i == 0 { "BTCUSDT".into() } else { format!("COIN{i}USDT") }).collect();
    for i in 0..ROWS {
        let (ns, _, _) = walk.step();
        let tick = match i % 4 {
            0 => Tick::trade(
                ns,
                ns + 2_000_000,
                walk.price * 100_000_000,
                walk.next(40_000) * 1_000_000,
                Side::BUY,
            ),
            1 => Tick::quote(
                Kind::BID,
                ns,
                ns + 2_000_000,
                walk.price * 100_000_000,
                walk.next(40_000) * 1_000_000,
            ),
            _ => Tick::quote(
                Kind::ASK,
                ns,
                ns + 2_000_000,
                walk.price * 100_000_000,
                walk.next(40_000) * 1_000_000,
            )
            .last(),
        };
        let symbol = walk.next(symbols) as usize;
        writer.write(&tick, &names[symbol]).expect("a Vec takes everything");
    }
    String::from_utf8(writer.finish().expect("a Vec takes everything")).expect("text")
}

fn cases() -> Vec<(&'static str, &'static str, String, Option<&'static str>)> {
    vec![
        ("orchard", "x.csv", orchard(1), None),
        ("orchard of 64 symbols", "x.csv", orchard(64), None),
        (
            "binance trades",
            "BTCUSDT-trades-2024-08-08.csv",
            text("id,price,qty,quote_qty,time,is_buyer_maker", |walk, out| {
                let (ns, price, size) = walk.step();
                let _ = write!(
                    out,
                    "{},{price},{size},{}.{:04},{},{}",
                    ns % 5_000_000_000,
                    walk.next(9000),
                    walk.next(9999),
                    ns / 1_000_000,
                    walk.next(2) == 0
                );
            }),
            None,
        ),
        (
            "binance aggTrades",
            "BTCUSDT-aggTrades-2024-08-08.csv",
            text(
                "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
                |walk, out| {
                    let (ns, price, size) = walk.step();
                    let id = ns % 5_000_000_000;
                    let _ = write!(
                        out,
                        "{},{price},{size},{id},{},{},{}",
                        id / 3,
                        id + 2,
                        ns / 1_000_000,
                        walk.next(2) == 0
                    );
                },
            ),
            None,
        ),
        (
            "binance bookTicker",
            "BTCUSDT-bookTicker-2024-08-08.csv",
            text(
                "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
                |walk, out| {
                    let (ns, price, size) = walk.step();
                    let (_, ask, ask_size) = walk.step();
                    let ms = ns / 1_000_000;
                    let _ = write!(
                        out,
                        "{},{price},{size},{ask},{ask_size},{ms},{}",
                        ns % 5_000_000_000_000,
                        ms + 4
                    );
                },
            ),
            None,
        ),
        (
            "tardis trades",
            "x.csv",
            text("exchange,symbol,timestamp,local_timestamp,id,side,price,amount", |walk, out| {
                let (ns, price, size) = walk.step();
                let side = if walk.next(2) == 0 { "buy" } else { "sell" };
                let _ = write!(
                    out,
                    "binance-futures,BTCUSDT,{},{},{},{side},{price},{size}",
                    ns / 1000,
                    ns / 1000 + 3011,
                    ns % 5_000_000_000
                );
            }),
            None,
        ),
        (
            "tardis quotes",
            "x.csv",
            text(
                "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
                |walk, out| {
                    let (ns, price, size) = walk.step();
                    let (_, ask, ask_size) = walk.step();
                    let _ = write!(
                        out,
                        "binance-futures,BTCUSDT,{},{},{ask_size},{ask},{price},{size}",
                        ns / 1000,
                        ns / 1000 + 3011
                    );
                },
            ),
            None,
        ),
        (
            "mapped trades in ms",
            "x.csv",
            text("ts,local_ts,sym,px,qty,aggressor", |walk, out| {
                let (ns, price, size) = walk.step();
                let side = if walk.next(2) == 0 { "buy" } else { "sell" };
                let _ = write!(out, "{},{},BTCUSDT,{price},{size},{side}", ns / 1_000_000, ns + 3_000_000);
            }),
            Some("time=ts:ms,recv=local_ts:ns,symbol=sym,price=px,size=qty,side=aggressor"),
        ),
        (
            "mapped quotes in RFC 3339",
            "x.csv",
            text("time;symbol;bid;bid_size;ask;ask_size", |walk, out| {
                let (ns, price, size) = walk.step();
                let (_, ask, ask_size) = walk.step();
                let time = jiff::Timestamp::from_nanosecond(ns.into()).expect("a time of our days");
                let _ = write!(out, "{time:.6};BTCUSDT;{price};{size};{ask};{ask_size}");
            }),
            Some(
                "time=time:rfc3339,symbol=symbol,bid=bid,bid_size=bid_size,ask=ask,ask_size=ask_size,delimiter=;",
            ),
        ),
        (
            "mapped trades by pattern",
            "x.csv",
            text("time,symbol,price,size,side", |walk, out| {
                let (ns, price, size) = walk.step();
                let time = jiff::Timestamp::from_nanosecond(ns.into()).expect("a time of our days");
                let _ = write!(out, "{},BTCUSDT,{price},{size},B", time.strftime("%d.%m.%Y %H:%M:%S%.6f"));
            }),
            Some("time=time:%d.%m.%Y %H:%M:%S%.f,symbol=symbol,price=price,size=size,side=side"),
        ),
    ]
}

fn csv_readers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("csv_readers");
    group.sample_size(20);
    let cases = cases();
    let lines = &cases[0].2;
    group.throughput(Throughput::Bytes(lines.len() as u64));
    group.bench_function("lines alone", |bencher| {
        bencher.iter(|| {
            each_line(lines.as_bytes(), |line| {
                black_box(line);
            })
        });
    });
    for (name, file, text, mapping) in &cases {
        let mapping = mapping.map(|text| text.parse().expect("a mapping"));
        let options = ReadOptions { mapping, ..ReadOptions::default() };
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let head = &text.as_bytes()[..1 << 16];
                let (_, mut parser) =
                    formats::csv::detect(file, head, &options).expect("a format").expect("a format");
                let mut batch = Batch::default();
                let mut number = 0;
                each_line(text.as_bytes(), |line| {
                    number += 1;
                    batch.at_line(number);
                    parser.line(line, &mut batch).expect("a good line");
                    if batch.is_full() {
                        black_box(&batch);
                        batch.clear();
                    }
                });
            });
        });
    }
    group.finish();
}

fn csv_writer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("csv_writer");
    group.sample_size(20);
    let bytes = orchard(1).len() as u64;
    group.throughput(Throughput::Bytes(bytes));
    let tick = Tick::trade(
        1_723_161_258_362_104_917,
        1_723_161_258_364_104_917,
        61_800_100_000_000,
        5_000_000,
        Side::BUY,
    );
    let mut line = Vec::new();
    let mut writer = formats::orchard_csv::CsvTickWriter::new(&mut line);
    writer.write(&tick, "BTCUSDT").expect("a Vec takes everything");
    writer.finish().expect("a Vec takes everything");
    let length = line.len() - formats::orchard_csv::HEADER.len() - 1;
    group.throughput(Throughput::Bytes(ROWS * length as u64));
    group.bench_function("orchard", |bencher| {
        bencher.iter(|| {
            let mut writer = formats::orchard_csv::CsvTickWriter::new(std::io::sink());
            for i in 0..ROWS {
                let mut tick = tick;
                tick.price += (i as i64 % 100) * 100_000_000;
                writer.write(black_box(&tick), "BTCUSDT").expect("a sink takes everything");
            }
            writer.finish().expect("a sink takes everything");
        });
    });
    group.finish();
}

fn each_line(text: &[u8], mut line: impl FnMut(&[u8])) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text) {
        line(&text[start..end]);
        start = end + 1;
    }
}

criterion_group!(benches, csv_readers, csv_writer);
criterion_main!(benches);
