//! What does it cost to judge a frame by the cursor: all of it new, a suffix, a duplicate, a gap?
//!
//!     cargo bench --bench cursor
//!
//! A judgement a frame, whatever its ticks; the baseline is one comparison and one addition. Excluded
//! is everything that follows from the judgement.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tick_feed::Cursor;

const TICKS: usize = 4096;

fn cursor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cursor");
    group.throughput(Throughput::Elements(1));
    group.bench_function("compare and add (baseline)", |bencher| {
        let mut next = 0u64;
        bencher.iter(|| {
            let is_next = black_box(next) == black_box(next);
            next = black_box(next + TICKS as u64);
            is_next
        });
    });
    group.bench_function("all new", |bencher| {
        let mut cursor = Cursor::default();
        bencher.iter(|| {
            let verdict = black_box(cursor).judge(black_box(cursor.next_seq()), TICKS);
            cursor.advance_to(black_box(cursor.next_seq() + TICKS as u64));
            verdict
        });
    });
    let at = Cursor::at(1_000_000);
    for (name, first_seq) in [
        ("suffix", 1_000_000 - TICKS as u64 / 2),
        ("duplicate", 1_000_000 - TICKS as u64),
        ("gap", 1_000_000 + TICKS as u64),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(at).judge(black_box(first_seq), black_box(TICKS)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    targets = cursor
}
criterion_main!(benches);
