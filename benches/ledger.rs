//! What does a commit cost, and what a checkpoint of ten thousand instruments?
//!
//!     cargo bench --bench ledger
//!
//! Each row is one transaction of four lanes, with 100 signals a lane: without state, and with 10,000
//! keys changed, 2,500 a lane, of 40 bytes each. It includes encoding the keys' states, the
//! transaction, and folding checkpoints now and then; it excludes the strategies. PostgreSQL is
//! measured where ORCHARD_TEST_POSTGRES names a server; its rows stay in that database.

use criterion::{Criterion, criterion_group, criterion_main};
use strategies::ledger::{Commit, LaneId, Ledger, MemoryLedger, PostgresLedger, SqliteLedger};
use tick_sdk::signal::encode_signals;
use tick_sdk::{RunId, Signal, Wanted};

const LANES: u16 = 4;
const KEYS: usize = 10_000;
const SIGNALS: u64 = 100;
const STATE_BYTES: usize = 40;

/// Commits to four lanes, one after the other.
struct Committing {
    ledger: Box<dyn Ledger>,
    lanes: Vec<(LaneId, u64)>,
    seq: u64,
}

impl Committing {
    fn new(mut ledger: Box<dyn Ledger>) -> Self {
        let run = RunId::random();
        let lane = |shard| LaneId { run, strategy: "apple".to_owned(), shard };
        let lanes = (0..LANES).map(lane).map(|lane| {
            let epoch = ledger.claim(&lane, 0).expect("the ledger is new").epoch;
            (lane, epoch)
        });
        let lanes = lanes.collect();
        Self { ledger, lanes, seq: 0 }
    }

    fn commit(&mut self, with_state: bool) {
        let to_seq = self.seq + 10_000;
        let commits: Vec<_> = self
            .lanes
            .iter()
            .map(|(lane, epoch)| Commit {
                lane: lane.clone(),
                epoch: *epoch,
                from_seq: self.seq,
                to_seq,
                signals: signals(self.seq),
                new_instruments: Vec::new(),
                states: with_state.then(|| states(lane.shard, to_seq)),
                ended: false,
                skipped: 0,
            })
            .collect();
        assert!(self.ledger.commit(&commits).expect("the ledger takes it").is_empty());
        self.seq = to_seq;
    }
}

fn signals(from_seq: u64) -> Vec<u8> {
    let signal = |n| Signal {
        ts_event: 1_700_000_000_000_000_000 + (from_seq + n) * 1000,
        ts_recv: 1_700_000_000_000_000_000 + (from_seq + n) * 1000,
        seq: from_seq + n * 100,
        n: 0,
        instrument: n as u32,
        side: Wanted::Buy,
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

fn commits(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").expect("a temporary folder can be made");
    let mut ledgers: Vec<(_, Box<dyn Ledger>)> = vec![
        ("memory", Box::<MemoryLedger>::default()),
        ("SQLite", Box::new(SqliteLedger::open(folder.path()).expect("a ledger can be made"))),
    ];
    if let Ok(url) = std::env::var("ORCHARD_TEST_POSTGRES") {
        ledgers.push(("PostgreSQL", Box::new(PostgresLedger::open(&url).expect("the server is there"))));
    }
    for (name, ledger) in ledgers {
        let mut committing = Committing::new(ledger);
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        group.bench_function("signals alone", |bencher| bencher.iter(|| committing.commit(false)));
        group.bench_function("10,000 keys changed", |bencher| bencher.iter(|| committing.commit(true)));
    }
}

criterion_group!(benches, commits);
criterion_main!(benches);
