//! The main job against its limit: `.ticks` → Apple and Pear → signals committed, beside a plain
//! loop over the same mapped ticks on as many threads.
//!
//! `cargo bench --bench replay` takes 100 million generated ticks of 64 instruments (4 GB in the
//! temporary folder); `TICKS=10000000` another number, `ROWS=disk`
//! only rows whose name holds that. Rows are run in turn, five times, and each
//! row's median is printed; ratios are of medians of one run.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use strategies::host::{HostPlan, Instance, RunningHost};
use strategies::ledger::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MemberRow, MemoryLedger, OpenedRun,
    RunRow, SqliteLedger, StoredBatch,
};
use tick_ingest::feed::{self, FeedControl, FeedPlan, Pace, SourceSpec, TickSelection};
use tick_ingest::generate::{GenerateOptions, Generator};
use tick_ingest::{Batch, ReadOptions, Reader};
use tick_sdk::run::Manifest;
use tick_sdk::ticks_file::{TicksFile, TicksWriter};
use tick_sdk::{Groups, Kind, NewInstrument, Registration, RunId, Tick, UNDEFINED_PRICE};

use orchard as _; // for its allocator

const INSTRUMENTS: u32 = 64;
const BOTH: &[&str] = &["apple", "pear"];

fn main() {
    // `cargo test --benches` wants to see it run, not to wait for it.
    let is_test = !std::env::args().any(|arg| arg == "--bench");
    let default = if is_test { 200_000 } else { 100_000_000 };
    let ticks = std::env::var("TICKS").map_or(default, |text| text.parse().expect("TICKS is a number"));
    let rounds = if is_test {
        1
    } else {
        std::env::var("ROUNDS").map_or(5, |text| text.parse().expect("ROUNDS is a number"))
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("bench.ticks");
    generate(&path, ticks);

    let mut rows = rows(&path, folder.path());
    if let Ok(only) = std::env::var("ROWS") {
        rows.retain(|row| row.name.contains(&only));
    }
    for _ in 0..rounds {
        for row in &mut rows {
            let done = (row.work)();
            row.seconds.push(done.seconds);
            row.signals = done.signals;
        }
    }
    print(&mut rows, ticks);
}

/// What one run of a row did, and how long it took.
struct Done {
    signals: u64,
    seconds: f64,
}

fn timed(work: impl FnOnce() -> u64) -> Done {
    let started = Instant::now();
    let signals = work();
    Done { signals, seconds: started.elapsed().as_secs_f64() }
}

struct Row<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> Done + 'a>,
    seconds: Vec<f64>,
    signals: u64,
}

fn rows<'a>(path: &'a Path, folder: &'a Path) -> Vec<Row<'a>> {
    let row = |name, work| Row { name, work, seconds: Vec::new(), signals: 0 };
    let disk = move |names: &[&str], market| {
        let ledger = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
        host(path, names, Box::new(SqliteLedger::open(ledger.path()).expect("a ledger can be made")), market)
    };
    vec![
        row("read the ticks only, 1 thread", Box::new(move || timed(|| sum(path)))),
        row("entry check only (CRC, bounds), 1 thread", Box::new(move || timed(|| check(path)))),
        row(
            "plain loop, Apple, 1 thread",
            Box::new(move || timed(|| plain(path, |ticks| apple(ticks, |_| true)))),
        ),
        row(
            "plain loop, Pear, 1 thread",
            Box::new(move || timed(|| plain(path, |ticks| pear(ticks, |_| true)))),
        ),
        row("plain loop, both, 1 thread", Box::new(move || timed(|| plain(path, both)))),
        row("plain loop, 2 threads, a strategy each", Box::new(move || timed(|| plain_by_strategy(path)))),
        row("the same with Pear's own shortcut", Box::new(move || timed(|| plain_with_shortcut(path)))),
        row(
            "plain loop, 2 threads, half the instruments each",
            Box::new(move || timed(|| plain_by_instrument(path))),
        ),
        row("Apple's lane alone, 1 thread", Box::new(move || timed(|| lane(path, "apple")))),
        row("Pear's lane alone, 1 thread", Box::new(move || timed(|| lane(path, "pear")))),
        row("orchard, no ledger", Box::new(move || host(path, BOTH, Box::new(NoLedger), false))),
        row(
            "orchard, ledger in memory",
            Box::new(move || host(path, BOTH, Box::<MemoryLedger>::default(), false)),
        ),
        row("orchard, ledger on disk", Box::new(move || disk(BOTH, false))),
        row("orchard, Apple alone, ledger on disk", Box::new(move || disk(&["apple"], false))),
        row("orchard, ledger on disk, market recorded", Box::new(move || disk(BOTH, true))),
    ]
}

fn print(rows: &mut [Row<'_>], ticks: u64) {
    let median = |row: &Row<'_>| {
        let mut seconds = row.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    };
    let rate = |row: &Row<'_>| ticks as f64 / median(row) / 1e6;
    let limit = rows.iter().filter(|row| row.name.contains("2 threads")).map(rate).fold(0.0, f64::max);
    println!(
        "{ticks} ticks, {INSTRUMENTS} instruments; million ticks/s, median of {}",
        rows[0].seconds.len()
    );
    println!("{:<52} {:>8} {:>8} {:>10} {:>8} {:>10}", "", "M/s", "GB/s", "of limit", "best", "signals");
    for row in rows.iter() {
        let (rate, gb) = (rate(row), rate(row) * 40.0 / 1e3);
        let best = ticks as f64 / row.seconds.iter().copied().fold(f64::INFINITY, f64::min) / 1e6;
        let of_limit = rate / limit;
        println!("{:<52} {rate:>8.1} {gb:>8.2} {of_limit:>10.2} {best:>8.1} {:>10}", row.name, row.signals);
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

/// Every block's ticks through `work`, on this thread, straight from the map: nothing is checked.
fn for_blocks(path: &Path, mut work: impl FnMut(&[Tick])) {
    let file = TicksFile::open(path).expect("the file is whole");
    for index in 0..file.blocks() {
        work(file.block_unchecked(index).as_slice());
    }
}

fn sum(path: &Path) -> u64 {
    let mut sum = 0u64;
    for_blocks(path, |ticks| {
        for tick in ticks {
            sum = sum.wrapping_add(tick.price as u64 ^ tick.ts_recv);
        }
    });
    black_box(sum);
    0
}

fn check(path: &Path) -> u64 {
    let file = TicksFile::open(path).expect("the file is whole");
    for index in 0..file.blocks() {
        black_box(file.block(index).expect("the block is whole"));
    }
    0
}

fn plain(path: &Path, make: impl FnOnce(&mut dyn FnMut(&mut dyn FnMut(&[Tick]))) -> u64) -> u64 {
    make(&mut |work: &mut dyn FnMut(&[Tick])| for_blocks(path, |ticks| work(ticks)))
}

type Blocks<'a> = dyn FnMut(&mut dyn FnMut(&[Tick])) + 'a;

fn plain_by_strategy(path: &Path) -> u64 {
    std::thread::scope(|scope| {
        let first = scope.spawn(|| plain(path, |ticks| apple(ticks, |_| true)));
        let second = plain(path, |ticks| pear(ticks, |_| true));
        first.join().expect("the loop ends") + second
    })
}

/// The plain loops with what Pear itself does: a root and a division only where it may act. That is
/// part of the strategy and not of the path, so it is no limit for the path, but worth knowing.
fn plain_with_shortcut(path: &Path) -> u64 {
    std::thread::scope(|scope| {
        let first = scope.spawn(|| plain(path, |ticks| apple(ticks, |_| true)));
        let mut states = pear_state();
        let second = plain(path, |blocks| {
            let mut signals = 0;
            blocks(&mut |ticks| {
                for tick in ticks {
                    signals += pear_tick::<true>(&mut states[tick.instrument as usize], tick);
                }
            });
            signals
        });
        first.join().expect("the loop ends") + second
    })
}

fn plain_by_instrument(path: &Path) -> u64 {
    let half = |rest: u32| {
        plain(path, move |blocks| {
            let (mut apples, mut pears) = (apple_state(), pear_state());
            let mut signals = 0;
            blocks(&mut |ticks| {
                for tick in ticks.iter().filter(|tick| tick.instrument % 2 == rest) {
                    signals += apple_tick(&mut apples[tick.instrument as usize], tick);
                    signals += pear_tick::<false>(&mut pears[tick.instrument as usize], tick);
                }
            });
            signals
        })
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| half(0));
        let second = half(1);
        first.join().expect("the loop ends") + second
    })
}

fn apple(blocks: &mut Blocks<'_>, keep: impl Fn(&Tick) -> bool) -> u64 {
    let mut states = apple_state();
    let mut signals = 0;
    blocks(&mut |ticks| {
        for tick in ticks.iter().filter(|tick| keep(tick)) {
            signals += apple_tick(&mut states[tick.instrument as usize], tick);
        }
    });
    signals
}

fn pear(blocks: &mut Blocks<'_>, keep: impl Fn(&Tick) -> bool) -> u64 {
    let mut states = pear_state();
    let mut signals = 0;
    blocks(&mut |ticks| {
        for tick in ticks.iter().filter(|tick| keep(tick)) {
            signals += pear_tick::<false>(&mut states[tick.instrument as usize], tick);
        }
    });
    signals
}

fn both(blocks: &mut Blocks<'_>) -> u64 {
    let (mut apples, mut pears) = (apple_state(), pear_state());
    let mut signals = 0;
    blocks(&mut |ticks| {
        for tick in ticks {
            signals += apple_tick(&mut apples[tick.instrument as usize], tick);
            signals += pear_tick::<false>(&mut pears[tick.instrument as usize], tick);
        }
    });
    signals
}

#[derive(Clone, Copy, Default)]
struct PlainApple {
    fast: f64,
    slow: f64,
    trend: i32,
    started: bool,
}

fn apple_state() -> [PlainApple; INSTRUMENTS as usize] {
    [PlainApple::default(); INSTRUMENTS as usize]
}

#[inline(always)]
fn apple_tick(state: &mut PlainApple, tick: &Tick) -> u64 {
    if tick.kind != Kind::TRADE {
        return 0;
    }
    let price = tick.price as f64 * 1e-9;
    if !state.started {
        *state = PlainApple { fast: price, slow: price, trend: 0, started: true };
        return 0;
    }
    state.fast += 2.0 / 13.0 * (price - state.fast);
    state.slow += 2.0 / 27.0 * (price - state.slow);
    let trend = i32::from(state.fast > state.slow) - i32::from(state.fast < state.slow);
    if trend != 0 && trend != state.trend {
        return u64::from(std::mem::replace(&mut state.trend, trend) != 0);
    }
    0
}

#[derive(Clone, Copy)]
struct PlainPear {
    bid: i64,
    ask: i64,
    mean: f64,
    var: f64,
    n: u64,
    position: i32,
}

fn pear_state() -> [PlainPear; INSTRUMENTS as usize] {
    let empty =
        PlainPear { bid: UNDEFINED_PRICE, ask: UNDEFINED_PRICE, mean: 0.0, var: 0.0, n: 0, position: 0 };
    [empty; INSTRUMENTS as usize]
}

#[inline(always)]
fn pear_tick<const SHORTCUT: bool>(state: &mut PlainPear, tick: &Tick) -> u64 {
    match tick.kind {
        Kind::BID => state.bid = tick.price,
        Kind::ASK => state.ask = tick.price,
        _ => return 0,
    }
    if !tick.is_last() || state.bid == UNDEFINED_PRICE || state.ask == UNDEFINED_PRICE {
        return 0;
    }
    let mid = (state.bid as f64 * 1e-9 + state.ask as f64 * 1e-9) * 0.5;
    let n = state.n;
    state.n += 1;
    if n == 0 {
        (state.mean, state.var) = (mid, 0.0);
        return 0;
    }
    const A: f64 = 2.0 / 201.0;
    let (d, var) = (mid - state.mean, state.var);
    let z = || if var > 0.0 { d / var.sqrt() } else { 0.0 };
    let eager = if SHORTCUT { 0.0 } else { z() };
    state.mean += A * d;
    state.var = (1.0 - A) * (var + A * d * d);
    if n < 200 {
        return 0;
    }
    if SHORTCUT {
        const FLAT: [f64; 3] = [0.0, 1.0, 0.0];
        let flat = FLAT[(state.position + 1) as usize];
        let distance = flat * (4.0 * (1.0 - 1e-9) * var - d * d) - f64::from(state.position) * d;
        if distance > 1e-100 && var > 0.0 {
            return 0;
        }
    }
    let z = if SHORTCUT { z() } else { eager };
    let wanted = match state.position {
        0 if z > 2.0 => -1,
        0 if z < -2.0 => 1,
        -1 if z <= 0.0 => 0,
        1 if z >= 0.0 => 0,
        _ => return 0,
    };
    state.position = wanted;
    1
}

/// A lane as a host runs it, without anything around it.
fn lane(path: &Path, name: &str) -> u64 {
    let configured =
        Registration::find(name).expect("it is registered").configure(&[]).expect("defaults fit");
    let mut lane = configured.lane(&Arc::default());
    for id in 0..INSTRUMENTS {
        lane.open(id, &format!("S{id}"), &format!("S{id}")).expect("ids come in order");
    }
    let (mut seq, mut signals) = (0, 0);
    for_blocks(path, |ticks| {
        lane.run(seq, ticks).expect("the file is whole");
        seq += ticks.len() as u64;
        signals += lane.signals().drain(..).count() as u64;
    });
    signals
}

/// The whole path, as `orchard replay` takes it, until every signal is committed.
fn host(path: &Path, names: &[&str], mut ledger: Box<dyn Ledger>, record_market: bool) -> Done {
    let started = Instant::now();
    let run = ledger.open_run(&Manifest::default()).expect("the ledger is new").run;
    let groups = Arc::new(Groups::default());
    let instance = |name: &str| Instance {
        name: name.to_owned(),
        configured: Registration::find(name).expect("it is registered").configure(&[]).expect("defaults fit"),
    };
    let plan = HostPlan {
        instances: names.iter().map(|name| instance(name)).collect(),
        shards: 1,
        threads: 2,
        groups: groups.clone(),
        queued_frames: 32,
        record_market,
        observer: None,
    };
    let host = RunningHost::start(ledger, run, plan).expect("the host starts");
    let feed = FeedPlan {
        run,
        sources: vec![SourceSpec::File { name: path.display().to_string(), prefix: String::new() }],
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace::default(),
        shards: 1,
        frame_ticks: 4096,
        gather: feed::Gather::default(),
        start: Vec::new(),
        groups,
    };
    let frames = host.frames();
    feed::run(&feed, &frames, &FeedControl::default()).expect("the file is whole");
    drop(frames);
    let report = host.finish().expect("nothing fails");
    let seconds = started.elapsed().as_secs_f64();
    Done { signals: report.lanes.iter().map(|(_, counts)| counts.signals).sum(), seconds }
}

/// Takes commits and forgets them: what is left is everything but the ledger.
struct NoLedger;

impl Ledger for NoLedger {
    fn id(&self) -> &str {
        "none"
    }
    fn open_run(&mut self, _: &Manifest) -> Result<OpenedRun, LedgerError> {
        Ok(OpenedRun { run: RunId::random(), resumed: false })
    }
    fn identify(&mut self, _: RunId, _: &Identity) -> Result<(), LedgerError> {
        Ok(())
    }
    fn record_run(&mut self, _: RunId, _: &str, _: &Manifest) -> Result<(), LedgerError> {
        Ok(())
    }
    fn runs(&self, _: &str) -> Result<Vec<RunRow>, LedgerError> {
        Ok(Vec::new())
    }
    fn claim(&mut self, _: &LaneId, _: u64) -> Result<Claim, LedgerError> {
        Ok(Claim::default())
    }
    fn commit(&mut self, _: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        Ok(Vec::new())
    }
    fn lanes(&self, _: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        Ok(Vec::new())
    }
    fn batches(&self, _: &LaneId, _: u64, _: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        Ok(Vec::new())
    }
    fn dictionary(&self, _: RunId, _: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        Ok(Vec::new())
    }
    fn beat(&mut self, _: RunId, _: &str, member: &str) -> Result<Vec<String>, LedgerError> {
        Ok(vec![member.to_owned()])
    }
    fn leave(&mut self, _: RunId, _: &str, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }
    fn members(&self, _: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        Ok(Vec::new())
    }
}
