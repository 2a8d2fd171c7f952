//! What an ingester and the hosts of its feed send each other beside frames: JSON, over the
//! control exchange, to all who listen.

use serde::{Deserialize, Serialize};

use super::topology::Durability;
use tick_sdk::names::{FeedName, RunId, StrategyName};

/// One control message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control {
    /// From the ingester, every second and at every change: how the feed stands.
    State(Box<FeedState>),
    /// From a host: ticks from `from_seq` on are missing.
    Resend {
        /// The run.
        run: RunId,
        /// The strategy's instance name.
        strategy: StrategyName,
        /// Of which shard.
        shard: u16,
        /// The first missing sequence number.
        from_seq: u64,
        /// The attempt of the frame that showed the gap; a later attempt from there on answers it.
        attempt: u32,
    },
    /// From a host: names of instruments are missing.
    Dictionary {
        /// The run.
        run: RunId,
        /// The strategy's instance name.
        strategy: StrategyName,
        /// Of which shard.
        shard: u16,
    },
    /// From a host whose strategy is not among the feed's, or was abandoned. The ingester broadcasts a state
    /// in which the strategy takes part, or [`JoinRefused`](Self::JoinRefused).
    Join {
        /// The run.
        run: RunId,
        /// The strategy's instance name, which the ingester checks.
        strategy: String,
        /// From where.
        from: JoinFrom,
    },
    /// From a host that was started with `--leave`: the strategy's queues are to be deleted.
    Leave {
        /// The run.
        run: RunId,
        /// The strategy's instance name.
        strategy: StrategyName,
    },
    /// From every host, every second and at every shard's end.
    Cursors {
        /// The run.
        run: RunId,
        /// The strategy's instance name.
        strategy: StrategyName,
        /// The host's own id.
        member: String,
        /// Which ledger it commits to.
        ledger: String,
        /// The shards it has.
        cursors: Vec<ShardCursor>,
        /// How long its commits took since the report before; `None` without one.
        #[serde(default)]
        delay: Option<CommitDelay>,
    },
    /// From the ingester: its source can no longer give these ticks.
    Gone {
        /// The run.
        run: RunId,
        /// Of which shard.
        shard: u16,
        /// The first one that is gone.
        from_seq: u64,
        /// Why.
        reason: String,
    },
    /// From the ingester: a request to join is refused.
    JoinRefused {
        /// The run.
        run: RunId,
        /// The strategy's instance name, as its host wrote it.
        strategy: String,
        /// Why, with what its user may do about it.
        reason: String,
    },
}

/// From where a strategy that joins late begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinFrom {
    /// The run's first tick: it is caught up through its own queues.
    Start,
    /// The next tick that is published.
    Now,
    /// Each shard's own sequence number, as its ledger has it: it comes back.
    At(Vec<u64>),
}

/// How far one shard of one strategy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCursor {
    /// The shard.
    pub shard: u16,
    /// Signals of ticks before this are committed.
    pub cursor: u64,
    /// Ticks before this are in a stored state.
    pub stored: u64,
    /// The run's end is committed, too.
    pub ended: bool,
}

/// From when a host took the oldest tick of a commit until that was durable, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitDelay {
    /// Half of the commits were faster.
    pub p50_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// The order of a feed's states: a later ingester's come after an earlier one's, and those of one
/// ingester are counted. Clocks of machines differ, so no clock takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StateVersion {
    /// Grows with every ingester that takes the feed; the first one has 1.
    pub ingester_epoch: u64,
    /// Grows with every state that this ingester broadcasts.
    pub counter: u64,
}

/// How a feed stands, as its ingester broadcasts it; the last one is kept on the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedState {
    /// Which of two states is the later one.
    pub version: StateVersion,
    /// The feed.
    pub feed: FeedName,
    /// Its active run.
    pub run: RunId,
    /// The run's manifest, as text.
    pub manifest: String,
    /// The groups file's text, empty for none.
    pub groups: String,
    /// What the broker does with frames.
    pub durability: Durability,
    /// Frames are at most so many bytes.
    pub max_frame_bytes: usize,
    /// One a shard.
    pub shards: Vec<ShardState>,
    /// The feed's strategies.
    pub strategies: Vec<StrategyState>,
    /// Everything is published, the end included.
    pub published: bool,
    /// Every required strategy has committed to the end, or the run was abandoned.
    pub closed: bool,
    /// When this was broadcast by the clock of the ingester's machine, in ns since the UNIX epoch. For
    /// people: nothing is decided by it.
    pub at: u64,
}

/// How one shard stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The broker node that it is on: a place in the ingester's list of brokers.
    pub node: u16,
    /// How often its publish position was rewound.
    pub attempt: u32,
    /// Ticks before this were published.
    pub published: u64,
    /// Ticks before this were confirmed by the broker.
    pub confirmed: u64,
    /// The receive time of the last tick published, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// Why nothing is published at the moment, where that is so.
    pub stalled: Option<String>,
}

/// How one strategy stands in a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyState {
    /// Its instance name, which its queues bear.
    pub name: StrategyName,
    /// Whether its full queues stall the feed; an optional one is abandoned.
    pub required: bool,
    /// Whether its queues are there and filled: a host may read them.
    pub active: bool,
    /// The first sequence number that it is given, for each shard.
    pub begins_at: Vec<u64>,
    /// The ledger its first host named; another one is refused.
    pub ledger: Option<String>,
    /// Its hosts have reported that the run's end is committed in every shard: nothing more is sent to it,
    /// and nobody need wait for its hosts.
    #[serde(default)]
    pub ended: bool,
}

impl Control {
    /// As one message.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("control messages have no map with keys that are not text")
    }

    /// From one message.
    ///
    /// # Errors
    /// It is none of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
