//! Lanes that are wanted no more leave their feed.
//!
//! What a feed has is compared with what is wanted, again and again: so a lane leaves that was stopped while no
//! host was there, whose ingester was away, or that a host which was late has brought back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tick_feed::rabbitmq::{Control, FeedState, Subscriber, SubscriberHandle, Subscription};
use tick_sdk::names::{FeedName, StrategyName};
use tracing::warn;

use super::event::Report;
use super::{HostsEvent, HostsPlan};
use crate::host::membership::member_id;
use crate::run::Cancellation;

/// Between two requests that a feed forgets the same lane.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Between attempts to reach a broker.
const RETRY: Duration = Duration::from_secs(2);
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
        let work = move || connected.keep_connected(&subscription, &cancelled);
        // It is not waited for: a broker that does not answer may hold it for some seconds.
        if let Err(error) = std::thread::Builder::new().name("leaving".to_owned()).spawn(work) {
            warn!(%error, "lanes that are stopped do not leave their feed");
        }
        Self { feed, watched, cancellation }
    }

    /// Asks the feed to forget each of its strategies that has left.
    pub(super) fn step(&self, has_left: impl Fn(&StrategyName) -> bool, report: &mut Report<'_>) {
        let Some(handle) = lock(&self.watched.handle).clone() else { return };
        let Some(state) = handle.state().filter(|state| !state.closed) else { return };
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
    fn keep_connected(&self, subscription: &Subscription, cancellation: &Cancellation) {
        while !cancellation.is_cancelled() {
            match Subscriber::connect(subscription.clone()) {
                Ok((_subscriber, handle)) => {
                    *lock(&self.handle) = Some(handle);
                    // From here on it connects again by itself.
                    while !cancellation.wait(Duration::from_secs(60)) {}
                    *lock(&self.handle) = None;
                }
                Err(error) => {
                    warn!(feed = %subscription.feed, %error, "no broker is reached by which lanes leave; trying again");
                    cancellation.wait(RETRY);
                }
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
