//! What is reported while a run is published, and at its end.

use std::time::Duration;

use tick_feed::rabbitmq::publisher::Snapshot;
use tick_sdk::names::RunId;

use crate::Counts;

/// What happens while a run is published.
#[derive(Clone, Debug)]
pub enum IngestEvent {
    /// The feed is this ingester's, and nothing has been published yet.
    RunBegins {
        /// The run, by which it can be resumed.
        run: RunId,
    },
    /// How far it is, once a second.
    Progress(Box<IngestProgress>),
    /// Hosts ask for ticks which can no longer be had: they stop with that, or go on behind the gap.
    TicksUnavailable {
        /// Why.
        error: String,
    },
    /// A strategy that joined late cannot have the ticks before; the feed goes on for the others.
    CatchUpFailed {
        /// Its instance name.
        strategy: String,
        /// Why.
        error: String,
    },
}

/// How far it is, and what it was at the report before; at first, before the run's first tick.
#[derive(Clone, Debug)]
pub struct IngestProgress {
    /// At the report before.
    pub before: Snapshot,
    /// Now.
    pub now: Snapshot,
    /// Between the two.
    pub elapsed: Duration,
}

/// How a run ended, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestEnd {
    /// Every required strategy has committed to the end.
    RunEnded,
    /// Everything is published, and the strategies were not waited for: only with
    /// [`AtEnd::Detach`](super::AtEnd::Detach).
    Published,
    /// It was cancelled before its end; [`Begin::Resume`](super::Begin::Resume) goes on with it.
    Cancelled,
}

/// A run's results.
#[derive(Clone, Debug)]
pub struct IngestOutcome {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub end: IngestEnd,
    /// How everything stood at the end.
    pub snapshot: Snapshot,
    /// What the readers counted.
    pub counts: Counts,
    /// From the beginning of this process's part to its end.
    pub elapsed: Duration,
}
