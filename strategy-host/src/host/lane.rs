//! One lane in a host: its cursor, what of a frame it takes, and what is not yet committed. It does
//! no I/O and reads no clock.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tick_feed::{Cursor, Frame, FrameFlags, NewInstrument, Verdict};
use tick_sdk::Tick;
use tick_sdk::decimal::{UNDEFINED_PRICE, format_decimal};
use tick_sdk::host::{Lane, LanePosition};
use tick_sdk::signal::encode_signals;
use tracing::Span;

mod calls;
mod counts;
mod requests;

pub use counts::LaneCounts;

use super::{HostError, LaneProgress};
use crate::ledger::{Claim, Commit, LaneId};
use calls::{catch, failed, panicked};
use requests::ResendRequest;

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
    /// Each instrument's symbol, by id: for messages.
    symbols: Vec<Box<str>>,
    /// Ticks of an accepted gap that no commit has recorded yet.
    skipped: u64,
    ended: bool,
    end_committed: bool,
    /// Nothing earlier than this receive time follows.
    watermark: u64,
    /// The watermark that was reported last, and whether the end was.
    reported: (u64, bool),
    /// Signals of the commit that was made last: they count as committed as long as it is not known
    /// to be fenced off.
    signals_in_flight: u64,
    /// What was requested last.
    requested: Option<ResendRequest>,
    /// When names of instruments were requested last.
    names_requested_at: Option<Instant>,
    /// The missing ticks are gone for good, and that is accepted.
    may_jump: bool,
    pub(super) counts: LaneCounts,
    /// As long as the claim.
    pub(super) span: Span,
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// What was new in it was taken.
    Yes,
    /// It comes too early: these ticks are missing before it.
    Early { missing: Range<u64> },
    /// It has ticks of instruments that were never named to this lane.
    Unnamed,
}

impl HostedLane {
    /// Goes on from what a claim found.
    ///
    /// # Errors
    /// The stored state cannot be restored.
    pub(super) fn restore(id: LaneId, mut lane: Box<dyn Lane>, claim: Claim) -> Result<Self, HostError> {
        let restore = || {
            for instrument in &claim.dictionary {
                lane.open(instrument.id, &instrument.symbol, &instrument.key)?;
            }
            claim.states.iter().try_for_each(|(key, state)| lane.restore(key, state))
        };
        catch(&id, restore, || "restoring its state".to_owned())?;
        lane.suppress_below(claim.cursor);
        let span = tracing::info_span!(
            "claim", run = %id.run, strategy = %id.strategy, shard = id.shard, epoch = claim.epoch
        );
        Ok(Self {
            id,
            span,
            lane,
            epoch: claim.epoch,
            position: Cursor::at(claim.state_seq),
            committed: claim.cursor,
            stored: claim.state_seq,
            new_instruments: Vec::new(),
            symbols: claim.dictionary.iter().map(|new| new.symbol.as_str().into()).collect(),
            skipped: 0,
            ended: claim.ended,
            end_committed: claim.ended,
            watermark: 0,
            reported: (0, false),
            signals_in_flight: 0,
            requested: None,
            names_requested_at: None,
            may_jump: false,
            counts: LaneCounts {
                position: claim.state_seq,
                ended: claim.ended,
                takeovers: u64::from(claim.epoch > 1),
                ..LaneCounts::default()
            },
        })
    }

    /// Takes what is new in a frame of its shard.
    ///
    /// # Errors
    /// The strategy failed, or panicked.
    #[inline]
    pub(super) fn take(&mut self, frame: &Frame) -> Result<Taken, HostError> {
        let ticks = frame.ticks();
        self.watermark = self.watermark.max(frame.header.watermark);
        if self.ended {
            self.counts.duplicates += ticks.len() as u64;
            return Ok(Taken::Yes);
        }
        let skip = match self.position.judge(frame.header.first_seq, ticks.len()) {
            Verdict::All => 0,
            Verdict::Suffix { skip } => skip,
            Verdict::Duplicate => ticks.len(),
            Verdict::Gap { missing } => return self.take_early(frame, missing),
        };
        let named_before = frame.dictionary_len.saturating_sub(frame.new_instruments.len() as u32);
        if named_before > self.lane.instruments() && skip < ticks.len() {
            return Ok(Taken::Unnamed);
        }
        self.counts.duplicates += skip as u64;
        self.take_new(frame, skip)?;
        Ok(Taken::Yes)
    }

    #[inline]
    fn take_new(&mut self, frame: &Frame, skip: usize) -> Result<(), HostError> {
        let ticks = &frame.ticks()[skip..];
        self.open(&frame.new_instruments)?;
        if !ticks.is_empty() {
            self.run(frame.header.first_seq + skip as u64, ticks)?;
            self.position.advance_to(frame.end_seq());
            self.counts.ticks += ticks.len() as u64;
            self.counts.position = self.position.next_seq();
        }
        let at_end = self.position.next_seq() == frame.end_seq();
        if at_end && frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            let (seq, watermark) = (self.position.next_seq(), frame.header.watermark);
            catch(&self.id, || self.lane.end(seq, watermark), || "the end of the run".to_owned())?;
            self.ended = true;
            self.counts.ended = true;
        }
        Ok(())
    }

    /// Runs the strategy. A panic is caught here, once a frame, and the tick that caused it is found
    /// afterwards, so that nothing is noted down for each.
    #[inline]
    fn run(&mut self, first_seq: u64, ticks: &[Tick]) -> Result<(), HostError> {
        let ran = catch_unwind(AssertUnwindSafe(|| self.lane.run(first_seq, ticks)));
        match ran {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(failed(&self.id, source)),
            Err(panic) => Err(panicked(&self.id, &*panic, self.describe_last(first_seq, ticks))),
        }
    }

    /// The last tick that the strategy was given, for a person.
    #[cold]
    fn describe_last(&self, first_seq: u64, ticks: &[Tick]) -> String {
        let given = self.lane.position().filter(|position| position.seq >= first_seq);
        let tick = given.and_then(|position| ticks.get((position.seq - first_seq) as usize));
        let (Some(LanePosition { key, seq }), Some(tick)) = (given, tick) else {
            return format!("one of the ticks {first_seq} to {}", first_seq + ticks.len() as u64 - 1);
        };
        let symbol = self.symbols.get(tick.instrument as usize).map_or("of no name", |symbol| symbol);
        let price =
            if tick.price == UNDEFINED_PRICE { "none".to_owned() } else { format_decimal(tick.price) };
        let of_group = if symbol == key { String::new() } else { format!(" of group {key}") };
        format!("tick {seq} of instrument {symbol}{of_group} (ts_recv {}, price {price})", tick.ts_recv)
    }

    /// Makes names known that follow those that are; others are left alone.
    #[inline]
    fn open(&mut self, new_instruments: &[NewInstrument]) -> Result<(), HostError> {
        for new in new_instruments {
            if new.id == self.lane.instruments() {
                let open = || self.lane.open(new.id, &new.symbol, &new.key);
                catch(&self.id, open, || format!("its new instrument {}", new.symbol))?;
                self.symbols.push(new.symbol.as_str().into());
                self.new_instruments.push(new.clone());
            }
        }
        Ok(())
    }

    /// A frame beyond the cursor: of use for its names, or where the gap is accepted.
    #[cold]
    fn take_early(&mut self, frame: &Frame, missing: Range<u64>) -> Result<Taken, HostError> {
        if frame.header.flags.contains(FrameFlags::DICTIONARY) {
            self.open(&frame.new_instruments)?;
            return Ok(Taken::Yes);
        }
        if std::mem::take(&mut self.may_jump) {
            let jumped = missing.end - missing.start;
            (self.skipped, self.counts.skipped) = (self.skipped + jumped, self.counts.skipped + jumped);
            self.position.advance_to(missing.end);
            self.counts.position = missing.end;
            return self.take(frame);
        }
        Ok(Taken::Early { missing })
    }

    /// Whether this lane has requested ticks of which those from `from_seq` on are gone for good.
    pub(super) fn waits_for(&self, from_seq: u64) -> bool {
        !self.ended
            && self.position.next_seq() <= from_seq
            && self.requested.is_some_and(|last| last.from_seq == self.position.next_seq())
    }

    /// Goes on after the gap with the next frame.
    pub(super) fn accept_gap(&mut self) {
        self.may_jump = true;
    }

    /// The commit that was made last came to nothing: somebody else has the lane.
    pub(super) fn fence(&mut self) {
        self.counts.fenced += 1;
        self.counts.signals -= self.signals_in_flight;
    }

    /// Whether it still takes ticks whose signals are committed, so that no state can be stored.
    pub(super) fn is_catching_up(&self) -> bool {
        self.position.next_seq() < self.committed
    }

    /// How many signals wait to be committed.
    #[inline]
    pub(super) fn pending_signals(&mut self) -> usize {
        self.lane.signals().len()
    }

    /// Whether a commit would change anything.
    #[inline]
    pub(super) fn has_uncommitted(&self) -> bool {
        self.position.next_seq() > self.committed || self.ended != self.end_committed
    }

    /// Whether a commit with state would store more than what is stored.
    pub(super) fn has_unstored_state(&self) -> bool {
        let position = self.position.next_seq();
        !self.end_committed && position > self.stored && position >= self.committed
    }

    /// How far it is, if that has changed since it was reported last. What is reported goes with the
    /// commit that covers it.
    pub(super) fn progress(&mut self) -> Option<LaneProgress> {
        let now = (self.watermark, self.ended);
        if std::mem::replace(&mut self.reported, now) == now {
            return None;
        }
        Some(LaneProgress { lane: self.id.clone(), watermark: self.watermark, ended: self.ended })
    }

    /// Everything since the last commit; with the states of the keys that changed, if
    /// `with_state`.
    pub(super) fn commit(&mut self, with_state: bool) -> Result<Commit, HostError> {
        let to_seq = self.position.next_seq();
        let mut states = None;
        if with_state {
            let mut changed = Vec::new();
            let visit = &mut |key: &str, state| changed.push((key.to_owned(), state));
            let encode = || self.lane.changed_since(self.stored, visit);
            catch(&self.id, encode, || "encoding its state".to_owned())?;
            self.stored = to_seq;
            states = Some(changed);
        }
        let mut signals = Vec::new();
        let pending = self.lane.signals();
        encode_signals(pending, &mut signals);
        self.signals_in_flight = pending.len() as u64;
        self.counts.signals += self.signals_in_flight;
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
            skipped: std::mem::take(&mut self.skipped),
        })
    }
}

#[cfg(test)]
mod tests;
