//! Feeds through brokers: the product's own publisher, subscriber, host and ledger, in one process so
//! that one clock times them all.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use strategy_host::host::HostError;
use strategy_host::ledger::LedgerError;
use thiserror::Error;
use tick_feed::rabbitmq::{BrokerError, BrokerUrl, PublishError};
use tick_ingest::feed::{self, FeedError};

use crate::args::{BrokerArgs, LoadArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::live::Live;
use crate::market::{Market, MarketError};
use crate::outcome::Step;
use crate::probe::{Point, Probe};
use crate::sampler::{Messages, Sampler};
use crate::step::{StepPlan, StepRun};
use crate::trace::{Onlooker, WatchedSender};

mod host;
mod producer;

pub(crate) use host::{find_strategy, open_ledger};

use host::Host;
use producer::Producer;

/// Which part of the pipeline is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the file to the commit.
    Whole,
    /// Until brokers have confirmed it; queues are emptied meanwhile.
    Ingest,
    /// From full queues to the commit.
    Consume,
}

/// Feeds that are measured.
pub(crate) struct Feeds<'a> {
    /// Which part of the pipeline.
    pub(crate) part: Part,
    /// The ticks.
    pub(crate) load: &'a LoadArgs,
    /// The brokers' options.
    pub(crate) options: &'a BrokerArgs,
    /// The brokers.
    pub(crate) brokers: Vec<BrokerUrl>,
    /// Their statistics.
    pub(crate) metrics: BrokerMetrics,
    /// The ledger's URL or folder.
    pub(crate) ledger: String,
    /// Where markets are written.
    pub(crate) folder: &'a Path,
    /// Who looks on.
    pub(crate) onlooker: Option<Arc<dyn Onlooker>>,
    /// Set at Ctrl-C.
    pub(crate) stop: &'a AtomicBool,
}

/// Feeds that cannot be measured.
#[derive(Debug, Error)]
pub enum FeedsError {
    /// There are no ticks.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// A strategy that is not there.
    #[error("there is no strategy {name}: `orchard strategies` lists them")]
    Strategy {
        /// Its name.
        name: String,
    },
    /// Nobody says where the shards are.
    #[error("feed {feed} sends nothing: is its broker under load by others, or blocked?")]
    Silent {
        /// The feed.
        feed: String,
    },
    /// The feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The publisher.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Between the times when queues that nobody reads are emptied.
const PURGE: Duration = Duration::from_millis(50);

impl Feeds<'_> {
    /// Measures one rate.
    ///
    /// # Errors
    /// A server is not there, or something fails meanwhile.
    pub(crate) fn step(&self, plan: StepPlan, live: &mut Live) -> Result<Step, FeedsError> {
        let producers = u64::from(self.options.producers);
        let (ticks, is_repeated) = plan.ticks(self.load);
        let is_repeated = is_repeated && self.part != Part::Consume;
        let market = Market::make(self.load, ticks / producers, is_repeated, self.folder)?;
        let rate = plan.rate.map(|rate| rate / producers as f64);
        let probe = Arc::new(Probe::new(plan.warm_up));
        let begin = |_| Producer::start(self, &market, rate, is_repeated, &probe);
        let producers: Vec<Producer> = (0..self.options.producers).map(begin).collect::<Result<_, _>>()?;
        let measured = self.measure(plan, &producers, &probe, live);
        let removed = producers.into_iter().map(|producer| producer.stop(self)).fold(Ok(()), Result::and);
        let step = measured?;
        removed.map(|()| step)
    }

    fn measure(
        &self,
        plan: StepPlan,
        producers: &[Producer],
        probe: &Arc<Probe>,
        live: &mut Live,
    ) -> Result<Step, FeedsError> {
        let strategies = self.load.instances_of();
        let mut hosts = Vec::new();
        if self.part == Part::Consume {
            fill_queues(producers)?;
        }
        if self.part != Part::Ingest {
            for producer in producers {
                hosts.extend(Host::start_all(self, producer, &strategies)?);
            }
        }
        let step = self.run(plan, producers, &hosts, probe, live);
        let ended = hosts.into_iter().map(Host::stop).fold(Ok(()), Result::and);
        let step = step?;
        ended.map(|()| step)
    }

    /// Everything is there: begins, and watches.
    fn run(
        &self,
        plan: StepPlan,
        producers: &[Producer],
        hosts: &[Host],
        probe: &Arc<Probe>,
        live: &mut Live,
    ) -> Result<Step, FeedsError> {
        let is_over = AtomicBool::new(false);
        let (last, strategies) = match self.part {
            Part::Ingest => (Point::Confirmed, 1),
            _ => (Point::Committed, self.load.instances_of().len()),
        };
        std::thread::scope(|scope| {
            probe.origin();
            let mut sending = Vec::new();
            if self.part == Part::Consume {
                probe.enter(producers.iter().map(|producer| producer.control.ticks()).sum());
                hosts.iter().for_each(Host::assign);
            } else {
                hosts.iter().for_each(Host::assign);
                sending.extend(producers.iter().map(|producer| scope.spawn(|| send(producer))));
            }
            let purging =
                (self.part == Part::Ingest).then(|| scope.spawn(|| self.purge(producers, &is_over)));
            let sampler =
                Sampler::new(probe.clone(), plan.warm_up, || messages(producers), &self.metrics, live);
            let step_run = StepRun {
                plan,
                probe,
                last,
                strategies,
                has_sent: &|| sending.iter().all(|sending| sending.is_finished()),
                stop_sending: &|| producers.iter().for_each(|producer| producer.control.stop()),
                has_failed: &|| {
                    producers.iter().any(|producer| producer.publisher.snapshot().is_err())
                        || hosts.iter().any(|host| host.running.has_ended())
                },
                stop: self.stop,
            };
            let step = step_run.follow(sampler);
            is_over.store(true, Ordering::Release);
            producers.iter().for_each(|producer| producer.publisher.stop_accepting());
            for sent in sending {
                sent.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            if let Some(purging) = purging {
                purging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(step)
        })
    }

    fn purge(&self, producers: &[Producer], is_over: &AtomicBool) -> Result<(), BrokerError> {
        let mut removers = Vec::new();
        for producer in producers {
            removers.extend(producer.removers(self)?);
        }
        while !is_over.load(Ordering::Acquire) {
            for remover in &removers {
                remover.purge()?;
            }
            std::thread::sleep(PURGE);
        }
        Ok(())
    }
}

/// One feed from its file to the publisher.
fn send(producer: &Producer) -> Result<(), FeedsError> {
    let frames = WatchedSender { inner: producer.publisher.frames(), trace: producer.trace.clone() };
    match feed::run(&producer.feed_plan, &frames, &producer.control) {
        Ok(_) => Ok(()),
        // The publisher knows why, and says so.
        Err(FeedError::Transport(_)) if producer.publisher.snapshot().is_err() => {
            Ok(producer.publisher.snapshot().map(drop)?)
        }
        // Nothing more was to be sent.
        Err(FeedError::Transport(tick_feed::transport::TransportError::Closed)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Everything is in the queues before anybody consumes.
fn fill_queues(producers: &[Producer]) -> Result<(), FeedsError> {
    for producer in producers {
        feed::run(&producer.feed_plan, &producer.publisher.frames(), &producer.control)?;
        while !producer.publisher.snapshot()?.is_published {
            producer.publisher.wait(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn messages(producers: &[Producer]) -> Messages {
    let mut sum = Messages { budget: Some(0.0), ..Messages::default() };
    for snapshot in producers.iter().filter_map(|producer| producer.publisher.snapshot().ok()) {
        for node in snapshot.nodes {
            sum.sent += node.messages;
            sum.blocked += node.blocked;
            sum.budget = sum.budget.zip(node.budget).map(|(sum, budget)| sum + f64::from(budget));
        }
    }
    sum
}
