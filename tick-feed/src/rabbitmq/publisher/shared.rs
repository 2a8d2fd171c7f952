//! What the feed's thread, the publisher's tasks and its callers share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use super::catch_up::CatchUp;
use super::strategies::Strategies;
use super::stream::{Cause, Node, Stream, lock, positions};
use super::window::{Rewound, Window};
use super::{FIRST_CONNECTION, PublishError, PublisherPlan, ShardStart};
use crate::budget::place_shards;
use crate::rabbitmq::control::{Control, StateVersion};
use tick_sdk::names::StrategyName;
use tracing::{error, info, warn};

/// All shards together may hold about so many bytes of frames, sent and unsent.
const READ_AHEAD_BYTES: usize = 256 << 20;
/// One shard holds at most so much of that, and at least [`MIN_SHARD_BYTES`].
const MAX_SHARD_BYTES: usize = 32 << 20;
/// Few shards' worth of large frames, so that a shard is never idle for want of read-ahead.
const MIN_SHARD_BYTES: usize = 4 << 20;

/// So many announcements may wait to be broadcast; a host that misses one requests again.
const MAX_ANNOUNCEMENTS: usize = 1024;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: PublisherPlan,
    started: Instant,
    pub(super) shards: Vec<Arc<Stream>>,
    pub(super) catch_ups: Mutex<Vec<Arc<CatchUp>>>,
    pub(super) nodes: Vec<Node>,
    strategies: Mutex<Strategies>,
    /// Changes whenever the strategies' bindings do.
    pub(super) bindings: AtomicU64,
    /// Counts changes that are broadcast to hosts at once.
    pub(super) changes: watch::Sender<u64>,
    /// Of this ingester; 0 until it owns the feed.
    ingester_epoch: AtomicU64,
    /// How many states were made.
    states: AtomicU64,
    /// Whether this is the feed's only ingester.
    pub(super) owned: watch::Sender<bool>,
    pub(super) stopping: watch::Sender<bool>,
    closed: AtomicBool,
    /// No more frames of the feed are accepted.
    stopped_accepting: AtomicBool,
    rewound: Arc<AtomicBool>,
    failure: Mutex<Option<PublishError>>,
    /// To be broadcast to hosts once, beside the state.
    pub(super) announcements: broadcast::Sender<Control>,
    change_count: Mutex<u64>,
    has_changed: Condvar,
}

impl Shared {
    pub(super) fn new(plan: PublisherPlan) -> Self {
        let shards = plan.shards.len().clamp(1, usize::from(u16::MAX)) as u16;
        let places = place_shards(shards, &plan.budget.weights(plan.brokers.len()));
        let room = (READ_AHEAD_BYTES / usize::from(shards)).clamp(MIN_SHARD_BYTES, MAX_SHARD_BYTES);
        let rewound = Arc::new(AtomicBool::new(false));
        let stream = |(shard, (start, node)): (usize, (&ShardStart, &u16))| {
            let window = Window::new(start.position, start.attempt);
            Arc::new(Stream::new(usize::from(*node), shard as u16, None, room, window, rewound.clone()))
        };
        let node = |node| Node::new(plan.budget.rate(node));
        let shared = Self {
            started: Instant::now(),
            shards: plan.shards.iter().zip(&places).enumerate().map(stream).collect(),
            catch_ups: Mutex::new(Vec::new()),
            nodes: (0..plan.brokers.len()).map(node).collect(),
            strategies: Mutex::new(Strategies::new(plan.strategies.clone(), plan.shards.len())),
            bindings: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            ingester_epoch: AtomicU64::new(0),
            states: AtomicU64::new(0),
            owned: watch::Sender::new(false),
            stopping: watch::Sender::new(false),
            closed: AtomicBool::new(false),
            stopped_accepting: AtomicBool::new(false),
            rewound,
            failure: Mutex::new(None),
            announcements: broadcast::Sender::new(MAX_ANNOUNCEMENTS),
            change_count: Mutex::new(0),
            has_changed: Condvar::new(),
            plan,
        };
        shared.change_strategies(|_| {});
        shared
    }

    /// Time since the publisher began.
    pub(super) fn now(&self) -> Duration {
        super::since(self.started)
    }

    /// This ingester comes after the one with this epoch. An epoch never shrinks.
    pub(super) fn follow_epoch(&self, before: u64) {
        self.ingester_epoch.fetch_max(before + 1, Ordering::AcqRel);
    }

    pub(super) fn ingester_epoch(&self) -> u64 {
        self.ingester_epoch.load(Ordering::Acquire)
    }

    /// Of the next state.
    pub(super) fn next_version(&self) -> StateVersion {
        let counter = self.states.fetch_add(1, Ordering::AcqRel) + 1;
        StateVersion { ingester_epoch: self.ingester_epoch(), counter }
    }

    pub(super) fn strategies(&self) -> MutexGuard<'_, Strategies> {
        lock(&self.strategies)
    }

    /// What goes through a node: its shards, then what is caught up there.
    pub(super) fn streams_of(&self, node: usize) -> Vec<Arc<Stream>> {
        let catch_ups = lock(&self.catch_ups);
        let caught_up = catch_ups.iter().flat_map(|catch_up| &catch_up.streams);
        let lives = |stream: &&Arc<Stream>| stream.node == node && !stream.is_over();
        self.shards.iter().chain(caught_up).filter(lives).cloned().collect()
    }

    /// Changes the strategies, and notifies the nodes' tasks and hosts.
    pub(super) fn change_strategies<T>(&self, change: impl FnOnce(&mut Strategies) -> T) -> T {
        let mut strategies = self.strategies();
        let changed = change(&mut strategies);
        self.bindings.store(strategies.version(), Ordering::Release);
        for (shard, stream) in self.shards.iter().enumerate() {
            stream.cost.store(strategies.bound(shard as u16), Ordering::Relaxed);
        }
        drop(strategies);
        self.nodes.iter().for_each(|node| node.wake.notify_one());
        self.notify_change();
        changed
    }

    /// Sends a shard's ticks from `seq` on again for a strategy that requests them, unless an attempt later
    /// than `seen` covers that.
    pub(super) fn resend(&self, strategy: &StrategyName, shard: u16, seq: u64, seen: u32) {
        match self.catching_up(strategy, shard) {
            Some(stream) => self.rewind_stream(&stream, seq, seen, Cause::Requested(strategy)),
            None => {
                self.rewind_stream(&self.shards[usize::from(shard)], seq, seen, Cause::Requested(strategy));
            }
        }
        self.notify_change();
    }

    pub(super) fn rewind_stream(&self, stream: &Stream, seq: u64, seen: u32, why: Cause<'_>) {
        let mut sending = lock(&stream.sending);
        let node = &self.nodes[stream.node];
        let rewound = node.change_window(&mut sending, |window| window.rewind(seq, seen));
        match rewound {
            Rewound::AlreadyCovered => return,
            Rewound::InWindow => {}
            // While the stream is locked: the feed must not put a frame behind the gap.
            Rewound::BeyondWindow => stream.rewound.store(true, Ordering::Release),
        }
        let attempt = sending.window.attempt();
        drop(sending);
        info!(shard = stream.shard, attempt, from_seq = seq, %why, ?rewound, "shard rewound");
        stream.changed.notify_all();
        node.wake.notify_one();
    }

    /// Broadcasts the state at once, and wakes who waits in [`wait_for_change`](Self::wait_for_change).
    pub(super) fn notify_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        *lock(&self.change_count) += 1;
        self.has_changed.notify_all();
    }

    pub(super) fn wait_for_change(&self, timeout: Duration) {
        let count = lock(&self.change_count);
        let before = *count;
        let waited = self.has_changed.wait_timeout_while(count, timeout, |count| *count == before);
        drop(waited);
    }

    /// Ticks that were requested again cannot be read again: they are announced to hosts, and what follows
    /// them is the end. True if the feed had come to its end, and something is missing.
    pub(super) fn abandon(&self, reason: &str) -> bool {
        let mut gone = Vec::new();
        for stream in &self.shards {
            let mut sending = lock(&stream.sending);
            let from_seq = sending.window.position();
            let Some(end) = sending.end.clone() else { return false };
            if from_seq < sending.high {
                let (run, shard, reason) = (self.plan.run, stream.shard, reason.to_owned());
                gone.push(Control::Gone { run, shard, from_seq, reason });
                let high = sending.high;
                self.nodes[stream.node].change_window(&mut sending, |window| window.skip_to(high));
            }
            // One that has it already leaves it out.
            sending.window.enter(end, 0);
        }
        let is_missing = !gone.is_empty();
        self.rewound.store(false, Ordering::Release);
        for gone in gone {
            if let Control::Gone { shard, from_seq, .. } = &gone {
                let PublisherPlan { feed, run, .. } = &self.plan;
                warn!(%feed, %run, shard, from_seq, reason, "run abandoned: ticks cannot be read again");
            }
            // Where no node is connected nobody receives it; a host that misses ticks requests again.
            let _ = self.announcements.send(gone);
        }
        self.nodes.iter().for_each(|node| node.wake.notify_one());
        self.notify_change();
        is_missing
    }

    pub(super) fn is_rewound(&self) -> bool {
        self.rewound.load(Ordering::Acquire)
    }

    pub(super) fn restart(&self) -> Vec<u64> {
        self.rewound.store(false, Ordering::Release);
        positions(&self.shards)
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn has_stopped_accepting(&self) -> bool {
        self.stopped_accepting.load(Ordering::Acquire)
    }

    pub(super) fn stop_accepting(&self) {
        self.stopped_accepting.store(true, Ordering::Release);
        self.shards.iter().for_each(|shard| shard.changed.notify_all());
        for catch_up in lock(&self.catch_ups).iter() {
            catch_up.streams.iter().for_each(|stream| stream.changed.notify_all());
        }
    }

    pub(super) fn stop(&self, closed: bool) {
        self.closed.fetch_or(closed, Ordering::AcqRel);
        self.stop_accepting();
        self.stopping.send_replace(true);
        self.nodes.iter().for_each(|node| node.wake.notify_one());
        self.notify_change();
    }

    pub(super) fn fail(&self, error: PublishError) {
        error!(feed = %self.plan.feed, run = %self.plan.run, %error, "publisher cannot go on");
        lock(&self.failure).get_or_insert(error);
        self.stop(false);
    }

    pub(super) fn failure(&self) -> Result<(), PublishError> {
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }

    pub(super) fn wait_until_ready(&self) -> Result<(), PublishError> {
        // Each step has its own, shorter, bound, and fails by itself.
        let timeout = FIRST_CONNECTION * 6;
        while !self.nodes.iter().all(|node| node.ready.load(Ordering::Acquire)) {
            self.failure()?;
            if self.now() > timeout {
                let reason = self.nodes.iter().find_map(|node| lock(&node.frames_error).clone());
                return Err(PublishError::Thread(reason.unwrap_or_else(|| "it does not begin".to_owned())));
            }
            self.wait_for_change(Duration::from_millis(100));
        }
        self.failure()
    }
}

#[cfg(test)]
mod tests;
