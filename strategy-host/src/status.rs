//! How a feed stands, from its ingester to the last commit: one observation of its brokers and, where it is
//! known, its ledger. Nothing is changed by it.

use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use tick_feed::rabbitmq::BrokerUrl;
use tick_feed::rabbitmq::observe::{Listening, ObserveError};
use tick_sdk::names::{FeedName, RunId};

use crate::ledger::{self, LedgerError, MEMBER_LIVES};

mod standing;

pub use standing::{FeedStatus, LaneStatus, LedgerSeen, Phase, ShardStatus, StrategyStatus};

/// What to look at.
#[derive(Clone, Debug)]
pub struct StatusPlan {
    /// The feed.
    pub feed: FeedName,
    /// Its brokers, in the order in which the ingester has them.
    pub brokers: Vec<BrokerUrl>,
    /// The ledger that its hosts commit to, a URL or a folder. Without it cursors are those that running
    /// hosts report.
    pub ledger: Option<String>,
}

/// Why a feed's status is not known.
#[derive(Debug, Error)]
pub enum StatusError {
    /// The brokers.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The thread that reads the ledger has failed.
    #[error("reading ledger {ledger} has failed")]
    LedgerFailed {
        /// As it was given.
        ledger: String,
    },
}

/// Looks at a feed for one second or two, as everyone who has part in it announces once a second how far it
/// is. It does not block: the ledger is read on a thread for that.
///
/// # Errors
/// See [`StatusError`].
pub async fn feed_status(plan: &StatusPlan) -> Result<FeedStatus, StatusError> {
    let listening = Listening::listen(&plan.brokers, &plan.feed).await?;
    // At once: so cursors and what is published are of the same moment.
    let ledger = match &plan.ledger {
        Some(ledger) => Some(read_in_background(ledger, &plan.feed, listening.state().run).await?),
        None => None,
    };
    let observation = listening.finish().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
    Ok(FeedStatus::new(&observation, ledger.as_ref(), now))
}

async fn read_in_background(ledger: &str, feed: &FeedName, run: RunId) -> Result<LedgerSeen, StatusError> {
    let (name, feed) = (ledger.to_owned(), feed.clone());
    match tokio::task::spawn_blocking(move || read(&name, &feed, run)).await {
        Ok(seen) => seen,
        Err(_) => Err(StatusError::LedgerFailed { ledger: ledger.to_owned() }),
    }
}

fn read(ledger: &str, feed: &FeedName, run: RunId) -> Result<LedgerSeen, StatusError> {
    let ledger = ledger::open_to_read(ledger)?;
    let mut members = ledger.members(run)?;
    members.retain(|row| row.silent < MEMBER_LIVES);
    let runs = ledger.runs(feed.as_ref())?.into_iter().map(|row| row.run).collect();
    Ok(LedgerSeen { id: ledger.id().to_owned(), runs, lanes: ledger.lanes(run)?, members })
}

#[cfg(test)]
mod tests;
