//! What does a tick cost in a strategy, and what does it cost to record the market?
//!
//!     cargo bench --bench strategy
//!
//! A million ticks of 64 instruments in frames of 4,096, from memory, on one thread. Apple and Pear run
//! in their lanes, as in a host; the baselines are plain loops over the same ticks, and of the recorder
//! touching each tick. Excluded are frames, the cursor, threads and the ledger.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use orchard as _; // for its allocator
use strategy_host::market::Market;
use tick_ingest::generate::{GenerateOptions, Generator};
use tick_ingest::{Batch, Reader};
use tick_sdk::Tick;
use tick_sdk::host::Registration;

mod plain_loop;

use plain_loop::{PlainApple, PlainPear};

const TICKS: u64 = 1 << 20;
const INSTRUMENTS: u32 = 64;
const FRAME_TICKS: usize = 4096;

fn strategy(criterion: &mut Criterion) {
    let ticks = ticks();
    let mut group = criterion.benchmark_group("strategy");
    group.throughput(Throughput::Elements(ticks.len() as u64));
    // One call through the pointer for a million ticks.
    let mut row = |name: &str, work: &mut dyn FnMut(&[Tick])| {
        group.bench_function(name, |bencher| bencher.iter(|| work(black_box(&ticks))));
    };

    row("Apple, plain loop (baseline)", &mut plain_loop(PlainApple::on_tick));
    row("Apple, lane", &mut lane("apple"));
    row("Pear, plain loop (baseline)", &mut plain_loop(PlainPear::on_tick::<false>));
    row("Pear, plain loop with its own shortcut (baseline)", &mut plain_loop(PlainPear::on_tick::<true>));
    row("Pear, lane", &mut lane("pear"));
    row("touch every tick (baseline)", &mut |ticks| {
        black_box(ticks.iter().fold(0i64, |sum, tick| sum.wrapping_add(black_box(tick).price)));
    });
    row("market recorded", &mut |ticks| {
        let mut market = Market::default();
        for id in 0..INSTRUMENTS {
            market.open(id, "X").expect("ids are dense");
        }
        for frame in ticks.chunks(FRAME_TICKS) {
            market.run(frame).expect("every id is open");
        }
        black_box(Market::collect([market]));
    });
    group.finish();
}

fn plain_loop<S: Copy + Default>(on_tick: impl Fn(&mut S, &Tick) -> u64) -> impl FnMut(&[Tick]) {
    let mut states = [S::default(); INSTRUMENTS as usize];
    move |ticks| {
        let signals: u64 =
            ticks.iter().map(|tick| on_tick(&mut states[tick.instrument as usize], tick)).sum();
        black_box(signals);
    }
}

fn lane(name: &str) -> impl FnMut(&[Tick]) {
    let configured = Registration::find(name).expect("it is registered").configure(&[]);
    let mut lane = configured.expect("defaults fit").lane(&Arc::default());
    for id in 0..INSTRUMENTS {
        lane.open(id, &format!("S{id}"), &format!("S{id}")).expect("ids come in order");
    }
    let mut seq = 0;
    move |ticks| {
        for frame in ticks.chunks(FRAME_TICKS) {
            lane.run(seq, frame).expect("every id is open");
            seq += frame.len() as u64;
            black_box(lane.signals()).clear();
        }
    }
}

/// So close together that a bucket of the recorder's series holds some hundred ticks of an instrument,
/// as in a run of 100 million.
fn ticks() -> Vec<Tick> {
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let options = GenerateOptions {
        ticks: if is_test { TICKS / 100 } else { TICKS },
        instruments: INSTRUMENTS,
        mean_gap_ns: 128,
        ..GenerateOptions::default()
    };
    let mut generator = Generator::new(options);
    let (mut ticks, mut batch) = (Vec::new(), Batch::default());
    let mut more = true;
    while more {
        batch.clear();
        more = generator.read(&mut batch).expect("a generator does not fail");
        ticks.extend_from_slice(&batch.ticks);
    }
    ticks
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = strategy
}
criterion_main!(benches);
