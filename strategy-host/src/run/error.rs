//! Why a run cannot be taken part in, and what to do then.

use broker::BrokerError;
use thiserror::Error;
use tick_sdk::names::{FeedName, RunId, StrategyName};

use super::RunPlan;
use crate::host::HostError;
use crate::ledger::LedgerError;

/// A part in a feed's runs that cannot begin, or go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// A broker cannot be reached, or refuses.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The ledger refuses or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The strategy or its commits failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The feed has more nodes than were named.
    #[error(
        "feed {feed} is on {nodes} broker nodes, and there are {named} of --broker: \
         name them all, in the ingester's order"
    )]
    TooFewBrokers {
        /// The feed.
        feed: FeedName,
        /// How many nodes it is on.
        nodes: usize,
        /// How many were named.
        named: usize,
    },
    /// The ingester is of another version.
    #[error("the ingester of feed {feed} gives a {what} that cannot be read: use matching versions")]
    Incompatible {
        /// The feed.
        feed: FeedName,
        /// What cannot be read.
        what: &'static str,
    },
    /// A strategy of groups, and a feed without.
    #[error(
        "strategy {strategy} trades groups of instruments, and feed {feed} has none: \
         give its ingester --groups FILE, one `NAME = SYMBOL SYMBOL` a line"
    )]
    NoGroups {
        /// The strategy's instance name.
        strategy: StrategyName,
        /// The feed.
        feed: FeedName,
    },
    /// The strategy's first host commits elsewhere.
    #[error(
        "strategy {strategy} of feed {feed} commits to another ledger ({other}, and this one is {own})\n  \
         use that one's --state, or run a separate one with --as NAME"
    )]
    OtherLedger {
        /// The strategy's instance name.
        strategy: StrategyName,
        /// The feed.
        feed: FeedName,
        /// The id of the ledger that the first host named.
        other: String,
        /// The id of the one that the plan names.
        own: String,
    },
    /// The ingester does not take the strategy in.
    #[error("the ingester of feed {feed} refuses strategy {strategy}: {reason}")]
    JoinRefused {
        /// The strategy's instance name.
        strategy: StrategyName,
        /// The feed.
        feed: FeedName,
        /// Why, in the ingester's words.
        reason: String,
    },
    /// The run was replaced before it had ended.
    #[error(
        "run {run} was abandoned by its ingester, and another one is the feed's now\n  \
         start this again to take part in that one"
    )]
    Abandoned {
        /// The run.
        run: RunId,
    },
    /// The run's ingester has not waited for the strategy.
    #[error(
        "run {run} of feed {feed} is closed, strategy {strategy} has not come to its end, and nothing more comes: \
         the ingester does not wait for an optional strategy that gets no further for --abandon-after\n  \
         give the next `orchard ingest` the strategy in --strategies, without a question mark, or a longer \
         --abandon-after"
    )]
    ClosedEarly {
        /// The run.
        run: RunId,
        /// The feed.
        feed: FeedName,
        /// The strategy's instance name.
        strategy: StrategyName,
    },
    /// Only the ingester can take a strategy out.
    #[error(
        "the ingester of feed {feed} does not answer, and only it can take strategy {strategy} out\n  \
         resume it with `orchard ingest … --resume {run}`"
    )]
    LeaveUnanswered {
        /// The strategy's instance name.
        strategy: StrategyName,
        /// The feed.
        feed: FeedName,
        /// The feed's run.
        run: RunId,
    },
}

impl RunError {
    pub(super) fn closed_early(plan: &RunPlan, run: RunId) -> Self {
        Self::ClosedEarly { run, feed: plan.feed.clone(), strategy: plan.name.clone() }
    }

    /// Whether the plan itself is wrong, so that trying it again is of no use.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::TooFewBrokers { .. } | Self::NoGroups { .. } => true,
            Self::Ledger(error) => matches!(error, LedgerError::Scheme { .. } | LedgerError::Address { .. }),
            _ => false,
        }
    }
}
