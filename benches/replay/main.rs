//! How near does the main job, `.ticks` → Apple and Pear → signals committed, come to a plain loop over
//! the same mapped ticks on as many threads?
//!
//!     cargo bench --bench replay [-- ROW]
//!
//! 20 million generated ticks of 64 instruments (0.8 GB in the temporary folder, in the page cache);
//! `TICKS=100000000` takes another number. The last table gives each row's median against the faster
//! plain loop on two threads, which is the limit. Excluded are generating, and making the ledger.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use orchard as _; // for its allocator
use strategy_host::ledger::{Ledger, MemoryLedger};
use tick_feed::ticks_file::TicksWriter;
use tick_ingest::generate::{GenerateOptions, Generator};
use tick_ingest::{Batch, Reader};

mod limits;
mod no_ledger;
mod path;
#[path = "../plain_loop/mod.rs"]
mod plain_loop;

use no_ledger::NoLedger;
use path::BOTH;

const INSTRUMENTS: u32 = 64;
const SAMPLES: usize = 10;

fn replay(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = &folder.path().join("bench.ticks");
    let ticks = ticks();
    generate(path, ticks);
    // Whoever computes something else is no limit.
    let signals = limits::both(path);
    let plain = |work: fn(&Path) -> u64| move || timed(|| assert_eq!(work(path), signals));
    let hosted = |ledger: Box<dyn Ledger>| {
        let done = path::host(path, BOTH, ledger, false);
        assert_eq!(done.signals, signals);
        done.took
    };

    let mut group = criterion.benchmark_group("replay");
    group.throughput(Throughput::Elements(ticks)).sampling_mode(SamplingMode::Flat);
    let mut rows = Rows { group, measured: Vec::new() };
    rows.add("read the ticks only, 1 thread", || timed(|| limits::read(path)));
    rows.add("entry check only (CRC, bounds), 1 thread", || timed(|| limits::check(path)));
    rows.add("plain loop, Apple, 1 thread", || timed(|| limits::apple(path)));
    rows.add("plain loop, Pear, 1 thread", || timed(|| limits::pear(path)));
    rows.add("plain loop, both, 1 thread", plain(limits::both));
    rows.add("plain loop, 2 threads, Pear with its own shortcut", plain(limits::by_strategy_with_shortcut));
    rows.add("Apple's lane alone, 1 thread", || timed(|| path::lane(path, "apple")));
    rows.add("Pear's lane alone, 1 thread", || timed(|| path::lane(path, "pear")));
    rows.add("plain loop, 2 threads, half the instruments each", plain(limits::by_instrument));
    rows.add("plain loop, 2 threads, a strategy each", plain(limits::by_strategy));
    rows.add("orchard, no ledger", || hosted(Box::new(NoLedger)));
    rows.add("orchard, ledger in memory", || hosted(Box::<MemoryLedger>::default()));
    rows.add("orchard, ledger on disk", || path::on_disk(path, BOTH, false).took);
    rows.add("orchard, ledger on disk, market recorded", || path::on_disk(path, BOTH, true).took);
    rows.add("orchard, Apple alone, ledger on disk", || path::on_disk(path, &["apple"], false).took);
    rows.print(
        ticks,
        &["plain loop, 2 threads, half the instruments each", "plain loop, 2 threads, a strategy each"],
    );
}

fn ticks() -> u64 {
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let default = if is_test { 200_000 } else { 20_000_000 };
    std::env::var("TICKS").map_or(default, |text| text.parse().expect("TICKS is a number"))
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed()
}

/// Rows of one table, each measured by criterion; their medians are kept for the ratios.
struct Rows<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    measured: Vec<(&'static str, f64)>,
}

impl Rows<'_> {
    fn add(&mut self, name: &'static str, run: impl Fn() -> Duration) {
        let samples = RefCell::new(Vec::new());
        self.group.bench_function(name, |bencher| {
            bencher.iter_custom(|runs| {
                let all: Duration = (0..runs).map(|_| run()).sum();
                samples.borrow_mut().push(all.as_secs_f64() / runs as f64);
                all
            });
        });
        let mut samples = samples.into_inner();
        // What came before is warming up.
        samples.drain(..samples.len().saturating_sub(SAMPLES));
        samples.sort_by(f64::total_cmp);
        if let Some(median) = samples.get(samples.len() / 2) {
            self.measured.push((name, *median));
        }
    }

    /// Every row against the fastest of those that are the limit.
    fn print(self, ticks: u64, limits: &[&str]) {
        self.group.finish();
        let of_limits = self.measured.iter().filter(|(name, _)| limits.contains(name));
        let limit = of_limits.map(|(_, seconds)| *seconds).fold(f64::INFINITY, f64::min);
        println!("{ticks} ticks; medians\n{:<52} {:>8} {:>8} {:>9}", "", "M/s", "GB/s", "of limit");
        for (name, seconds) in &self.measured {
            let rate = ticks as f64 / seconds;
            let of_limit = if limit.is_finite() { format!("{:.2}", limit / seconds) } else { String::new() };
            println!("{name:<52} {:>8.1} {:>8.2} {of_limit:>9}", rate / 1e6, rate * 40.0 / 1e9);
        }
    }
}

fn generate(path: &Path, ticks: u64) {
    let options = GenerateOptions {
        ticks,
        instruments: INSTRUMENTS,
        mean_gap_ns: 10_000,
        ..GenerateOptions::default()
    };
    let mut generator = Generator::new(options);
    let file = BufWriter::with_capacity(1 << 20, File::create(path).expect("the file can be made"));
    let mut writer = TicksWriter::new(file).expect("the file can be written");
    let mut batch = Batch::default();
    let mut more = true;
    while more {
        batch.clear();
        more = generator.read(&mut batch).expect("a generator does not fail");
        for symbol in &batch.new_symbols {
            writer.add_symbol(&symbol.symbol).expect("the symbol fits");
        }
        writer.write(&batch.ticks).expect("the file can be written");
    }
    writer.finish().expect("the file can be written").flush().expect("the file can be written");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = replay
}
criterion_main!(benches);
