//! What a host does when something goes wrong: the first cause is what its user reads.

use std::sync::Arc;

// Linked, so that Apple is registered.
use serde::{Deserialize, Serialize};
use strategies as _;
use strategy_host::host::{HostError, HostPlan, Instance, RunningHost};
use strategy_host::ledger::{
    Claim, Commit, Identity, LaneId, LaneRow, Ledger, LedgerError, MemberRow, MemoryLedger, OpenedRun,
    RunRow, StoredBatch,
};
use tick_feed::run::Manifest;
use tick_feed::transport::FrameSender;
use tick_feed::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::decimal::UNITS_PER_ONE;
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;
use tick_sdk::names::{RunId, StrategyName};
use tick_sdk::{Context, Key, NoParams, Side, Strategy, Tick};

fn plan() -> HostPlan {
    let configured = Registration::find("apple").unwrap().configure(&[]).unwrap();
    HostPlan {
        instances: vec![Instance { name: "apple".parse().unwrap(), configured }],
        shards: 1,
        threads: 2,
        groups: Arc::new(Groups::default()),
        queued_frames: 4,
        record_market: true,
        observer: None,
    }
}

fn frame(run: RunId, first_seq: u64, ticks: u64, flags: FrameFlags) -> Arc<Frame> {
    let watermark = first_seq + ticks;
    let header =
        FrameHeader { run, shard: 0, shards: 1, attempt: 0, first_seq, published_at: 0, watermark, flags };
    // Prices that go up and down for long enough that averages cross.
    let price = |seq: u64| (100 + (seq / 50 % 2) as i64 * 10) * UNITS_PER_ONE;
    let tick = |seq| Tick::trade(seq, seq, price(seq), 1, Side::NONE);
    let new = NewInstrument { id: 0, symbol: "A".to_owned(), key: "A".to_owned() };
    let named = if first_seq == 0 { vec![new] } else { Vec::new() };
    Arc::new(Frame::owned(header, (first_seq..watermark).map(tick).collect()).naming(named, 1))
}

#[test]
fn frames_cut_anew_and_sent_twice_have_one_effect() {
    let mut ledger = MemoryLedger::default();
    let run = ledger.open_run(&Manifest::default()).unwrap().run;
    let host =
        RunningHost::start(Box::new(ledger), run, HostPlan { record_market: false, ..plan() }).unwrap();
    let frames = host.frames();
    for (first, ticks) in [(0, 100), (0, 100), (50, 100), (149, 1), (150, 850), (0, 1000)] {
        frames.send(frame(run, first, ticks, FrameFlags::TICKS)).unwrap();
    }
    frames.send(frame(run, 1000, 0, FrameFlags::END_OF_RUN)).unwrap();
    frames.send(frame(run, 990, 10, FrameFlags::TICKS)).unwrap();
    drop(frames);
    let report = host.finish().unwrap();
    let (_, counts) = &report.lanes[0];
    assert_eq!((counts.ticks, counts.position, counts.ended), (1000, 1000, true));
    assert_eq!(counts.duplicates, 100 + 50 + 1 + 1000 + 10);
    assert!(counts.signals > 10);
}

#[test]
fn a_gap_stops_the_host_and_names_what_is_missing() {
    let mut ledger = MemoryLedger::default();
    let run = ledger.open_run(&Manifest::default()).unwrap().run;
    let host = RunningHost::start(Box::new(ledger), run, plan()).unwrap();
    let frames = host.frames();
    frames.send(frame(run, 0, 10, FrameFlags::TICKS)).unwrap();
    frames.send(frame(run, 15, 10, FrameFlags::TICKS)).unwrap();
    drop(frames);
    let error = host.finish().err().unwrap().to_string();
    assert_eq!(error, "strategy apple, shard 0: ticks 10 to 14 are missing");
}

/// Fails at its third commit, as a full disk would.
struct FullDisk {
    inner: MemoryLedger,
    commits_left: u32,
}

impl Ledger for FullDisk {
    fn id(&self) -> &str {
        self.inner.id()
    }
    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError> {
        self.inner.open_run(manifest)
    }
    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError> {
        self.inner.record_run(run, feed, manifest)
    }
    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError> {
        self.inner.runs(feed)
    }
    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError> {
        self.inner.identify(run, identity)
    }
    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError> {
        self.inner.claim(lane, begins_at)
    }
    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError> {
        match self.commits_left.checked_sub(1) {
            Some(left) => self.commits_left = left,
            None => {
                let source = std::io::Error::other("no space left on device");
                return Err(LedgerError::Io { place: "state/ledger.sqlite".to_owned(), source });
            }
        }
        self.inner.commit(commits)
    }
    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError> {
        self.inner.lanes(run)
    }
    fn batch_at(&self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError> {
        self.inner.batch_at(lane, seq)
    }
    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError> {
        self.inner.batches(lane, from_seq, limit)
    }
    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError> {
        self.inner.dictionary(run, shard)
    }
    fn beat(
        &mut self,
        run: RunId,
        strategy: &StrategyName,
        member: &str,
    ) -> Result<Vec<String>, LedgerError> {
        self.inner.beat(run, strategy, member)
    }
    fn leave(&mut self, run: RunId, strategy: &StrategyName, member: &str) -> Result<(), LedgerError> {
        self.inner.leave(run, strategy, member)
    }
    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError> {
        self.inner.members(run)
    }
}

#[test]
fn a_ledger_that_fails_is_the_error_and_the_sender_learns_of_it() {
    let mut ledger = FullDisk { inner: MemoryLedger::default(), commits_left: 2 };
    let run = ledger.open_run(&Manifest::default()).unwrap().run;
    let host = RunningHost::start(Box::new(ledger), run, plan()).unwrap();
    let frames = host.frames();
    // The threads end one after the other, and then nobody takes frames: a bound, not a wait.
    let refused = (0..5_000_000).find(|n| frames.send(frame(run, n * 10, 10, FrameFlags::TICKS)).is_err());
    drop(frames);
    assert!(refused.is_some(), "the sender never learned that the ledger had failed");
    let error = host.finish().err().unwrap();
    assert!(matches!(error, HostError::Ledger(_)), "{error}");
    assert_eq!(error.to_string(), "the ledger state/ledger.sqlite: no space left on device");
}

/// Panics at a trade above 1,000.
#[derive(Serialize, Deserialize)]
struct Fragile;

impl Strategy for Fragile {
    const NAME: &'static str = "fragile";
    const SUMMARY: &'static str = "panics at a high price";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self)
    }

    fn on_tick(&mut self, tick: &Tick, _: &mut Context<'_>) {
        assert!(tick.price < 1000 * UNITS_PER_ONE, "the price is absurd");
    }
}

tick_sdk::register!(Fragile);

#[test]
fn a_strategy_that_panics_is_named_with_the_instrument_and_the_tick() {
    let mut ledger = MemoryLedger::default();
    let run = ledger.open_run(&Manifest::default()).unwrap().run;
    let configured = Registration::find("fragile").unwrap().configure(&[]).unwrap();
    let instances = vec![Instance { name: "careless".parse().unwrap(), configured }];
    let host = RunningHost::start(Box::new(ledger), run, HostPlan { instances, ..plan() }).unwrap();
    let frames = host.frames();
    let header = FrameHeader {
        run,
        shard: 0,
        shards: 1,
        attempt: 0,
        first_seq: 0,
        published_at: 0,
        watermark: 9,
        flags: FrameFlags::TICKS,
    };
    let name =
        |id: u32, symbol: &str| NewInstrument { id, symbol: symbol.to_owned(), key: symbol.to_owned() };
    let tick = |seq: u64, price| {
        Tick::trade(seq, 500 + seq, price * UNITS_PER_ONE, 1, Side::NONE).of((seq % 2) as u32)
    };
    let ticks = vec![tick(0, 9), tick(1, 9), tick(2, 9), tick(3, 2500), tick(4, 9)];
    frames
        .send(Arc::new(Frame::owned(header, ticks).naming(vec![name(0, "CALM"), name(1, "WILD")], 2)))
        .unwrap();
    drop(frames);
    let error = host.finish().err().unwrap().to_string();
    let expected = "strategy careless, shard 0 panicked at tick 3 of instrument WILD (ts_recv 503, price 2500): \
                    the price is absurd";
    assert_eq!(error, expected);
}
