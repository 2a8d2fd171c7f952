//! What one node does with its part of a feed: frames, messages, time, and a tick's wait.

use tick_feed::budget::Budget;

use super::{Demand, Resource};

/// A tick in a frame.
pub(in crate::plan) const TICK_BYTES: f64 = 40.0;
/// What a message has beside its ticks: a frame's prefix and archive, and AMQP's own frames.
pub(in crate::plan) const MESSAGE_BYTES: f64 = 200.0;

/// What there is.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Brokers {
    pub(in crate::plan) budget: Budget,
    /// Ticks a second that a feed's one ingester reads and cuts into shards.
    pub(in crate::plan) ingester_ticks: f64,
    pub(in crate::plan) costs: NodeCosts,
    /// How many nodes keep each copy.
    pub(in crate::plan) replicas: u16,
    /// A full frame.
    pub(in crate::plan) frame_bytes: f64,
    /// Ticks a second that the one consumer of a shard takes.
    pub(in crate::plan) shard_ticks: f64,
    /// A small message's way through an idle broker.
    pub(in crate::plan) hop: f64,
    /// This part of everything stays unused.
    pub(in crate::plan) headroom: f64,
}

/// What a node's time goes into. Taking and delivering differ, or a second strategy would seem to cost
/// as much as the first.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct NodeCosts {
    /// How long a node is busy with taking an empty message.
    pub(in crate::plan) message_in: f64,
    /// How long it is busy with delivering one copy of it.
    pub(in crate::plan) message_out: f64,
    /// Bytes a second that a node takes if it is busy with nothing else.
    pub(in crate::plan) bytes_in: f64,
    /// Bytes a second that a node delivers if it is busy with nothing else.
    pub(in crate::plan) bytes_out: f64,
}

impl NodeCosts {
    /// Of so many bytes, taken once and delivered `copies` times.
    fn bytes(&self, bytes: f64, copies: f64) -> f64 {
        bytes * (self.bytes_in.recip() + copies * self.bytes_out.recip())
    }

    /// Of a frame without ticks.
    fn message(&self, copies: f64) -> f64 {
        self.message_in + copies * self.message_out + self.bytes(MESSAGE_BYTES, copies)
    }

    /// Of a tick in a frame.
    fn tick(&self, copies: f64) -> f64 {
        self.bytes(TICK_BYTES, copies)
    }
}

/// What one node does.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Node {
    /// Messages a second that it may be given; `None` for no limit.
    pub(in crate::plan) budget: Option<u32>,
    pub(in crate::plan) shards: u16,
    /// Ticks a second published to it.
    pub(in crate::plan) ticks: f64,
    pub(in crate::plan) frame_ticks: f64,
    /// Messages a second, of frames of that size.
    pub(in crate::plan) messages: f64,
    /// Messages a second if all frames were full.
    pub(in crate::plan) least_messages: f64,
    pub(in crate::plan) bytes_in: f64,
    pub(in crate::plan) bytes_out: f64,
    /// The part of its time that it is busy.
    pub(in crate::plan) busy: f64,
    /// The same if all frames were full.
    pub(in crate::plan) least_busy: f64,
    pub(in crate::plan) p99: f64,
}

impl Node {
    /// How much of the budget full frames would take.
    pub(super) fn messages_used(&self) -> f64 {
        self.budget.map_or(0.0, |budget| self.least_messages / f64::from(budget))
    }
}

impl Brokers {
    /// How much of a resource a plan may use; the wait that is asked for has its reserve in itself.
    pub(in crate::plan) fn limit(&self, resource: Resource) -> f64 {
        if resource == Resource::Latency { 1.0 } else { 1.0 - self.headroom }
    }

    /// Ticks of a full frame.
    pub(in crate::plan) fn full(&self) -> f64 {
        ((self.frame_bytes - MESSAGE_BYTES) / TICK_BYTES).floor().max(1.0)
    }

    pub(super) fn node(&self, demand: &Demand, node: u16, shards: u16, share: f64) -> Node {
        let budget = self.budget.rate(node.into());
        let ticks = demand.ticks * share;
        let copies = demand.strategies;
        // Every second a frame without ticks for each shard.
        let heartbeats = f64::from(shards) * copies;
        let messages = |size: f64| ticks / size * copies + heartbeats;
        let work = f64::from(self.replicas);
        let bytes_out = |size: f64| ticks * TICK_BYTES * copies + messages(size) * MESSAGE_BYTES;
        let (message, tick) = (self.costs.message(copies), self.costs.tick(copies));
        let busy = |size: f64| work * (messages(size) / copies * message + ticks * tick);

        let for_messages = budget.map_or(0.0, |budget| {
            let left = f64::from(budget) - heartbeats;
            if left > 0.0 { ticks * copies / left } else { f64::INFINITY }
        });
        let left = (1.0 - self.headroom) - work * (f64::from(shards) * message + ticks * tick);
        let for_time = if left > 0.0 { work * ticks * message / left } else { f64::INFINITY };
        let full = self.full();
        let size = for_messages.max(for_time).clamp(1.0, full);

        // One frame after the other of its shards: a tick waits until its shard's turn has come.
        let gather = if size > 1.0 { size * f64::from(shards) / ticks } else { 0.0 };
        let service = work * (message + size * tick);
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
