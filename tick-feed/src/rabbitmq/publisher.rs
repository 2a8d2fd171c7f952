//! Sending a run's frames: at the budget's pace, again where they were lost, to every strategy's
//! queues.
//!
//! The feed's thread hands frames to [`PublishedFrames`], where each shard's [`Window`](window::Window)
//! holds them until the broker has confirmed them. One thread more runs a task for each broker node
//! that publishes what the windows give, and one that receives hosts' messages and broadcasts the feed's state.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::control::{ShardCursor, StrategyState};
use super::topology::Durability;
use crate::budget::Budget;
use crate::frame::FrameError;
use broker::{BrokerError, BrokerUrl};
use tick_sdk::names::{FeedName, RunId, StrategyName};
use tracing::{Instrument, info_span};

mod catch_up;
mod declare;
mod link;
mod listen;
mod node;
mod queues;
mod sending;
mod shared;
mod snapshot;
mod strategies;
mod stream;
pub mod window;

pub use catch_up::CatchUpFrames;
pub use sending::PublishedFrames;
pub use snapshot::{NodeSnapshot, ShardSnapshot, Snapshot};

use shared::Shared;

/// Everything that a publisher needs to know before it begins.
#[derive(Clone, Debug)]
pub struct PublisherPlan {
    /// The feed.
    pub feed: FeedName,
    /// The run.
    pub run: RunId,
    /// The run's manifest, as text.
    pub manifest: String,
    /// The groups file's text, empty for none.
    pub groups: String,
    /// One a node; at least one.
    pub brokers: Vec<BrokerUrl>,
    /// Messages a second for each node.
    pub budget: Budget,
    /// What the broker does with frames.
    pub durability: Durability,
    /// Frames are at most so many bytes.
    pub max_frame_bytes: usize,
    /// A strategy's queue of one shard holds at most so many bytes; then the shard waits.
    pub queue_bytes: u64,
    /// A full queue of an optional strategy is waited for so long.
    pub abandon_after: Duration,
    /// Where each shard begins; at least one shard.
    pub shards: Vec<ShardStart>,
    /// The feed's strategies, those of an earlier part of the run included.
    pub strategies: Vec<StrategyProgress>,
    /// A run that has ended, also where the ingester that ended it could not tell the broker any more.
    pub ended: Option<RunId>,
    /// Begin even where the broker knows of another run that has not ended: that one is abandoned.
    pub replace: bool,
    /// At most so many bytes are on the way to a node without its confirm; see [`UNCONFIRMED_BYTES`].
    pub unconfirmed_bytes: usize,
    /// Is called for every frame.
    pub observer: Option<Arc<dyn PublishObserver>>,
}

/// So many bytes are on the way to a node without its confirm, unless set otherwise: 16 MiB.
pub const UNCONFIRMED_BYTES: usize = 16 << 20;

/// Follows how far each shard is, on the publisher's thread. What goes to one late strategy alone is
/// left out.
pub trait PublishObserver: std::fmt::Debug + Send + Sync {
    /// Ticks before this were written to the broker, or are about to be.
    fn sent(&self, shard: u16, end_seq: u64);
    /// Ticks before this are confirmed.
    fn confirmed(&self, shard: u16, seq: u64);
}

impl PublisherPlan {
    /// The broker that is tried in this turn for a node.
    fn broker(&self, node: usize, turn: usize) -> &BrokerUrl {
        match self.durability {
            // What was on that node is there, or nowhere.
            Durability::Memory => &self.brokers[node],
            // Any node of the cluster reaches every queue.
            Durability::Replicated => &self.brokers[turn % self.brokers.len()],
        }
    }
}

/// Where one shard begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStart {
    /// The first tick to send.
    pub position: u64,
    /// Above every attempt used before.
    pub attempt: u32,
}

/// A strategy of the feed, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyProgress {
    /// What is broadcast to hosts of it.
    pub state: StrategyState,
    /// How far each shard is; empty as long as no host has reported.
    pub cursors: Vec<ShardCursor>,
    /// Whether all its queues are bound; if not, it is caught up or was abandoned.
    pub bound: bool,
    /// It has left, and its queues are still to be deleted.
    #[serde(default)]
    pub has_left: bool,
}

impl StrategyProgress {
    /// A strategy that takes part from the run's first tick on.
    pub fn from_start(name: StrategyName, required: bool, shards: u16) -> Self {
        let begins_at = vec![0; usize::from(shards)];
        let state = StrategyState { name, required, active: true, begins_at, ledger: None, ended: false };
        Self { state, cursors: Vec::new(), bound: true, has_left: false }
    }

    /// For each of so many shards, the first tick that is in no stored state.
    pub fn stored(&self, shards: usize) -> Vec<u64> {
        let mut stored = self.state.begins_at.clone();
        stored.resize(shards, 0);
        for cursor in &self.cursors {
            if let Some(stored) = stored.get_mut(usize::from(cursor.shard)) {
                *stored = cursor.stored;
            }
        }
        stored
    }

    /// Whether it has committed to the run's end on all of so many shards.
    pub fn has_ended(&self, shards: usize) -> bool {
        self.cursors.iter().filter(|cursor| cursor.ended).count() == shards
    }
}

/// A publisher that cannot begin, or go on.
#[derive(Clone, Debug, Error)]
pub enum PublishError {
    /// A broker refuses, or is not there.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Another ingester has the feed.
    #[error(
        "feed {feed} has an ingester already, on broker {url}\n  stop that one first; the broker releases \
         the feed within seconds of one that was killed"
    )]
    AnotherIngester {
        /// The feed.
        feed: FeedName,
        /// The broker.
        url: String,
    },
    /// The feed has a run that has not ended.
    #[error(
        "feed {feed} has run {run}, which has not ended\n  go on with it by --resume {run} where it was begun, \
         or abandon it by --new"
    )]
    AnotherRun {
        /// The feed.
        feed: FeedName,
        /// Its run.
        run: RunId,
    },
    /// Another ingester has had the feed while this one's connection to its broker was lost.
    #[error(
        "another ingester has taken feed {feed} while the connection to its broker was lost\n  stop that one \
         before this run is resumed"
    )]
    TakenOver {
        /// The feed.
        feed: FeedName,
    },
    /// The feed's last state was written by another version of this program.
    #[error(
        "how feed {feed} stood last cannot be read: it was written by another version of this program\n  end \
         its run with that version, or delete queue orchard.{feed}.run"
    )]
    UnreadableState {
        /// The feed.
        feed: FeedName,
    },
    /// A frame cannot be sent.
    #[error("shard {shard}: a frame cannot be sent: {source}\n  make frames smaller with --frame-bytes")]
    Frame {
        /// Its shard.
        shard: u16,
        /// Why.
        source: FrameError,
    },
    /// The system gives no thread.
    #[error("the publisher's thread cannot be started: {0}")]
    Thread(String),
}

/// Publishes one run. Dropped, it stops.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How long the first connection to a broker is tried.
const FIRST_CONNECTION: Duration = Duration::from_secs(10);

impl Publisher {
    /// Connects to every broker and declares what the feed needs.
    ///
    /// # Errors
    /// A broker refuses, or is not there for 10 s; another ingester has the feed, or it has another run.
    pub fn start(plan: PublisherPlan) -> Result<Self, PublishError> {
        let shared = Arc::new(Shared::new(plan));
        let work = shared.clone();
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || run(&work))
            .map_err(|error| PublishError::Thread(error.to_string()))?;
        let publisher = Self { shared, thread: Some(thread) };
        publisher.shared.wait_until_ready()?;
        Ok(publisher)
    }

    /// The feed's end: what it is given is published.
    pub fn frames(&self) -> PublishedFrames {
        PublishedFrames(self.shared.clone())
    }

    /// Whether ticks have to be sent again that left the window: the feed then has to run again from
    /// [`restart`](Self::restart).
    pub fn is_rewound(&self) -> bool {
        self.shared.is_rewound()
    }

    /// The first tick that each shard needs; from now on frames are accepted again.
    pub fn restart(&self) -> Vec<u64> {
        self.shared.restart()
    }

    /// Announces that the ticks which were requested again cannot be read again, and why: hosts then stop
    /// with that, or go on behind the gap. True if the run can come to its end so: the feed had sent
    /// everything once, and some of it is missing now.
    pub fn abandon(&self, reason: &str) -> bool {
        self.shared.abandon(reason)
    }

    /// A strategy that joined late and needs a pass of its own, which the caller has to run.
    pub fn next_catch_up(&self) -> Option<CatchUpFrames> {
        self.shared.next_catch_up()
    }

    /// How everything stands.
    ///
    /// # Errors
    /// The publisher cannot go on.
    pub fn snapshot(&self) -> Result<Snapshot, PublishError> {
        self.shared.failure()?;
        Ok(self.shared.snapshot())
    }

    /// This snapshot is written where an ingester that resumes the run reads it. Only what such an ingester knows
    /// are hosts told: that there is the run, which strategies take part, from where on, and which have ended.
    /// Until the first call nothing is announced.
    pub fn keep(&self, written: &Snapshot) {
        if self.shared.strategies().keep(&written.strategies) {
            self.shared.notify_change();
        }
    }

    /// Waits until something changed that may end the run, but not longer than `timeout`.
    pub fn wait(&self, timeout: Duration) {
        self.shared.wait_for_change(timeout);
    }

    /// Accepts no more frames: the feed's next one is refused with [`TransportError::Closed`](crate::transport::TransportError::Closed).
    pub fn stop_accepting(&self) {
        self.shared.stop_accepting();
    }

    /// Ends it; `closed` says whether the run has ended or is abandoned, so that another may begin.
    ///
    /// # Errors
    /// The publisher could not go on before.
    pub fn stop(mut self, closed: bool) -> Result<(), PublishError> {
        self.shared.stop(closed);
        self.join();
        self.shared.failure()
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // What it had to report is in the shared state.
            let _ = thread.join();
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stop(false);
        self.join();
    }
}

/// The publisher's thread: a task for each node, and one that listens there.
fn run(shared: &Arc<Shared>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return shared.fail(PublishError::Thread(error.to_string())),
    };
    let tasks = tokio::task::LocalSet::new();
    for node in 0..shared.nodes.len() {
        let PublisherPlan { feed, run, .. } = &shared.plan;
        let span = info_span!("publisher", %feed, %run, node);
        tasks.spawn_local(node::serve(shared.clone(), node).instrument(span.clone()));
        tasks.spawn_local(listen::serve(shared.clone(), node).instrument(span));
    }
    runtime.block_on(tasks);
    // A connection that was not closed in time is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// Time since the publisher began, for the pure parts.
fn since(started: Instant) -> Duration {
    started.elapsed()
}

#[cfg(test)]
mod tests;
