//! The feed's strategies: who takes part, from where on, and how far each is.

use super::StrategyProgress;
use crate::rabbitmq::control::{ShardCursor, StrategyState};

/// The feed's strategies. Pure.
#[derive(Debug)]
pub(super) struct Strategies {
    members: Vec<Member>,
    shards: usize,
    /// Counts changes of what is to be bound.
    version: u64,
}

#[derive(Debug)]
struct Member {
    progress: StrategyProgress,
    bindings: Vec<Binding>,
}

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
    /// Not wanted any more.
    Gone,
}

impl Strategies {
    pub(super) fn new(members: Vec<StrategyProgress>, shards: usize) -> Self {
        let member = |progress: StrategyProgress| {
            let binding = if progress.state.active { Binding::Bound } else { Binding::Unbound };
            Member { progress, bindings: vec![binding; shards] }
        };
        Self { members: members.into_iter().map(member).collect(), shards, version: 1 }
    }

    /// Changes whenever bindings do.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Every strategy's binding of a shard.
    pub(super) fn bindings(&self, shard: u16) -> Vec<(String, Binding)> {
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
        self.members.iter().map(|member| member.progress.clone()).collect()
    }

    pub(super) fn states(&self) -> Vec<StrategyState> {
        self.members.iter().map(|member| member.progress.state.clone()).collect()
    }

    /// A host's word on how far it is. Gives whether a shard's end is new in it; a host with another
    /// ledger than the strategy's first one counts for nothing.
    pub(super) fn heard(&mut self, strategy: &str, ledger: &str, cursors: &[ShardCursor]) -> bool {
        let shards = self.shards;
        let Some(progress) = self.find(strategy).map(|member| &mut member.progress) else { return false };
        if *progress.state.ledger.get_or_insert_with(|| ledger.to_owned()) != ledger {
            return false;
        }
        let mut news = false;
        for cursor in cursors.iter().filter(|cursor| usize::from(cursor.shard) < shards) {
            match progress.cursors.iter_mut().find(|known| known.shard == cursor.shard) {
                Some(known) => {
                    news |= cursor.ended && !known.ended;
                    known.cursor = known.cursor.max(cursor.cursor);
                    known.stored = known.stored.max(cursor.stored);
                    known.ended |= cursor.ended;
                }
                None => {
                    news |= cursor.ended;
                    progress.cursors.push(*cursor);
                }
            }
        }
        news
    }

    fn find(&mut self, strategy: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.progress.state.name == strategy)
    }
}
