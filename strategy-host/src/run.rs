//! Taking part in the runs of a feed over RabbitMQ: one strategy on the shards that fall to this
//! process, shared with every process that runs the same. What `orchard run` does, as a function.
//!
//! [`run`] blocks its thread until it is cancelled or, if the plan says so, the feed's run has ended.
//! What happens meanwhile is handed to a callback on the same thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker::BrokerUrl;
use tick_sdk::host::Configured;
use tick_sdk::names::{FeedName, RunId, StrategyName};

mod closing;
mod delays;
mod error;
mod event;
mod from_time;
mod hosting;
mod joining;
mod session;
#[cfg(test)]
mod tests;
mod watch;

pub use error::RunError;
pub use event::{RunEvent, RunProgress, RunReport};

use crate::host::membership::member_id;
use session::Session;

/// Between looks at what has happened.
const POLL: Duration = Duration::from_millis(100);

/// What to run, on which feed, and where its signals are committed.
#[derive(Clone)]
pub struct RunPlan {
    /// The brokers' nodes, in the ingester's order.
    pub brokers: Vec<BrokerUrl>,
    /// The feed.
    pub feed: FeedName,
    /// The name under which the strategy's signals stand; all processes of one name share its shards.
    pub name: StrategyName,
    /// The strategy with its parameters.
    pub configured: Arc<dyn Configured>,
    /// The ledger: a `postgres://` URL, or a folder for SQLite.
    pub state: String,
    /// Where the strategy begins in a run that does not have it yet.
    pub begin: Begin,
    /// Whether to go on behind ticks that cannot be had again; else they are an error.
    pub accept_gaps: bool,
    /// So many bytes of each shard may be delivered and not yet stored.
    pub prefetch_bytes: usize,
    /// What follows the end of a run.
    pub at_end: AtEnd,
}

/// Where a strategy begins in a run that does not have it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// At the run's first tick: the ingester catches it up.
    #[default]
    Start,
    /// At the next tick that is published.
    Now,
    /// At the next tick that is published in a run that goes on already, and at the first tick of every run
    /// that begins later: as what is deployed takes part from then on.
    Deployed,
    /// At the first tick of each shard that was received at this time or later, in ns since the UNIX epoch; the
    /// ingester reads what it has published again up to there.
    Time(u64),
}

/// What follows the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// The feed's next run is waited for, without a limit. A run that had ended before is passed over.
    #[default]
    WaitForNext,
    /// [`run`] returns; where the feed's run had ended before, as soon as its ingester knows that, or 20 s later
    /// if there is none.
    Stop,
}

/// Asks a [`run`] to end, from any thread: shards are released, so that others take over at once.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits for `time`, in steps, unless it is cancelled; whether it is.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let mut left = time;
        while !self.is_cancelled() && !left.is_zero() {
            let step = left.min(POLL);
            std::thread::sleep(step);
            left -= step;
        }
        self.is_cancelled()
    }
}

/// How a [`run`] ended, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The strategy's end is committed in every shard: only with [`AtEnd::Stop`].
    RunEnded,
    /// It was cancelled, and has handed its shards over.
    Cancelled,
}

/// How the part in one run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartEnd {
    /// The strategy's end is committed in every shard.
    RunEnded,
    /// Another run took its place before it had ended.
    Abandoned,
    /// It was cancelled.
    Cancelled,
}

/// Takes part in the feed's runs, one after the other.
///
/// # Errors
/// No broker can be reached at the start, one refuses, the ledger refuses or fails, the ingester refuses
/// the strategy, or the strategy fails. Where only a broker or the ledger is away later on, it is waited
/// for.
pub fn run(
    plan: &RunPlan,
    cancellation: &Cancellation,
    mut on_event: impl FnMut(RunEvent),
) -> Result<RunEnd, RunError> {
    let member = member_id();
    let mut passed: Option<RunId> = None;
    loop {
        let session = Session::open(plan, &member, cancellation, passed, &mut on_event)?;
        let Some(session) = session else { return Ok(RunEnd::Cancelled) };
        let run = session.run();
        match (session.take_part(&mut on_event)?, plan.at_end) {
            (PartEnd::Cancelled, _) => return Ok(RunEnd::Cancelled),
            (PartEnd::RunEnded, AtEnd::Stop) => return Ok(RunEnd::RunEnded),
            (PartEnd::Abandoned, AtEnd::Stop) => return Err(RunError::Abandoned { run }),
            (PartEnd::RunEnded | PartEnd::Abandoned, AtEnd::WaitForNext) => passed = Some(run),
        }
    }
}

/// Takes the strategy out of the feed, with its queues; whether that was done before the cancellation.
///
/// # Errors
/// As of [`run`]; or the ingester does not answer.
pub fn leave(
    plan: &RunPlan,
    cancellation: &Cancellation,
    mut on_event: impl FnMut(RunEvent),
) -> Result<bool, RunError> {
    let member = member_id();
    match Session::open(plan, &member, cancellation, None, &mut on_event)? {
        Some(session) => session.leave().map(|()| true),
        None => Ok(false),
    }
}
