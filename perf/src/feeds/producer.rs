//! One feed: its publisher, and what is sent over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tick_ingest::ReadOptions;
use tick_ingest::feed::{FeedControl, FeedPlan, Gather, Pace, SourceSpec, Speed, TickSelection};
use tick_sdk::RunId;
use tick_sdk::rabbitmq::publisher::{PublishObserver, ShardStart, StrategyProgress};
use tick_sdk::rabbitmq::{BrokerError, FeedName, FeedRemover, Publisher, PublisherPlan};
use tick_sdk::run::Manifest;

use super::{Feeds, FeedsError, Part};
use crate::market::Market;
use crate::probe::Probe;
use crate::way::{FeedWay, Schedule};

/// Feeds are numbered, so that each step has names of its own.
static MADE: AtomicU32 = AtomicU32::new(0);

pub(super) struct Producer {
    pub(super) feed: FeedName,
    pub(super) run: RunId,
    pub(super) publisher: Publisher,
    pub(super) way: Arc<FeedWay>,
    pub(super) control: Arc<FeedControl>,
    pub(super) feed_plan: FeedPlan,
}

impl Producer {
    pub(super) fn start(
        feeds: &Feeds<'_>,
        _number: u16,
        market: &Market,
        rate: Option<f64>,
        is_repeated: bool,
        probe: &Arc<Probe>,
    ) -> Result<Self, FeedsError> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let feed: FeedName = format!("perf-{}-{number}", std::process::id()).parse().expect("it is a name");
        let names: Vec<String> = feeds.load.instances_of().into_iter().map(|(name, _)| name).collect();
        let control = Arc::new(FeedControl::default());
        let speed = rate.map_or(Speed::Max, |rate| Speed::Times(market.speed(rate)));
        let schedule = match speed {
            Speed::Times(factor) => {
                Schedule::Paced { control: control.clone(), first_ts: market.first_ts, scale: 1.0 / factor }
            }
            _ => Schedule::Unpaced,
        };
        let way = FeedWay::new(probe.clone(), schedule, true, feeds.load.shards, &names);
        let run = RunId::random();
        let feed_plan = feed_plan(feeds, run, market, speed, is_repeated, &control);
        let publisher = Publisher::start(publisher_plan(feeds, &feed, run, &names, market, &way))?;
        Ok(Self { feed, run, publisher, way, control, feed_plan })
    }

    pub(super) fn removers(&self, feeds: &Feeds<'_>) -> Result<Vec<FeedRemover>, BrokerError> {
        feeds.removers(self)
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
    names: &[String],
    market: &Market,
    way: &Arc<FeedWay>,
) -> PublisherPlan {
    let Feeds { load, options, .. } = feeds;
    let observer: Arc<dyn PublishObserver> = way.clone();
    let strategy = |name: &String| StrategyProgress::from_start(name.clone(), true, load.shards);
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
        replace: false,
        unconfirmed_bytes: options.confirm_window as usize,
        observer: (feeds.part != Part::Consume).then_some(observer),
    }
}

fn feed_plan(
    feeds: &Feeds<'_>,
    run: RunId,
    market: &Market,
    speed: Speed,
    is_repeated: bool,
    control: &FeedControl,
) -> FeedPlan {
    let load = feeds.load;
    FeedPlan {
        run,
        sources: vec![SourceSpec::File { name: market.path.display().to_string(), prefix: String::new() }],
        read: ReadOptions { stopped: control.stop_flag(), ..ReadOptions::default() },
        selection: TickSelection {
            // It is stopped when its time is over.
            repeats: if is_repeated { u64::MAX } else { 1 },
            ..TickSelection::default()
        },
        pace: Pace { speed, max_gap_ns: None },
        shards: load.shards,
        frame_ticks: load.frame_ticks(),
        gather: Gather { flush_ticks: usize::MAX, eager: load.frame_ticks.is_none(), linger: load.linger },
        start: Vec::new(),
        groups: Arc::default(),
    }
}
