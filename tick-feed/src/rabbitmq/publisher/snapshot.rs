//! How a publisher stands, for people, for the run's file and for its hosts.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::StrategyProgress;
use super::shared::Shared;
use super::stream::{Stream, lock};
use crate::rabbitmq::control::{FeedState, ShardState};
use tick_sdk::names::StrategyName;

/// How a publisher stands.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// One a node.
    pub nodes: Vec<NodeSnapshot>,
    /// One a shard.
    pub shards: Vec<ShardSnapshot>,
    /// The feed's strategies.
    pub strategies: Vec<StrategyProgress>,
    /// Whether everything, each shard's end included, is confirmed.
    pub is_published: bool,
    /// The strategies that have not ended and of which no instance has reported for some seconds.
    pub without_instance: Vec<StrategyName>,
}

impl Snapshot {
    /// Ticks published so far, each counted once, whoever published them.
    pub fn published(&self) -> u64 {
        self.shards.iter().map(|shard| shard.published).sum()
    }

    /// Ticks sent so far by this publisher, repeated ones included.
    pub fn sent(&self) -> u64 {
        self.nodes.iter().map(|node| node.ticks).sum()
    }
}

/// How one broker node stands.
#[derive(Clone, Debug)]
pub struct NodeSnapshot {
    /// The broker, without a password.
    pub url: String,
    /// Messages a second that it may be given; `None` for no limit.
    pub budget: Option<u32>,
    /// Messages sent so far, one a queue.
    pub messages: u64,
    /// Frames sent so far, repeated ones included.
    pub frames: u64,
    /// Ticks sent so far, repeated ones included.
    pub ticks: u64,
    /// Ticks sent so far that had been sent before.
    pub resent: u64,
    /// Frames sent and not confirmed.
    pub in_flight: usize,
    /// For how long the broker took nothing, for want of memory or disk.
    pub blocked: Duration,
    /// Why nothing goes there at the moment.
    pub reason: Option<String>,
}

/// How one shard stands.
#[derive(Clone, Debug)]
pub struct ShardSnapshot {
    /// The node it is on.
    pub node: usize,
    /// How often it was rewound.
    pub attempt: u32,
    /// Ticks before this came from the feed.
    pub position: u64,
    /// Ticks before this were sent.
    pub published: u64,
    /// Ticks before this were confirmed.
    pub confirmed: u64,
    /// The receive time of the last tick sent, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// Why nothing is sent at the moment.
    pub stalled: Option<String>,
    /// Whether everything, the end included, is confirmed.
    pub is_finished: bool,
}

impl Shared {
    pub(super) fn snapshot(&self) -> Snapshot {
        let shards: Vec<_> = self.shards.iter().map(|stream| self.shard_snapshot(stream)).collect();
        let (strategies, without_instance) = {
            let strategies = self.strategies();
            (strategies.progress(), strategies.without_instance(self.now()))
        };
        Snapshot {
            nodes: (0..self.nodes.len()).map(|node| self.node_snapshot(node)).collect(),
            is_published: shards.iter().all(|shard| shard.is_finished) && !self.is_rewound(),
            shards,
            strategies,
            without_instance,
        }
    }

    fn node_snapshot(&self, index: usize) -> NodeSnapshot {
        let node = &self.nodes[index];
        NodeSnapshot {
            url: self.plan.brokers[index].to_string(),
            budget: self.plan.budget.rate(index),
            messages: node.messages.load(Ordering::Relaxed),
            frames: node.frames.load(Ordering::Relaxed),
            ticks: node.ticks.load(Ordering::Relaxed),
            resent: node.resent.load(Ordering::Relaxed),
            in_flight: node.in_flight.load(Ordering::Relaxed),
            blocked: Duration::from_nanos(node.blocked_ns.load(Ordering::Relaxed)),
            reason: lock(&node.frames_error).clone().or_else(|| lock(&node.control_error).clone()),
        }
    }

    fn shard_snapshot(&self, stream: &Stream) -> ShardSnapshot {
        let node = &self.nodes[stream.node];
        let of_node = || {
            if node.is_blocked.load(Ordering::Relaxed) {
                return Some("the broker is short of memory or disk, and takes nothing".to_owned());
            }
            let is_lost = lock(&node.frames_error).is_some();
            is_lost.then(|| format!("broker {} is away", self.plan.brokers[stream.node]))
        };
        let sending = lock(&stream.sending);
        let window = &sending.window;
        ShardSnapshot {
            node: stream.node,
            attempt: window.attempt(),
            position: window.position(),
            published: window.published(),
            confirmed: window.confirmed(),
            ts_recv: sending.ts_recv,
            stalled: sending.stalled.clone().or_else(of_node),
            is_finished: window.is_finished(),
        }
    }

    /// What is broadcast to hosts, if they may be told of the run.
    pub(super) fn feed_state(&self) -> Option<FeedState> {
        let strategies = self.strategies().told()?;
        let snapshot = self.snapshot();
        let plan = &self.plan;
        let shard = |shard: ShardSnapshot| ShardState {
            node: shard.node as u16,
            attempt: shard.attempt,
            published: shard.published,
            confirmed: shard.confirmed,
            ts_recv: shard.ts_recv,
            stalled: shard.stalled,
        };
        Some(FeedState {
            version: self.next_version(),
            feed: plan.feed.clone(),
            run: plan.run,
            manifest: plan.manifest.clone(),
            groups: plan.groups.clone(),
            durability: plan.durability,
            max_frame_bytes: plan.max_frame_bytes,
            published: snapshot.is_published,
            shards: snapshot.shards.into_iter().map(shard).collect(),
            strategies,
            closed: self.is_closed(),
            at: unix_ns(),
        })
    }
}

/// Now, in ns since the UNIX epoch.
pub(super) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}
