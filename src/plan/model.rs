//! How a feed uses its brokers: a model of a node's messages, its time, and a tick's wait.
//!
//! A node is busy for some time with each copy of a message that it delivers, and for some time with
//! each byte of it. It may be given so many messages a second, its budget. A shard is on one node,
//! so its messages and bytes are that node's. Frames are as small as the budget allows, then as a
//! node's time allows, then full. Rates are a second, times in seconds.

use tick_sdk::budget::{Budget, place_shards};
use tick_sdk::run::key_hash;

/// A tick in a frame.
pub(super) const TICK_BYTES: f64 = 40.0;
/// What a message has beside its ticks: a frame's prefix and archive, and AMQP's own frames.
pub(super) const MESSAGE_BYTES: f64 = 200.0;
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

/// An instrument or a group.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    /// Of all ticks.
    pub(super) share: f64,
    /// Made once, as many numbers of shards are tried.
    hash: u64,
}

impl Key {
    pub(super) fn new(name: String, share: f64) -> Self {
        Self { hash: key_hash(&name), name, share }
    }
}

/// What there is.
#[derive(Clone, Debug)]
pub(super) struct Brokers {
    pub(super) budget: Budget,
    /// Bytes a second that a node delivers if it is busy with nothing else.
    pub(super) node_bytes: f64,
    /// How long a node is busy with one delivered copy of an empty message.
    pub(super) message_cost: f64,
    /// How many nodes keep each copy.
    pub(super) replicas: u16,
    /// A full frame.
    pub(super) frame_bytes: f64,
    /// Ticks a second that the one consumer of a shard takes.
    pub(super) shard_ticks: f64,
    /// A small message's way through an idle broker.
    pub(super) hop: f64,
    /// This part of everything stays unused.
    pub(super) headroom: f64,
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
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

/// What one node does.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Messages a second that it may be given; `None` for no limit.
    pub(super) budget: Option<u32>,
    pub(super) shards: u16,
    /// Ticks a second published to it.
    pub(super) ticks: f64,
    pub(super) frame_ticks: f64,
    /// Messages a second, of frames of that size.
    pub(super) messages: f64,
    /// Messages a second if all frames were full.
    pub(super) least_messages: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    /// The part of its time that it is busy.
    pub(super) busy: f64,
    /// The same if all frames were full.
    pub(super) least_busy: f64,
    pub(super) p99: f64,
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
    /// The fewest nodes that do it, and on them the fewest shards; or what comes closest.
    pub(super) fn find(demand: &Demand, brokers: &Brokers) -> Self {
        let mut closest: Option<Self> = None;
        for nodes in brokers.replicas..=MAX_NODES {
            for shards in choices(nodes, demand.shards) {
                let plan = Self::with(demand, brokers, nodes, shards);
                if plan.fits {
                    return plan;
                }
                // One node more has to be worth something.
                if closest.as_ref().is_none_or(|closest| plan.worst().1 < closest.worst().1 * 0.9) {
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
            (Resource::Messages, most(&Node::messages_used)),
            (Resource::Bytes, most(&|node| node.least_busy)),
            (Resource::Shard, shard),
        ];
        used.extend(demand.p99.map(|wanted| (Resource::Latency, p99 / wanted)));
        let within = |(resource, used): &(Resource, f64)| *used <= brokers.limit(*resource);
        let fits = used.iter().all(within);
        Self { nodes, shards, hottest, p99, used, fits }
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

impl Node {
    /// How much of the budget full frames would take.
    fn messages_used(&self) -> f64 {
        self.budget.map_or(0.0, |budget| self.least_messages / f64::from(budget))
    }
}

impl Brokers {
    /// How much of a resource a plan may use; the wait that is asked for has its reserve in itself.
    pub(super) fn limit(&self, resource: Resource) -> f64 {
        if resource == Resource::Latency { 1.0 } else { 1.0 - self.headroom }
    }

    /// Ticks of a full frame.
    pub(super) fn full(&self) -> f64 {
        ((self.frame_bytes - MESSAGE_BYTES) / TICK_BYTES).floor().max(1.0)
    }

    fn node(&self, demand: &Demand, node: u16, shards: u16, share: f64) -> Node {
        let budget = self.budget.rate(node.into());
        let ticks = demand.ticks * share;
        let copies = demand.strategies;
        // Every second a frame without ticks for each shard.
        let heartbeats = f64::from(shards) * copies;
        let messages = |size: f64| ticks / size * copies + heartbeats;
        let work = f64::from(self.replicas);
        let bytes_out = |size: f64| ticks * TICK_BYTES * copies + messages(size) * MESSAGE_BYTES;
        let busy =
            |size: f64| work * (messages(size) * self.message_cost + bytes_out(size) / self.node_bytes);

        let for_messages = budget.map_or(0.0, |budget| {
            let left = f64::from(budget) - heartbeats;
            if left > 0.0 { ticks * copies / left } else { f64::INFINITY }
        });
        let per_message = self.message_cost + MESSAGE_BYTES / self.node_bytes;
        let left = (1.0 - self.headroom)
            - work * (heartbeats * per_message + ticks * TICK_BYTES * copies / self.node_bytes);
        let for_time = if left > 0.0 { work * ticks * copies * per_message / left } else { f64::INFINITY };
        let full = self.full();
        let size = for_messages.max(for_time).clamp(1.0, full);

        // One frame after the other of its shards: a tick waits until its shard's turn has come.
        let gather = if size > 1.0 { size * f64::from(shards) / ticks } else { 0.0 };
        let service = work * copies * (per_message + size * TICK_BYTES / self.node_bytes);
        let p99 = gather + self.hop + service + queueing_p99(service, busy(size));
        Node {
            budget,
            shards,
            ticks,
            frame_ticks: size,
            messages: messages(size),
            least_messages: messages(full),
            bytes_in: bytes_out(size) / copies,
            bytes_out: bytes_out(size),
            busy: busy(size),
            least_busy: busy(full),
            p99: if shards == 0 { 0.0 } else { p99 },
        }
    }
}

/// What one in 100 waits longer for a server that is busy with others for so much of its time, if
/// they come at random and each takes `service`.
fn queueing_p99(service: f64, busy: f64) -> f64 {
    if busy >= 1.0 {
        return f64::INFINITY;
    }
    service * (100.0 * busy).ln().max(0.0) * busy / (2.0 * (1.0 - busy))
}

fn choices(nodes: u16, wanted: Option<u16>) -> Vec<u16> {
    match wanted {
        Some(shards) => vec![shards],
        None => (0..).map(|n| 1 << n).take_while(|n| *n <= MAX_SHARDS_PER_NODE).map(|n| n * nodes).collect(),
    }
}

/// What falls to one shard.
#[derive(Clone, Copy, Default)]
struct ShardLoad {
    /// Of all ticks.
    share: f64,
    keys: usize,
    /// The place of its key with the most ticks.
    first: Option<usize>,
}

fn loads(keys: &[Key], shards: u16) -> Vec<ShardLoad> {
    let mut loads = vec![ShardLoad::default(); shards.into()];
    for (place, key) in keys.iter().enumerate() {
        // As `shard_of` has it.
        let load = &mut loads[(key.hash % u64::from(shards)) as usize];
        load.share += key.share;
        load.keys += 1;
        if load.first.is_none_or(|first| keys[first].share < key.share) {
            load.first = Some(place);
        }
    }
    loads
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

/// Instruments as `orchard generate` has them: number i has a part proportional to 1 / i^skew.
pub(super) fn zipf(instruments: u32, skew: f64) -> Vec<(String, f64)> {
    let weight = |i: u32| f64::from(i + 1).powf(-skew);
    let total: f64 = (0..instruments).map(weight).sum();
    (0..instruments).map(|i| (format!("S{i:05}"), weight(i) / total)).collect()
}

#[cfg(test)]
mod tests;
