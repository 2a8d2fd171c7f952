//! What does it cost to find a symbol's shard?
//!
//!     cargo bench --bench shard_hash
//!
//! FNV-1a-64 of the key, modulo the shards, as at an instrument's first tick in a run; it is specified,
//! so that every program in every language agrees. The baseline is the standard library's SipHash,
//! which agrees with nobody. Excluded are groups and the dictionary.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tick_feed::shard_of;

const SYMBOLS: usize = 1024;
const SHARDS: u16 = 16;

fn shard_hash(criterion: &mut Criterion) {
    for (kind, prefix) in [("BTCUSDT", ""), ("binance-futures:BTCUSDT", "binance-futures:")] {
        let symbols: Vec<_> = (0..SYMBOLS).map(|i| format!("{prefix}C{i:03}USDT")).collect();
        let mut group = criterion.benchmark_group(format!("shard_hash/like {kind}"));
        group.throughput(Throughput::Elements(SYMBOLS as u64));
        group.bench_function("FNV-1a-64", |bencher| {
            bencher.iter(|| all(&symbols, |symbol| shard_of(symbol, SHARDS)));
        });
        let sip = BuildHasherDefault::<DefaultHasher>::default();
        group.bench_function("SipHash (baseline)", |bencher| {
            bencher.iter(|| all(&symbols, |symbol| (sip.hash_one(symbol) % u64::from(SHARDS)) as u16));
        });
        group.finish();
    }
}

fn all(symbols: &[String], shard: impl Fn(&str) -> u16) -> u32 {
    symbols.iter().fold(0, |sum, symbol| sum + u32::from(shard(black_box(symbol))))
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(600));
    targets = shard_hash
}
criterion_main!(benches);
