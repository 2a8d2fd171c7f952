//! The search for the fewest nodes and shards that carry a feed.

use super::demand::{Brokers, Demand, Resource};
use super::error::PlanError;
use super::node::Node;
use super::spread::{ShardLoad, loads};
use crate::budget::place_shards;

/// No plan has more nodes.
pub const MAX_NODES: u16 = 64;
/// No plan that is free to choose has more shards on each node.
const MAX_SHARDS_PER_NODE: u16 = 32;

/// How the demand is carried, or what comes closest to carrying it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every broker node.
    pub nodes: Vec<Node>,
    /// Over how many shards the feed is spread.
    pub shards: u16,
    /// The shard with the most ticks.
    pub hottest: Hottest,
    /// The largest of all nodes, in seconds.
    pub p99: f64,
    /// How much of each resource is used, where it is used most; the wait only where one is asked for.
    pub used: Vec<Use>,
    /// Whether all of it fits with the headroom.
    pub fits: bool,
}

/// How much of a resource is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// What is used.
    pub resource: Resource,
    /// The part that is used: 1 is all of it.
    pub used: f64,
}

/// The shard with the most ticks.
#[derive(Clone, Debug)]
pub struct Hottest {
    /// Its number, counted from 0.
    pub shard: u16,
    /// Its node, counted from 0.
    pub node: u16,
    /// Its part of all ticks.
    pub share: f64,
    /// How many keys it has.
    pub keys: usize,
    /// Its key with the most ticks.
    pub first_key: String,
    /// That key's part of all ticks.
    pub first_share: f64,
    /// The ticks a second, of all keys, at which that one alone fills a shard or a node: no number
    /// of nodes and shards takes more.
    pub most_ticks: f64,
}

impl Plan {
    /// The fewest nodes that do it, and on them the fewest shards; or what comes closest. Where only
    /// the ingester is too slow, more nodes are no better.
    ///
    /// # Errors
    /// The demand is not one that can be planned: see [`PlanError`].
    pub fn find(demand: &Demand, brokers: &Brokers) -> Result<Self, PlanError> {
        check(demand, brokers)?;
        let mut closest: Option<Self> = None;
        for nodes in brokers.replicas..=MAX_NODES {
            for shards in choices(nodes, demand.shards) {
                let plan = Self::with(demand, brokers, nodes, shards);
                if plan.nodes_fit(brokers) {
                    return Ok(plan);
                }
                // One node more has to be worth something.
                if closest.as_ref().is_none_or(|closest| plan.nodes_used() < closest.nodes_used() * 0.9) {
                    closest = Some(plan);
                }
            }
        }
        closest.ok_or(PlanError::InvalidReplicas { replicas: brokers.replicas, most: MAX_NODES })
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
            Use::new(Resource::Ingester, demand.ticks / brokers.ingester_ticks),
            Use::new(Resource::Messages, most(&Node::messages_used)),
            Use::new(Resource::Bytes, most(&|node| node.least_busy)),
            Use::new(Resource::Shard, shard),
        ];
        used.extend(demand.p99.map(|limit| Use::new(Resource::Latency, p99 / limit)));
        let fits = used.iter().all(|one| one.fits(brokers));
        Self { nodes, shards, hottest, p99, used, fits }
    }

    /// What nodes and shards have an influence on.
    fn of_nodes(&self) -> impl Iterator<Item = &Use> {
        self.used.iter().filter(|one| one.resource != Resource::Ingester)
    }

    /// Whether all fits but for the ingester.
    pub fn nodes_fit(&self, brokers: &Brokers) -> bool {
        self.of_nodes().all(|one| one.fits(brokers))
    }

    /// Into how many feeds this one has to be split, for the ingester of each to be fast enough.
    pub fn feeds(&self, brokers: &Brokers) -> u64 {
        let needed = self.part_used(Resource::Ingester).unwrap_or(0.0) / brokers.limit(Resource::Ingester);
        needed.ceil().max(1.0) as u64
    }

    /// How much of a resource is used: 1 is all of it. `None` where it has no limit.
    pub fn part_used(&self, resource: Resource) -> Option<f64> {
        self.used.iter().find(|one| one.resource == resource).map(|one| one.used)
    }

    fn nodes_used(&self) -> f64 {
        self.of_nodes().map(|one| one.used).fold(0.0, f64::max)
    }

    /// What runs out first, and how much of it is used. A shard that is far above the others and
    /// makes the most of its node's load is named rather than the node.
    pub fn binding(&self) -> Use {
        let more = |most: Use, one: &Use| if one.used > most.used { *one } else { most };
        let most = self.used.iter().fold(Use::new(Resource::Messages, 0.0), more);
        let is_hot = self.hottest.share * f64::from(self.shards) >= 1.25;
        match self.part_used(Resource::Shard) {
            Some(used) if most.resource == Resource::Bytes && is_hot && used >= 0.6 * most.used => {
                Use::new(Resource::Shard, most.used)
            }
            _ => most,
        }
    }
}

impl Use {
    fn new(resource: Resource, used: f64) -> Self {
        Self { resource, used }
    }

    fn fits(&self, brokers: &Brokers) -> bool {
        self.used <= brokers.limit(self.resource)
    }
}

fn check(demand: &Demand, brokers: &Brokers) -> Result<(), PlanError> {
    // Written so that what is not a number is refused too.
    if !(demand.ticks > 0.0 && demand.ticks.is_finite()) {
        return Err(PlanError::InvalidRate(demand.ticks));
    }
    if !(demand.strategies >= 1.0 && demand.strategies.is_finite()) {
        return Err(PlanError::InvalidStrategies(demand.strategies));
    }
    if demand.shards == Some(0) {
        return Err(PlanError::NoShards);
    }
    if demand.keys.iter().all(|key| key.share == 0.0) {
        return Err(PlanError::NoTicks);
    }
    if !(1..=MAX_NODES).contains(&brokers.replicas) {
        return Err(PlanError::InvalidReplicas { replicas: brokers.replicas, most: MAX_NODES });
    }
    Ok(())
}

/// The numbers of shards that are tried on so many nodes.
fn choices(nodes: u16, given: Option<u16>) -> Vec<u16> {
    match given {
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
