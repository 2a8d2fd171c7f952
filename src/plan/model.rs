//! How a feed uses its brokers: a model of a node's messages, its time, and a tick's wait.
//!
//! A node is busy for some time with each frame that it takes and with each copy that it delivers, and
//! for some time with each byte of both. It may be given so many messages a second, its budget. A
//! shard is on one node, so its messages and bytes are that node's. Frames are as small as the budget
//! allows, then as a node's time allows, then full. All ticks of a feed pass one ingester, which no
//! number of nodes relieves. Rates are a second, times in seconds.

use tick_feed::budget::place_shards;

mod node;
mod spread;

pub(super) use node::{Brokers, Node, NodeCosts, TICK_BYTES};
pub(super) use spread::{Key, zipf};

use spread::{ShardLoad, loads};

/// No plan has more nodes.
pub(super) const MAX_NODES: u16 = 64;
/// No plan that is free to choose has more shards on each node.
const MAX_SHARDS_PER_NODE: u16 = 32;

/// What is wanted.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) ticks: f64,
    /// Each gets its own copy of every frame.
    pub(super) strategies: f64,
    /// All but one tick of 100 reach their strategy within this.
    pub(super) p99: Option<f64>,
    /// The number of shards, if it is given.
    pub(super) shards: Option<u16>,
    /// Every key; their shares add up to 1.
    pub(super) keys: Vec<Key>,
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// The feed's one ingester.
    Ingester,
    /// A node's message budget, with full frames.
    Messages,
    /// A node's time, with full frames.
    Bytes,
    /// The wait that is allowed.
    Latency,
    /// What one shard's consumer, or the one node it is on, can take.
    Shard,
}

/// One way to do what is wanted, or the way that comes closest.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) shards: u16,
    pub(super) hottest: Hottest,
    /// The largest of all nodes.
    pub(super) p99: f64,
    /// How much of each resource is used, where it is used most: 1 is all of it.
    pub(super) used: Vec<(Resource, f64)>,
    pub(super) fits: bool,
}

/// The shard with the most ticks.
#[derive(Clone, Debug)]
pub(super) struct Hottest {
    pub(super) shard: u16,
    pub(super) node: u16,
    /// Of all ticks.
    pub(super) share: f64,
    pub(super) keys: usize,
    /// Its key with the most ticks, and that one's share of all.
    pub(super) first_key: String,
    pub(super) first_share: f64,
    /// The ticks a second, of all keys, at which that one alone fills a shard or a node: no number
    /// of nodes and shards takes more.
    pub(super) most_ticks: f64,
}

impl Plan {
    /// The fewest nodes that do it, and on them the fewest shards; or what comes closest. Where only
    /// the ingester is too slow, more nodes are no better.
    pub(super) fn find(demand: &Demand, brokers: &Brokers) -> Self {
        let mut closest: Option<Self> = None;
        for nodes in brokers.replicas..=MAX_NODES {
            for shards in choices(nodes, demand.shards) {
                let plan = Self::with(demand, brokers, nodes, shards);
                if plan.nodes_fit(brokers) {
                    return plan;
                }
                // One node more has to be worth something.
                if closest.as_ref().is_none_or(|closest| plan.nodes_used() < closest.nodes_used() * 0.9) {
                    closest = Some(plan);
                }
            }
        }
        closest.expect("at least one number of nodes and shards is tried")
    }

    /// With so many nodes and shards.
    pub(super) fn with(demand: &Demand, brokers: &Brokers, nodes: u16, shards: u16) -> Self {
        let places = place_shards(shards, &brokers.budget.weights(nodes.into()));
        let loads = loads(&demand.keys, shards);
        let mut hottest = hottest(demand, &loads, &places);
        let node = |node: u16| {
            let own = || places.iter().zip(&loads).filter(|(place, _)| **place == node);
            let share = own().map(|(_, load)| load.share).sum();
            brokers.node(demand, node, own().count() as u16, share)
        };
        let nodes: Vec<Node> = (0..nodes).map(node).collect();
        let most = |part: &dyn Fn(&Node) -> f64| nodes.iter().map(part).fold(0.0, f64::max);
        let p99 = most(&|node| node.p99);
        let alone = |share: f64| {
            let node = brokers.node(demand, hottest.node, 1, share);
            (share * demand.ticks / brokers.shard_ticks).max(node.least_busy)
        };
        let shard = alone(hottest.share);
        hottest.most_ticks = demand.ticks / alone(hottest.first_share);
        let mut used = vec![
            (Resource::Ingester, demand.ticks / brokers.ingester_ticks),
            (Resource::Messages, most(&Node::messages_used)),
            (Resource::Bytes, most(&|node| node.least_busy)),
            (Resource::Shard, shard),
        ];
        used.extend(demand.p99.map(|wanted| (Resource::Latency, p99 / wanted)));
        let fits = used.iter().all(|(resource, used)| *used <= brokers.limit(*resource));
        Self { nodes, shards, hottest, p99, used, fits }
    }

    /// What nodes and shards have an influence on.
    fn of_nodes(&self) -> impl Iterator<Item = &(Resource, f64)> {
        self.used.iter().filter(|(resource, _)| *resource != Resource::Ingester)
    }

    /// Whether all fits but for the ingester.
    pub(super) fn nodes_fit(&self, brokers: &Brokers) -> bool {
        self.of_nodes().all(|(resource, used)| *used <= brokers.limit(*resource))
    }

    /// Into how many feeds this one has to be split, for the ingester of each to be fast enough.
    pub(super) fn feeds(&self, brokers: &Brokers) -> u64 {
        let ingester = self.used.iter().find(|(resource, _)| *resource == Resource::Ingester);
        let needed = ingester.map_or(0.0, |(_, used)| used / brokers.limit(Resource::Ingester));
        needed.ceil().max(1.0) as u64
    }

    fn nodes_used(&self) -> f64 {
        self.of_nodes().map(|(_, used)| *used).fold(0.0, f64::max)
    }

    /// What runs out first, and how much of it is used. A shard that is far above the others and
    /// makes the most of its node's load is named rather than the node.
    pub(super) fn worst(&self) -> (Resource, f64) {
        let more = |a: (Resource, f64), b: &(Resource, f64)| if b.1 > a.1 { *b } else { a };
        let worst = self.used.iter().fold((Resource::Messages, 0.0), more);
        let shard = self.used.iter().find(|(resource, _)| *resource == Resource::Shard);
        let is_hot = self.hottest.share * f64::from(self.shards) >= 1.25;
        match shard {
            Some((_, used)) if worst.0 == Resource::Bytes && is_hot && *used >= 0.6 * worst.1 => {
                (Resource::Shard, worst.1)
            }
            _ => worst,
        }
    }
}

fn choices(nodes: u16, wanted: Option<u16>) -> Vec<u16> {
    match wanted {
        Some(shards) => vec![shards],
        None => (0..).map(|n| 1 << n).take_while(|n| *n <= MAX_SHARDS_PER_NODE).map(|n| n * nodes).collect(),
    }
}

fn hottest(demand: &Demand, loads: &[ShardLoad], places: &[u16]) -> Hottest {
    let hottest = (0..loads.len()).max_by(|a, b| loads[*a].share.total_cmp(&loads[*b].share)).unwrap_or(0);
    let load = loads[hottest];
    let first = load.first.map(|place| &demand.keys[place]);
    Hottest {
        shard: hottest as u16,
        node: places[hottest],
        share: load.share,
        keys: load.keys,
        first_key: first.map(|key| key.name.clone()).unwrap_or_default(),
        first_share: first.map_or(0.0, |key| key.share),
        most_ticks: f64::INFINITY,
    }
}

#[cfg(test)]
mod tests;
