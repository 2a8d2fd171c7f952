//! What a run reports while it goes on, and at its end.

use std::time::Duration;

use tick_feed::rabbitmq::SubscriberCounts;
use tick_sdk::names::{FeedName, RunId, StrategyName};

use super::PartEnd;
use crate::host::LaneCounts;

/// What happens while a feed is followed.
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// The feed has no run to take part in; one is waited for.
    WaitingForRun {
        /// The feed's last run, which has ended.
        ended: Option<RunId>,
    },
    /// The strategy's end was committed in this run before it was joined.
    EndedBefore {
        /// The run.
        run: RunId,
    },
    /// A run is taken part in.
    RunBegins {
        /// The run.
        run: RunId,
    },
    /// The strategy is not among the feed's yet, and only the ingester can take it in; it has not
    /// answered for ten seconds.
    WaitingToJoin,
    /// How far it is, once a second.
    Progress(RunProgress),
    /// Neither frames nor the ingester's states have come for ten seconds, while every broker is
    /// connected: the run has no ingester. Repeated once a minute.
    NoIngester {
        /// The run, by which an ingester resumes it.
        run: RunId,
    },
    /// A broker is not connected; it is tried again all the time. Repeated once a minute.
    BrokerLost {
        /// Its URL, without a password.
        broker: String,
        /// Since when.
        since: Duration,
        /// Why.
        error: String,
    },
    /// Every broker is connected again.
    BrokersConnected,
    /// No beat has reached the ledger for longer than a member lives: every shard is released at once,
    /// and the other members take over.
    LeaseLost {
        /// How long ago the last beat that succeeded began.
        silent: Duration,
    },
    /// Beats reach the ledger again: this member gets shards again.
    LeaseRegained,
    /// The part in a run is over.
    RunEnds(Box<RunReport>),
}

/// How far the part in a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Ticks committed by this process.
    pub ticks: u64,
    /// How many of them a second, since the last report.
    pub ticks_per_second: u64,
    /// How many shards this member has.
    pub own_shards: usize,
    /// How many the run has.
    pub shards: usize,
    /// How many members share them; `None` before the first beat, and while the lease is lost.
    pub members: Option<usize>,
    /// Ticks of this member's shards that were published and are not committed.
    pub behind: u64,
}

/// What a member did in one run.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The feed.
    pub feed: FeedName,
    /// The run.
    pub run: RunId,
    /// The strategy's instance name.
    pub strategy: StrategyName,
    /// The member's own id.
    pub member: String,
    /// How it ended.
    pub end: PartEnd,
    /// How many shards the run has.
    pub shards: u16,
    /// What each shard's lane counted in this process.
    pub lanes: Vec<(u16, LaneCounts)>,
    /// How many transactions were committed.
    pub commits: u64,
    /// What came from the broker.
    pub received: SubscriberCounts,
    /// How long it took.
    pub elapsed: Duration,
}

impl RunReport {
    /// One count over all lanes.
    pub fn sum(&self, count: impl Fn(&LaneCounts) -> u64) -> u64 {
        self.lanes.iter().map(|(_, counts)| count(counts)).sum()
    }
}
