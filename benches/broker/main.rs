//! What does a feed over RabbitMQ cost? The whole way, file → broker → strategy → signals committed in
//! PostgreSQL, beside the client library alone with opaque bodies of the same size, in turn.
//!
//! Run: `scripts/services start rabbitmq postgres`, evaluate what it prints, then
//! `cargo bench --bench broker [-- ROW…]`. `TICKS=50` is millions of ticks, `ROUNDS=3`.
//!
//! Programs run as a user runs them: `orchard ingest` and `orchard run`, a process each. A row's time
//! is the ingester's own: from its first frame until every strategy has committed the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

// The library alone has the same allocator as the programs.
use orchard as _;
use serde_json::Value;

mod auto_ack;
mod bare;
mod latency;
mod uncommitted;

use bare::Load;

/// A frame of this many ticks is as large as the bare bodies.
const TICK_BYTES: usize = 40;

struct Stage {
    broker: String,
    postgres: String,
    folder: tempfile::TempDir,
    made: u32,
    /// Only whether everything works is of interest.
    is_test: bool,
}

/// One way of running a feed.
#[derive(Clone, Debug)]
struct Setup {
    strategies: &'static [&'static str],
    shards: u16,
    ingest: Vec<String>,
    run: Vec<String>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    ticks: f64,
    seconds: f64,
}

fn main() {
    let Some(mut stage) = Stage::new() else {
        println!("nothing is measured, as there are no servers: see `scripts/services`");
        return;
    };
    let rows: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |row: &str| rows.is_empty() || rows.iter().any(|wanted| row.contains(wanted.as_str()));
    // As a test, everything goes its way once.
    let (million, rounds) = if stage.is_test { (1, 1) } else { (number("TICKS", 50), number("ROUNDS", 3)) };
    if wants("alone") {
        alone(&mut stage, million);
    }
    if wants("framed") {
        framed(&mut stage, million, rounds);
    }
    if wants("price") {
        price(&mut stage, million, rounds);
    }
    if wants("single") {
        single(&mut stage, rounds);
    }
    if wants("instruments") {
        instruments(&mut stage, million);
    }
    if wants("latency") {
        latency::measure(&mut stage);
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The library alone, by the size of a body.
fn alone(stage: &mut Stage, million: usize) {
    println!("\nlapin alone, opaque bodies");
    let sizes = if stage.is_test { &[64][..] } else { &[16, 64, 160, 320, 512] };
    for kib in sizes {
        let megabytes = stage.alone(million, kib << 10);
        println!("{kib:>30} KiB {megabytes:>8.1} MB/s");
    }
}

/// Full frames: one strategy, two, replicated; beside the library alone, in turn.
fn framed(stage: &mut Stage, million: usize, rounds: usize) {
    let file = stage.generate("market.ticks", million, 8);
    // A `.ticks` file's blocks are 320 KiB; smaller frames are parts of one.
    let sizes = if stage.is_test { &[320][..] } else { &[64, 160, 320] };
    for kib in sizes {
        let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
        for _ in 0..rounds {
            note(&mut rows, "lapin alone, MB/s", stage.alone(million, kib << 10));
            for (name, strategies, shards) in [
                ("apple, 1 shard", &["apple"][..], 1),
                ("apple, 4 shards", &["apple"], 4),
                ("apple and pear, 1 shard", &["apple", "pear"], 1),
            ] {
                let setup = Setup::new(strategies, shards, &["--frame-bytes", &format!("{}K", kib + 1)]);
                let outcome = stage.play(&file, &setup);
                note(&mut rows, name, outcome.ticks / outcome.seconds * TICK_BYTES as f64 / 1e6);
            }
        }
        println!("\nframes of {kib} KiB");
        show(&rows);
    }
}

/// What is paid for exactly one effect, and for replicated queues.
fn price(stage: &mut Stage, million: usize, rounds: usize) {
    let file = stage.generate("price.ticks", million, 8);
    let mut rows = Vec::new();
    for _ in 0..rounds {
        let auto_acknowledged = stage.play_uncommitted(&file, |broker, feed| {
            auto_ack::consume(broker, &format!("orchard.{feed}.apple.0"))
        });
        note(&mut rows, "apple, auto-acknowledged by lapin, M ticks/s", auto_acknowledged);
        let uncommitted = stage.play_uncommitted(&file, uncommitted::consume);
        note(&mut rows, "apple, acknowledged at once, nothing committed", uncommitted);
        for (name, durability) in [("apple, exactly once", "memory"), ("apple, replicated", "replicated")] {
            let outcome = stage.play(&file, &Setup::new(&["apple"], 1, &["--durability", durability]));
            note(&mut rows, name, outcome.ticks / outcome.seconds / 1e6);
        }
    }
    println!("\nthe price of guarantees, frames of 320 KiB");
    show(&rows);
}

/// One tick a message, without a budget.
fn single(stage: &mut Stage, rounds: usize) {
    let file = stage.generate("single.ticks", 1, 8);
    let mut rows = Vec::new();
    for _ in 0..rounds {
        let load = Load { body_bytes: 160, messages: 500_000, window: 1000 };
        let bare = bare::run(&stage.broker, load);
        note(&mut rows, "lapin alone, thousand messages/s", load.messages as f64 / bare.as_secs_f64() / 1e3);
        let setup = Setup::new(&["apple"], 1, &["--frame-ticks", "1", "--budget", "off"]);
        let outcome = stage.play(&file, &setup);
        note(&mut rows, "one tick a message, thousand ticks/s", outcome.ticks / outcome.seconds / 1e3);
    }
    println!("\none tick a message");
    show(&rows);
}

/// The price of many instruments.
fn instruments(stage: &mut Stage, million: usize) {
    println!("\ninstruments, 4 shards");
    for instruments in [100, 10_000] {
        let file = stage.generate(&format!("market-{instruments}.ticks"), million, instruments);
        let outcome = stage.play(&file, &Setup::new(&["apple"], 4, &[]));
        println!("{instruments:>30} {:>8.1} M ticks/s", outcome.ticks / outcome.seconds / 1e6);
    }
}

fn note(rows: &mut Vec<(&'static str, Vec<f64>)>, name: &str, value: f64) {
    match rows.iter_mut().find(|(known, _)| *known == name) {
        Some((_, values)) => values.push(value),
        None => rows.push((Box::leak(name.to_owned().into_boxed_str()), vec![value])),
    }
}

/// Medians, and their ratio to the first row.
fn show(rows: &[(&str, Vec<f64>)]) {
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let first = median(&rows[0].1);
    for (name, values) in rows {
        let middle = median(values);
        println!("{name:>57} {middle:>9.1} {:>6.2}", middle / first);
    }
}

impl Setup {
    fn new(strategies: &'static [&'static str], shards: u16, ingest: &[&str]) -> Self {
        let ingest = ingest.iter().map(|arg| (*arg).to_owned()).collect();
        Self { strategies, shards, ingest, run: Vec::new() }
    }
}

impl Stage {
    fn new() -> Option<Self> {
        let broker = std::env::var("ORCHARD_TEST_AMQP").ok()?;
        let postgres = std::env::var("ORCHARD_TEST_POSTGRES").ok()?;
        Some(Self {
            broker,
            postgres,
            folder: tempfile::tempdir().expect("there is room for files"),
            made: 0,
            is_test: !std::env::args().any(|arg| arg == "--bench"),
        })
    }

    fn generate(&self, name: &str, million: usize, instruments: usize) -> PathBuf {
        self.generate_ticks(name, million as u64 * 1_000_000, instruments)
    }

    fn generate_ticks(&self, name: &str, ticks: u64, instruments: usize) -> PathBuf {
        let file = self.folder.path().join(name);
        let (ticks, instruments) = (ticks.to_string(), instruments.to_string());
        let mut generate = orchard();
        generate.arg("generate").arg(&file).args(["--ticks", &ticks, "--instruments", &instruments]);
        let made = generate.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(made.expect("the program starts").success(), "the market is generated");
        file
    }

    fn next_feed(&mut self) -> String {
        self.made += 1;
        format!("bench-{}-{}", std::process::id(), self.made)
    }

    /// The library alone with as many bytes as there are in so many ticks; gives MB/s.
    fn alone(&self, million: usize, body_bytes: usize) -> f64 {
        let messages = (million * 1_000_000 * TICK_BYTES / body_bytes) as u64;
        let took = bare::run(&self.broker, Load { body_bytes, messages, window: 64 });
        messages as f64 * body_bytes as f64 / took.as_secs_f64() / 1e6
    }

    /// Hosts first, then the ingester, which ends when they have committed the end.
    fn play(&mut self, file: &Path, setup: &Setup) -> Outcome {
        let feed = self.next_feed();
        let hosts: Vec<Child> =
            setup.strategies.iter().map(|strategy| self.host(&feed, strategy, setup)).collect();
        let summary = self.ingest(file, &feed, setup);
        for mut host in hosts {
            assert!(host.wait().expect("it ends").success(), "the host ends well");
        }
        let number = |value: &Value| value.as_f64().expect("a number");
        Outcome { ticks: number(&summary["ticks"]), seconds: number(&summary["seconds"]) }
    }

    /// Apple without a ledger; gives million ticks a second.
    fn play_uncommitted(&mut self, file: &Path, consume: impl Fn(&str, &str) -> Duration + Sync) -> f64 {
        let feed = self.next_feed();
        std::thread::scope(|scope| {
            let consuming = scope.spawn(|| consume(&self.broker, &feed));
            let summary = self.ingest(file, &feed, &Setup::new(&["apple"], 1, &["--detach"]));
            let took = consuming.join().expect("everything was consumed");
            summary["ticks"].as_f64().expect("a number") / took.as_secs_f64() / 1e6
        })
    }

    /// Runs an ingester to its end; gives its summary.
    fn ingest(&self, file: &Path, feed: &str, setup: &Setup) -> Value {
        let mut ingest = orchard();
        ingest.arg("ingest").arg(file).args(["--feed", feed, "--broker", &self.broker, "--json", "--quiet"]);
        ingest.args(["--strategies", &setup.strategies.join(","), "--shards", &setup.shards.to_string()]);
        ingest.arg("--state").arg(self.folder.path().join(feed)).args(&setup.ingest);
        let output = ingest.output().expect("the program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the ingester ends well: {error}");
        serde_json::from_slice(&output.stdout).expect("the summary is JSON")
    }

    fn host(&self, feed: &str, strategy: &str, setup: &Setup) -> Child {
        let mut run = orchard();
        run.args(["run", "--feed", feed, "--strategy", strategy, "--broker", &self.broker, "--quiet"]);
        run.args(["--state", &self.postgres]).args(&setup.run);
        run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
    }
}

fn orchard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orchard"))
}
