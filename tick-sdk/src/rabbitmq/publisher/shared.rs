//! What the feed's thread, the publisher's tasks and whoever watches share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::strategies::Strategies;
use super::window::{SetBack, Window};
use super::{FIRST_CONNECTION, PublishError, PublisherPlan};
use crate::budget::{TokenBucket, place_shards};
use crate::{FrameHeader, NewInstrument};

/// All shards together may hold about so many bytes of frames, sent and unsent.
const READ_AHEAD_BYTES: usize = 256 << 20;
/// One shard holds at most so much of that, and at least [`MIN_SHARD_BYTES`].
const MAX_SHARD_BYTES: usize = 32 << 20;
/// Few shards' worth of large frames, so that a shard is never idle for want of read-ahead.
const MIN_SHARD_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: PublisherPlan,
    started: Instant,
    pub(super) shards: Vec<Shard>,
    pub(super) nodes: Vec<Node>,
    strategies: Mutex<Strategies>,
    /// Counts changes that hosts are told of at once.
    pub(super) changes: watch::Sender<u64>,
    /// Whether this is the feed's only ingester.
    pub(super) owned: watch::Sender<bool>,
    pub(super) stopping: watch::Sender<bool>,
    closed: AtomicBool,
    /// The feed's frames are taken no more.
    enough: AtomicBool,
    set_back: AtomicBool,
    failure: Mutex<Option<PublishError>>,
    news: Mutex<u64>,
    has_news: Condvar,
}

/// One shard's way to its queues.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) node: usize,
    /// Frames may hold so many bytes.
    pub(super) room: usize,
    pub(super) sending: Mutex<Sending>,
    pub(super) changed: Condvar,
}

/// What one shard sends.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) window: Window,
    /// Every instrument named so far.
    pub(super) dictionary: Vec<NewInstrument>,
    /// The last frame sent, without its ticks: what a heartbeat follows from.
    pub(super) last: Option<FrameHeader>,
    /// The feed's word that nothing earlier than the time follows the tick.
    pub(super) told: (u64, u64),
    /// The receive time of the last tick published.
    pub(super) ts_recv: u64,
    pub(super) refused_since: Option<Duration>,
    pub(super) stalled: Option<String>,
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
    /// Why frames do not go out.
    pub(super) problem: Mutex<Option<String>>,
}

/// A lock whose holder panicked is still sound: nothing here panics half-way through a change.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(plan: PublisherPlan) -> Self {
        let shards = plan.shards.len().clamp(1, usize::from(u16::MAX)) as u16;
        let places = place_shards(shards, &plan.budget.weights(plan.brokers.len()));
        let room = (READ_AHEAD_BYTES / usize::from(shards)).clamp(MIN_SHARD_BYTES, MAX_SHARD_BYTES);
        let shard = |(start, node): (&super::ShardStart, &u16)| Shard {
            node: usize::from(*node),
            room,
            sending: Mutex::new(Sending {
                window: Window::new(start.position, start.attempt),
                dictionary: Vec::new(),
                last: None,
                told: (0, 0),
                ts_recv: 0,
                refused_since: None,
                stalled: None,
            }),
            changed: Condvar::new(),
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
            problem: Mutex::new(None),
        };
        Self {
            started: Instant::now(),
            shards: plan.shards.iter().zip(&places).map(shard).collect(),
            nodes: (0..plan.brokers.len()).map(node).collect(),
            strategies: Mutex::new(Strategies::new(plan.strategies.clone(), plan.shards.len())),
            changes: watch::Sender::new(0),
            owned: watch::Sender::new(false),
            stopping: watch::Sender::new(false),
            closed: AtomicBool::new(false),
            enough: AtomicBool::new(false),
            set_back: AtomicBool::new(false),
            failure: Mutex::new(None),
            news: Mutex::new(0),
            has_news: Condvar::new(),
            plan,
        }
    }

    /// Time since the publisher began.
    pub(super) fn now(&self) -> Duration {
        super::since(self.started)
    }

    pub(super) fn strategies(&self) -> MutexGuard<'_, Strategies> {
        lock(&self.strategies)
    }

    pub(super) fn sending(&self, shard: u16) -> MutexGuard<'_, Sending> {
        lock(&self.shards[usize::from(shard)].sending)
    }

    /// The shards that are on a node.
    pub(super) fn shards_of(&self, node: usize) -> impl Iterator<Item = u16> {
        let on_node = move |(_, shard): &(usize, &Shard)| shard.node == node;
        self.shards.iter().enumerate().filter(on_node).map(|(shard, _)| shard as u16)
    }

    /// How many messages one frame of the shard makes: one a queue.
    pub(super) fn cost(&self, shard: u16) -> u32 {
        self.strategies().bound(shard).max(1)
    }

    /// Sends a shard's ticks from `seq` on again, unless an attempt later than `seen` covers that.
    pub(super) fn resend(&self, shard: u16, seq: u64, seen: u32) {
        let mut sending = self.sending(shard);
        match sending.window.set_back(seq, seen) {
            SetBack::Covered => return,
            SetBack::Again => {}
            // While the shard is locked: the feed must not put a frame behind the gap.
            SetBack::Deep => self.set_back.store(true, Ordering::Release),
        }
        drop(sending);
        self.shards[usize::from(shard)].changed.notify_all();
        self.nodes[self.shards[usize::from(shard)].node].wake.notify_one();
        self.tell();
    }

    /// Hosts are to know the state at once, and whoever waits for news has some.
    pub(super) fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        *lock(&self.news) += 1;
        self.has_news.notify_all();
    }

    pub(super) fn wait_for_news(&self, timeout: Duration) {
        let news = lock(&self.news);
        let before = *news;
        let waited = self.has_news.wait_timeout_while(news, timeout, |news| *news == before);
        drop(waited);
    }

    pub(super) fn is_set_back(&self) -> bool {
        self.set_back.load(Ordering::Acquire)
    }

    pub(super) fn restart(&self) -> Vec<u64> {
        self.set_back.store(false, Ordering::Release);
        self.shards.iter().map(|shard| lock(&shard.sending).window.position()).collect()
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn takes_no_more(&self) -> bool {
        self.enough.load(Ordering::Acquire)
    }

    pub(super) fn take_no_more(&self) {
        self.enough.store(true, Ordering::Release);
        self.shards.iter().for_each(|shard| shard.changed.notify_all());
    }

    pub(super) fn stop(&self, closed: bool) {
        self.closed.fetch_or(closed, Ordering::AcqRel);
        self.take_no_more();
        self.stopping.send_replace(true);
        self.nodes.iter().for_each(|node| node.wake.notify_one());
        self.tell();
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
        let patience = FIRST_CONNECTION * 6;
        while !self.nodes.iter().all(|node| node.ready.load(Ordering::Acquire)) {
            self.failure()?;
            if self.now() > patience {
                let problem = self.nodes.iter().find_map(|node| lock(&node.problem).clone());
                return Err(PublishError::Thread(problem.unwrap_or_else(|| "it does not begin".to_owned())));
            }
            self.wait_for_news(Duration::from_millis(100));
        }
        self.failure()
    }
}
