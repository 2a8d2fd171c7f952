//! Why a feed cannot be published, and what to do then.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use tick_feed::budget::Budget;
use tick_feed::rabbitmq::PublishError;
use tick_feed::ticks_file::TicksFileError;
use tick_sdk::groups::GroupsError;
use tick_sdk::names::{RunId, StrategyName};

use crate::ReadError;
use crate::feed::{FeedError, SelectionError};
use crate::manifest::DescribeError;

/// A run that cannot begin, or go on.
#[derive(Debug, Error)]
pub enum IngestError {
    /// There is nothing to publish.
    #[error("there is no source: name a file, or a generated market")]
    NoSources,
    /// There is nowhere to publish it.
    #[error("there is no broker: name at least one")]
    NoBrokers,
    /// A number of shards that no feed can have.
    #[error("{shards} shards: a feed has from 1 to 1024")]
    Shards {
        /// As the plan has it.
        shards: u16,
    },
    /// Two strategies have one name.
    #[error("--strategies names {name} twice")]
    StrategyTwice {
        /// The name.
        name: StrategyName,
    },
    /// A node would have no shard.
    #[error("{brokers} --broker for --shards {shards}: each takes at least one shard")]
    TooManyBrokers {
        /// How many nodes.
        brokers: usize,
        /// How many shards.
        shards: u16,
    },
    /// The sources do not fit each other, or the selection.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The groups' text cannot be read.
    #[error("groups: {0}")]
    Groups(#[source] GroupsError),
    /// A pipe cannot be played again.
    #[error("--loop plays files again, and a pipe can be read only once: convert it to a .ticks file")]
    RepeatedPipe,
    /// A source is not there.
    #[error("{file}: {source}")]
    Source {
        /// The file as the plan names it.
        file: String,
        /// The system's error.
        source: io::Error,
    },
    /// A source cannot be read to describe it.
    #[error(transparent)]
    Describe(#[from] DescribeError),
    /// The state folder is not this run's, or cannot be written to.
    #[error(transparent)]
    State(#[from] StateError),
    /// The log of sources that cannot be read twice is of no use.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The feed cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A source cannot be turned into ticks.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

impl IngestError {
    /// Whether the plan itself is wrong, so that trying it again is of no use.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoSources
                | Self::NoBrokers
                | Self::Shards { .. }
                | Self::StrategyTwice { .. }
                | Self::TooManyBrokers { .. }
                | Self::Selection(_)
                | Self::Groups(_)
        )
    }
}

impl From<ReadError> for IngestError {
    fn from(error: ReadError) -> Self {
        Self::Feed(error.into())
    }
}

/// A state folder that does not have the plan's run, or cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Another process has it.
    #[error(
        "{} is in use by another ingester, process id {process}\n  stop that one first, or name another folder \
         with --state",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process's id; `unknown` where it has not written it yet.
        process: String,
    },
    /// It has another run than the one to resume.
    #[error(
        "{} holds run {found}, not {run}\n  name the folder that the run was begun with by --state",
        folder.display()
    )]
    OtherRun {
        /// The folder.
        folder: PathBuf,
        /// Its run.
        found: RunId,
        /// The one to resume.
        run: RunId,
    },
    /// It has no run to resume.
    #[error(
        "{} holds no run, so {run} cannot be resumed\n  name the folder that it was begun with by --state",
        folder.display()
    )]
    NoRun {
        /// The folder.
        folder: PathBuf,
        /// The one to resume.
        run: RunId,
    },
    /// It has a run that has not ended.
    #[error(
        "{} holds run {run}, which has not ended\n  go on with it by --resume {run}, or abandon it by --new",
        folder.display()
    )]
    RunNotEnded {
        /// The folder.
        folder: PathBuf,
        /// Its run.
        run: RunId,
    },
    /// The run to resume has ended.
    #[error("run {run} has ended; leave --resume out to begin another")]
    RunHasEnded {
        /// The run.
        run: RunId,
    },
    /// Other sources or options would give other ticks.
    #[error(
        "run {run} cannot go on: {difference}\n  resume it with the same files and options, or begin another by \
         --new"
    )]
    ManifestDiffers {
        /// The run.
        run: RunId,
        /// The first difference.
        difference: String,
    },
    /// A strategy that the run did not have at its beginning.
    #[error(
        "run {run} was begun without strategy {strategy}\n  leave it out, and let it join by `orchard run --from \
         start`"
    )]
    NewStrategy {
        /// The run.
        run: RunId,
        /// The strategy.
        strategy: StrategyName,
    },
    /// A shard does not change its node within a run.
    #[error(
        "run {run} was begun with --budget {begun}, and with {budget} its shards would change brokers\n  leave \
         --budget out"
    )]
    BudgetMovesShards {
        /// The run.
        run: RunId,
        /// The budget that it was begun with.
        begun: Budget,
        /// The plan's.
        budget: Budget,
    },
    /// The file with the run's position cannot be read.
    #[error("{} is not a valid record of a run: remove it to begin another: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is of another version of this program.
    #[error("{} is of version {found}, and this program reads {known}", path.display())]
    RecordVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The one that is read.
        known: u32,
    },
    /// The record's budget cannot be read.
    #[error("the record of run {run}: {reason}")]
    RecordBudget {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder or a file in it cannot be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The run's position cannot be written.
    #[error("writing {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A log of sources that cannot be read twice, which is of no use.
#[derive(Debug, Error)]
pub enum LogError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The log.
        path: PathBuf,
        /// Why.
        source: TicksFileError,
    },
    /// The log of an earlier run cannot be deleted.
    #[error("{}: {source}", path.display())]
    Remove {
        /// The log, or its file of names.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What comes now lies before the log's end, and is not what the log has.
    #[error(
        "{} ends later than what comes now begins\n  a run goes on with what follows it in time, or with the \
         same input from its first tick",
        path.display()
    )]
    OutOfOrder {
        /// The log.
        path: PathBuf,
    },
    /// It is not the log's input.
    #[error(
        "the input begins as the run's log does, and then differs\n  resume with the same input, or begin another \
         run by --new"
    )]
    OtherInput,
}
