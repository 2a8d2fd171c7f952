//! One thread: its lanes, the frames they take, and when they commit.

use std::time::{Duration, Instant};

use tick_sdk::Frame;
use tick_sdk::transport::FrameReceiver;

use super::committer::CommitHandle;
use super::{HostError, HostedLane, LaneCounts, Timing};
use crate::ledger::LaneId;
use crate::market::Market;

/// The lanes of one thread.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) lanes: Vec<HostedLane>,
    pub(super) markets: Vec<(u16, Market)>,
    timing: Timing,
    checkpoints: CheckpointBudget,
}

pub(super) struct WorkerReport {
    pub(super) lanes: Vec<(LaneId, LaneCounts)>,
    pub(super) markets: Vec<(u16, Market)>,
    pub(super) timing: Timing,
}

/// Signals that may wait for a commit: about 20 MB a thread. Beyond, strategies wait for the ledger.
const MAX_PENDING_SIGNALS: usize = 1 << 18;

impl Worker {
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.markets.is_empty()
    }

    /// The shards whose frames it wants.
    pub(super) fn shards(&self) -> Vec<u16> {
        let lanes = self.lanes.iter().map(|lane| lane.id.shard);
        let mut shards: Vec<_> = lanes.chain(self.markets.iter().map(|(shard, _)| *shard)).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// Takes frames until the transport closes; then commits everything, with state.
    pub(super) fn run(
        &mut self,
        frames: &impl FrameReceiver,
        mut commits: CommitHandle,
    ) -> Result<(), HostError> {
        let mut now = Instant::now();
        while let Ok(frame) = frames.receive(self.patience(&commits, now)) {
            now = match frame {
                Some(frame) => self.take(&frame)?,
                None => Instant::now(),
            };
            let pending = self.lanes.iter_mut().map(HostedLane::pending_signals).sum::<usize>();
            if pending > MAX_PENDING_SIGNALS {
                commits.wait()?;
                self.commit(&mut commits, false)?;
            } else if commits.is_due(now)? {
                let with_state = self.checkpoints.allow(now);
                self.commit(&mut commits, with_state)?;
            }
        }
        commits.wait()?;
        self.commit(&mut commits, true)?;
        commits.wait()
    }

    fn patience(&self, commits: &CommitHandle, now: Instant) -> Duration {
        /// With nothing to commit only a frame or the end is waited for.
        const IDLE: Duration = Duration::from_secs(1);
        match self.lanes.iter().any(HostedLane::has_news) {
            true => commits.patience(now),
            false => IDLE,
        }
    }

    /// Runs a frame through every lane of its shard; gives the time when that was done.
    #[inline]
    fn take(&mut self, frame: &Frame) -> Result<Instant, HostError> {
        let started = Instant::now();
        for lane in &mut self.lanes {
            if lane.id.shard == frame.header.shard {
                lane.take(frame)?;
            }
        }
        for (shard, market) in &mut self.markets {
            if *shard == frame.header.shard {
                for new in &frame.new_instruments {
                    market.open(new.id, &new.symbol)?;
                }
                market.run(frame.ticks())?;
            }
        }
        let now = Instant::now();
        self.timing.record(now - started, frame.ticks().len());
        Ok(now)
    }

    fn commit(&mut self, commits: &mut CommitHandle, with_state: bool) -> Result<(), HostError> {
        let started = Instant::now();
        let mut ready = Vec::new();
        let mut progress = Vec::new();
        for lane in &mut self.lanes {
            let with_state = with_state && lane.has_unstored_state();
            if with_state || lane.has_news() {
                ready.push(lane.commit(with_state)?);
            }
            if commits.observed {
                progress.extend(lane.progress());
            }
        }
        if with_state {
            self.checkpoints.spent(started.elapsed());
        }
        match ready.is_empty() && progress.is_empty() {
            true => Ok(()),
            false => commits.request(ready, progress),
        }
    }

    pub(super) fn report(&mut self) -> WorkerReport {
        let lanes = self.lanes.iter().map(|lane| (lane.id.clone(), lane.counts)).collect();
        WorkerReport {
            lanes,
            markets: std::mem::take(&mut self.markets),
            timing: std::mem::take(&mut self.timing),
        }
    }
}

/// Keeps the encoding of states at most one twentieth of the time: cheap state goes with every
/// commit, dear state with fewer.
#[derive(Debug)]
struct CheckpointBudget {
    since: Instant,
    spent: Duration,
    last: Duration,
}

impl Default for CheckpointBudget {
    fn default() -> Self {
        Self { since: Instant::now(), spent: Duration::ZERO, last: Duration::ZERO }
    }
}

impl CheckpointBudget {
    fn allow(&self, now: Instant) -> bool {
        (self.spent + self.last) * 20 <= now.saturating_duration_since(self.since)
    }

    fn spent(&mut self, cost: Duration) {
        self.spent += cost;
        self.last = cost;
    }
}
