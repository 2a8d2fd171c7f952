//! What is asked, and what there is to do it with.

use super::spread::Key;
use crate::budget::Budget;

/// A tick in a frame, in bytes.
pub const TICK_BYTES: f64 = 40.0;
/// What a message has beside its ticks, in bytes: a frame's prefix and archive, and AMQP's own frames.
pub(super) const MESSAGE_BYTES: f64 = 200.0;

/// The feed that is planned.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Ticks a second, above 0.
    pub ticks: f64,
    /// How many strategies, at least 1; each gets its own copy of every frame.
    pub strategies: f64,
    /// All but one tick of 100 reach their strategy within this, in seconds; `None` for no limit.
    pub p99: Option<f64>,
    /// The number of shards; `None` lets the plan choose it.
    pub shards: Option<u16>,
    /// Every key; their shares add up to 1.
    pub keys: Vec<Key>,
}

/// The machines of the feed.
#[derive(Clone, Debug)]
pub struct Brokers {
    /// Messages a second that each node may be given.
    pub budget: Budget,
    /// Ticks a second that a feed's one ingester reads and cuts into shards.
    pub ingester_ticks: f64,
    /// What a node's time goes into.
    pub costs: NodeCosts,
    /// How many nodes keep each copy.
    pub replicas: u16,
    /// A full frame, in bytes.
    pub frame_bytes: f64,
    /// Ticks a second that the one consumer of a shard takes.
    pub shard_ticks: f64,
    /// How long a small message takes through an idle broker, in seconds.
    pub hop: f64,
    /// This part of everything stays unused: 0.2 is a fifth.
    pub headroom: f64,
}

/// What a node's time goes into. Taking and delivering differ, or a second strategy would seem to cost
/// as much as the first.
#[derive(Clone, Copy, Debug)]
pub struct NodeCosts {
    /// How long a node is busy with taking an empty message, in seconds.
    pub message_in: f64,
    /// How long it is busy with delivering one copy of it, in seconds.
    pub message_out: f64,
    /// Bytes a second that a node takes if it is busy with nothing else.
    pub bytes_in: f64,
    /// Bytes a second that a node delivers if it is busy with nothing else.
    pub bytes_out: f64,
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
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

impl Brokers {
    /// How much of a resource a plan may use, 1 being all of it; the wait that is asked for has its reserve
    /// in itself.
    pub fn limit(&self, resource: Resource) -> f64 {
        if resource == Resource::Latency { 1.0 } else { 1.0 - self.headroom }
    }

    /// Ticks of a full frame.
    pub(super) fn full(&self) -> f64 {
        ((self.frame_bytes - MESSAGE_BYTES) / TICK_BYTES).floor().max(1.0)
    }
}

impl NodeCosts {
    /// Of so many bytes, taken once and delivered `copies` times.
    fn bytes(&self, bytes: f64, copies: f64) -> f64 {
        bytes * (self.bytes_in.recip() + copies * self.bytes_out.recip())
    }

    /// Of a frame without ticks.
    pub(super) fn message(&self, copies: f64) -> f64 {
        self.message_in + copies * self.message_out + self.bytes(MESSAGE_BYTES, copies)
    }

    /// Of a tick in a frame.
    pub(super) fn tick(&self, copies: f64) -> f64 {
        self.bytes(TICK_BYTES, copies)
    }
}
