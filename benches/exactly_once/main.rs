//! What does exactly one effect cost? Apple over a feed, committed in PostgreSQL, beside consumers that
//! guarantee nothing; and beside replicated queues.
//!
//! Run: `scripts/services start rabbitmq postgres`, evaluate what it prints, then
//! `cargo bench --bench exactly_once`. `TICKS=150` is millions of ticks, `ROUNDS=3`. Rows are run in
//! turn; without servers nothing is measured.
//!
//! Programs run as a user runs them: `orchard ingest` and `orchard run`, a process each. The time of a
//! row with guarantees is the ingester's own: from its first frame until the strategy has committed the
//! end, with the 0.3 s that a run takes beside its ticks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

// The consumers without guarantees have the same allocator as the programs.
use orchard as _;
use serde_json::Value;

mod auto_ack;
mod uncommitted;

struct Stage {
    broker: String,
    postgres: String,
    folder: tempfile::TempDir,
    made: u32,
    /// Only whether everything works is of interest.
    is_test: bool,
}

/// A kind of consumer, and its million ticks/s by round.
struct Row(&'static str, Vec<f64>);

fn main() {
    let Some(mut stage) = Stage::new() else {
        println!("nothing is measured, as there are no servers: see `scripts/services`");
        return;
    };
    // As a test, everything runs once.
    let (million, rounds) = if stage.is_test { (1, 1) } else { (number("TICKS", 50), number("ROUNDS", 3)) };
    let file = stage.generate(million);
    let mut rows = [
        "auto-acknowledged by the broker to lapin, nothing committed",
        "acknowledged at once, nothing committed",
        "exactly once",
        "exactly once, replicated",
    ]
    .map(|name| Row(name, Vec::new()));
    for _ in 0..rounds {
        rows[0].1.push(stage.play_uncommitted(&file, |broker, feed| {
            auto_ack::consume(broker, &format!("orchard.{feed}.apple.0"))
        }));
        rows[1].1.push(stage.play_uncommitted(&file, uncommitted::consume));
        rows[2].1.push(stage.play(&file, "memory"));
        rows[3].1.push(stage.play(&file, "replicated"));
    }
    println!(
        "{million} million ticks through Apple; million ticks/s, median of {rounds}, ratio to the first"
    );
    let first = median(&rows[0]);
    for row in &rows {
        println!("{:<60} {:>8.1} {:>6.2}", row.0, median(row), median(row) / first);
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn median(row: &Row) -> f64 {
    let mut sorted = row.1.clone();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

impl Stage {
    fn new() -> Option<Self> {
        Some(Self {
            broker: std::env::var("ORCHARD_TEST_AMQP").ok()?,
            postgres: std::env::var("ORCHARD_TEST_POSTGRES").ok()?,
            folder: tempfile::tempdir().expect("there is room for files"),
            made: 0,
            is_test: !std::env::args().any(|arg| arg == "--bench"),
        })
    }

    fn generate(&self, million: u64) -> PathBuf {
        let file = self.folder.path().join("market.ticks");
        let mut generate = orchard();
        generate.arg("generate").arg(&file).args(["--ticks", &format!("{million}M"), "--instruments", "8"]);
        let made = generate.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(made.expect("the program starts").success(), "the market is generated");
        file
    }

    fn next_feed(&mut self) -> String {
        self.made += 1;
        format!("bench-{}-{}", std::process::id(), self.made)
    }

    /// The host first, then the ingester, which ends when the host has committed the end; gives
    /// million ticks a second.
    fn play(&mut self, file: &Path, durability: &str) -> f64 {
        let feed = self.next_feed();
        let mut run = orchard();
        run.args([
            "run",
            "--once",
            "--feed",
            &feed,
            "--strategy",
            "apple",
            "--broker",
            &self.broker,
            "--quiet",
        ]);
        run.args(["--state", &self.postgres]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut host = run.spawn().expect("the program starts");
        let summary = self.ingest(file, &feed, &["--durability", durability]);
        assert!(host.wait().expect("it ends").success(), "the host ends well");
        let number = |name: &str| summary[name].as_f64().expect("a number");
        number("ticks") / number("seconds") / 1e6
    }

    /// Without a ledger; gives million ticks a second.
    fn play_uncommitted(&mut self, file: &Path, consume: impl Fn(&str, &str) -> Duration + Sync) -> f64 {
        let feed = self.next_feed();
        std::thread::scope(|scope| {
            let consuming = scope.spawn(|| consume(&self.broker, &feed));
            let summary = self.ingest(file, &feed, &["--detach"]);
            let took = consuming.join().expect("everything was consumed");
            summary["ticks"].as_f64().expect("a number") / took.as_secs_f64() / 1e6
        })
    }

    /// Runs an ingester to its end; gives its summary.
    fn ingest(&self, file: &Path, feed: &str, more: &[&str]) -> Value {
        let mut ingest = orchard();
        ingest.arg("ingest").arg(file).args(["--feed", feed, "--broker", &self.broker, "--json", "--quiet"]);
        ingest.args(["--strategies", "apple", "--budget", "30000,15000"]).args(more);
        ingest.arg("--state").arg(self.folder.path().join(feed));
        let output = ingest.output().expect("the program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the ingester ends well: {error}");
        serde_json::from_slice(&output.stdout).expect("the summary is JSON")
    }
}

fn orchard() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orchard"))
}
