//! What the publisher keeps of one shard's frames, and of one broker node.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::window::Window;
use crate::budget::TokenBucket;
use crate::{Frame, FrameHeader, NewInstrument};
use tick_sdk::names::StrategyName;

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
    /// One that may be given so many messages a second; `None` for no limit.
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self {
            bucket: Mutex::new(TokenBucket::new(rate, Duration::ZERO)),
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
        }
    }

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

/// Why a shard is rewound, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause<'a> {
    /// A host of this strategy requested it.
    Requested(&'a StrategyName),
    /// The broker returned a frame that reached no queue.
    Returned,
    /// The broker refused a frame, as a queue is full or broken.
    Refused,
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

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested(strategy) => write!(f, "resend request of {strategy}"),
            Self::Returned => f.write_str("return"),
            Self::Refused => f.write_str("nack"),
        }
    }
}
