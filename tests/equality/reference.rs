//! What one process makes of a part of a run: a strategy over the ticks from where its lane began to where it ended.

use std::sync::{Arc, Mutex, PoisonError};

use strategy_host::ledger::{LaneId, Ledger};
use tick_feed::Frame;
use tick_feed::transport::{FrameSender, TransportError};
use tick_ingest::ReadOptions;
use tick_ingest::feed::{self, FeedControl, FeedPlan, Gather, Pace, SourceSpec, TickSelection};
use tick_sdk::groups::Groups;
use tick_sdk::host::{Configured, Lane};
use tick_sdk::names::{RunId, StrategyName};
use tick_sdk::signal::{Signal, decode_signals};

/// Signals by shard, with their instruments' ids as the run has them.
pub(crate) type ByShard = Vec<Vec<Signal>>;

/// What the ledger has of a lane in each shard: its signals, and up to which tick it has committed.
pub(crate) fn committed(
    ledger: &dyn Ledger,
    run: RunId,
    strategy: &StrategyName,
    shards: u16,
) -> (ByShard, Vec<u64>) {
    let rows = ledger.lanes(run).expect("the ledger answers");
    let read = |shard| {
        let lane = LaneId { run, strategy: strategy.clone(), shard };
        let mut signals = Vec::new();
        for batch in ledger.batches(&lane, 0, usize::MAX >> 1).expect("the ledger answers") {
            let mut decoded = Vec::new();
            decode_signals(&batch.signals, &mut decoded).expect("it is sound");
            signals.extend(decoded);
        }
        let cursor = rows.iter().find(|row| row.lane == lane).map_or(0, |row| row.cursor);
        (signals, cursor)
    };
    (0..shards).map(read).unzip()
}

/// What one process makes of the ticks of each shard from `begins` to `ends`, which is left out.
pub(crate) fn made(
    sources: Vec<SourceSpec>,
    shards: u16,
    configured: &dyn Configured,
    begins: &[u64],
    ends: &[u64],
) -> ByShard {
    let groups = Arc::new(Groups::default());
    let part = |shard: usize| Part {
        lane: configured.lane(&groups),
        begin: begins[shard],
        end: ends[shard],
        is_over: false,
    };
    let parts = (0..usize::from(shards)).map(|shard| Mutex::new(part(shard))).collect();
    let control = Arc::new(FeedControl::default());
    let plan = FeedPlan {
        run: RunId([0; 16]),
        sources,
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace::default(),
        shards,
        frame_ticks: 4096,
        gather: Gather::default(),
        start: Vec::new(),
        groups: groups.clone(),
    };
    let parts = Parts { parts, control: control.clone() };
    feed::run(&plan, &parts, &control).expect("the market is played");
    let parts = parts.parts.into_iter().map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner));
    parts.map(|mut part| std::mem::take(part.lane.signals())).collect()
}

struct Parts {
    parts: Vec<Mutex<Part>>,
    control: Arc<FeedControl>,
}

struct Part {
    lane: Box<dyn Lane>,
    begin: u64,
    end: u64,
    is_over: bool,
}

impl FrameSender for Parts {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let lock = |part: &Mutex<Part>, frame: Option<&Frame>| {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            frame.into_iter().for_each(|frame| part.take(frame));
            part.is_over
        };
        lock(&self.parts[usize::from(frame.header.shard)], Some(&frame));
        if self.parts.iter().all(|part| lock(part, None)) {
            self.control.stop();
        }
        Ok(())
    }
}

impl Part {
    fn take(&mut self, frame: &Frame) {
        for new in &frame.new_instruments {
            self.lane.open(new.id, &new.symbol, &new.key).expect("ids come in order");
        }
        self.is_over |= frame.end_seq() >= self.end;
        let first = frame.end_seq() - frame.ticks().len() as u64;
        let place = |seq: u64| (seq.clamp(first, frame.end_seq()) - first) as usize;
        let (begin, end) = (place(self.begin), place(self.end));
        if begin < end {
            self.lane.run(first + begin as u64, &frame.ticks()[begin..end]).expect("it runs");
        }
    }
}
