//! The ends of the transport with a [`Probe`] in them: each is the product's own, and notes what passes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use strategy_host::host::{CommitObserver, LaneProgress};
use strategy_host::ledger::Commit;
use tick_feed::rabbitmq::publisher::PublishObserver;
use tick_feed::transport::{FrameObserver, FrameSender, TransportError};
use tick_feed::{Frame, shard_of};
use tick_ingest::feed::FeedControl;
use tick_sdk::Tick;
use tick_sdk::groups::Groups;
use tick_sdk::host::{Configured, Lane, LaneError, LanePosition, Registration};
use tick_sdk::names::{FeedName, RunId, StrategyName};
use tick_sdk::signal::Signal;

use crate::probe::{Point, Probe, Sample, lock, take_until};

/// When ticks are due.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// When they are handed over: as fast as they are taken.
    Unpaced,
    /// As the feed's pace says.
    Paced {
        /// Knows when the pace began.
        control: Arc<FeedControl>,
        /// The first tick's receive time, in ns.
        first_ts: u64,
        /// Real ns for each ns of receive time.
        scale: f64,
    },
}

impl Schedule {
    fn due_ns(&self, tick: &Tick, probe: &Probe, now_ns: u64) -> u64 {
        match self {
            Self::Unpaced => now_ns,
            Self::Paced { control, first_ts, scale } => {
                let began = control.began().map_or(Duration::ZERO, |began| began - probe.origin());
                let after = tick.ts_recv.saturating_sub(*first_ts) as f64 * scale;
                began.as_nanos() as u64 + after as u64
            }
        }
    }
}

/// Where one feed's ticks are between the stages.
#[derive(Debug)]
pub(crate) struct FeedTrace {
    probe: Arc<Probe>,
    schedule: Schedule,
    /// Whether a broker is between the ends.
    is_brokered: bool,
    shards: Vec<ShardTrace>,
    strategies: Vec<StrategyName>,
    onlooker: OnceLock<Arc<dyn Onlooker>>,
}

/// Looks on while a feed is measured.
pub(crate) trait Onlooker: FrameObserver {
    /// A feed begins.
    fn begins(&self, feed: &FeedName, run: RunId);

    /// This was just committed.
    fn committed(&self, commits: &[Commit]);
}

#[derive(Debug, Default)]
struct ShardTrace {
    /// Ticks before this were handed over.
    entered: AtomicU64,
    to_send: Mutex<Waiting>,
    to_confirm: Mutex<Waiting>,
    /// One a strategy.
    to_run: Vec<Mutex<VecDeque<Sample>>>,
    to_commit: Vec<Mutex<VecDeque<Sample>>>,
}

#[derive(Debug, Default)]
struct Waiting {
    samples: VecDeque<Sample>,
    /// Ticks before this have passed.
    seq: u64,
}

impl FeedTrace {
    /// A feed of so many shards to these strategies.
    pub(crate) fn new(
        probe: Arc<Probe>,
        schedule: Schedule,
        is_brokered: bool,
        shards: u16,
        strategies: &[StrategyName],
    ) -> Arc<Self> {
        let queues = || strategies.iter().map(|_| Mutex::default()).collect();
        let shard = |_| ShardTrace { to_run: queues(), to_commit: queues(), ..ShardTrace::default() };
        let shards = (0..shards).map(shard).collect();
        let (strategies, onlooker) = (strategies.to_vec(), OnceLock::new());
        Arc::new(Self { probe, schedule, is_brokered, shards, strategies, onlooker })
    }

    /// Has somebody look on, from the begin on.
    pub(crate) fn look_on(&self, onlooker: Arc<dyn Onlooker>) {
        // Nobody does yet.
        let _ = self.onlooker.set(onlooker);
    }

    fn enter(&self, frame: &Frame) -> Option<Sample> {
        let shard = &self.shards[usize::from(frame.header.shard)];
        let (now_ns, end_seq) = (self.probe.now_ns(), frame.end_seq());
        // Ticks that are handed over again are between the stages, or through, since the first time.
        let entered = shard.entered.fetch_max(end_seq, Ordering::Relaxed);
        let new = end_seq.saturating_sub(entered).min(frame.ticks().len() as u64);
        if new == 0 {
            return None;
        }
        let ticks = &frame.ticks()[frame.ticks().len() - new as usize..];
        self.probe.enter(new);
        let due = |tick: &Tick| self.schedule.due_ns(tick, &self.probe, now_ns);
        let sample = Sample::of(end_seq, ticks, due);
        for waiting in [&shard.to_send, &shard.to_confirm].into_iter().filter(|_| self.is_brokered) {
            self.probe.wait(&mut lock(waiting).samples, sample);
        }
        for waiting in &shard.to_run {
            self.probe.wait(&mut lock(waiting), sample);
        }
        Some(sample)
    }

    /// Ticks before `seq` have passed a point on the publisher's side.
    fn pass(&self, point: Point, waiting: &Mutex<Waiting>, seq: u64) {
        let now_ns = self.probe.now_ns();
        let mut waiting = lock(waiting);
        // Ticks that are sent again pass a second time, and count once.
        if seq <= waiting.seq {
            return;
        }
        self.probe.count(point, seq - waiting.seq);
        waiting.seq = seq;
        let passed = take_until(&mut waiting.samples, seq);
        drop(waiting);
        self.probe.record(point, &passed, now_ns);
    }
}

impl PublishObserver for FeedTrace {
    fn sent(&self, shard: u16, end_seq: u64) {
        self.pass(Point::Sent, &self.shards[usize::from(shard)].to_send, end_seq);
    }

    fn confirmed(&self, shard: u16, seq: u64) {
        self.pass(Point::Confirmed, &self.shards[usize::from(shard)].to_confirm, seq);
    }
}

/// The feed's end: ticks become due here.
pub(crate) struct WatchedSender<S> {
    /// The product's own.
    pub(crate) inner: S,
    /// The feed.
    pub(crate) trace: Arc<FeedTrace>,
}

impl<S: FrameSender> FrameSender for WatchedSender<S> {
    fn send(&self, frame: Arc<Frame>) -> Result<(), TransportError> {
        let (ticks, sample) = (frame.ticks().len(), self.trace.enter(&frame));
        if let Some(onlooker) = self.trace.onlooker.get() {
            onlooker.on_frame(&frame);
        }
        self.inner.send(frame)?;
        if !self.trace.is_brokered {
            self.trace.probe.count(Point::Sent, ticks as u64);
            self.trace.probe.record(Point::Sent, sample.as_slice(), self.trace.probe.now_ns());
        }
        Ok(())
    }

    fn delay(&self, shard: u16) -> Duration {
        self.inner.delay(shard)
    }
}

/// A strategy whose lanes note what passes.
pub(crate) struct WatchedStrategy {
    /// The product's own.
    pub(crate) inner: Box<dyn Configured>,
    /// The feed.
    pub(crate) trace: Arc<FeedTrace>,
    /// Its place among the feed's strategies.
    pub(crate) place: usize,
}

impl Configured for WatchedStrategy {
    fn registration(&self) -> &'static Registration {
        self.inner.registration()
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        self.inner.params()
    }

    fn lane(&self, groups: &Arc<Groups>) -> Box<dyn Lane> {
        let (inner, trace, place) = (self.inner.lane(groups), self.trace.clone(), self.place);
        Box::new(WatchedLane { inner, trace, place, shard: None })
    }
}

struct WatchedLane {
    inner: Box<dyn Lane>,
    trace: Arc<FeedTrace>,
    place: usize,
    /// Known from the first instrument on.
    shard: Option<u16>,
}

impl Lane for WatchedLane {
    fn open(&mut self, id: u32, symbol: &str, key: &str) -> Result<(), LaneError> {
        self.shard.get_or_insert_with(|| shard_of(key, self.trace.shards.len() as u16));
        self.inner.open(id, symbol, key)
    }

    fn instruments(&self) -> u32 {
        self.inner.instruments()
    }

    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), LaneError> {
        let probe = &self.trace.probe;
        let end_seq = first_seq + ticks.len() as u64;
        let shard = self.shard.map(|shard| &self.trace.shards[usize::from(shard)]);
        let delivered_ns = probe.now_ns();
        let samples =
            shard.map(|shard| take_until(&mut lock(&shard.to_run[self.place]), end_seq)).unwrap_or_default();
        self.inner.run(first_seq, ticks)?;
        let signal_ns = probe.now_ns();
        probe.count(Point::Delivered, ticks.len() as u64);
        probe.count(Point::Signal, ticks.len() as u64);
        probe.record(Point::Delivered, &samples, delivered_ns);
        probe.record(Point::Signal, &samples, signal_ns);
        if let Some(shard) = shard {
            let mut waiting = lock(&shard.to_commit[self.place]);
            samples.into_iter().for_each(|sample| probe.wait(&mut waiting, sample));
        }
        Ok(())
    }

    fn end(&mut self, seq: u64, ts: u64) -> Result<(), LaneError> {
        self.inner.end(seq, ts)
    }

    fn signals(&mut self) -> &mut Vec<Signal> {
        self.inner.signals()
    }

    fn suppress_below(&mut self, seq: u64) {
        self.inner.suppress_below(seq);
    }

    fn changed_since(&self, seq: u64, visit: &mut dyn FnMut(&str, Vec<u8>)) -> Result<(), LaneError> {
        self.inner.changed_since(seq, visit)
    }

    fn restore(&mut self, key: &str, stored: &[u8]) -> Result<(), LaneError> {
        self.inner.restore(key, stored)
    }

    fn position(&self) -> Option<LanePosition<'_>> {
        self.inner.position()
    }
}

/// Notes what is committed.
pub(crate) struct WatchedCommits(pub(crate) Arc<FeedTrace>);

impl CommitObserver for WatchedCommits {
    fn committed(&mut self, commits: &[Commit], _: &[LaneProgress]) {
        let Self(trace) = self;
        let now_ns = Instant::now().duration_since(trace.probe.origin()).as_nanos() as u64;
        if let Some(onlooker) = trace.onlooker.get() {
            onlooker.committed(commits);
        }
        for commit in commits {
            let Some(place) = trace.strategies.iter().position(|name| commit.lane.strategy == *name) else {
                continue;
            };
            let shard = &trace.shards[usize::from(commit.lane.shard)];
            let committed = take_until(&mut lock(&shard.to_commit[place]), commit.to_seq);
            trace.probe.count(Point::Committed, commit.to_seq - commit.from_seq);
            trace.probe.record(Point::Committed, &committed, now_ns);
        }
    }
}

#[cfg(test)]
mod tests;
