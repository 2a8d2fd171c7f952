//! The ways in which replays are played: in this process, or through a feed that hosts run.

use std::sync::Arc;
use std::time::Duration;

use live::Recorder;
use tick_ingest::feed::TickSelection;
use tick_ingest::replays::{Captures, ClaimedReplay, InvalidReplay, QueueError, ReplayQueue};
use tick_sdk::names::{FeedName, RunId};

use super::feed_player::{FeedPlayer, PreparedFeed, RunningFeed};
use super::ledgers::Ledgers;
use crate::replay::{PreparedReplay, ReplayError, ReplayOutcome, ReplayProgress, RunningReplay};

/// How replays are played.
#[derive(Clone)]
pub(super) enum Player {
    /// In this process, each with a ledger of its own.
    InProcess(Ledgers),
    /// Through a feed of its own each.
    Feed(FeedPlayer),
}

/// Why a replay cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum BeginError {
    #[error(transparent)]
    Plan(#[from] InvalidReplay),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Ingest(#[from] tick_ingest::publish::IngestError),
    /// No host would have a place for all of them.
    #[cfg(feature = "rabbitmq")]
    #[error(
        "there are {strategies} strategies, and a replay through a feed has at most {most}: start several replays"
    )]
    TooManyStrategies { strategies: usize, most: usize },
    /// What is recorded is a run of other bytes or options.
    #[error("what it plays is not what it was when it began ({difference}): start another replay")]
    Changed { difference: String },
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Ingest(#[from] tick_ingest::publish::IngestError),
    /// A strategy failed at one of its hosts, and would again; or the hosts are not those of this server.
    #[error("{reason}")]
    Lane { reason: String },
}

/// A replay that is about to play.
pub(super) struct Prepared {
    pub(super) run: RunId,
    /// Whether an earlier worker had begun it.
    pub(super) is_resumed: bool,
    /// The feed that it is played through.
    pub(super) feed: Option<FeedName>,
    /// Its ledger, a folder or a URL.
    pub(super) ledger: String,
    /// Which ticks it takes.
    pub(super) selection: TickSelection,
    pub(super) play: PreparedPlay,
}

pub(super) enum PreparedPlay {
    InProcess(Box<PreparedReplay>),
    Feed(Box<PreparedFeed>),
}

/// A replay that plays. Dropped, it is stopped and waited for.
pub(super) enum RunningPlay {
    InProcess(RunningReplay),
    Feed(RunningFeed),
}

/// How playing ended, if it did not fail.
pub(super) enum PlayEnd {
    /// Everything was played.
    Played(Box<ReplayOutcome>),
    /// It was stopped; with what came of it until then, where that is known.
    Stopped(Option<Box<ReplayOutcome>>),
}

impl Player {
    /// Opens what a replay is recorded in, which reads every file once; it goes on where an earlier worker was.
    pub(super) fn prepare(
        &self,
        claimed: &ClaimedReplay,
        captures: &Captures,
    ) -> Result<Prepared, BeginError> {
        match self {
            Self::InProcess(ledgers) => ledgers.prepare(claimed, captures),
            Self::Feed(player) => player.prepare(claimed, captures),
        }
    }

    /// The ledgers that hold what an earlier worker committed.
    pub(super) fn ledgers(&self, claimed: &ClaimedReplay) -> Vec<String> {
        match self {
            Self::InProcess(ledgers) => ledgers.all(claimed),
            Self::Feed(player) => player.ledgers(),
        }
    }

    /// A replay is about to end: nothing of it stays on a broker.
    pub(super) fn before_end(&self, claimed: &ClaimedReplay) {
        match self {
            // A ledger is needed until the end is stored.
            Self::InProcess(_) => {}
            Self::Feed(player) => player.remove_feed(claimed.replay_id),
        }
    }

    /// A replay has ended, and all of it is in the log.
    pub(super) fn done(&self, claimed: &ClaimedReplay) {
        match self {
            Self::InProcess(ledgers) => ledgers.remove(claimed),
            // Hosts may still let go of its feed: a sweep removes what they leave.
            Self::Feed(_) => {}
        }
    }

    /// Removes what replays left that have ended or are forgotten.
    pub(super) fn sweep(&self, queue: &ReplayQueue) -> Result<(), QueueError> {
        match self {
            Self::InProcess(ledgers) => ledgers.sweep(queue),
            Self::Feed(player) => player.sweep(queue),
        }
    }
}

impl PreparedPlay {
    /// Begins to play, on threads of its own; the recorder ends when every tick was played.
    pub(super) fn start(self, recorder: Recorder) -> Result<RunningPlay, PlayError> {
        let recorder = Arc::new(recorder);
        Ok(match self {
            Self::InProcess(replay) => RunningPlay::InProcess(replay.observed(recorder).start()?),
            Self::Feed(prepared) => RunningPlay::Feed(prepared.observed(recorder).start()?),
        })
    }
}

impl RunningPlay {
    /// Waits so long, or until it has ended: then `None`, and else how far it is.
    pub(super) fn wait_progress(&self, timeout: Duration) -> Option<ReplayProgress> {
        match self {
            Self::InProcess(replay) => replay.wait_progress(timeout),
            Self::Feed(running) => running.wait_progress(timeout),
        }
    }

    /// Stops it soon. Does not wait.
    pub(super) fn cancel(&self) {
        match self {
            Self::InProcess(replay) => replay.cancel(),
            Self::Feed(running) => running.cancel(),
        }
    }

    /// Waits for the end.
    pub(super) fn finish(self) -> Result<PlayEnd, PlayError> {
        match self {
            Self::InProcess(replay) => {
                let outcome = Box::new(replay.finish()?);
                let is_stopped = outcome.feed.interrupted;
                Ok(if is_stopped { PlayEnd::Stopped(Some(outcome)) } else { PlayEnd::Played(outcome) })
            }
            Self::Feed(running) => running.finish(),
        }
    }
}
