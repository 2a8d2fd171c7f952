//! What does a frame cost where it is made, where it enters a process, and where its ticks are read?
//!
//!     cargo bench --bench frame
//!
//! By ticks a frame. Beside each stands the least that it could be: copying the same ticks, and
//! their CRC-32C alone. Everything lies in the caches; excluded are sockets, files and threads.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use orchard as _; // for its allocator
use rkyv::util::AlignedVec;
use tick_feed::frame::wire::crc32c;
use tick_feed::{Frame, FrameFlags, FrameHeader};
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

const HEADER: FrameHeader = FrameHeader {
    run: RunId([1; 16]),
    shard: 0,
    shards: 1,
    attempt: 0,
    first_seq: 0,
    published_at: 0,
    watermark: 0,
    flags: FrameFlags::TICKS,
};

fn frame(criterion: &mut Criterion) {
    for count in [1, 100, 4096] {
        let ticks: Vec<_> = (0..count).map(|i| Tick::trade(i, i, i as i64, 1, Side::BUY)).collect();
        let row = |name| BenchmarkId::new(name, count);
        let mut group = criterion.benchmark_group("frame");
        group.throughput(Throughput::Bytes(size_of_val(&ticks[..]) as u64));

        let mut place = ticks.clone();
        group.bench_function(row("copy the ticks (baseline)"), |bencher| {
            bencher.iter(|| black_box(&mut place).copy_from_slice(black_box(&ticks)));
        });
        group.bench_function(row("build"), |bencher| {
            bencher.iter(|| {
                let mut gathered = Vec::with_capacity(ticks.len());
                gathered.extend_from_slice(black_box(&ticks));
                Arc::new(Frame::owned(HEADER, gathered))
            });
        });

        let frame = Frame::owned(HEADER, ticks.clone());
        let mut out = AlignedVec::new();
        group.bench_function(row("encode"), |bencher| {
            bencher.iter(|| black_box(&frame).encode(&mut out).expect("the frame is small enough"));
        });

        let bytes = out.to_vec();
        group.bench_function(row("crc32c alone (baseline)"), |bencher| {
            bencher.iter(|| crc32c(black_box(&bytes)));
        });
        group.bench_function(row("entry check"), |bencher| {
            let decode = |bytes| Frame::decode(bytes).expect("the frame is whole");
            bencher.iter_batched(|| bytes.clone(), decode, BatchSize::LargeInput);
        });

        // However many there are.
        group.throughput(Throughput::Elements(1));
        let received = Frame::decode(bytes).expect("the frame is whole");
        group.bench_function(row("access"), |bencher| bencher.iter(|| black_box(&received).ticks().len()));
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    targets = frame
}
criterion_main!(benches);
