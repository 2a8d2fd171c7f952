//! The whole pipeline within one process: file → frames → strategies on threads → committed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use strategy_host::host::{CommitObserver, HostPlan, Instance, RunningHost};
use tick_feed::run::Manifest;
use tick_ingest::feed::{self, FeedControl, Gather};

use crate::args::LoadArgs;
use crate::broker_metrics::BrokerMetrics;
use crate::feeds::{FeedsError, find_strategy, open_ledger};
use crate::live::Live;
use crate::market::Market;
use crate::outcome::Step;
use crate::probe::{Point, Probe};
use crate::sampler::{Messages, Sampler};
use crate::step::{StepPlan, StepRun};
use crate::trace::{FeedTrace, WatchedCommits, WatchedSender, WatchedStrategy};

/// Frames that wait for a thread, as in `orchard replay`.
const QUEUED_FRAMES: usize = 32;
/// Ticks a frame, as in `orchard replay`.
const FRAME_TICKS: usize = 4096;

/// A host in this process.
pub(crate) struct Embedded<'a> {
    /// The ticks.
    pub(crate) load: &'a LoadArgs,
    /// Threads that run strategies, at most.
    pub(crate) threads: usize,
    /// The ledger's URL or folder.
    pub(crate) ledger: String,
    /// Where markets are written.
    pub(crate) folder: &'a Path,
    /// Set at Ctrl-C.
    pub(crate) stop: &'a AtomicBool,
}

impl Embedded<'_> {
    /// Measures one rate.
    ///
    /// # Errors
    /// The market, the ledger or a strategy fails.
    pub(crate) fn step(&self, plan: StepPlan, live: &mut Live) -> Result<Step, FeedsError> {
        let (ticks, is_repeated) = plan.ticks(self.load);
        let market = Market::make(self.load, ticks, is_repeated, self.folder)?;
        let probe = Arc::new(Probe::new(plan.warm_up));
        let control = Arc::new(FeedControl::default());
        let schedule = market.schedule(plan.rate, &control);
        let strategies = self.load.instances_of();
        let names = self.load.strategy_names();
        let trace = FeedTrace::new(probe.clone(), schedule, false, self.load.shards, &names);
        let mut ledger = open_ledger(&self.ledger)?;
        let gather = Gather { linger: self.load.linger, ..Gather::default() };
        let cut = (self.load.frame_ticks.map_or(FRAME_TICKS, |_| self.load.frame_ticks()), gather);
        let feed_plan = market.feed_plan(self.load, plan.rate, is_repeated, &control, cut);
        let run = feed_plan.run;
        ledger.record_run(run, "perf", &Manifest::default())?;
        let running = RunningHost::start(ledger, run, self.host_plan(&strategies, &trace)?)?;
        let frames = WatchedSender { inner: running.frames(), trace };
        std::thread::scope(|scope| {
            probe.origin();
            // When everything is sent the host's threads see that nothing follows, and commit at once.
            let sending = scope.spawn(|| -> Result<(), FeedsError> {
                let sent = feed::run(&feed_plan, &frames, &control);
                drop(frames);
                running.finish()?;
                Ok(sent.map(drop)?)
            });
            let no_broker = BrokerMetrics::default();
            let sampler = Sampler::new(probe.clone(), plan.warm_up, Messages::default, &no_broker, live);
            let step_run = StepRun {
                plan,
                probe: &probe,
                last: Point::Committed,
                strategies: names.len(),
                has_sent: &|| sending.is_finished(),
                stop_sending: &|| control.stop(),
                has_failed: &|| false,
                stop: self.stop,
            };
            let step = step_run.follow(sampler);
            sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(|()| step)
        })
    }

    fn host_plan(
        &self,
        strategies: &[(String, String)],
        trace: &Arc<FeedTrace>,
    ) -> Result<HostPlan, FeedsError> {
        let observer: Box<dyn CommitObserver> = Box::new(WatchedCommits(trace.clone()));
        let instance = |(place, (name, kind)): (usize, &(String, String))| {
            let configured =
                Box::new(WatchedStrategy { inner: find_strategy(kind)?, trace: trace.clone(), place });
            Ok(Instance { name: name.parse().expect("perf names its strategies"), configured })
        };
        Ok(HostPlan {
            instances: strategies.iter().enumerate().map(instance).collect::<Result<_, FeedsError>>()?,
            shards: self.load.shards,
            threads: self.threads,
            groups: Arc::default(),
            queued_frames: QUEUED_FRAMES,
            record_market: false,
            observer: Some(observer),
        })
    }
}
