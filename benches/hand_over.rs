//! What does it cost to hand frames from one thread to another?
//!
//!     cargo bench --bench hand_over
//!
//! Throughput by ticks a frame, with 16 frames waiting at most; and the time from when a frame was due,
//! one every 50 us, to the other thread, which sleeps meanwhile; of a sample the median. The receiver adds up prices. Beside the
//! transport stand crossbeam's bare channel, and none: the same sums on one thread. Excluded is making
//! the frames.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crossbeam_channel::{Receiver, Sender, bounded};
use orchard as _; // for its allocator
use tick_feed::transport::{
    Arrival, FrameReceiver, FrameSender, InProcessReceiver, InProcessSender, in_process,
};
use tick_feed::{Frame, FrameFlags, FrameHeader};
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

const WAITING_FRAMES: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(10);
const DUE_EVERY: Duration = Duration::from_micros(50);

fn throughput(criterion: &mut Criterion) {
    for ticks in [1, 16, 256, 4096] {
        let frame = Arc::new(frame(ticks));
        let mut group = criterion.benchmark_group("hand_over/throughput");
        // Each sample starts its threads, so none may be short.
        group.throughput(Throughput::Elements(ticks)).sampling_mode(SamplingMode::Flat);
        group.bench_function(BenchmarkId::new("none (baseline)", ticks), |bencher| {
            bencher.iter(|| sum(black_box(&frame)));
        });
        group.bench_function(BenchmarkId::new("crossbeam (baseline)", ticks), |bencher| {
            bencher.iter_custom(|frames| all(&frame, frames, bounded(WAITING_FRAMES)));
        });
        group.bench_function(BenchmarkId::new("orchard", ticks), |bencher| {
            bencher.iter_custom(|frames| all(&frame, frames, in_process(WAITING_FRAMES)));
        });
        group.finish();
    }
}

fn latency(criterion: &mut Criterion) {
    let frame = Arc::new(frame(1));
    let mut group = criterion.benchmark_group("hand_over/latency");
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("crossbeam (baseline)", |bencher| {
        bencher.iter_custom(|frames| lateness(&frame, frames, bounded(WAITING_FRAMES)));
    });
    group.bench_function("orchard", |bencher| {
        bencher.iter_custom(|frames| lateness(&frame, frames, in_process(WAITING_FRAMES)));
    });
    group.finish();
}

/// One end of a hand-over.
trait Give: Send {
    fn give(&self, frame: Arc<Frame>);
}

/// The other end; `None` once all is taken.
trait Take: Send {
    fn take(&mut self) -> Option<Arc<Frame>>;
}

impl Give for Sender<Arc<Frame>> {
    fn give(&self, frame: Arc<Frame>) {
        self.send(frame).expect("the receiver is there");
    }
}

impl Take for Receiver<Arc<Frame>> {
    fn take(&mut self) -> Option<Arc<Frame>> {
        self.recv().ok()
    }
}

impl Give for InProcessSender {
    fn give(&self, frame: Arc<Frame>) {
        self.send(frame).expect("the receiver is there");
    }
}

impl Take for InProcessReceiver {
    fn take(&mut self) -> Option<Arc<Frame>> {
        match self.receive(TIMEOUT).ok()? {
            Some(Arrival::Frame(frame, _)) => Some(frame),
            other => panic!("frames come sooner, and nothing else: {other:?}"),
        }
    }
}

/// How long so many frames take from the first to the last.
fn all(frame: &Arc<Frame>, frames: u64, (sender, mut receiver): (impl Give, impl Take)) -> Duration {
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(frame) = receiver.take() {
                sum(&frame);
            }
        });
        (0..frames).for_each(|_| sender.give(frame.clone()));
        drop(sender);
    });
    started.elapsed()
}

/// As long as if each of so many frames were as late as the one in their middle, from when it was due and
/// not from when it was sent.
fn lateness(frame: &Arc<Frame>, frames: u64, (sender, mut receiver): (impl Give, impl Take)) -> Duration {
    let started = Instant::now() + Duration::from_millis(1);
    let mut late = std::thread::scope(|scope| {
        let receiving = scope.spawn(move || {
            let (mut due, mut late) = (started, Vec::new());
            while let Some(frame) = receiver.take() {
                sum(&frame);
                late.push(due.elapsed());
                due += DUE_EVERY;
            }
            late
        });
        let mut due = started;
        for _ in 0..frames {
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            sender.give(frame.clone());
            due += DUE_EVERY;
        }
        drop(sender);
        receiving.join().expect("the receiver ends")
    });
    let middle = late.len() / 2;
    late.select_nth_unstable(middle).1.mul_f64(frames as f64)
}

fn frame(ticks: u64) -> Frame {
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
    Frame::owned(header, (0..ticks).map(|i| Tick::trade(i, i, i as i64, 1, Side::BUY)).collect())
}

fn sum(frame: &Frame) {
    black_box(frame.ticks().iter().fold(0i64, |sum, tick| sum.wrapping_add(tick.price)));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = throughput, latency
}
criterion_main!(benches);
