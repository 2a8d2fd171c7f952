//! Lanes that are wanted no more leave their feed.
//!
//! What a feed has is compared with what is wanted, again and again: so a lane leaves that was stopped while no
//! host was there, whose ingester was away, or that a host which was late has brought back. While a run goes on, its
//! ingester is asked to forget the lane; the queues of one that was stopped between two runs, which no ingester knows,
//! are removed here. The lanes that there were are those of the last runs in the ledger, so that one is found however
//! long nobody was there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tick_feed::rabbitmq::{Control, FeedRemover, FeedState, Subscriber, SubscriberHandle, Subscription};
use tick_sdk::names::{FeedName, RunId, StrategyName};
use tracing::{info, warn};

use super::event::Report;
use super::{HostsEvent, HostsPlan};
use crate::host::membership::member_id;
use crate::ledger::{self, LedgerError};
use crate::run::Cancellation;

/// Between two requests that a feed forgets the same lane.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Between attempts to reach a broker.
const RETRY: Duration = Duration::from_secs(2);
/// Between looks whether there are queues to remove.
const LOOK: Duration = Duration::from_millis(500);
/// The lanes of so many of the feed's last runs are known.
const RUNS: usize = 8;
/// Frames are not received here.
const NO_PREFETCH: usize = 1 << 16;

/// One feed, watched for lanes that it should forget.
pub(super) struct Leaving {
    feed: FeedName,
    watched: Arc<Watched>,
    cancellation: Cancellation,
}

/// What the watching thread has.
#[derive(Default)]
struct Watched {
    handle: Mutex<Option<SubscriberHandle>>,
    asked: Mutex<Option<Instant>>,
    /// The lanes of the last runs.
    lanes: Mutex<BTreeMap<StrategyName, Queues>>,
}

/// What there is of a lane's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queues {
    /// They are of so many shards, and may be there.
    MayBe(u16),
    /// The lane has left: they are to be removed.
    ToRemove(u16),
    /// They were removed.
    Removed,
}

impl Leaving {
    /// Connects on a thread of its own, for as long as that takes.
    pub(super) fn start(plan: &HostsPlan, feed: FeedName) -> Self {
        let watched = Arc::new(Watched::default());
        let cancellation = Cancellation::default();
        let subscription = Subscription {
            brokers: plan.brokers.clone(),
            feed: feed.clone(),
            // It is no strategy's: no queue bears the name, and none is received from.
            strategy: "leaving".parse().expect("a valid name"),
            member: member_id(),
            prefetch_bytes: NO_PREFETCH,
        };
        let (connected, cancelled) = (watched.clone(), cancellation.clone());
        let state = plan.state.clone();
        let work = move || connected.keep_connected(&subscription, &state, &cancelled);
        // It is not waited for: a broker that does not answer may hold it for some seconds.
        if let Err(error) = std::thread::Builder::new().name("leaving".to_owned()).spawn(work) {
            warn!(%error, "lanes that are stopped do not leave their feed");
        }
        Self { feed, watched, cancellation }
    }

    /// Asks the feed to forget each of its strategies that has left, and has the queues removed of those that it does
    /// not know.
    pub(super) fn step(&self, has_left: impl Fn(&StrategyName) -> bool, report: &mut Report<'_>) {
        let Some(handle) = lock(&self.watched.handle).clone() else { return };
        let Some(state) = handle.state() else { return };
        self.watched.remove_queues(&state, &has_left);
        if state.closed {
            return;
        }
        let left: Vec<StrategyName> = names(&state).filter(|name| has_left(name)).cloned().collect();
        let mut asked = lock(&self.watched.asked);
        if left.is_empty() || asked.is_some_and(|at| at.elapsed() < ASK_AGAIN) {
            return;
        }
        *asked = Some(Instant::now());
        for strategy in left {
            handle.send(Control::Leave { run: state.run, strategy: strategy.clone() });
            report.on(HostsEvent::LaneLeaves { feed: self.feed.clone(), strategy });
        }
    }
}

fn names(state: &FeedState) -> impl Iterator<Item = &StrategyName> {
    state.strategies.iter().map(|strategy| &strategy.name)
}

impl Watched {
    fn keep_connected(&self, subscription: &Subscription, ledger: &str, cancellation: &Cancellation) {
        while !cancellation.is_cancelled() {
            match Subscriber::connect(subscription.clone()) {
                Ok((_subscriber, handle)) => {
                    *lock(&self.handle) = Some(handle.clone());
                    // From here on it connects again by itself.
                    self.keep_tidy(subscription, &handle, ledger, cancellation);
                    *lock(&self.handle) = None;
                }
                Err(error) => {
                    warn!(feed = %subscription.feed, %error, "no broker is reached by which lanes leave; trying again");
                    cancellation.wait(RETRY);
                }
            }
        }
    }

    /// Knows the lanes of the last runs, and removes queues that are to be removed, until it is cancelled.
    fn keep_tidy(
        &self,
        subscription: &Subscription,
        handle: &SubscriberHandle,
        ledger: &str,
        cancellation: &Cancellation,
    ) {
        let feed = &subscription.feed;
        let mut looked_at: Option<(RunId, bool)> = None;
        let mut pause = LOOK;
        while !cancellation.wait(std::mem::replace(&mut pause, LOOK)) {
            let Some(state) = handle.state() else { continue };
            let now = (state.run, state.closed);
            if looked_at != Some(now) {
                match self.find_lanes(&state, ledger) {
                    Ok(()) => looked_at = Some(now),
                    Err(error) => {
                        warn!(%feed, %error, "lanes of earlier runs are not known; trying again");
                        pause = RETRY;
                    }
                }
            }
            let to_remove: Vec<_> = lock(&self.lanes)
                .iter()
                .filter_map(|(name, queues)| match queues {
                    Queues::ToRemove(shards) => Some((name.clone(), *shards)),
                    Queues::MayBe(_) | Queues::Removed => None,
                })
                .collect();
            for (name, shards) in to_remove {
                let lanes = [name.clone()];
                let removed = subscription.brokers.iter().try_for_each(|broker| {
                    FeedRemover::connect(broker, feed, &lanes, shards)?.remove_queues()
                });
                if let Err(error) = removed {
                    warn!(%feed, strategy = %name, %error, "queues of a lane that has left stay; trying again");
                    pause = RETRY;
                    break;
                }
                info!(%feed, strategy = %name, "a lane has left between two runs: its queues are removed");
                lock(&self.lanes).insert(name, Queues::Removed);
            }
        }
    }

    /// Those of the feed's state and of the last runs in the ledger.
    fn find_lanes(&self, state: &FeedState, ledger: &str) -> Result<(), LedgerError> {
        let mut found: BTreeMap<StrategyName, u16> =
            names(state).map(|name| (name.clone(), state.shards.len() as u16)).collect();
        let ledger = match ledger::open_to_read(ledger) {
            // Nobody has hosted anything yet.
            Err(LedgerError::Missing { .. }) => None,
            opened => Some(opened?),
        };
        if let Some(mut ledger) = ledger {
            ledger.set_call_timeout(RETRY);
            for recorded in ledger.runs(state.feed.as_str())?.into_iter().take(RUNS) {
                for row in ledger.lanes(recorded.run)? {
                    let shards = found.entry(row.lane.strategy).or_default();
                    *shards = (*shards).max(row.lane.shard + 1);
                }
            }
        }
        let mut lanes = lock(&self.lanes);
        lanes.retain(|name, _| found.contains_key(name));
        for (name, shards) in found {
            lanes.entry(name).or_insert(Queues::MayBe(shards));
        }
        Ok(())
    }

    /// Lanes that have left, and that the feed's run does not know.
    fn remove_queues(&self, state: &FeedState, has_left: impl Fn(&StrategyName) -> bool) {
        let is_known = |name: &StrategyName| !state.closed && names(state).any(|known| known == name);
        for (name, queues) in lock(&self.lanes).iter_mut() {
            if let Queues::MayBe(shards) = *queues
                && has_left(name)
                && !is_known(name)
            {
                *queues = Queues::ToRemove(shards);
            }
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.cancellation.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
