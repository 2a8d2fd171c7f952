//! One feed's ingester, as the product has it: ticks that are due are cut into frames by shard. A
//! full frame leaves as soon as budget and window allow, and the ingester waits for that. When no
//! tick is due, a shard that has some sends them if they would leave at once, or have waited for
//! longer than the linger.

use std::collections::VecDeque;

use tick_feed::budget::place_shards;

use super::hosts::Hosts;
use super::market::{FeedSpread, Profile};
use super::node::Node;
use super::scenario::Scenario;
use super::server::Server;
use super::ticks::Ticks;

/// What a shard's window holds: of all shards, and the least and the most of one, in bytes
/// (`tick-feed/src/rabbitmq/publisher/shared.rs`).
const READ_AHEAD_BYTES: f64 = 268_435_456.0;
const SHARD_BYTES: [f64; 2] = [4_194_304.0, 33_554_432.0];

/// As many frames of a shard may be unconfirmed (`tick-feed/src/rabbitmq/publisher/node.rs`).
const MAX_UNCONFIRMED_FRAMES: usize = 1024;

/// As many ticks are taken at once as a reader's batch has.
const BATCH_TICKS: f64 = 4_096.0;

/// One feed while it is simulated.
#[derive(Debug)]
pub(super) struct Ingester<'a> {
    scenario: &'a Scenario,
    market: &'a Profile,
    shards: Vec<Shard>,
    pub(super) nodes: Vec<Node>,
    pub(super) time: Server,
    now: u64,
    /// Ticks that were due before this are cut.
    read_to: u64,
    room: f64,
    /// The shard that is asked first at the next pause: whoever was served last is asked last.
    turn: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Shard {
    node: usize,
    /// Of the market's ticks.
    share: f64,
    /// Ticks that were taken from the market.
    pub(super) taken: u64,
    /// Ticks that were sent.
    pub(super) sent: u64,
    frames: u64,
    /// Since when ticks wait, as far as a pause has noticed.
    waiting: Option<u64>,
    window: VecDeque<(u64, f64)>,
    held: f64,
}

impl Shard {
    /// Ticks of this shard among so many of the market's.
    fn of(&self, market: f64) -> u64 {
        (market * self.share + 1e-6).floor() as u64
    }

    /// How many of the market's ticks there are once this shard has had so many.
    fn market(&self, ticks: u64) -> f64 {
        ticks as f64 / self.share
    }
}

impl<'a> Ingester<'a> {
    pub(super) fn new(scenario: &'a Scenario, market: &'a Profile, spread: &FeedSpread) -> Self {
        let nodes = usize::from(scenario.nodes);
        let places = place_shards(scenario.shards, &scenario.budget.weights(nodes));
        let shard = |(share, node): (&f64, &u16)| Shard {
            node: usize::from(*node),
            share: *share,
            taken: 0,
            sent: 0,
            frames: 0,
            waiting: None,
            window: VecDeque::new(),
            held: 0.0,
        };
        let node = |node| Node::new(scenario.budget.rate(node), market.end);
        Self {
            scenario,
            market,
            shards: spread.shards.iter().zip(&places).map(shard).collect(),
            nodes: (0..nodes).map(node).collect(),
            time: Server::new(market.end),
            now: 0,
            read_to: 0,
            room: (READ_AHEAD_BYTES / f64::from(scenario.shards)).clamp(SHARD_BYTES[0], SHARD_BYTES[1]),
            turn: 0,
        }
    }

    /// One look: cuts what is due, sends what may leave, and sleeps until there is more to do. False
    /// at the end.
    pub(super) fn look(&mut self, hosts: &mut Hosts) -> bool {
        while self.read_to < self.now && self.now < self.market.end {
            self.take_due(hosts);
        }
        if self.now >= self.market.end {
            return false;
        }
        let patience = self.pause(hosts);
        let due = self.shards.iter().filter(|shard| shard.share > 0.0);
        let due = due.map(|shard| self.market.when(shard.market(shard.taken + 1))).min().unwrap_or(u64::MAX);
        let wake_at = due.min(self.now.saturating_add(patience)).max(self.now);
        self.now = wake_at.saturating_add(self.scenario.costs.wake).min(self.market.end);
        self.now < self.market.end
    }

    /// Takes the ticks that are due now, or a batch of them, and sends full frames.
    fn take_due(&mut self, hosts: &mut Hosts) {
        let before = self.market.ticks(self.read_to);
        let share: f64 = self.shards.iter().map(|shard| shard.share).sum();
        let batch = self.market.when(before + BATCH_TICKS / share).max(self.read_to + 1);
        self.read_to = self.now.min(batch);
        let market = self.market.ticks(self.read_to);
        let full = self.scenario.full();
        for index in 0..self.shards.len() {
            let taken = self.shards[index].of(market).max(self.shards[index].taken);
            let count = taken - self.shards[index].taken;
            self.shards[index].taken = taken;
            self.now = self.time.serve(self.now, self.scenario.costs.ingest(count));
            while self.shards[index].taken - self.shards[index].sent >= full {
                self.wait_for_room(index);
                self.send(index, full, hosts);
            }
        }
    }

    /// Nothing is due: sends what would leave at once and what has waited for the linger, and gives how
    /// long the rest may wait, in ns.
    fn pause(&mut self, hosts: &mut Hosts) -> u64 {
        let cost = u32::from(self.scenario.strategies);
        let mut patience = u64::MAX;
        let (first, shards) = (self.turn, self.shards.len());
        for index in (0..shards).map(|place| (first + place) % shards) {
            let shard = &mut self.shards[index];
            let count = shard.taken - shard.sent;
            if count == 0 {
                continue;
            }
            let waited = self.now - *shard.waiting.get_or_insert(self.now);
            let left = self.scenario.linger.saturating_sub(waited);
            match left.min(self.nodes[shard.node].gather(self.now, cost)) {
                0 => {
                    self.wait_for_room(index);
                    self.send(index, count, hosts);
                    self.turn = index + 1;
                }
                wait => patience = patience.min(wait),
            }
        }
        patience
    }

    /// The ingester waits until the shard's window has room for a frame and the budget its messages.
    fn wait_for_room(&mut self, index: usize) {
        let shard = &mut self.shards[index];
        let waiting = (shard.taken - shard.sent).min(self.scenario.full());
        let bytes = Scenario::bytes(waiting);
        while let Some((confirmed, held)) = shard.window.front().copied() {
            if confirmed > self.now {
                if shard.held + bytes <= self.room && shard.window.len() < MAX_UNCONFIRMED_FRAMES {
                    break;
                }
                self.now = confirmed;
            }
            shard.held -= held;
            shard.window.pop_front();
        }
        let cost = u32::from(self.scenario.strategies);
        self.now += self.nodes[shard.node].pay_delay(self.now, cost);
    }

    fn send(&mut self, index: usize, count: u64, hosts: &mut Hosts) {
        let scenario = self.scenario;
        self.now = self.time.serve(self.now, scenario.costs.ingester_frame);
        let shard = &mut self.shards[index];
        let due = |ticks| self.market.when(shard.market(ticks)).min(self.now);
        let ticks = Ticks {
            shard: index as u16,
            count,
            first_due: due(shard.sent + 1),
            last_due: due(shard.sent + count),
        };
        let bytes = Scenario::bytes(count);
        let passed = self.nodes[shard.node].send(self.now, bytes, scenario.strategies, &scenario.costs);
        shard.sent += count;
        shard.waiting = None;
        shard.held += bytes;
        shard.window.push_back((passed.confirmed, bytes));
        shard.frames += 1;
        for (strategy, delivered) in passed.delivered.into_iter().enumerate() {
            hosts.deliver(strategy as u16, ticks, delivered);
        }
    }

    /// The time that it has come to.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Ticks of this feed that were due by now.
    pub(super) fn due(&self) -> u64 {
        let market = self.market.ticks(self.now);
        self.shards.iter().map(|shard| shard.of(market)).sum()
    }

    /// Of each shard.
    pub(super) fn frames(&self) -> impl Iterator<Item = u64> {
        self.shards.iter().map(|shard| shard.frames)
    }

    pub(super) fn sent(&self) -> u64 {
        self.shards.iter().map(|shard| shard.sent).sum()
    }

    #[cfg(test)]
    pub(super) fn unsent(&self) -> u64 {
        let end = self.market.ticks(self.now);
        let untaken: u64 = self.shards.iter().map(|shard| shard.of(end).max(shard.taken) - shard.taken).sum();
        untaken + self.shards.iter().map(|shard| shard.taken - shard.sent).sum::<u64>()
    }
}
