//! One host of one strategy of one feed: the same parts as in `orchard run`, but for the membership, as
//! it is known who is there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use strategy_host::host::{CommitObserver, FollowPlan, Instance, RunningHost};
use strategy_host::ledger::{self, Ledger, MemoryLedger};
// Without this line the program would be linked without Apple and Pear, which nothing names.
use strategies as _;
use tick_feed::rabbitmq::{Subscriber, SubscriberHandle, Subscription};
use tick_feed::run::Manifest;
use tick_sdk::host::Registration;
use tick_sdk::names::StrategyName;

use super::producer::Producer;
use super::{Feeds, FeedsError};
use crate::trace::{WatchedCommits, WatchedStrategy};

/// A publisher that says nothing of its feed for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Host {
    pub(super) running: RunningHost,
    handle: SubscriberHandle,
    shards: BTreeSet<u16>,
}

/// The ledger of a name; `memory` forgets.
pub(crate) fn open_ledger(name: &str) -> Result<Box<dyn Ledger>, FeedsError> {
    match name {
        "memory" => Ok(Box::<MemoryLedger>::default()),
        name => Ok(ledger::open(name)?),
    }
}

/// A strategy by the name under which it is registered, and its parameters: `apple:fast=500:slow=5000`.
pub(crate) fn find_strategy(kind: &str) -> Result<Box<dyn tick_sdk::host::Configured>, FeedsError> {
    let unknown = || FeedsError::Strategy { name: kind.to_owned() };
    let mut parts = kind.split(':');
    let strategy = parts.next().unwrap_or_default();
    let params =
        parts.map(|part| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let params = params.collect::<Option<Vec<_>>>().ok_or_else(unknown)?;
    Registration::find(strategy).map_err(|_| unknown())?.configure(&params).map_err(|_| unknown())
}

impl Host {
    /// All hosts of one feed, connected and without shards.
    pub(super) fn start_all(
        feeds: &Feeds<'_>,
        producer: &Producer,
        strategies: &[(String, String)],
    ) -> Result<Vec<Self>, FeedsError> {
        let mut hosts = Vec::new();
        for place in 0..strategies.len() {
            for number in 0..feeds.options.instances.min(feeds.load.shards) {
                hosts.push(Self::start(feeds, producer, strategies, place, number)?);
            }
        }
        Ok(hosts)
    }

    fn start(
        feeds: &Feeds<'_>,
        producer: &Producer,
        strategies: &[(String, String)],
        place: usize,
        number: u16,
    ) -> Result<Self, FeedsError> {
        let (name, kind) = strategies[place].clone();
        let name: StrategyName = name.parse().expect("perf names its strategies");
        let configured = find_strategy(&kind)?;
        let (shards, instances) = (feeds.load.shards, feeds.options.instances);
        let (mut subscriber, handle) = Subscriber::connect(Subscription {
            brokers: feeds.brokers.clone(),
            feed: producer.feed.clone(),
            strategy: name.clone(),
            member: format!("perf-{number}"),
            prefetch_bytes: feeds.options.prefetch_bytes as usize,
        })?;
        // It says on which node each shard is.
        if handle.wait_for_state(PATIENCE, |state| state.run == producer.run).is_none() {
            return Err(FeedsError::Silent { feed: producer.feed.to_string() });
        }
        subscriber.follow(producer.run, vec![0; usize::from(shards)]);
        let mut ledger = open_ledger(&feeds.ledger)?;
        ledger.record_run(producer.run, producer.feed.as_ref(), &Manifest::default())?;
        let trace = producer.trace.clone();
        let observer: Box<dyn CommitObserver> = Box::new(WatchedCommits(trace.clone()));
        let configured = Box::new(WatchedStrategy { inner: configured, trace, place });
        let instance = Instance { name, configured };
        let plan =
            FollowPlan { instance, groups: Arc::default(), accept_gaps: false, observer: Some(observer) };
        let running = RunningHost::follow(ledger, producer.run, plan, subscriber)?;
        let shards = (0..shards).filter(|shard| shard % instances == number).collect();
        Ok(Self { running, handle, shards })
    }

    /// Gives it its shards.
    pub(super) fn assign(&self) {
        self.handle.assign(self.shards.clone());
    }

    /// Ends it, with everything it has committed.
    pub(super) fn stop(self) -> Result<(), FeedsError> {
        self.handle.stop();
        self.running.finish()?;
        Ok(())
    }
}
