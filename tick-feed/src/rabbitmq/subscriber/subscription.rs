//! What a subscriber is to receive.

use broker::BrokerUrl;
use tick_sdk::names::{FeedName, StrategyName};

/// What to receive, and from where.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The brokers' nodes, in the ingester's order.
    pub brokers: Vec<BrokerUrl>,
    /// The feed.
    pub feed: FeedName,
    /// The strategy's instance name, which its queues bear.
    pub strategy: StrategyName,
    /// This process's own id, by which brokers show its connections.
    pub member: String,
    /// So many bytes of each shard are not acknowledged, at most; see
    /// [`PREFETCH_BYTES`](super::PREFETCH_BYTES).
    pub prefetch_bytes: usize,
}
