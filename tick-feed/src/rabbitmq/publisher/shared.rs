//! What the feed's thread, the publisher's tasks and its callers share.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast, watch};

use super::catch_up::CatchUp;
use super::strategies::Strategies;
use super::window::{Rewound, Window};
use super::{FIRST_CONNECTION, PublishError, PublisherPlan, ShardStart};
use crate::budget::{TokenBucket, place_shards};
use crate::rabbitmq::control::{Control, StateVersion};
use crate::{Frame, FrameHeader, NewInstrument};
use tick_sdk::names::StrategyName;

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

/// One shard's frames to its queues: to all that are bound, or to one that is caught up.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) node: usize,
    pub(super) shard: u16,
    /// The strategy whose queue alone is filled; `None` for all that are bound.
    pub(super) to: Option<StrategyName>,
    /// Frames may hold so many bytes.
    pub(super) room: usize,
    /// How many messages one frame makes.
    pub(super) cost: AtomicU32,
    pub(super) sending: Mutex<Sending>,
    pub(super) changed: Condvar,
    /// Set where ticks have to be sent again that left the window; shared by all streams of one pass.
    pub(super) rewound: Arc<AtomicBool>,
    /// Its pass may send no more: its queue is bound now, or deleted.
    pub(super) is_over: AtomicBool,
}

/// What one shard sends.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) window: Window,
    /// Every instrument named so far.
    pub(super) dictionary: Vec<NewInstrument>,
    /// The last frame sent, without its ticks: what a heartbeat follows from.
    pub(super) last: Option<FrameHeader>,
    /// The feed's last heartbeat: a sequence number, and a watermark (ns since the UNIX epoch) from there on.
    pub(super) heartbeat: (u64, u64),
    /// The receive time of the last tick published.
    pub(super) ts_recv: u64,
    pub(super) refused_since: Option<Duration>,
    pub(super) stalled: Option<String>,
    /// The last tick and the end that ever came from the feed: what a rewind does not change.
    pub(super) high: u64,
    pub(super) end: Option<Arc<Frame>>,
}

/// One broker node, as far as others than its task look at it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) bucket: Mutex<TokenBucket>,
    pub(super) wake: Notify,
    pub(super) unconfirmed_bytes: AtomicUsize,
    pub(super) in_flight: AtomicUsize,
    pub(super) messages: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) ticks: AtomicU64,
    pub(super) resent: AtomicU64,
    pub(super) blocked_ns: AtomicU64,
    /// Whether its queues are declared and frames go out.
    pub(super) ready: AtomicBool,
    pub(super) is_blocked: AtomicBool,
    /// Why frames do not go out.
    pub(super) frames_error: Mutex<Option<String>>,
    /// Why control messages are not exchanged.
    pub(super) control_error: Mutex<Option<String>>,
    /// Dictionaries that are requested: strategy and shard.
    pub(super) dictionaries: Mutex<BTreeSet<(StrategyName, u16)>>,
    /// Queues that were found to be missing: strategy and shard.
    pub(super) missing: Mutex<BTreeSet<(StrategyName, u16)>>,
}

impl Node {
    /// Changes a window of one of its shards, and takes what it no longer waits for off the node's
    /// unconfirmed bytes: otherwise the node would one day wait for confirms that never come.
    pub(super) fn change_window<T>(&self, sending: &mut Sending, change: impl FnOnce(&mut Window) -> T) -> T {
        let before = sending.window.unconfirmed_bytes();
        let changed = change(&mut sending.window);
        self.release_bytes(before - sending.window.unconfirmed_bytes());
        changed
    }

    /// The node is no longer waited for to confirm so many bytes.
    pub(super) fn release_bytes(&self, bytes: usize) {
        self.unconfirmed_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A lock whose holder panicked is still sound: nothing here panics half-way through a change.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first tick that each stream needs of its pass.
pub(super) fn positions(streams: &[Arc<Stream>]) -> Vec<u64> {
    streams.iter().map(|stream| lock(&stream.sending).window.position()).collect()
}

impl Stream {
    pub(super) fn new(
        node: usize,
        shard: u16,
        to: Option<StrategyName>,
        room: usize,
        window: Window,
        rewound: Arc<AtomicBool>,
    ) -> Self {
        let sending = Sending {
            window,
            dictionary: Vec::new(),
            last: None,
            heartbeat: (0, 0),
            ts_recv: 0,
            refused_since: None,
            stalled: None,
            high: 0,
            end: None,
        };
        Self {
            node,
            shard,
            to,
            room,
            cost: AtomicU32::new(1),
            sending: Mutex::new(sending),
            changed: Condvar::new(),
            rewound,
            is_over: AtomicBool::new(false),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends its pass: no frame is accepted any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// How many messages one frame makes.
    pub(super) fn cost(&self) -> u32 {
        self.cost.load(Ordering::Relaxed).max(1)
    }
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
        let node = |node| Node {
            bucket: Mutex::new(TokenBucket::new(plan.budget.rate(node), Duration::ZERO)),
            wake: Notify::new(),
            unconfirmed_bytes: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            messages: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            blocked_ns: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            frames_error: Mutex::new(None),
            control_error: Mutex::new(None),
            dictionaries: Mutex::new(BTreeSet::new()),
            missing: Mutex::new(BTreeSet::new()),
        };
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

    /// Sends a shard's ticks from `seq` on again for a strategy, unless an attempt later than `seen`
    /// covers that.
    pub(super) fn resend(&self, strategy: &StrategyName, shard: u16, seq: u64, seen: u32) {
        match self.catching_up(strategy, shard) {
            Some(stream) => self.rewind_stream(&stream, seq, seen),
            None => self.rewind_stream(&self.shards[usize::from(shard)], seq, seen),
        }
        self.notify_change();
    }

    pub(super) fn rewind_stream(&self, stream: &Stream, seq: u64, seen: u32) {
        let mut sending = lock(&stream.sending);
        let node = &self.nodes[stream.node];
        match node.change_window(&mut sending, |window| window.rewind(seq, seen)) {
            Rewound::AlreadyCovered => return,
            Rewound::InWindow => {}
            // While the stream is locked: the feed must not put a frame behind the gap.
            Rewound::BeyondWindow => stream.rewound.store(true, Ordering::Release),
        }
        drop(sending);
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
mod tests {
    use super::*;
    use crate::FrameFlags;
    use crate::rabbitmq::topology::Durability;
    use tick_sdk::names::RunId;
    use tick_sdk::{Side, Tick};

    fn shared() -> Shared {
        Shared::new(PublisherPlan {
            feed: "test".parse().expect("a name"),
            run: RunId([1; 16]),
            manifest: String::new(),
            groups: String::new(),
            brokers: vec!["amqp://localhost".parse().expect("a URL")],
            budget: crate::budget::Budget::OFF,
            durability: Durability::Memory,
            max_frame_bytes: 1 << 16,
            queue_bytes: 1 << 20,
            abandon_after: Duration::from_secs(1),
            shards: vec![ShardStart::default()],
            strategies: Vec::new(),
            replace: false,
            unconfirmed_bytes: super::super::UNCONFIRMED_BYTES,
            observer: None,
        })
    }

    fn frame(first_seq: u64, ticks: u64) -> Arc<Frame> {
        let header = FrameHeader {
            run: RunId([1; 16]),
            shard: 0,
            shards: 1,
            attempt: 0,
            first_seq,
            published_at: 0,
            watermark: first_seq,
            flags: if ticks == 0 { FrameFlags::END_OF_RUN } else { FrameFlags::TICKS },
        };
        let ticks = (first_seq..first_seq + ticks).map(|seq| Tick::trade(seq, seq, 1, 1, Side::NONE));
        Arc::new(Frame::owned(header, ticks.collect()))
    }

    /// As the node's task sends all that is there.
    fn send_all(shared: &Shared) -> Vec<super::super::window::Outgoing> {
        let window = &mut lock(&shared.shards[0].sending).window;
        let sent: Vec<_> = std::iter::from_fn(|| window.take_next(Duration::ZERO)).collect();
        let bytes = sent.iter().map(|outgoing| outgoing.bytes).sum();
        shared.nodes[0].unconfirmed_bytes.fetch_add(bytes, Ordering::Relaxed);
        sent
    }

    #[test]
    fn what_is_abandoned_no_longer_counts_as_unconfirmed() {
        let shared = shared();
        let unconfirmed = || shared.nodes[0].unconfirmed_bytes.load(Ordering::Relaxed);
        let enter = |frame: Arc<Frame>| lock(&shared.shards[0].sending).enter(frame, 100);
        enter(frame(0, 10));
        enter(frame(10, 10));
        enter(frame(20, 0));
        let sent = send_all(&shared);
        for outgoing in sent {
            let mut sending = lock(&shared.shards[0].sending);
            shared.nodes[0].change_window(&mut sending, |window| window.confirm(outgoing.ticket));
        }
        assert_eq!(unconfirmed(), 0);
        // Everything is requested again, and the source breaks off behind the first frame.
        shared.resend(&"apple".parse().expect("a name"), 0, 0, 9);
        assert_eq!(shared.restart(), [0]);
        enter(frame(0, 10));
        send_all(&shared);
        assert_eq!(unconfirmed(), 100);
        assert!(shared.abandon("the file is gone"));
        assert_eq!(unconfirmed(), 0, "or the node would send nothing more");
    }

    #[test]
    fn states_are_ordered_by_epoch_and_counter() {
        let (before, after) = (shared(), shared());
        before.follow_epoch(0);
        after.follow_epoch(before.feed_state().version.ingester_epoch);
        let (first, second) = (before.feed_state().version, before.feed_state().version);
        assert!(first < second && second < after.feed_state().version);
        after.follow_epoch(0);
        assert_eq!(after.ingester_epoch(), 2, "an epoch never shrinks");
    }
}
