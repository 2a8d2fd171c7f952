//! The feed's strategies: who takes part, from where on, and how far each is. Pure.

use std::time::Duration;

use thiserror::Error;
use tick_sdk::names::{InvalidName, StrategyName};

use super::StrategyProgress;
use crate::rabbitmq::control::{JoinFrom, ShardCursor, StrategyState};

/// The feed's strategies.
#[derive(Debug)]
pub(super) struct Strategies {
    members: Vec<Member>,
    shards: usize,
    /// What hosts are told: what an ingester that resumes the run knows, too. None before that knows of the run.
    kept: Option<Vec<StrategyState>>,
    /// Counts changes of what is to be bound.
    version: u64,
}

#[derive(Debug)]
struct Member {
    progress: StrategyProgress,
    bindings: Vec<Binding>,
    /// Whether each shard's queue is declared, so that a host may read it.
    declared: Vec<bool>,
    /// When an instance last reported how far it is; before that, when the publisher began.
    last_seen: Duration,
}

/// An instance reports each second how far it is; one that has not for so long does not run, or cannot be
/// reached.
const INSTANCE_SILENCE: Duration = Duration::from_secs(5);

/// What one strategy's queue of one shard is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// Bound: it is given every frame.
    Bound,
    /// To be bound before the next frame, whose place is then its beginning.
    FromNow,
    /// There, and filled by a pass of its own.
    CatchingUp,
    /// Not bound: it was abandoned, and waits for its strategy to come back.
    Unbound,
    /// Not bound: the run's end is committed there, and all that would follow is its repetition.
    Ended,
    /// To be deleted.
    Deleted,
}

/// A feed has at most so many strategies: each is a queue a shard.
pub(super) const MAX_STRATEGIES: usize = 256;

/// Why a strategy may not join.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum JoinError {
    /// It would be part of the names of queues.
    #[error("{0}\n  start its instances with another --as NAME")]
    Name(#[from] InvalidName),
    /// It would be one too many.
    #[error(
        "the feed has {MAX_STRATEGIES} strategies already, and takes no more\n  take one out with \
         `orchard run … --leave`, or run it on another feed"
    )]
    TooMany,
    /// It names positions of another number of shards.
    #[error("it names positions of {named} shards, and the feed has {shards}: use matching versions")]
    Shards {
        /// How many it names.
        named: usize,
        /// How many there are.
        shards: usize,
    },
}

/// What a request to join leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It takes part already, or is about to.
    Already,
    /// It will at once, from the next frame on.
    Bound,
    /// A pass of its own has to begin at these ticks.
    CatchUp(Vec<u64>),
}

impl Strategies {
    pub(super) fn new(members: Vec<StrategyProgress>, shards: usize) -> Self {
        let member = |progress: StrategyProgress| {
            // What was caught up before is caught up from where it is, as soon as its host reports that.
            let mut member = Member::new(progress, Binding::Bound, shards);
            if member.progress.has_left {
                // An earlier ingester had no time to delete its queues.
                member.leave(Binding::Deleted);
            } else if !member.progress.bound {
                member.leave(Binding::Unbound);
            }
            member.unbind_what_ended();
            member
        };
        Self { members: members.into_iter().map(member).collect(), shards, kept: None, version: 1 }
    }

    /// Changes whenever bindings do; never 0.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// A queue is to be declared again.
    pub(super) fn redeclare(&mut self) {
        self.version += 1;
    }

    /// Every strategy's binding of a shard.
    pub(super) fn bindings(&self, shard: u16) -> Vec<(StrategyName, Binding)> {
        let binding =
            |member: &Member| (member.progress.state.name.clone(), member.bindings[usize::from(shard)]);
        self.members.iter().map(binding).collect()
    }

    /// How many queues a frame of this shard goes to.
    pub(super) fn bound(&self, shard: u16) -> u32 {
        let is_bound = |member: &&Member| member.bindings[usize::from(shard)] == Binding::Bound;
        self.members.iter().filter(is_bound).count() as u32
    }

    pub(super) fn progress(&self) -> Vec<StrategyProgress> {
        self.members.iter().map(|member| member.progress(self.shards)).collect()
    }

    /// What hosts are told of the strategies; nothing before the first [`keep`](Self::keep).
    pub(super) fn told(&self) -> Option<Vec<StrategyState>> {
        self.kept.clone()
    }

    /// From now on an ingester that resumes the run knows this: hosts may act on it. True if it is news.
    ///
    /// Hosts that were told before would leave, or begin, and a successor of an ingester that is killed would
    /// wait for them, or send them nothing.
    pub(super) fn keep(&mut self, kept: &[StrategyProgress]) -> bool {
        let states: Vec<_> = kept.iter().map(|strategy| strategy.state.clone()).collect();
        let is_news = self.kept.as_ref() != Some(&states);
        self.kept = Some(states);
        is_news
    }

    /// The strategies that have not ended, and of which no instance has reported for some time.
    pub(super) fn without_instance(&self, now: Duration) -> Vec<StrategyName> {
        let is_absent = |member: &&Member| {
            let is_expected = !member.has_left() && !member.progress.has_ended(self.shards);
            is_expected && now.saturating_sub(member.last_seen) > INSTANCE_SILENCE
        };
        self.members.iter().filter(is_absent).map(|member| member.progress.state.name.clone()).collect()
    }

    /// An instance of a strategy runs at `now`.
    pub(super) fn see_instance(&mut self, strategy: &StrategyName, now: Duration) {
        if let Some(member) = self.find(strategy) {
            member.last_seen = now;
        }
    }

    /// Whether it takes part.
    pub(super) fn has(&self, strategy: &StrategyName) -> bool {
        self.members.iter().any(|member| member.progress.state.name == *strategy)
    }

    fn takes_part(&self, strategy: &StrategyName) -> bool {
        self.members.iter().any(|member| member.progress.state.name == *strategy && !member.has_left())
    }

    /// Whether a full queue of this strategy may stall the feed.
    pub(super) fn is_required(&self, strategy: &StrategyName) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.progress.state.name == *strategy && member.progress.state.required)
    }

    /// A strategy is to take part; a second request while it is being caught up changes nothing.
    ///
    /// # Errors
    /// It may not; nothing is changed.
    pub(super) fn join(&mut self, strategy: &StrategyName, from: &JoinFrom) -> Result<Joined, JoinError> {
        let shards = self.shards;
        // One that has left takes no part, however long its broker is away.
        let taking_part = self.members.iter().filter(|member| !member.has_left()).count();
        if !self.takes_part(strategy) && taking_part >= MAX_STRATEGIES {
            return Err(JoinError::TooMany);
        }
        if let JoinFrom::At(begins) = from
            && begins.len() != shards
        {
            return Err(JoinError::Shards { named: begins.len(), shards });
        }
        self.version += 1;
        let begins = match from {
            JoinFrom::Start => vec![0; shards],
            JoinFrom::Now => Vec::new(),
            JoinFrom::At(begins) => begins.clone(),
        };
        let binding = if begins.is_empty() { Binding::FromNow } else { Binding::CatchingUp };
        match self.find(strategy) {
            // It has come back: where it began once stays as it was.
            Some(member) if member.is_out() => {
                member.bindings = vec![binding; shards];
                member.declared = vec![false; shards];
            }
            Some(_) => return Ok(Joined::Already),
            None => {
                let begins_at = if begins.is_empty() { vec![0; shards] } else { begins.clone() };
                let name = strategy.clone();
                let state = StrategyState {
                    name,
                    required: false,
                    active: false,
                    begins_at,
                    ledger: None,
                    ended: false,
                };
                let progress = StrategyProgress { state, cursors: Vec::new(), bound: false, has_left: false };
                self.members.push(Member::new(progress, binding, shards));
            }
        }
        Ok(if binding == Binding::FromNow { Joined::Bound } else { Joined::CatchUp(begins) })
    }

    /// A queue is there; it is bound where it is to be, and where it begins now that is `position`.
    pub(super) fn declared(&mut self, strategy: &StrategyName, shard: u16, position: u64) {
        let Some(member) = self.find(strategy) else { return };
        let place = usize::from(shard);
        if member.bindings[place] == Binding::FromNow {
            member.bindings[place] = Binding::Bound;
            member.progress.state.begins_at[place] = position;
        }
        member.declared[place] = true;
        member.progress.state.active |= member.declared.iter().all(|declared| *declared);
    }

    /// A queue that was caught up is bound.
    pub(super) fn caught_up(&mut self, strategy: &StrategyName, shard: u16) {
        let Some(member) = self.find(strategy) else { return };
        let binding = &mut member.bindings[usize::from(shard)];
        if *binding == Binding::CatchingUp {
            *binding = Binding::Bound;
            self.version += 1;
        }
    }

    /// The feed no longer waits for a strategy whose queues do not drain. False if it was abandoned before.
    pub(super) fn abandon(&mut self, strategy: &StrategyName) -> bool {
        let Some(member) = self.find(strategy).filter(|member| !member.is_out()) else { return false };
        member.leave(Binding::Unbound);
        self.version += 1;
        true
    }

    /// A strategy's queues are to be deleted. False if they are already, or there is no such strategy.
    pub(super) fn leave(&mut self, strategy: &StrategyName) -> bool {
        let Some(member) = self.find(strategy) else { return false };
        let is_new = !member.has_left();
        member.leave(Binding::Deleted);
        self.version += 1;
        is_new
    }

    /// A queue is deleted; with its last one the strategy is forgotten.
    pub(super) fn deleted(&mut self, strategy: &StrategyName, shard: u16) {
        if let Some(member) = self.find(strategy) {
            member.bindings[usize::from(shard)] = Binding::Unbound;
        }
        self.members.retain(|member| member.progress.state.name != *strategy || member.has_left());
    }

    /// A host reports how far it is. A host with another ledger than the strategy's first one counts
    /// for nothing.
    pub(super) fn on_cursors(
        &mut self,
        strategy: &StrategyName,
        ledger: &str,
        cursors: &[ShardCursor],
    ) -> Reported {
        let shards = self.shards;
        let Some(member) = self.find(strategy) else { return Reported::Progress };
        let progress = &mut member.progress;
        if *progress.state.ledger.get_or_insert_with(|| ledger.to_owned()) != ledger {
            return Reported::Progress;
        }
        let mut reported = Reported::Progress;
        for cursor in cursors.iter().filter(|cursor| usize::from(cursor.shard) < shards) {
            let known = progress.cursors.iter_mut().find(|known| known.shard == cursor.shard);
            let ended_before = known.as_ref().is_some_and(|known| known.ended);
            if cursor.ended && !ended_before {
                reported = Reported::End;
            }
            match known {
                Some(known) => {
                    known.cursor = known.cursor.max(cursor.cursor);
                    known.stored = known.stored.max(cursor.stored);
                    known.ended |= cursor.ended;
                }
                None => progress.cursors.push(*cursor),
            }
        }
        let has_left = reported == Reported::End && member.unbind_what_ended();
        let is_abandoned = member.bindings.iter().all(|binding| *binding == Binding::Unbound);
        if is_abandoned && !cursors.is_empty() {
            return Reported::Returned(member.progress.stored(shards));
        }
        if has_left {
            self.version += 1;
        }
        reported
    }

    fn find(&mut self, strategy: &StrategyName) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.progress.state.name == *strategy)
    }
}

/// What a host's report of its cursors means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reported {
    /// Nothing beside how far it is.
    Progress,
    /// It has come to some shard's end.
    End,
    /// A strategy that was abandoned runs again: it needs what follows these ticks.
    Returned(Vec<u64>),
}

impl Member {
    fn new(progress: StrategyProgress, binding: Binding, shards: usize) -> Self {
        let last_seen = Duration::ZERO;
        Self { progress, bindings: vec![binding; shards], declared: vec![false; shards], last_seen }
    }

    fn progress(&self, shards: usize) -> StrategyProgress {
        let bound = self.bindings.iter().all(|binding| matches!(binding, Binding::Bound | Binding::Ended));
        let mut progress = StrategyProgress { bound, has_left: self.has_left(), ..self.progress.clone() };
        progress.state.ended = progress.has_ended(shards);
        progress
    }

    fn is_out(&self) -> bool {
        self.bindings.iter().all(|binding| matches!(binding, Binding::Unbound | Binding::Deleted))
    }

    /// Whether its queues are to be deleted.
    fn has_left(&self) -> bool {
        self.bindings.contains(&Binding::Deleted)
    }

    /// Nothing more is sent where the end is committed. True if that changes a binding.
    fn unbind_what_ended(&mut self) -> bool {
        let mut is_changed = false;
        for cursor in self.progress.cursors.iter().filter(|cursor| cursor.ended) {
            if let Some(binding @ Binding::Bound) = self.bindings.get_mut(usize::from(cursor.shard)) {
                *binding = Binding::Ended;
                is_changed = true;
            }
        }
        is_changed
    }

    fn leave(&mut self, binding: Binding) {
        self.progress.state.active = false;
        self.bindings.fill(binding);
        self.declared.fill(false);
    }
}

#[cfg(test)]
mod tests;
