//! What one node does with its part of a feed: frames, messages, time, and a tick's wait.

use super::demand::{Brokers, Demand, MESSAGE_BYTES, TICK_BYTES};

/// What one node does.
#[derive(Clone, Debug)]
pub struct Node {
    /// Messages a second that it may be given; `None` for no limit.
    pub budget: Option<u32>,
    /// How many shards are on it.
    pub shards: u16,
    /// Ticks a second published to it.
    pub ticks: f64,
    /// Ticks of one frame.
    pub frame_ticks: f64,
    /// Messages a second, of frames of that size.
    pub messages: f64,
    /// Messages a second if all frames were full.
    pub least_messages: f64,
    /// Bytes a second published to it.
    pub bytes_in: f64,
    /// Bytes a second that it delivers, each strategy's copy counted.
    pub bytes_out: f64,
    /// The part of its time that it is busy.
    pub busy: f64,
    /// The same if all frames were full.
    pub least_busy: f64,
    /// All but one of 100 of its ticks reach their strategy within this, in seconds.
    pub p99: f64,
}

impl Node {
    /// How much of the budget full frames would take.
    pub(super) fn messages_used(&self) -> f64 {
        self.budget.map_or(0.0, |budget| self.least_messages / f64::from(budget))
    }
}

impl Brokers {
    /// What node `node`, counted from 0, does with `shards` shards that have `share` of all ticks.
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
