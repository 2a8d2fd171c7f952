//! What a frame costs where it enters the process, and after: the entry check (length, version, CRC,
//! archive bounds), access to its ticks, the cursor.
//!
//! `cargo bench --bench frame`

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rkyv::util::AlignedVec;
use tick_sdk::frame::wire::crc32c;
use tick_sdk::{Cursor, Frame, FrameFlags, FrameHeader, RunId, Side, Tick};

fn frame(ticks: usize) -> Frame {
    let header = FrameHeader {
        run: RunId([1; 16]),
        shard: 0,
        shards: 1,
        attempt: 0,
        first_seq: 0,
        published_at: 0,
        watermark: 0,
        flags: FrameFlags::TICKS,
    };
    Frame::owned(header, (0..ticks as u64).map(|i| Tick::trade(i, i, i as i64, 1, Side::BUY)).collect())
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = AlignedVec::new();
    frame.encode(&mut bytes).expect("the frame is small enough");
    bytes.to_vec()
}

fn bench(criterion: &mut Criterion) {
    for ticks in [1, 100, 4096] {
        let frame = frame(ticks);
        let bytes = encoded(&frame);
        let mut group = criterion.benchmark_group("frame");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("entry check", ticks), |bencher| {
            bencher.iter_batched(
                || bytes.clone(),
                |bytes| Frame::decode(bytes).unwrap(),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(BenchmarkId::new("crc32c alone", ticks), |bencher| {
            bencher.iter(|| crc32c(black_box(&bytes)));
        });
        group.bench_function(BenchmarkId::new("encode", ticks), |bencher| {
            let mut out = AlignedVec::new();
            bencher.iter(|| frame.encode(&mut out).unwrap());
        });
        let received = Frame::decode(bytes.clone()).expect("the frame is whole");
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("access after it", ticks), |bencher| {
            bencher.iter(|| black_box(&received).ticks().len());
        });
        group.bench_function(BenchmarkId::new("cursor", ticks), |bencher| {
            let mut cursor = Cursor::default();
            bencher.iter(|| {
                let verdict = black_box(cursor).judge(black_box(cursor.next_seq()), ticks);
                cursor.advance_to(cursor.next_seq() + ticks as u64);
                verdict
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
