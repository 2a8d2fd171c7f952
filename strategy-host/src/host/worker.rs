//! One thread: its lanes, the frames they take, and when they commit.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use tick_feed::Frame;
use tick_feed::transport::{Arrival, FrameReceiver, Receipt};
use tracing::{info, warn};

use super::checkpoints::CheckpointBudget;
use super::committer::CommitHandle;
use super::lane::Taken;
use super::{HostError, HostedLane, LaneCounts, LaneSource, Timing};
use crate::ledger::LaneId;
use crate::market::Market;

/// The lanes of one thread.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) lanes: Vec<HostedLane>,
    pub(super) markets: Vec<(u16, Market)>,
    /// Makes a lane when the first frame of its shard comes; without it, lanes are as they were at
    /// the start.
    source: Option<LaneSource>,
    /// What lanes counted that were released.
    released: BTreeMap<LaneId, LaneCounts>,
    timing: Timing,
    checkpoints: CheckpointBudget,
    /// When the first frame since the last commit was taken.
    taken: Option<Instant>,
}

pub(super) struct WorkerReport {
    pub(super) lanes: Vec<(LaneId, LaneCounts)>,
    pub(super) markets: Vec<(u16, Market)>,
    pub(super) timing: Timing,
}

/// Signals that may wait for a commit: about 20 MB a thread. Beyond, strategies wait for the ledger.
const MAX_PENDING_SIGNALS: usize = 1 << 18;

impl Worker {
    /// One that gets its lanes with their shards.
    pub(super) fn following(source: LaneSource) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.markets.is_empty()
    }

    /// The shards whose frames it takes.
    pub(super) fn shards(&self) -> Vec<u16> {
        let lanes = self.lanes.iter().map(|lane| lane.id.shard);
        let mut shards: Vec<_> = lanes.chain(self.markets.iter().map(|(shard, _)| *shard)).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// Takes frames as long as the transport is open; then commits everything, with state.
    pub(super) fn run(
        &mut self,
        frames: &mut impl FrameReceiver,
        mut commits: CommitHandle,
    ) -> Result<(), HostError> {
        let mut now = Instant::now();
        while let Ok(arrival) = frames.receive(self.receive_timeout(frames, &commits, now)) {
            now = match arrival {
                Some(Arrival::Frame(frame, receipt)) => self.take(&frame, receipt, frames, &mut commits)?,
                Some(other) => self.on_arrival(other, frames, &mut commits)?,
                None => Instant::now(),
            };
            self.commit_if_due(now, frames, &mut commits)?;
        }
        self.settle(frames, &mut commits)?;
        self.commit(&mut commits, true)?;
        self.settle(frames, &mut commits)
    }

    #[inline]
    fn commit_if_due(
        &mut self,
        now: Instant,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<(), HostError> {
        let pending = self.lanes.iter_mut().map(HostedLane::pending_signals).sum::<usize>();
        if pending > MAX_PENDING_SIGNALS {
            self.settle(frames, commits)?;
            return self.commit(commits, false);
        }
        if !commits.is_free(now)? {
            return Ok(());
        }
        self.on_outcome(frames, commits)?;
        if frames.is_prefetch_half_full() {
            for lane in self.lanes.iter().filter(|lane| lane.is_catching_up()) {
                frames.grow_prefetch(lane.id.shard)?;
            }
            return self.commit(commits, true);
        }
        if commits.is_rested(now) { self.commit(commits, self.checkpoints.allows(now)) } else { Ok(()) }
    }

    /// Waits for what is under way.
    fn settle(
        &mut self,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<(), HostError> {
        commits.wait()?;
        self.on_outcome(frames, commits)
    }

    /// Does what the last commit's outcome asks for: what is stored is acknowledged, what was fenced
    /// off is released.
    #[inline]
    fn on_outcome(
        &mut self,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<(), HostError> {
        let Some(outcome) = commits.take_outcome() else { return Ok(()) };
        for stored in outcome.stored {
            frames.acknowledge(stored.shard, stored.before);
        }
        for lane in outcome.fenced {
            if !frames.repairs() {
                return Err(HostError::Fenced { strategy: lane.strategy, shard: lane.shard });
            }
            warn!(strategy = %lane.strategy, shard = lane.shard, "fenced off: another process has claimed the shard");
            if let Some(place) = self.lanes.iter().position(|hosted| hosted.id == lane) {
                self.lanes[place].fence();
                self.release_lane(place);
            }
            frames.release(lane.shard);
        }
        Ok(())
    }

    fn release_lane(&mut self, place: usize) {
        let lane = self.lanes.swap_remove(place);
        lane.span.in_scope(|| info!(position = lane.counts.position, "shard released"));
        self.released.entry(lane.id).or_default().add(&lane.counts);
    }

    /// What is not a frame.
    fn on_arrival(
        &mut self,
        arrival: Arrival,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<Instant, HostError> {
        let now = Instant::now();
        match arrival {
            Arrival::Frame(..) => {}
            Arrival::Revoked { shard } => {
                self.settle(frames, commits)?;
                self.commit(commits, true)?;
                self.settle(frames, commits)?;
                while let Some(place) = self.lanes.iter().position(|lane| lane.id.shard == shard) {
                    self.release_lane(place);
                }
                frames.release(shard);
            }
            Arrival::Published { shard, end_seq, attempt } => {
                for lane in self.lanes.iter_mut().filter(|lane| lane.id.shard == shard) {
                    if let Some(from_seq) = lane.request_end(end_seq, attempt, now) {
                        frames.request_resend(shard, from_seq, attempt);
                    }
                }
            }
            Arrival::Gone { shard, from_seq, reason } => {
                let accepted = self.source.as_ref().is_some_and(|source| source.accept_gaps);
                let waiting = |lane: &&mut HostedLane| lane.id.shard == shard && lane.waits_for(from_seq);
                for lane in self.lanes.iter_mut().filter(waiting) {
                    if !accepted {
                        let strategy = lane.id.strategy.clone();
                        return Err(HostError::Gone { strategy, shard, from_seq, reason });
                    }
                    lane.span.in_scope(|| warn!(from_seq, reason, "ticks are gone; the gap is accepted"));
                    lane.accept_gap();
                }
            }
        }
        Ok(now)
    }

    fn receive_timeout(&self, frames: &impl FrameReceiver, commits: &CommitHandle, now: Instant) -> Duration {
        /// With nothing to commit only a frame or the end is waited for.
        const IDLE: Duration = Duration::from_secs(1);
        /// No frame may come before the commit under way is done, and its outcome wakes nobody.
        const HALF_FULL: Duration = Duration::from_micros(500);
        if frames.is_prefetch_half_full() {
            return HALF_FULL;
        }
        let has_uncommitted = self.lanes.iter().any(HostedLane::has_uncommitted);
        if has_uncommitted { commits.wait_for_frames(now) } else { IDLE }
    }

    /// Runs a frame through every lane of its shard; gives the time when that was done.
    #[inline]
    fn take(
        &mut self,
        frame: &Frame,
        receipt: Receipt,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<Instant, HostError> {
        let started = Instant::now();
        self.taken.get_or_insert(started);
        let shard = frame.header.shard;
        if self.source.is_some() && !self.lanes.iter().any(|lane| lane.id.shard == shard) {
            self.claim(shard, frames, commits)?;
        }
        for lane in &mut self.lanes {
            if lane.id.shard == shard {
                match lane.take(frame)? {
                    Taken::Yes => {}
                    Taken::Early { missing } => early(lane, frame, missing, receipt, frames)?,
                    Taken::Unnamed => unnamed(lane, receipt, frames),
                }
            }
        }
        for (market_of, market) in &mut self.markets {
            if *market_of == shard {
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

    /// Claims the lane of a shard that has come to this host.
    #[cold]
    fn claim(
        &mut self,
        shard: u16,
        frames: &mut impl FrameReceiver,
        commits: &mut CommitHandle,
    ) -> Result<(), HostError> {
        let Some(source) = &self.source else { return Ok(()) };
        let claim = commits.claim(source.id(shard), frames.begins_at(shard))?;
        // What another member has stored is delivered again where it could not acknowledge that.
        frames.acknowledge(shard, if claim.ended { u64::MAX } else { claim.state_seq });
        let lane = HostedLane::restore(source.id(shard), source.lane(), claim)?;
        lane.span.in_scope(|| info!(position = lane.counts.position, "shard claimed"));
        self.lanes.push(lane);
        Ok(())
    }

    fn commit(&mut self, commits: &mut CommitHandle, with_state: bool) -> Result<(), HostError> {
        let started = Instant::now();
        let mut ready = Vec::new();
        let mut progress = Vec::new();
        for lane in &mut self.lanes {
            let with_state = with_state && lane.has_unstored_state();
            if with_state || lane.has_uncommitted() {
                ready.push(lane.commit(with_state)?);
            }
            if commits.observed {
                progress.extend(lane.progress());
            }
        }
        if with_state {
            self.checkpoints.spent(started.elapsed());
        }
        if ready.is_empty() && progress.is_empty() {
            return Ok(());
        }
        let taken = self.taken.take().filter(|_| !ready.is_empty());
        commits.request(ready, progress, taken)
    }

    pub(super) fn report(&mut self) -> WorkerReport {
        let mut lanes = std::mem::take(&mut self.released);
        for lane in &self.lanes {
            lanes.entry(lane.id.clone()).or_default().add(&lane.counts);
        }
        WorkerReport {
            lanes: lanes.into_iter().collect(),
            markets: std::mem::take(&mut self.markets),
            timing: std::mem::take(&mut self.timing),
        }
    }
}

/// A frame beyond the cursor is discarded, as it will come again behind what is missing.
#[cold]
fn early(
    lane: &mut HostedLane,
    frame: &Frame,
    missing: Range<u64>,
    receipt: Receipt,
    frames: &mut impl FrameReceiver,
) -> Result<(), HostError> {
    if !frames.repairs() {
        let (strategy, shard) = (lane.id.strategy.clone(), lane.id.shard);
        return Err(HostError::Gap { strategy, shard, first: missing.start, last: missing.end - 1 });
    }
    frames.discard(receipt);
    if let Some(from_seq) = lane.request_resend(frame.header.attempt, Instant::now()) {
        let (attempt, missing_to) = (frame.header.attempt, missing.end);
        lane.span.in_scope(|| warn!(attempt, from_seq, missing_to, "gap: ticks are requested again"));
        frames.request_resend(lane.id.shard, from_seq, attempt);
    }
    Ok(())
}

/// A frame with ticks of instruments without a name is discarded: once they are named, it is a gap.
#[cold]
fn unnamed(lane: &mut HostedLane, receipt: Receipt, frames: &mut impl FrameReceiver) {
    frames.discard(receipt);
    if lane.request_names(Instant::now()) {
        frames.request_dictionary(lane.id.shard);
    }
}
