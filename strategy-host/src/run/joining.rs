//! Becoming one of a feed's strategies.

use std::time::{Duration, Instant};

use tick_feed::rabbitmq::control::JoinFrom;
use tick_feed::rabbitmq::{Control, FeedState};

use super::session::{Session, active, lanes_of};
use super::watch::SILENCE;
use super::{AtEnd, Begin, POLL, RunError, RunEvent};
use crate::ledger::LaneRow;

/// Between two requests to join.
const JOIN_AGAIN: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Waits until the feed has the strategy, and asks for it where it has not; gives the first
    /// sequence number that it is given of each shard. `None` if that was cancelled.
    ///
    /// # Errors
    /// The ingester refuses the strategy, or has closed the run, or the strategy commits to another ledger.
    pub(super) fn join(
        &self,
        lanes: &[LaneRow],
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Result<Option<Vec<u64>>, RunError> {
        let name = &self.plan.name;
        let has = |state: &FeedState| state.run != self.run() || active(state, name).is_some();
        let started = Instant::now();
        let mut asked: Option<Instant> = None;
        let mut is_reported = false;
        while !self.cancellation.is_cancelled() {
            self.check_taken_in()?;
            if let Some(state) = self.handle.wait_for_state(POLL, has) {
                self.check_ledger(&state, self.ledger.id())?;
                let shards = state.shards.len();
                return Ok(Some(
                    active(&state, name).map_or_else(|| vec![0; shards], |one| one.begins_at.clone()),
                ));
            }
            // Nobody takes it in any more, and it takes part in no other run.
            let is_closed = |state: &FeedState| state.run == self.run() && state.closed;
            if self.plan.at_end == AtEnd::Stop && self.handle.state().is_some_and(|state| is_closed(&state)) {
                return Err(RunError::closed_early(self.plan, self.run()));
            }
            // The first state may be one that was kept, from before somebody else joined.
            let is_due = asked.is_none_or(|at| at.elapsed() > JOIN_AGAIN);
            if is_due && (self.handle.announced_at().is_some() || started.elapsed() > JOIN_AGAIN) {
                asked = Some(Instant::now());
                let from = self.begins(lanes)?;
                self.handle.send(Control::Join { run: self.run(), strategy: name.to_string(), from });
            }
            if !is_reported && started.elapsed() > SILENCE {
                is_reported = true;
                on_event(RunEvent::WaitingToJoin);
            }
        }
        Ok(None)
    }

    /// Where it begins: where its ledger stands if it was there before.
    fn begins(&self, lanes: &[LaneRow]) -> Result<JoinFrom, RunError> {
        if lanes.is_empty() {
            return Ok(match self.plan.begin {
                // Ticks before the time are left out where they are taken: see `from_time`.
                Begin::Start | Begin::Time(_) => JoinFrom::Start,
                Begin::Now => JoinFrom::Now,
                Begin::Deployed if self.began_before_run()? => JoinFrom::Start,
                Begin::Deployed => JoinFrom::Now,
            });
        }
        let known = self.state.strategies.iter().find(|one| self.plan.name == one.name.as_str());
        let mut begins = known.map_or_else(Vec::new, |one| one.begins_at.clone());
        begins.resize(self.state.shards.len(), 0);
        for row in lanes {
            if let Some(begin) = begins.get_mut(usize::from(row.lane.shard)) {
                *begin = row.state_seq;
            }
        }
        Ok(JoinFrom::At(begins))
    }

    /// Whether the strategy was there before the run: its member has waited for the run, or the strategy has part
    /// in the one before, as where its hosts were started again in between.
    ///
    /// One begin may go unseen: that of the first run that this process sees, where it was not connected just then
    /// and had waited for less than a minute. There the strategy begins at the next tick.
    fn began_before_run(&self) -> Result<bool, RunError> {
        if self.has_waited || self.handle.saw_begin(self.run()) {
            return Ok(true);
        }
        let runs = self.ledger.runs(self.plan.feed.as_str())?;
        match runs.iter().find(|recorded| recorded.run != self.run()) {
            Some(before) => Ok(!lanes_of(&*self.ledger, before.run, &self.plan.name)?.is_empty()),
            None => Ok(false),
        }
    }
}
