//! Windows in which messages gather: one ticker for all connections of a hub.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use std::{fmt, mem};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Outbox;

/// Gives the outboxes the batches; the argument says whether the window has ended.
type HandOut = Box<dyn Fn(bool) + Send + Sync>;

/// At the end of each window the outboxes that have something are due. Where nothing waited, the first message is sent at once
/// and begins a window.
pub(crate) struct Gather {
    window: Duration,
    outboxes: Mutex<Vec<Weak<Outbox>>>,
    /// Whether messages to many clients gather, which no outbox has yet.
    has_batches: AtomicBool,
    hand_out: OnceLock<HandOut>,
    first: Arc<Notify>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

impl Gather {
    /// `None` where messages are sent at once.
    pub(crate) fn new(window: Duration) -> Option<Arc<Self>> {
        (!window.is_zero()).then(|| {
            Arc::new(Self {
                window,
                outboxes: Mutex::default(),
                has_batches: AtomicBool::new(false),
                hand_out: OnceLock::new(),
                first: Arc::default(),
                ticker: Mutex::default(),
            })
        })
    }

    /// Called within a runtime when a connection begins to use it.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        if ticker.as_ref().is_none_or(JoinHandle::is_finished) {
            *ticker = Some(tokio::spawn(tick(self.window, self.first.clone(), Arc::downgrade(self))));
        }
    }

    /// How the batches come to the outboxes; set once.
    pub(crate) fn set_hand_out(&self, hand_out: impl Fn(bool) + Send + Sync + 'static) {
        let _ = self.hand_out.set(Box::new(hand_out));
    }

    /// There is a message in a batch. Called where batches are locked.
    pub(crate) fn add_batch(&self) {
        if !self.has_batches.swap(true, Ordering::AcqRel) {
            self.first.notify_one();
        }
    }

    /// All batches are in the outboxes. Called where batches are locked.
    pub(crate) fn batches_handed_out(&self) {
        self.has_batches.store(false, Ordering::Release);
    }

    /// Whether an outbox lacks messages that were sent before.
    pub(super) fn has_batches(&self) -> bool {
        self.has_batches.load(Ordering::Acquire)
    }

    /// Gives the outboxes what was sent before. No outbox is locked meanwhile by whoever calls it.
    pub(crate) fn hand_out(&self, is_due: bool) {
        if let Some(hand_out) = self.hand_out.get().filter(|_| self.has_batches()) {
            hand_out(is_due);
        }
    }

    /// It has something to be taken at the window's end.
    pub(super) fn add(&self, outbox: Weak<Outbox>) {
        let mut outboxes = self.outboxes.lock().unwrap_or_else(PoisonError::into_inner);
        outboxes.push(outbox);
        if outboxes.len() == 1 {
            self.first.notify_one();
        }
    }

    fn end_window(&self) {
        self.hand_out(true);
        let outboxes = mem::take(&mut *self.outboxes.lock().unwrap_or_else(PoisonError::into_inner));
        for outbox in outboxes.iter().filter_map(Weak::upgrade) {
            outbox.window_ended();
        }
    }
}

impl fmt::Debug for Gather {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Gather({:?})", self.window)
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        if let Some(ticker) = self.ticker.get_mut().unwrap_or_else(PoisonError::into_inner) {
            ticker.abort();
        }
    }
}

async fn tick(window: Duration, first: Arc<Notify>, gather: Weak<Gather>) {
    let mut windows = interval(window);
    windows.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        first.notified().await;
        windows.tick().await;
        let Some(gather) = gather.upgrade() else { return };
        gather.end_window();
    }
}
