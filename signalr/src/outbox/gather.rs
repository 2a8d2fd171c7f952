//! Windows in which messages gather: one ticker for all connections of a hub.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Outbox;

/// At the end of each window the outboxes that have something are due. Where nothing waited, the first message is sent at once
/// and begins a window.
#[derive(Debug)]
pub(crate) struct Gather {
    window: Duration,
    outboxes: Mutex<Vec<Weak<Outbox>>>,
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

    /// It has something to be taken at the window's end.
    pub(super) fn add(&self, outbox: Weak<Outbox>) {
        let mut outboxes = self.outboxes.lock().unwrap_or_else(PoisonError::into_inner);
        outboxes.push(outbox);
        if outboxes.len() == 1 {
            self.first.notify_one();
        }
    }

    fn end_window(&self) {
        let outboxes = mem::take(&mut *self.outboxes.lock().unwrap_or_else(PoisonError::into_inner));
        for outbox in outboxes.iter().filter_map(Weak::upgrade) {
            outbox.window_ended();
        }
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
