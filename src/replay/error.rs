//! What can be wrong with a plan, and what can end a replay.

use std::io;

use strategy_host::host::HostError;
use strategy_host::ledger::LedgerError;
use strategy_host::paper::UnknownStrategy;
use thiserror::Error;
use tick_ingest::feed::{FeedError, SelectionError};
use tick_ingest::manifest::DescribeError;

/// A plan that cannot be carried out, whatever the sources hold. Nothing was recorded of it.
#[derive(Debug, Error)]
pub enum PlanError {
    /// There is nothing to play.
    #[error("there is no source: name a file, or a generated market")]
    NoSources,
    /// There is nothing to play it to.
    #[error("there is no strategy: name at least one")]
    NoStrategies,
    /// Two instances have one name, under which the signals of both would stand.
    #[error("two strategies are named {name}: give one of them another name")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// A strategy of groups would see no tick.
    #[error(
        "strategy {strategy} trades groups of instruments, and there are none: name them with --groups FILE, \
         one `NAME = SYMBOL SYMBOL` a line"
    )]
    NoGroups {
        /// The instance's name.
        strategy: String,
    },
    /// The groups' text cannot be read.
    #[error("groups: {0}")]
    Groups(#[source] tick_sdk::groups::GroupsError),
    /// A number is outside what is possible.
    #[error("{what} is {value}, and has to be from {least} to {most}")]
    Range {
        /// The plan's field.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// The sources do not fit each other, or the selection.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// Standard input cannot be read again after an interruption.
    #[error(transparent)]
    Describe(DescribeError),
}

/// A replay that could not begin, or could not go on. What was committed before stays.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The plan cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A source cannot be read to describe it.
    #[error("{file}: {source}")]
    Source {
        /// The file as the plan names it.
        file: String,
        /// The system's words.
        source: io::Error,
    },
    /// There is no place for a ledger that nobody asked to keep.
    #[error("making a temporary folder for the ledger: {0}")]
    TemporaryLedger(#[source] io::Error),
    /// The system starts no thread.
    #[error("starting the replay's thread: {0}")]
    Thread(#[source] io::Error),
    /// The ledger refused, or holds another run.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A source cannot be turned into ticks.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A strategy or its host stopped.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The paper account was made for other strategies.
    #[error(transparent)]
    Account(#[from] UnknownStrategy),
    /// The sink does not take the signals.
    #[error("writing signals: {0}")]
    Signals(#[source] io::Error),
    /// The sink does not take the round trips.
    #[error("writing round trips: {0}")]
    Trades(#[source] io::Error),
    /// The replay's own thread panicked.
    #[error("the replay panicked: {0}")]
    Panicked(String),
}

impl From<SelectionError> for ReplayError {
    fn from(error: SelectionError) -> Self {
        Self::Plan(error.into())
    }
}

impl From<DescribeError> for ReplayError {
    fn from(error: DescribeError) -> Self {
        match error {
            DescribeError::StandardInput => Self::Plan(PlanError::Describe(error)),
            DescribeError::Read { file, source } => Self::Source { file, source },
        }
    }
}
