//! What other processes play, over their broker.
//!
//! Whoever plays sources publishes what has changed of them to the fanout exchange `orchard-live`: 20 messages a second
//! at most, and one a second while nobody listens. Whoever shows them takes these from a queue of its own, which
//! drops the oldest when it is full. Messages are numbered, and what they say is state: whoever comes later, or misses
//! one, asks for everything by a message to `orchard-live.ask`.
//!
//! A broker that is away is tried again; prices are old meanwhile, and nothing else waits.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broker::BrokerUrl;
use tokio::sync::watch;

use crate::LiveMarket;

mod following;
mod publishing;
mod session;
#[cfg(test)]
mod tests;
mod wire;

/// The usual exchange: a name that no feed has, whose exchanges are `orchard.{feed}`.
pub const EXCHANGE: &str = "orchard-live";

/// With whom a market is shared.
#[derive(Clone, Debug)]
pub struct LinkPlan {
    /// The broker's nodes: the first that is there is used.
    pub nodes: Vec<BrokerUrl>,
    /// The exchange; what asks for everything is sent to the one of this name and `.ask`.
    pub exchange: String,
    /// Whether what this process plays is published.
    pub publishes: bool,
    /// Whether what other processes play is shown here.
    pub follows: bool,
}

impl LinkPlan {
    /// Over [`EXCHANGE`] of these nodes, neither way yet.
    pub fn new(nodes: Vec<BrokerUrl>) -> Self {
        Self { nodes, exchange: EXCHANGE.to_owned(), publishes: false, follows: false }
    }
}

/// Shares a market, on a thread of its own. Dropped, it ends at once.
#[derive(Debug)]
pub struct LiveLink {
    wish: watch::Sender<Wish>,
    connected: watch::Receiver<bool>,
    thread: Option<JoinHandle<()>>,
}

/// How long a link goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    /// Until all is published, but not longer than this.
    EndBy(Instant),
    End,
}

impl LiveLink {
    /// Begins to share it, and to connect.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(market: &LiveMarket, plan: LinkPlan) -> io::Result<Self> {
        let (wish, wishes) = watch::channel(Wish::GoOn);
        let (connection, connected) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let market = market.clone();
        let work = move || runtime.block_on(session::stay_connected(&market, &plan, wishes, &connection));
        let thread = std::thread::Builder::new().name("live link".to_owned()).spawn(work)?;
        Ok(Self { wish, connected, thread: Some(thread) })
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Publishes what has changed until now, which takes so long at most, and ends.
    pub fn finish(mut self, timeout: Duration) {
        self.wish.send_replace(Wish::EndBy(Instant::now() + timeout));
        if let Some(thread) = self.thread.take() {
            // It ends by then; what it panicked of is on standard error.
            let _ = thread.join();
        }
    }
}

impl Drop for LiveLink {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.wish.send_replace(Wish::End);
        }
    }
}
