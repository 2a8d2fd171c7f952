//! Becoming one of a feed's strategies.

use std::time::{Duration, Instant};

use anyhow::Result;
use strategy_host::ledger::LaneRow;
use tick_feed::rabbitmq::control::{JoinFrom, StrategyState};
use tick_feed::rabbitmq::{Control, FeedState};

use super::{SILENCE, Session, args, check_caught_up, check_ledger};

/// Between two requests to join.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Session<'_> {
    /// Waits until the feed has the strategy, and asks for it where it has not; gives the first
    /// sequence number that it is given of each shard. `None` if that was interrupted.
    pub(super) fn join(&self, lanes: &[LaneRow]) -> Result<Option<Vec<u64>>> {
        let name = self.instance.name.as_str();
        let has = |state: &FeedState| state.run != self.state.run || active(state, name).is_some();
        let started = Instant::now();
        let mut asked: Option<Instant> = None;
        let mut said = self.args.quiet;
        while !self.is_stopped() {
            check_caught_up(&self.handle, self.state.run, name)?;
            if let Some(state) = self.handle.wait_for_state(super::LOOK, has) {
                check_ledger(&state, name, self.ledger.id())?;
                let shards = state.shards.len();
                return Ok(Some(
                    active(&state, name).map_or_else(|| vec![0; shards], |one| one.begins_at.clone()),
                ));
            }
            // The first word may be one that was kept, from before somebody else joined.
            let is_due = asked.is_none_or(|at| at.elapsed() > ASK_AGAIN);
            if is_due && (self.handle.announced_at().is_some() || started.elapsed() > ASK_AGAIN) {
                asked = Some(Instant::now());
                let from = self.begins(lanes);
                self.handle.send(Control::Join { run: self.state.run, strategy: name.to_owned(), from });
            }
            if !said && started.elapsed() > SILENCE {
                said = true;
                eprintln!(
                    "Strategy {name} is not in feed {}, and only its ingester can take it in: waiting for that.",
                    self.args.feed
                );
            }
        }
        Ok(None)
    }

    /// Where it begins: where its ledger stands if it was there before.
    fn begins(&self, lanes: &[LaneRow]) -> JoinFrom {
        if lanes.is_empty() {
            return match self.args.from {
                args::From::Start => JoinFrom::Start,
                args::From::Now => JoinFrom::Now,
            };
        }
        let known = self.state.strategies.iter().find(|one| self.instance.name == one.name);
        let mut begins = known.map_or_else(Vec::new, |one| one.begins_at.clone());
        begins.resize(self.state.shards.len(), 0);
        for row in lanes {
            if let Some(begin) = begins.get_mut(usize::from(row.lane.shard)) {
                *begin = row.state_seq;
            }
        }
        JoinFrom::At(begins)
    }
}

fn active<'a>(state: &'a FeedState, name: &str) -> Option<&'a StrategyState> {
    state.strategies.iter().find(|one| one.name == name && one.active)
}
