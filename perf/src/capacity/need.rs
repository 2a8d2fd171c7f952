//! What a rate needs of each resource at the least, computed: with full frames, and no burst spread
//! over time. 1 is all that the busiest of its kind has. This decides what binds; how busy a resource
//! is beside it says little, as frames are made as small as the budget and the ingester allow.

use std::collections::BTreeSet;

use tick_feed::budget::place_shards;

use super::assignment::shards_by_instance;
use super::costs::TICK_BYTES;
use super::market::FeedSpread;
use super::scenario::Scenario;

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Resource {
    /// An ingester's time.
    Ingester,
    /// A node's message budget.
    Messages,
    /// A node's time.
    Broker,
    /// A node's network, the busier direction.
    Network,
    /// A host's thread.
    Host,
    /// The ledger's time.
    Ledger,
}

impl Resource {
    /// In the order in which a tick passes them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Ingester, Self::Messages, Self::Broker, Self::Network, Self::Host, Self::Ledger];

    /// As people are shown it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ingester => "ingester",
            Self::Messages => "message budget",
            Self::Broker => "broker node",
            Self::Network => "network",
            Self::Host => "host thread",
            Self::Ledger => "ledger",
        }
    }
}

/// What one feed needs of each resource, in the order of [`Resource::ALL`], at `rate` ticks/s of the
/// whole market.
pub(super) fn needed(scenario: &Scenario, feed: &FeedSpread, rate: f64) -> [f64; 6] {
    let costs = &scenario.costs;
    let full = scenario.full();
    let bytes = Scenario::bytes(full);
    let copies = f64::from(scenario.strategies);
    let frames = |share: f64| share * rate / full as f64;
    let ingester = frames(feed.share()) * (costs.ingest(full) + costs.ingester_frame) as f64 * 1e-9;
    let per_frame = (costs.take(bytes) + u64::from(scenario.strategies) * costs.deliver(bytes)) as f64 * 1e-9;

    let nodes = usize::from(scenario.nodes);
    let places = place_shards(scenario.shards, &scenario.budget.weights(nodes));
    let mut shares = vec![0.0; nodes];
    let mut heartbeats = vec![0.0; nodes];
    for (share, node) in feed.shards.iter().zip(&places) {
        shares[usize::from(*node)] += share;
        heartbeats[usize::from(*node)] += copies;
    }
    let messages = (0..nodes).map(|node| {
        let budget = scenario.budget.rate(node).map_or(f64::INFINITY, f64::from);
        (frames(shares[node]) * copies + heartbeats[node]) / budget
    });
    let most = largest(shares.iter().copied());

    let shares =
        |shards: BTreeSet<u16>| shards.into_iter().map(|shard| feed.shards[usize::from(shard)]).sum();
    let busiest = largest(shards_by_instance(scenario).into_iter().map(shares));
    // Hosts that cannot do otherwise commit four times a second.
    let hosts = copies * f64::from(scenario.instances);
    [
        ingester,
        largest(messages),
        frames(most) * per_frame,
        most * rate * TICK_BYTES * copies / costs.node_network,
        frames(busiest) * costs.host(full) as f64 * 1e-9,
        hosts * 4.0 * costs.commit as f64 * 1e-9,
    ]
}

fn largest(parts: impl Iterator<Item = f64>) -> f64 {
    parts.fold(0.0, f64::max)
}
