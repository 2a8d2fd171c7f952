//! What does recording the market add to each tick? 64 instruments, quotes and trades mixed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strategies::market::Market;
use tick_sdk::{Kind, Side, Tick};

const INSTRUMENTS: u32 = 64;

fn bench(criterion: &mut Criterion) {
    let ticks = ticks(1 << 20);
    let mut group = criterion.benchmark_group("market");
    group.throughput(Throughput::Elements(ticks.len() as u64));
    group.bench_function("record 1 Mi ticks, 64 instruments", |bencher| {
        bencher.iter(|| {
            let mut market = Market::default();
            for id in 0..INSTRUMENTS {
                market.open(id, "X").expect("ids are dense");
            }
            for frame in ticks.chunks(4096) {
                market.run(black_box(frame)).expect("every id is open");
            }
            black_box(Market::collect([market]))
        });
    });
    // The part that any reader of the ticks pays.
    group.bench_function("touch every tick", |bencher| {
        bencher.iter(|| ticks.iter().fold(0i64, |sum, tick| sum.wrapping_add(black_box(tick).price)));
    });
    group.finish();
}

/// A seeded walk: each event picks an instrument, then a trade (a third) or a bid and an ask.
fn ticks(count: usize) -> Vec<Tick> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut middles = [50_000_000_000_000i64; INSTRUMENTS as usize];
    let mut ticks = Vec::with_capacity(count + 1);
    let mut ts = 1_723_161_600_000_000_000u64;
    while ticks.len() < count {
        let draw = random();
        let id = (draw % u64::from(INSTRUMENTS)) as u32;
        let middle = &mut middles[id as usize];
        *middle += (draw >> 32 & 0xff) as i64 * 1_000_000 - 127_500_000;
        // A bucket holds some hundred ticks of an instrument, as in a run of 100 million.
        ts += draw >> 56;
        if draw >> 40 & 0xff < 85 {
            ticks.push(Tick::trade(ts, ts, *middle, 1, Side::BUY).of(id));
        } else {
            ticks.push(Tick::quote(Kind::BID, ts, ts, *middle - 50_000_000, 1).of(id));
            ticks.push(Tick::quote(Kind::ASK, ts, ts, *middle + 50_000_000, 1).of(id).last());
        }
    }
    ticks
}

criterion_group!(benches, bench);
criterion_main!(benches);
