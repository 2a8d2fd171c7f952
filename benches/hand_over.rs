//! Handing frames from one thread to another: throughput, and latency at a rate far below it.
//!
//! `cargo bench --bench hand_over`. The receiver adds up prices; "no hand-over" does so on one
//! thread. Beside the transport stands crossbeam's bare channel with the same bound.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tick_sdk::transport::{Arrival, FrameReceiver, FrameSender, in_process};
use tick_sdk::{Frame, FrameFlags, FrameHeader, RunId, Side, Tick};

const WAITING_FRAMES: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() {
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let ticks = if is_test { 100_000 } else { 100_000_000 };
    println!(
        "{:<28} {:>12} {:>12} {:>12} {:>10} {:>10}",
        "million ticks/s, latency", "no hand-over", "crossbeam", "orchard", "p50 us", "p99 us"
    );
    for batch in [1, 16, 256, 4096] {
        let frame = Arc::new(frame(batch));
        let count = (ticks / batch).min(3_000_000);
        let rate = |seconds: f64| (count * batch) as f64 / seconds / 1e6;
        let none = rate(seconds(|| (0..count).for_each(|_| sum(black_box(&frame)))));
        let bare = rate(seconds(|| through_crossbeam(&frame, count)));
        let ours = rate(seconds(|| through_transport(&frame, count)));
        let latency = latency(&frame, if is_test { 100 } else { 20_000 });
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        println!(
            "{:<28} {none:>12.0} {bare:>12.1} {ours:>12.1} {:>10.1} {:>10.1}",
            format!("{batch} ticks a frame"),
            at(0.5),
            at(0.99)
        );
    }
}

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

fn sum(frame: &Frame) {
    black_box(frame.ticks().iter().fold(0i64, |sum, tick| sum.wrapping_add(tick.price)));
}

fn frame_of(arrival: Option<Arrival>) -> Arc<Frame> {
    match arrival {
        Some(Arrival::Frame(frame, _)) => frame,
        other => panic!("frames come sooner, and nothing else: {other:?}"),
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

fn through_crossbeam(frame: &Arc<Frame>, count: usize) {
    let (sender, receiver) = crossbeam_channel::bounded::<Arc<Frame>>(WAITING_FRAMES);
    std::thread::scope(|scope| {
        scope.spawn(move || receiver.iter().for_each(|frame| sum(&frame)));
        (0..count).for_each(|_| sender.send(frame.clone()).expect("the receiver is there"));
        drop(sender);
    });
}

fn through_transport(frame: &Arc<Frame>, count: usize) {
    let (sender, mut receiver) = in_process(WAITING_FRAMES);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(arrival) = receiver.receive(TIMEOUT) {
                sum(&frame_of(arrival));
            }
        });
        (0..count).for_each(|_| sender.send(frame.clone()).expect("the receiver is there"));
        drop(sender);
    });
}

/// From the intended time of sending to the receiver's hands, in ns, one frame every 50 us.
fn latency(frame: &Arc<Frame>, count: usize) -> Histogram<u64> {
    let every = Duration::from_micros(50);
    let (sender, mut receiver) = in_process(WAITING_FRAMES);
    let mut histogram = Histogram::new_with_max(1_000_000_000, 2).expect("the bounds are valid");
    let started = Instant::now() + Duration::from_millis(1);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(move || {
            let mut due = started;
            while let Ok(arrival) = receiver.receive(TIMEOUT) {
                sum(&frame_of(arrival));
                histogram.saturating_record(due.elapsed().as_nanos() as u64);
                due += every;
            }
            histogram
        });
        for number in 0..count {
            let due = started + every * number as u32;
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            sender.send(frame.clone()).expect("the receiver is there");
        }
        drop(sender);
        receiving.join().expect("the receiver ends")
    })
}
