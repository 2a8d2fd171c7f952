//! How much of the bare `dbn` decoder's speed is left once records have become ticks?
//!
//! Both loops take the same bytes from memory, and inflate them themselves in the rows with zstd. The
//! bare one decodes each record and looks at its type, which is the least that anybody does with it.
//! Throughput is in records: one in eight of mbo is a trade, and nearly each of mbp-1 changes the book
//! of one of 64 instruments, which makes two ticks. Generating them is outside the measure.
//!
//! `cargo bench --bench dbn_reader`

use std::ffi::c_char;
use std::hint::black_box;
use std::io::{Cursor, Read};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dbn::decode::DecodeRecordRef;
use dbn::encode::EncodeRecord;
use dbn::{BidAskPair, MappingInterval, MboMsg, Mbp1Msg, Metadata, RecordHeader, SType, Schema};
use dbn::{SymbolMapping, TradeMsg, rtype};
use tick_ingest::formats::dbn::DbnReader;
use tick_ingest::{Batch, ReadOptions, Reader};

const RECORDS: u64 = 1_000_000;
const INSTRUMENTS: u64 = 64;
/// 2020-12-28, 00:00 UTC.
const START: u64 = 1_609_113_600_000_000_000;

/// A million records of a schema, plain; `seed` makes them the same each time.
fn generate(schema: Schema) -> Vec<u8> {
    let mut encoder = dbn::encode::dbn::Encoder::new(Vec::new(), &metadata(schema)).expect("a valid header");
    let mut seed = 1_u64;
    for number in 0..RECORDS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = seed >> 33;
        let instrument = (random % INSTRUMENTS) as u32;
        let ts_recv = START + number * 1_000 + random % 500;
        let price = 3_700_000_000_000 + (random >> 8 & 63) as i64 * 250_000_000;
        let size = (random >> 14 & 31) as u32 + 1;
        let action = if random >> 20 & 7 == 0 { b'T' } else { b"ACM"[(random % 3) as usize] } as c_char;
        let side = b"AB"[(random >> 4 & 1) as usize] as c_char;
        let written = match schema {
            Schema::Mbo => encoder.encode_record(&MboMsg {
                hd: RecordHeader::new::<MboMsg>(rtype::MBO, 1, instrument, ts_recv - 300),
                order_id: seed,
                price,
                size,
                action,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                ..MboMsg::default()
            }),
            Schema::Mbp1 => encoder.encode_record(&Mbp1Msg {
                hd: RecordHeader::new::<Mbp1Msg>(rtype::MBP_1, 1, instrument, ts_recv - 300),
                price,
                size,
                action,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                levels: [level(price, size)],
                ..Mbp1Msg::default()
            }),
            _ => encoder.encode_record(&TradeMsg {
                hd: RecordHeader::new::<TradeMsg>(rtype::MBP_0, 1, instrument, ts_recv - 300),
                price,
                size,
                action: b'T' as c_char,
                side,
                ts_recv,
                ts_in_delta: 200,
                sequence: number as u32,
                ..TradeMsg::default()
            }),
        };
        written.expect("memory takes everything");
    }
    encoder.get_ref().clone()
}

fn level(price: i64, size: u32) -> BidAskPair {
    let (bid_px, ask_px) = (price - 250_000_000, price);
    BidAskPair { bid_px, ask_px, bid_sz: size, ask_sz: size ^ 7, bid_ct: 3, ask_ct: 4 }
}

fn metadata(schema: Schema) -> Metadata {
    let date = |ts| dbn::record::ts_to_dt(ts).expect("a time").date();
    let (start_date, end_date) = (date(START), date(START + 86_400_000_000_000));
    let mappings = (0..INSTRUMENTS).map(|instrument| SymbolMapping {
        raw_symbol: format!("SYM{instrument}"),
        intervals: vec![MappingInterval { start_date, end_date, symbol: instrument.to_string() }],
    });
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(Some(schema))
        .start(START)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .mappings(mappings.collect())
        .build()
}

/// The least that a loop over records does.
fn bare(input: impl Read) -> u64 {
    let mut decoder = dbn::decode::dbn::Decoder::new(input).expect("a valid header");
    let mut records = 0;
    while let Some(record) = decoder.decode_record_ref().expect("valid records") {
        black_box(record.header().rtype);
        records += 1;
    }
    records
}

fn ticks(input: Box<dyn Read + Send>) -> u64 {
    let mut reader = DbnReader::open("bench", input, &ReadOptions::default()).expect("a valid header");
    let (mut batch, mut records) = (Batch::default(), 0);
    loop {
        batch.clear();
        let more = reader.read(&mut batch).expect("valid records");
        black_box(&batch.ticks);
        records += batch.counts.lines;
        if !more {
            return records;
        }
    }
}

fn dbn_reader(criterion: &mut Criterion) {
    for schema in [Schema::Mbo, Schema::Mbp1, Schema::Trades] {
        let plain: &'static [u8] = generate(schema).leak();
        let packed: &'static [u8] = zstd::encode_all(plain, 3).expect("memory takes everything").leak();
        let inflate = || zstd::Decoder::new(Cursor::new(packed)).expect("a zstd frame");
        let mut group = criterion.benchmark_group(format!("dbn_reader/{schema}"));
        group.sample_size(20).throughput(Throughput::Elements(RECORDS));
        for row in ["plain", "zstd"] {
            group.bench_function(BenchmarkId::new("bare", row), |bencher| {
                bencher.iter(|| {
                    let records = if row == "plain" { bare(Cursor::new(plain)) } else { bare(inflate()) };
                    assert_eq!(records, RECORDS);
                });
            });
            group.bench_function(BenchmarkId::new("ticks", row), |bencher| {
                bencher.iter(|| {
                    let input: Box<dyn Read + Send> =
                        if row == "plain" { Box::new(Cursor::new(plain)) } else { Box::new(inflate()) };
                    assert_eq!(ticks(input), RECORDS);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, dbn_reader);
criterion_main!(benches);
