//! What does a commit cost, and what a checkpoint of ten thousand instruments?
//!
//!     cargo bench --bench ledger
//!
//! Each row is one transaction of four lanes, with 100 signals a lane: without state, and with 10,000
//! keys changed, 2,500 a lane, of 40 bytes each. The baselines make the same commits, encoding included,
//! and drop them, or append their bytes to a file and wait for no disk. Excluded are the strategies;
//! folding checkpoints now and then is included. PostgreSQL is measured where ORCHARD_TEST_POSTGRES names
//! a server (`scripts/services start postgres`); its rows stay in that database.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use orchard as _; // for its allocator
use strategy_host::ledger::{Commit, LaneId, Ledger, MemoryLedger, PostgresLedger, SqliteLedger};
use tick_sdk::TargetPosition;
use tick_sdk::names::RunId;
use tick_sdk::signal::{Signal, encode_signals};

const LANES: u16 = 4;
const KEYS: usize = 10_000;
const SIGNALS: u64 = 100;
const STATE_BYTES: usize = 40;

fn ledger(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder can be made");
    let mut group = criterion.benchmark_group("ledger");
    let mut rows = |name, claimed: Vec<(LaneId, u64)>, take: &mut dyn FnMut(&[Commit])| {
        let mut commits = Commits { lanes: claimed, seq: 0 };
        for (what, with_state) in [("signals alone", false), ("10,000 keys changed", true)] {
            group.bench_function(BenchmarkId::new(name, what), |bencher| {
                bencher.iter(|| take(black_box(&commits.next(with_state))));
            });
        }
    };

    let run = RunId::random();
    rows("made and dropped (baseline)", lanes(run).map(|lane| (lane, 1)).collect(), &mut |_| {});
    let mut file = File::create(folder.path().join("appended")).expect("the file can be made");
    let mut bytes = Vec::new();
    rows("appended to a file (baseline)", lanes(run).map(|lane| (lane, 1)).collect(), &mut |commits| {
        append(commits, &mut bytes);
        file.write_all(&bytes).expect("there is room");
    });
    let mut ledgers: Vec<(_, Box<dyn Ledger>)> = vec![
        ("memory", Box::<MemoryLedger>::default()),
        ("SQLite", Box::new(SqliteLedger::open(folder.path()).expect("a ledger can be made"))),
    ];
    if let Ok(url) = std::env::var("ORCHARD_TEST_POSTGRES") {
        ledgers.push(("PostgreSQL", Box::new(PostgresLedger::open(&url).expect("the server is there"))));
    }
    for (name, mut ledger) in ledgers {
        let claim = |lane: LaneId| {
            let epoch = ledger.claim(&lane, 0).expect("the ledger is new").epoch;
            (lane, epoch)
        };
        let claimed = lanes(run).map(claim).collect();
        rows(name, claimed, &mut |commits| {
            assert!(ledger.commit(commits).expect("the ledger takes it").is_empty());
        });
    }
    group.finish();
}

fn lanes(run: RunId) -> impl Iterator<Item = LaneId> {
    (0..LANES).map(move |shard| LaneId { run, strategy: "apple".parse().expect("it is a valid name"), shard })
}

/// Commits of four lanes, one after the other.
struct Commits {
    lanes: Vec<(LaneId, u64)>,
    seq: u64,
}

impl Commits {
    fn next(&mut self, with_state: bool) -> Vec<Commit> {
        let from_seq = self.seq;
        self.seq += 10_000;
        let to_seq = self.seq;
        let commit = |(lane, epoch): &(LaneId, u64)| Commit {
            lane: lane.clone(),
            epoch: *epoch,
            from_seq,
            to_seq,
            signals: signals(from_seq),
            new_instruments: Vec::new(),
            states: with_state.then(|| states(lane.shard, to_seq)),
            ended: false,
            skipped: 0,
        };
        self.lanes.iter().map(commit).collect()
    }
}

/// What any ledger has to store of commits.
fn append(commits: &[Commit], bytes: &mut Vec<u8>) {
    bytes.clear();
    for commit in commits {
        bytes.extend_from_slice(&commit.to_seq.to_le_bytes());
        bytes.extend_from_slice(&commit.signals);
        for (key, state) in commit.states.iter().flatten() {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(state);
        }
    }
}

fn signals(from_seq: u64) -> Vec<u8> {
    let signal = |n| Signal {
        ts_event: 1_700_000_000_000_000_000 + (from_seq + n) * 1000,
        ts_recv: 1_700_000_000_000_000_000 + (from_seq + n) * 1000,
        seq: from_seq + n * 100,
        n: 0,
        instrument: n as u32,
        side: TargetPosition::Long,
        price: 61_000_000_000_000,
        bid: 61_000_000_000_000,
        ask: 61_000_100_000_000,
    };
    let mut out = Vec::new();
    encode_signals(&(0..SIGNALS).map(signal).collect::<Vec<_>>(), &mut out);
    out
}

fn states(shard: u16, seq: u64) -> Vec<(String, Vec<u8>)> {
    let state = |key| (format!("SYMBOL{shard}-{key}"), seq.to_le_bytes().repeat(STATE_BYTES / 8));
    (0..KEYS / usize::from(LANES)).map(state).collect()
}

criterion_group! {
    name = benches;
    // Short, as a ledger keeps all that it is given.
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = ledger
}
criterion_main!(benches);
