//! What can be wrong with a verification.

use std::io;

use thiserror::Error;
use tick_sdk::names::{FeedName, RunId};

use crate::ledger::LedgerError;

/// A verification that came to no verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The expected signals cannot be read.
    #[error(transparent)]
    Expected(#[from] ExpectedError),
    /// The feed has no run in this ledger.
    #[error("the ledger has no run of feed {feed}: see --feed and --state")]
    NoRun {
        /// The feed.
        feed: FeedName,
    },
    /// The run is not one of the feed's.
    #[error("feed {feed} has no run {run}; its runs are {}", list(known))]
    UnknownRun {
        /// The feed.
        feed: FeedName,
        /// The run that was asked for.
        run: RunId,
        /// Those that there are, the newest first.
        known: Vec<RunId>,
    },
    /// No strategy that was asked for has claimed a lane.
    #[error("no strategy has begun run {run} of feed {feed}: see --strategies and --state")]
    NoStrategy {
        /// The run.
        run: RunId,
        /// The feed.
        feed: FeedName,
    },
    /// The two sides have nothing to do with each other.
    #[error("more than {max} signals differ: the expected ones are of other sources, options or strategies")]
    TooDifferent {
        /// How many may differ.
        max: usize,
    },
    /// It was cancelled.
    #[error("the verification was cancelled")]
    Cancelled,
}

/// A file that is not one of signals.
#[derive(Debug, Error)]
pub enum ExpectedError {
    /// It cannot be read.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// The system's message.
        source: io::Error,
    },
    /// Something in it is not as replay writes it.
    #[error("{name}, line {line}: {reason}\n  write the file with `orchard replay … --signals {name}`")]
    Row {
        /// The file.
        name: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
}

fn list(runs: &[RunId]) -> String {
    runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ")
}
