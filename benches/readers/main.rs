//! How fast does each format become ticks, on one thread, in bytes of decompressed input?
//!
//! Everything is generated in memory, so no disk and no decompression is measured, but the copy
//! into the reader's own buffers is, as from a file in the page cache.

use std::fmt::Write;
use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tick_ingest::{Batch, ReadOptions, detect};

/// Captures of Binance's streams with the shapes and the shares of events of a real one: three
/// book tickers for a trade, and in the mixture a depth update of 1,600 bytes for every 13 of them.
fn binance_stream(c: &mut Criterion) {
    let mut group = c.benchmark_group("binance_stream");
    for (name, depth) in [("book_tickers_and_trades", false), ("with_depth", true)] {
        let (capture, ticks) = capture(100_000, depth);
        let capture: Arc<[u8]> = capture.into_bytes().into();
        group.throughput(Throughput::Bytes(capture.len() as u64));
        group.bench_function(name, |b| b.iter(|| assert_eq!(read(&capture), ticks)));
    }
    group.finish();
}

/// Reads all of it, and says how many ticks it held.
fn read(source: &Arc<[u8]>) -> usize {
    let source = Box::new(Cursor::new(Arc::clone(source)));
    let mut opened =
        detect::open_reader("in memory", source, &ReadOptions::default()).expect("a known format");
    let (mut batch, mut ticks) = (Batch::default(), 0);
    loop {
        batch.clear();
        let more = opened.reader.read(&mut batch).expect("well-formed");
        ticks += black_box(&batch.ticks).len();
        if !more {
            return ticks;
        }
    }
}

fn capture(events: u64, depth: bool) -> (String, usize) {
    let (mut out, mut ticks) = (String::new(), 0);
    let mut random = 1u64;
    for i in 0..events {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (recv, time) = (1_723_161_255_030_314_667 + i * 150_123, 1_723_161_256_299 + i / 7);
        let price = 6_180_000 + (random >> 40) % 5_000;
        let (bid, ask) = (cents(price), cents(price + 10));
        let (one, two) = (thousandths(random >> 33 & 0x3fff), thousandths(random >> 50));
        if (random >> 60).is_multiple_of(4) {
            let maker = random >> 59 & 1 == 1;
            let id = 5_266_583_935 + i;
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"T\":{time},\"s\":\"BTCUSDT\",\"t\":{id},\"p\":\"{bid}\",\"q\":\"{one}\",\"X\":\"MARKET\",\"m\":{maker}}}}}")
                .expect("a String takes all");
            ticks += 1;
        } else {
            let id = 5_123_107_839_020 + i;
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{id},\"s\":\"BTCUSDT\",\"b\":\"{bid}\",\"B\":\"{one}\",\"a\":\"{ask}\",\"A\":\"{two}\",\"T\":{time},\"E\":{time}}}}}")
                .expect("a String takes all");
            ticks += 2;
        }
        if depth && i % 13 == 0 {
            let levels = format!("[\"{bid}\",\"{one}\"],").repeat(35) + "[\"1.00\",\"0.000\"]";
            writeln!(out, "{recv} {{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{time},\"T\":{time},\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"pu\":0,\"b\":[{levels}],\"a\":[{levels}]}}}}")
                .expect("a String takes all");
        }
    }
    (out, ticks)
}

fn cents(n: u64) -> String {
    format!("{}.{:02}", n / 100, n % 100)
}

fn thousandths(n: u64) -> String {
    format!("{}.{:03}", n / 1000, n % 1000)
}

criterion_group!(benches, binance_stream);
criterion_main!(benches);
