//! What does it cost to record a tick for live prices?
//!
//!     cargo bench --bench live --features rabbitmq
//!
//! By instruments: frames of 4,096 ticks, half of them quotes and half trades, of all instruments in turn, 100,000 ticks a
//! second of receive time. Beside the recorder stand adding up the prices, and the market of a replay's report, which does
//! as much for each tick. The thread that hands changes over 20 times a second runs meanwhile, as it does in production;
//! excluded is who reads.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use live::LiveMarket;
use orchard as _; // for its allocator
use strategy_host::market::Market;
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::names::RunId;
use tick_sdk::{Kind, Side, Tick};

const FRAME_TICKS: u64 = 4096;
const FRAMES: u64 = 256;
const TICK_NS: u64 = 10_000;

fn record(criterion: &mut Criterion) {
    for instruments in [1, 200, 10_000] {
        let mut group = criterion.benchmark_group("live");
        group.throughput(Throughput::Elements(FRAME_TICKS));
        let row = |name| BenchmarkId::new(name, instruments);
        let ticks = ticks(instruments);

        let mut frames = ticks.iter().cycle();
        group.bench_function(row("sum (baseline)"), |bencher| {
            bencher.iter(|| {
                let frame = frames.next().expect("a cycle has no end");
                black_box(frame).iter().map(|tick| tick.price).sum::<i64>()
            });
        });

        let mut market = Market::default();
        (0..instruments).for_each(|id| market.open(id, &symbol(id)).expect("ids are dense"));
        let mut frames = Renewed::new(&ticks);
        group.bench_function(row("market of the report (baseline)"), |bencher| {
            bencher.iter_batched_ref(
                || frames.next(),
                |ticks| market.run(ticks).expect("it is open"),
                BatchSize::PerIteration,
            );
        });

        let live = LiveMarket::default();
        let recorder = live.begin("feed/bench", "");
        recorder.record(&names(instruments));
        let (mut frames, mut seq) = (Renewed::new(&ticks), 0);
        group.bench_function(row("live"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    seq += FRAME_TICKS;
                    Frame::owned(header(seq - FRAME_TICKS), frames.next())
                },
                |frame| recorder.record(frame),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

/// Frames one after the other, whose times go on.
struct Renewed<'a> {
    frames: &'a [Vec<Tick>],
    next: u64,
}

impl<'a> Renewed<'a> {
    fn new(frames: &'a [Vec<Tick>]) -> Self {
        Self { frames, next: 0 }
    }

    fn next(&mut self) -> Vec<Tick> {
        let mut ticks = self.frames[(self.next % FRAMES) as usize].clone();
        let passed = self.next / FRAMES * FRAMES * FRAME_TICKS * TICK_NS;
        ticks.iter_mut().for_each(|tick| tick.ts_recv += passed);
        self.next += 1;
        ticks
    }
}

fn ticks(instruments: u32) -> Vec<Vec<Tick>> {
    let tick = |number: u64| {
        let (ts, price) = (number * TICK_NS, 1_000 + (number * number % 101) as i64);
        let tick = match number % 4 {
            0 => Tick::quote(Kind::BID, ts, ts, price - 1, 5),
            1 => Tick::quote(Kind::ASK, ts, ts, price + 1, 5).last(),
            _ => Tick::trade(ts, ts, price, 5, Side::BUY),
        };
        // Four ticks of each instrument, then those of the next one.
        tick.of((number / 4 % u64::from(instruments)) as u32)
    };
    (0..FRAMES).map(|frame| (frame * FRAME_TICKS..(frame + 1) * FRAME_TICKS).map(tick).collect()).collect()
}

fn symbol(id: u32) -> String {
    format!("S{id}")
}

fn names(instruments: u32) -> Frame {
    let names = (0..instruments).map(|id| NewInstrument { id, symbol: symbol(id), key: symbol(id) });
    Frame::owned(header(0), Vec::new()).naming(names.collect(), instruments)
}

fn header(first_seq: u64) -> FrameHeader {
    let (run, flags) = (RunId([1; 16]), FrameFlags::TICKS);
    FrameHeader { run, shard: 0, shards: 1, attempt: 0, first_seq, published_at: 0, watermark: 0, flags }
}

criterion_group!(benches, record);
criterion_main!(benches);
