//! One lane in a host: its cursor, and what is not yet committed.

use tick_sdk::signal::encode_signals;
use tick_sdk::{Cursor, Frame, FrameFlags, Lane, LaneError, NewInstrument, Verdict};

use super::{HostError, LaneProgress};
use crate::ledger::{Commit, LaneId, Ledger};

/// A claimed lane.
pub(super) struct HostedLane {
    pub(super) id: LaneId,
    lane: Box<dyn Lane>,
    epoch: u64,
    /// The next tick to take.
    position: Cursor,
    /// The committed cursor, those in flight included.
    committed: u64,
    /// The ticks before it are in the stored state.
    stored: u64,
    new_instruments: Vec<NewInstrument>,
    ended: bool,
    end_committed: bool,
    /// Nothing earlier than this receive time follows.
    watermark: u64,
    /// The watermark that was told last, and whether the end was.
    told: (u64, bool),
    pub(super) counts: LaneCounts,
}

/// What a lane counted in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounts {
    /// Ticks that the strategy was given.
    pub ticks: u64,
    /// Ticks left out because they had been taken before: on resume, all up to the stored state.
    pub duplicates: u64,
    /// Signals committed.
    pub signals: u64,
    /// Where the lane stands: the sequence number after its last tick.
    pub position: u64,
    /// Whether it has come to the run's end.
    pub ended: bool,
}

impl HostedLane {
    pub(super) fn claim(
        ledger: &mut dyn Ledger,
        id: LaneId,
        mut lane: Box<dyn Lane>,
    ) -> Result<Self, HostError> {
        let claim = ledger.claim(&id, 0)?;
        let restore = |lane: &mut dyn Lane| {
            for instrument in &claim.dictionary {
                lane.open(instrument.id, &instrument.symbol, &instrument.key)?;
            }
            claim.states.iter().try_for_each(|(key, state)| lane.restore(key, state))
        };
        restore(&mut *lane).map_err(|source| failed(&id, source))?;
        lane.suppress_below(claim.cursor);
        Ok(Self {
            id,
            lane,
            epoch: claim.epoch,
            position: Cursor::at(claim.state_seq),
            committed: claim.cursor,
            stored: claim.state_seq,
            new_instruments: Vec::new(),
            ended: claim.ended,
            end_committed: claim.ended,
            watermark: 0,
            told: (0, false),
            counts: LaneCounts { position: claim.state_seq, ended: claim.ended, ..LaneCounts::default() },
        })
    }

    /// Takes what is new in a frame of its shard.
    pub(super) fn take(&mut self, frame: &Frame) -> Result<(), HostError> {
        let ticks = frame.ticks();
        let first_seq = frame.header.first_seq;
        self.watermark = self.watermark.max(frame.header.watermark);
        if self.ended {
            self.counts.duplicates += ticks.len() as u64;
            return Ok(());
        }
        let skip = match self.position.judge(first_seq, ticks.len()) {
            Verdict::All => 0,
            Verdict::Suffix { skip } => skip,
            Verdict::Duplicate => ticks.len(),
            Verdict::Gap { missing } => {
                let (strategy, shard) = (self.id.strategy.clone(), self.id.shard);
                return Err(HostError::Gap { strategy, shard, first: missing.start, last: missing.end - 1 });
            }
        };
        self.counts.duplicates += skip as u64;
        self.take_new(frame, skip).map_err(|source| failed(&self.id, source))
    }

    #[inline]
    fn take_new(&mut self, frame: &Frame, skip: usize) -> Result<(), LaneError> {
        let ticks = &frame.ticks()[skip..];
        for new in &frame.new_instruments {
            if new.id >= self.lane.instruments() {
                self.lane.open(new.id, &new.symbol, &new.key)?;
                self.new_instruments.push(new.clone());
            }
        }
        if !ticks.is_empty() {
            self.lane.run(frame.header.first_seq + skip as u64, ticks)?;
            self.position.advance_to(frame.end_seq());
            self.counts.ticks += ticks.len() as u64;
            self.counts.position = self.position.next_seq();
        }
        let at_end = self.position.next_seq() == frame.end_seq();
        if at_end && frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            self.lane.end(self.position.next_seq(), frame.header.watermark)?;
            (self.ended, self.counts.ended) = (true, true);
        }
        Ok(())
    }

    /// How many signals wait to be committed.
    #[inline]
    pub(super) fn pending_signals(&mut self) -> usize {
        self.lane.signals().len()
    }

    /// Whether a commit would change anything.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.position.next_seq() > self.committed || self.ended != self.end_committed
    }

    /// Whether a commit with state would store more than what is stored.
    pub(super) fn has_unstored_state(&self) -> bool {
        let position = self.position.next_seq();
        !self.end_committed && position > self.stored && position >= self.committed
    }

    /// How far it is, if that has changed since it was told last. What is told goes with the
    /// commit that covers it.
    pub(super) fn progress(&mut self) -> Option<LaneProgress> {
        let now = (self.watermark, self.ended);
        if std::mem::replace(&mut self.told, now) == now {
            return None;
        }
        Some(LaneProgress { lane: self.id.clone(), watermark: self.watermark, ended: self.ended })
    }

    /// Everything since the last commit; with the states of the keys that changed, if wanted.
    pub(super) fn commit(&mut self, with_state: bool) -> Result<Commit, HostError> {
        let to_seq = self.position.next_seq();
        let mut states = None;
        if with_state {
            let mut changed = Vec::new();
            let visit = &mut |key: &str, state| changed.push((key.to_owned(), state));
            self.lane.changed_since(self.stored, visit).map_err(|source| failed(&self.id, source))?;
            self.stored = to_seq;
            states = Some(changed);
        }
        let mut signals = Vec::new();
        let pending = self.lane.signals();
        encode_signals(pending, &mut signals);
        self.counts.signals += pending.len() as u64;
        pending.clear();
        let from_seq = std::mem::replace(&mut self.committed, to_seq);
        self.end_committed = self.ended;
        Ok(Commit {
            lane: self.id.clone(),
            epoch: self.epoch,
            from_seq,
            to_seq,
            signals,
            new_instruments: std::mem::take(&mut self.new_instruments),
            states,
            ended: self.ended,
            skipped: 0,
        })
    }
}

fn failed(id: &LaneId, source: LaneError) -> HostError {
    HostError::Lane { strategy: id.strategy.clone(), shard: id.shard, source }
}
