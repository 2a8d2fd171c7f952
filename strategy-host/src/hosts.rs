//! Hosts of what is deployed: a member of every lane that is wanted, for as long as it is.
//!
//! [`host`] follows a [`LaneSource`], which says what is wanted now: of a feed what is deployed to it
//! (`DeployedLanes`), or each strategy of every replay that is played through a feed (`ReplayLanes`). Each lane
//! is a member as [`run`](crate::run::run) is one, on a thread of its own. Any number of processes do the same
//! with the same source and share the shards of every lane, as members do; when a lane is wanted no more, each
//! ends its own member, and the feed is asked to forget the lane, so that it waits for nobody.
//!
//! What fails is started again after a while, and reported; nothing of it ends the others. The calls block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::BrokerUrl;
use tick_sdk::host::Configured;
use tick_sdk::names::{FeedName, StrategyName};

mod backoff;
#[cfg(feature = "services")]
mod deployed;
mod event;
mod lane;
mod leaving;
#[cfg(feature = "services")]
mod replays;
#[cfg(feature = "services")]
mod signals;
#[cfg(test)]
mod tests;

#[cfg(feature = "services")]
pub use deployed::DeployedLanes;
pub use event::{HostsEvent, HostsReport};
#[cfg(feature = "services")]
pub use replays::ReplayLanes;
#[cfg(feature = "services")]
pub use signals::{FeedSignals, FeedSignalsError, publish_feed};

use crate::run::{AtEnd, Begin, Cancellation};
use event::Report;
use lane::Lanes;
use leaving::Leaving;

/// A change of what is wanted is waited for so long at once; between two looks at the lanes.
const LOOK: Duration = Duration::from_millis(100);
/// After an error of the source it is left alone for so long.
const AFTER_ERROR: Duration = Duration::from_secs(1);
/// Handing every lane over takes at most so long; what has not ended then is as if it had been killed.
const LONGEST_STOP: Duration = Duration::from_secs(20);

/// How lanes are hosted. [`HostsPlan::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct HostsPlan {
    /// The brokers' nodes, in the ingester's order.
    pub brokers: Vec<BrokerUrl>,
    /// The ledger: a `postgres://` URL, or a folder for SQLite, where all hosts are on one machine.
    pub state: String,
    /// Whether to go on behind ticks that cannot be had again; else the lane fails, and is tried again.
    pub accept_gaps: bool,
    /// So many bytes of each shard may be delivered and not yet stored, for each lane.
    pub prefetch_bytes: usize,
    /// So many lanes at most: each is a connection and some threads. Those beyond wait, in order of name, and are
    /// reported; of a replay all wait until there is a place for each.
    pub most_lanes: usize,
}

impl HostsPlan {
    /// At most 64 lanes with 16 MiB of each shard on the way, which stop at gaps.
    pub fn new(brokers: Vec<BrokerUrl>, state: impl Into<String>) -> Self {
        Self { brokers, state: state.into(), accept_gaps: false, prefetch_bytes: 16 << 20, most_lanes: 64 }
    }
}

/// A lane: where, and under which name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneKey {
    /// The feed.
    pub feed: FeedName,
    /// The name under which its signals stand.
    pub name: StrategyName,
}

/// A lane that is to be hosted.
#[derive(Clone)]
pub struct WantedLane {
    /// The feed.
    pub feed: FeedName,
    /// The name under which its signals stand.
    pub name: StrategyName,
    /// The strategy with its parameters; or why there is none, as where this program does not have it.
    pub configured: Result<Arc<dyn Configured>, String>,
    /// Where it begins in a run that does not have it yet.
    pub begin: Begin,
    /// What follows the end of a run.
    pub at_end: AtEnd,
}

impl WantedLane {
    /// What names it.
    pub fn key(&self) -> LaneKey {
        LaneKey { feed: self.feed.clone(), name: self.name.clone() }
    }
}

/// What cannot be found out about what is wanted; it is asked again.
#[derive(Debug, thiserror::Error)]
#[error("what is to be hosted cannot be read: {reason}")]
pub struct LaneSourceError {
    /// Why.
    pub reason: String,
}

/// Who says which lanes are wanted now. All processes that share lanes have sources that come to the same.
pub trait LaneSource: Send {
    /// Waits for a change, but not longer than `timeout`. Gives all lanes that are wanted now where those are
    /// others than at the call before, which gave none for the first call.
    ///
    /// # Errors
    /// It cannot be found out; the next call tries again.
    fn wait(&mut self, timeout: Duration) -> Result<Option<Vec<WantedLane>>, LaneSourceError>;

    /// The feed that lanes leave when they are wanted no more; `None` where feeds end with what is wanted of them.
    fn left_feed(&self) -> Option<FeedName> {
        None
    }

    /// Whether a strategy of that feed was wanted once and is no more, so that the feed should forget it. One that
    /// this source knows nothing of, as that of an `orchard run`, is none.
    fn has_left(&self, strategy: &StrategyName) -> bool {
        let _ = strategy;
        false
    }
}

/// Hosts what the source wants until it is cancelled; then hands every shard over. What happens meanwhile is given
/// to `on_event` on this thread.
///
/// It fails for nothing that happens meanwhile: a broker, a ledger or a source that is away is tried again and
/// reported.
pub fn host(
    plan: &HostsPlan,
    mut source: impl LaneSource,
    cancellation: &Cancellation,
    mut on_event: impl FnMut(HostsEvent),
) -> HostsReport {
    let mut report = Report::new(&mut on_event);
    let mut lanes = Lanes::new(plan.clone());
    let leaving = source.left_feed().map(|feed| Leaving::start(plan, feed));
    let mut pause = Instant::now();
    while !cancellation.is_cancelled() {
        if pause > Instant::now() {
            cancellation.wait(LOOK);
        } else {
            match source.wait(LOOK) {
                Ok(None) => {}
                Ok(Some(wanted)) => lanes.want(wanted),
                Err(error) => {
                    pause = Instant::now() + AFTER_ERROR;
                    report.on(HostsEvent::SourceFailed { reason: error.reason });
                }
            }
        }
        lanes.step(Instant::now(), &mut report);
        if let Some(leaving) = &leaving {
            leaving.step(|strategy| source.has_left(strategy), &mut report);
        }
    }
    let is_clean = lanes.stop(Instant::now() + LONGEST_STOP, &mut report);
    drop(leaving);
    HostsReport { is_clean, ..report.counts }
}
