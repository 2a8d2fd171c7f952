//! Signals of a feed's lanes as events: what every lane commits is read from the ledger and published, by one
//! process at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, EventSource, StoreError};
use thiserror::Error;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::names::{FeedName, RunId};

use crate::ledger::{self, Ledger, LedgerError};
use crate::publishing::{PublishError, SignalPublisher};
use crate::run::Cancellation;

/// One that publishes and died is followed after so long.
const LEASE: Duration = Duration::from_secs(10);
/// Whoever publishes renews its lease so often.
const RENEW: Duration = Duration::from_secs(1);
/// Between two rounds: whoever watches signals sees them within 100 ms of their commit.
const PERIOD: Duration = Duration::from_millis(40);
/// Between looks of whoever has no lease, and after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// Between looks for new runs.
const LOOK_FOR_RUNS: Duration = Duration::from_secs(1);
/// A round takes about so many signals of each lane, so that the lease is renewed in time.
const SIGNALS_PER_ROUND: u64 = 20_000;
/// So many of a feed's last runs are published, where their lanes have not come to their ends: each that is under
/// way has a connection to the ledger.
const RUNS: usize = 8;

/// The signals of one feed.
#[derive(Clone)]
pub struct FeedSignals {
    /// Serves the context `strategies`, whose log has the events.
    pub bus: Arc<Bus>,
    /// The feed.
    pub feed: FeedName,
    /// The ledger that the feed's hosts commit to: a `postgres://` URL, or a folder for SQLite.
    pub state: String,
}

/// What could not be published; it is tried again.
#[derive(Debug, Error)]
pub enum FeedSignalsError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The context's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events could not be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Publishes until it is cancelled what the lanes of the feed's last eight runs commit, while no other process does.
/// Nothing is lost or doubled, whoever is killed. Errors are given to `on_error` on this thread, and tried again.
///
/// # Errors
/// The bus does not serve the context `strategies`.
pub fn publish_feed(
    plan: &FeedSignals,
    cancellation: &Cancellation,
    mut on_error: impl FnMut(FeedSignalsError),
) -> Result<(), FeedSignalsError> {
    if !plan.bus.contexts().iter().any(|context| context == STRATEGIES) {
        return Err(PublishError::NotServed.into());
    }
    let mut publishing = Publishing::new(plan);
    while !cancellation.is_cancelled() {
        let pause = match publishing.round() {
            Ok(true) => PERIOD,
            Ok(false) => PAUSE,
            Err(error) => {
                // Where it stands is looked up again: somebody else may have published since.
                publishing.runs.clear();
                on_error(error);
                PAUSE
            }
        };
        cancellation.wait(pause);
    }
    publishing.release();
    Ok(())
}

struct Publishing<'a> {
    plan: &'a FeedSignals,
    holder: CommandId,
    ledger: Option<Box<dyn Ledger>>,
    /// Those under way.
    runs: BTreeMap<RunId, SignalPublisher>,
    /// Those of the last ones that are published to their ends.
    ended: BTreeSet<RunId>,
    looked_for_runs: Option<Instant>,
    leased: Option<Instant>,
}

impl<'a> Publishing<'a> {
    fn new(plan: &'a FeedSignals) -> Self {
        Self {
            plan,
            holder: CommandId::new(),
            ledger: None,
            runs: BTreeMap::new(),
            ended: BTreeSet::new(),
            looked_for_runs: None,
            leased: None,
        }
    }

    /// Publishes some of what is new, if it may; whether it may.
    fn round(&mut self) -> Result<bool, FeedSignalsError> {
        if !self.renew()? {
            self.runs.clear();
            self.looked_for_runs = None;
            return Ok(false);
        }
        if self.looked_for_runs.is_none_or(|at| at.elapsed() >= LOOK_FOR_RUNS) {
            self.find_runs()?;
            self.looked_for_runs = Some(Instant::now());
        }
        for (run, publisher) in &mut self.runs {
            if publisher.publish_some(SIGNALS_PER_ROUND)? == 0 && publisher.has_ended()? {
                self.ended.insert(*run);
            }
        }
        self.runs.retain(|run, _| !self.ended.contains(run));
        Ok(true)
    }

    /// Whether no other process publishes.
    fn renew(&mut self) -> Result<bool, FeedSignalsError> {
        if self.leased.is_some_and(|at| at.elapsed() < RENEW) {
            return Ok(true);
        }
        self.leased = None;
        let lease = self.plan.bus.lease(STRATEGIES, &self.lease(), self.holder.0, LEASE)?;
        self.leased = lease.map(|_| Instant::now());
        Ok(self.leased.is_some())
    }

    fn find_runs(&mut self) -> Result<(), FeedSignalsError> {
        let ledger = match &self.ledger {
            Some(ledger) => ledger,
            None => self.ledger.insert(ledger::open(&self.plan.state)?),
        };
        let recorded = ledger.runs(self.plan.feed.as_str())?;
        let last: BTreeSet<RunId> = recorded.iter().take(RUNS).map(|row| row.run).collect();
        self.runs.retain(|run, _| last.contains(run));
        self.ended.retain(|run| last.contains(run));
        for run in last {
            if !self.runs.contains_key(&run) && !self.ended.contains(&run) {
                let publisher = SignalPublisher::open(self.plan.bus.clone(), &self.plan.state, run, None)?;
                self.runs.insert(run, publisher);
            }
        }
        Ok(())
    }

    fn lease(&self) -> String {
        format!("signals of feed {}", self.plan.feed)
    }

    /// Another process goes on at once.
    fn release(&self) {
        // Where that fails it ends by itself.
        let _ = self.plan.bus.lease(STRATEGIES, &self.lease(), self.holder.0, Duration::ZERO);
    }
}
