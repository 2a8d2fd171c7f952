//! One feed: its publisher, and what is sent over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tick_feed::rabbitmq::publisher::{PublishObserver, ShardStart, StrategyProgress};
use tick_feed::rabbitmq::{BrokerError, FeedRemover, Publisher, PublisherPlan};
use tick_feed::run::Manifest;
use tick_ingest::feed::{FeedControl, FeedPlan, Gather};
use tick_sdk::names::{FeedName, RunId, StrategyName};

use super::{Feeds, FeedsError, Part};
use crate::market::Market;
use crate::probe::Probe;
use crate::trace::FeedTrace;

/// Feeds are numbered, so that each step has names of its own.
static MADE: AtomicU32 = AtomicU32::new(0);

pub(super) struct Producer {
    pub(super) feed: FeedName,
    pub(super) run: RunId,
    pub(super) publisher: Publisher,
    pub(super) trace: Arc<FeedTrace>,
    pub(super) control: Arc<FeedControl>,
    pub(super) feed_plan: FeedPlan,
}

impl Producer {
    pub(super) fn start(
        feeds: &Feeds<'_>,
        market: &Market,
        rate: Option<f64>,
        is_repeated: bool,
        probe: &Arc<Probe>,
    ) -> Result<Self, FeedsError> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let feed: FeedName = format!("perf-{}-{number}", std::process::id()).parse().expect("it is a name");
        let names = feeds.load.strategy_names();
        let control = Arc::new(FeedControl::default());
        let schedule = market.schedule(rate, &control);
        let trace = FeedTrace::new(probe.clone(), schedule, true, feeds.load.shards, &names);
        let load = feeds.load;
        // As `orchard ingest` has it: heartbeats say how far the run is.
        let gather =
            Gather { flush_ticks: usize::MAX, eager: load.frame_ticks.is_none(), linger: load.linger };
        let cut = (load.frame_ticks(), gather);
        let feed_plan = market.feed_plan(load, rate, is_repeated, &control, cut);
        let run = feed_plan.run;
        if let Some(onlooker) = &feeds.onlooker {
            onlooker.begins(&feed, run);
            trace.look_on(onlooker.clone());
        }
        let publisher = Publisher::start(publisher_plan(feeds, &feed, run, &names, market, &trace))?;
        publisher.keep(&publisher.snapshot()?);
        Ok(Self { feed, run, publisher, trace, control, feed_plan })
    }

    /// A connection to every broker, to empty or remove its queues.
    pub(super) fn removers(&self, feeds: &Feeds<'_>) -> Result<Vec<FeedRemover>, BrokerError> {
        let names = feeds.load.strategy_names();
        let connect = |broker| FeedRemover::connect(broker, &self.feed, &names, feeds.load.shards);
        feeds.brokers.iter().map(connect).collect()
    }

    /// Ends it, and takes it off the brokers.
    pub(super) fn stop(self, feeds: &Feeds<'_>) -> Result<(), FeedsError> {
        let removers = self.removers(feeds);
        self.publisher.stop(true)?;
        for remover in removers? {
            remover.remove()?;
        }
        Ok(())
    }
}

fn publisher_plan(
    feeds: &Feeds<'_>,
    feed: &FeedName,
    run: RunId,
    names: &[StrategyName],
    market: &Market,
    trace: &Arc<FeedTrace>,
) -> PublisherPlan {
    let Feeds { load, options, .. } = feeds;
    let observer: Arc<dyn PublishObserver> = trace.clone();
    let strategy = |name: &StrategyName| StrategyProgress::from_start(name.clone(), true, load.shards);
    PublisherPlan {
        feed: feed.clone(),
        run,
        manifest: Manifest::default().to_string(),
        groups: String::new(),
        brokers: feeds.brokers.clone(),
        budget: options.budget.share(u32::from(options.producers)),
        durability: options.durability,
        max_frame_bytes: load.max_frame_bytes(),
        queue_bytes: match feeds.part {
            // All of it has to wait there.
            Part::Consume => options.queue_bytes.max(market.ticks * 256),
            _ => options.queue_bytes,
        },
        abandon_after: Duration::from_secs(60),
        shards: vec![ShardStart::default(); usize::from(load.shards)],
        strategies: names.iter().map(strategy).collect(),
        ended: None,
        replace: false,
        unconfirmed_bytes: options.confirm_window as usize,
        observer: (feeds.part != Part::Consume).then_some(observer),
    }
}
