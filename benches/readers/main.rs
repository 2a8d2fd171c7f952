//! How fast does each format become ticks, on one thread?
//!
//!     cargo bench --bench readers [-- FORMAT]
//!
//! Input is generated in memory and opened as a file is, so the copy into the reader's own buffers is in
//! the time, as from a file in the page cache. Text is measured in bytes, and its baseline is memchr
//! looking for the ends of lines; DBN in records, and its baseline is the `dbn` crate's bare loop, which
//! looks at each record's type. Excluded are disks, threads and, but for DBN's packed rows, decompression.

use std::hint::black_box;
use std::io::{Cursor, Read};
use std::time::Duration;

use ::dbn::decode::DecodeRecordRef;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use orchard as _; // for its allocator
use tick_ingest::formats::dbn::DbnReader;
use tick_ingest::formats::orchard_csv::{CsvTickWriter, HEADER};
use tick_ingest::{Batch, ReadOptions, Reader};
use tick_sdk::{Side, Tick};

mod inputs;

use inputs::Input;

/// About 8 MB a text format, more than a core's own caches hold.
const ROWS: u64 = 100_000;
/// 56 to 80 MB.
const RECORDS: u64 = 1_000_000;

fn text(criterion: &mut Criterion) {
    for (format, inputs) in [
        ("Binance streams", inputs::binance_stream::ALL),
        ("CSV", inputs::csv::ALL),
        ("mapped CSV", inputs::mapped_csv::ALL),
    ] {
        let inputs: Vec<_> = inputs.iter().map(|make| make(size(ROWS))).collect();
        let mut group = criterion.benchmark_group(format!("readers/{format}"));
        let bytes = &inputs[0].bytes;
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("lines alone (baseline)", |bencher| {
            bencher.iter(|| memchr::memchr_iter(b'\n', bytes).fold(0, |sum, end| sum + black_box(end)));
        });
        for input in &inputs {
            group.throughput(Throughput::Bytes(input.bytes.len() as u64));
            group.bench_function(input.what, |bencher| bencher.iter(|| read(&mut *input.open().reader)));
        }
        group.finish();
    }
}

fn csv_writer(criterion: &mut Criterion) {
    const TIME: u64 = 1_723_161_258_362_104_917;
    let tick = Tick::trade(TIME, TIME + 2_000_000, 61_800_100_000_000, 5_000_000, Side::BUY);
    let mut writer = CsvTickWriter::new(Vec::new());
    writer.write(&tick, "BTCUSDT").expect("a Vec takes everything");
    let line = writer.finish().expect("a Vec takes everything").split_off(HEADER.len() + 1);

    let mut group = criterion.benchmark_group("readers/writing CSV");
    group.throughput(Throughput::Bytes(ROWS * line.len() as u64));
    group.bench_function("copy the lines (baseline)", |bencher| {
        let mut text = Vec::new();
        bencher.iter(|| {
            text.clear();
            (0..ROWS).for_each(|_| text.extend_from_slice(black_box(&line)));
        });
    });
    group.bench_function("Orchard", |bencher| {
        bencher.iter(|| {
            let mut writer = CsvTickWriter::new(std::io::sink());
            for i in 0..ROWS {
                let tick = Tick { price: tick.price + (i as i64 % 100) * 100_000_000, ..tick };
                writer.write(black_box(&tick), "BTCUSDT").expect("a sink takes everything");
            }
            writer.finish().expect("a sink takes everything");
        });
    });
    group.finish();
}

fn dbn(criterion: &mut Criterion) {
    let records = size(RECORDS);
    for make in inputs::dbn::ALL {
        let Input { what: schema, bytes: plain, .. } = make(records);
        let packed = zstd::encode_all(&plain[..], 3).expect("memory takes everything");
        let mut group = criterion.benchmark_group(format!("readers/DBN {schema}"));
        group.throughput(Throughput::Elements(records));
        // Both sides inflate for themselves, on this thread.
        let (plain, packed) = (&*plain.to_vec().leak(), &*packed.leak());
        for (what, is_packed) in [("plain", false), ("zstd", true)] {
            let open = || -> Box<dyn Read + Send> {
                if is_packed {
                    Box::new(zstd::Decoder::new(Cursor::new(packed)).expect("a zstd frame"))
                } else {
                    Box::new(Cursor::new(plain))
                }
            };
            group.bench_function(BenchmarkId::new("dbn alone (baseline)", what), |bencher| {
                bencher.iter(|| assert_eq!(bare_loop(open()), records));
            });
            group.bench_function(BenchmarkId::new("ticks", what), |bencher| {
                bencher.iter(|| {
                    let reader = DbnReader::open("in memory", open(), &ReadOptions::default());
                    assert_eq!(read(&mut reader.expect("a valid header")), records);
                });
            });
        }
        group.finish();
    }
}

/// As a test a hundredth suffices.
fn size(measured: u64) -> u64 {
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    if is_test { measured / 100 } else { measured }
}

/// Reads all of it; gives how many lines or records there were.
fn read(reader: &mut dyn Reader) -> u64 {
    let (mut batch, mut lines) = (Batch::default(), 0);
    loop {
        batch.clear();
        let more = reader.read(&mut batch).expect("well-formed");
        black_box(&batch.ticks);
        lines += batch.counts.lines;
        if !more {
            return lines;
        }
    }
}

/// The least that a loop over records does.
fn bare_loop(input: impl Read) -> u64 {
    let mut decoder = ::dbn::decode::dbn::Decoder::new(input).expect("a valid header");
    let mut records = 0;
    while let Some(record) = decoder.decode_record_ref().expect("valid records") {
        black_box(record.header().rtype);
        records += 1;
    }
    records
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = text, csv_writer, dbn
}
criterion_main!(benches);
