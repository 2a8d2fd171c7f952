//! `orchard ingest`: files as a feed on RabbitMQ.

use std::io::Write;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tick_ingest::feed::{self, FeedControl, FeedError, FeedPlan, Gather, Pace, SourceSpec};
use tick_sdk::Groups;
use tick_sdk::rabbitmq::publisher::{CatchUpFrames, Snapshot, StrategyProgress};
use tick_sdk::rabbitmq::{Publisher, PublisherPlan};
use tick_sdk::ticks_file::TicksLogReader;
use tick_sdk::transport::{FrameSender, TransportError};

use crate::ended::Ended;
use crate::manifest::{self, Described};
use crate::replay::{read_groups, sources};
use crate::sources::on_interrupt;

mod args;
mod log;
mod progress;
mod state;

pub(crate) use args::{IngestArgs, parse_bytes};
use log::SourceLog;
use progress::{ProgressLines, Summary};
use state::OpenedState;

/// How often it is looked whether the run has ended.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &IngestArgs) -> Result<Ended> {
    args.check()?;
    let (groups, groups_text) = read_groups(args.groups.as_deref())?;
    let specs = sources(&args.sources, &args.market)?;
    let described = Described {
        sources: &args.sources,
        selection: &args.selection,
        specs: &specs,
        shards: args.shards,
        groups: &groups_text,
        is_logged: log::is_needed(&specs)?,
    };
    let manifest = manifest::describe(&described)?;
    let is_logged = described.is_logged;
    let mut state = state::open(args, &manifest)?;
    let control = Arc::new(FeedControl::default());
    let mut plan = plan(args, &state, specs, groups)?;
    plan.read.stopped = control.stop_flag();
    let mut log = match is_logged {
        true => SourceLog::open(&state.folder, args.resume.is_some(), &mut plan)?,
        false => None,
    };
    eprintln!("run {}", state.record.run);

    let stop = control.clone();
    on_interrupt(move || stop.stop())?;
    let publisher = Publisher::start(publisher_plan(args, &state, groups_text))?;
    // Nothing is published before it is written down which run it is of.
    state.save(None, false)?;
    let started = Instant::now();
    let reader = log.as_ref().map(SourceLog::reader).transpose()?;
    let feeding = Feeding { plan: &plan, log: reader, publisher: &publisher, control: &control };
    let published = std::thread::scope(|scope| {
        let mut threads = vec![scope.spawn(|| feeding.run())];
        threads.extend(log.take().map(|log| scope.spawn(|| log.write(&plan, &control))));
        let watched = watch(args, &feeding, scope, &mut threads, &mut state);
        control.stop();
        publisher.take_no_more();
        let fed = threads.into_iter().map(joined).fold(Ok(()), Result::and);
        let ended = watched?;
        fed.map(|()| ended)
    });
    let ended = published?;
    let closed = ended == Ended::Done && !args.detach;
    let snapshot = publisher.snapshot()?;
    state.save(Some(&snapshot), closed)?;
    publisher.stop(closed)?;
    let run = state.record.run;
    let (elapsed, detached) = (started.elapsed(), args.detach);
    let summary = Summary { run, snapshot: &snapshot, elapsed, ended, detached };
    let text = if args.json { summary.json() } else { summary.text() };
    std::io::stdout().write_all(text.as_bytes()).context("writing the summary")?;
    Ok(ended)
}

/// What a thread came to; its panic goes on here.
fn joined(thread: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn plan(
    args: &IngestArgs,
    state: &OpenedState,
    sources: Vec<SourceSpec>,
    groups: Groups,
) -> Result<FeedPlan> {
    Ok(FeedPlan {
        run: state.record.run,
        sources,
        read: args.sources.read_options(),
        selection: args.selection.selection(&args.sources)?,
        pace: args.clock.pace(),
        shards: args.shards,
        frame_ticks: args.frame_ticks(),
        // A frame that only says how far the run is would be a message: heartbeats do that.
        gather: Gather { flush_ticks: usize::MAX, eager: args.frame_ticks.is_none(), linger: args.linger },
        start: Vec::new(),
        groups: Arc::new(groups),
    })
}

fn publisher_plan(args: &IngestArgs, state: &OpenedState, groups: String) -> PublisherPlan {
    PublisherPlan {
        feed: args.feed.clone(),
        run: state.record.run,
        manifest: state.manifest().to_owned(),
        groups,
        brokers: args.broker.clone(),
        budget: args.budget.clone(),
        durability: args.durability,
        max_frame_bytes: args.max_frame_bytes(),
        queue_bytes: args.queue_bytes,
        abandon_after: args.abandon_after,
        shards: state.record.shards.clone(),
        strategies: state.record.strategies.clone(),
        replace: args.new,
    }
}

/// The sources on their way to the publisher, as often as that needs them.
struct Feeding<'a> {
    plan: &'a FeedPlan,
    /// What is read instead of the plan's sources, where those cannot be read twice.
    log: Option<TicksLogReader>,
    publisher: &'a Publisher,
    control: &'a FeedControl,
}

impl Feeding<'_> {
    /// Feeds the run, again from where ticks are wanted that the publisher no longer holds, until
    /// somebody says stop.
    fn run(&self) -> Result<()> {
        let mut plan = self.plan.clone();
        while !self.control.is_stopped() {
            plan.start = self.publisher.restart();
            match self.pass(&plan, &self.publisher.frames(), self.control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::SetBack)) => continue,
                // The publisher knows why, and says so to whoever watches it.
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            while !self.publisher.is_set_back() && !self.control.is_stopped() {
                self.publisher.wait(LOOK);
            }
        }
        Ok(())
    }
}

impl Feeding<'_> {
    fn pass(
        &self,
        plan: &FeedPlan,
        frames: &impl FrameSender,
        control: &FeedControl,
    ) -> Result<(), FeedError> {
        match &self.log {
            None => feed::run(plan, frames, control).map(drop),
            Some(log) => feed::run_log(plan, log.again().map_err(FeedError::Log)?, frames, control).map(drop),
        }
    }

    /// Runs a strategy's own pass, at full speed, until its queues are where the feed is.
    fn catch_up(&self, frames: &CatchUpFrames) -> Result<()> {
        let mut plan = self.plan.clone();
        plan.pace = Pace::default();
        let control = FeedControl::default();
        while !frames.is_over() && !self.control.is_stopped() {
            plan.start = frames.restart();
            match self.pass(&plan, frames, &control) {
                Ok(_) => {}
                Err(FeedError::Transport(TransportError::SetBack)) => continue,
                Err(FeedError::Transport(TransportError::Closed)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            while !frames.is_set_back() && !frames.is_over() && !self.control.is_stopped() {
                self.publisher.wait(LOOK);
            }
        }
        Ok(())
    }
}

/// Watches until the run has ended, the feed has failed or somebody says stop.
fn watch<'scope>(
    args: &IngestArgs,
    feeding: &'scope Feeding<'_>,
    scope: &'scope Scope<'scope, '_>,
    threads: &mut Vec<ScopedJoinHandle<'scope, Result<()>>>,
    state: &mut OpenedState,
) -> Result<Ended> {
    let mut lines = ProgressLines::new(args.quiet, feeding.publisher.snapshot()?);
    let mut patience = Patience::new(args.abandon_after);
    loop {
        feeding.publisher.wait(LOOK);
        while let Some(frames) = feeding.publisher.next_catch_up() {
            threads.push(scope.spawn(move || feeding.catch_up(&frames)));
        }
        while let Some(place) = threads.iter().position(ScopedJoinHandle::is_finished) {
            // One that failed ends the run.
            joined(threads.swap_remove(place))?;
        }
        let snapshot = feeding.publisher.snapshot()?;
        if has_ended(args, &snapshot) && (args.detach || !patience.waits_for(&snapshot)) {
            return Ok(Ended::Done);
        }
        if feeding.control.is_stopped() {
            return Ok(Ended::Interrupted);
        }
        if lines.show(&snapshot) {
            state.save(Some(&snapshot), false)?;
        }
    }
}

/// Whether everything is published, and what is required has come to the end.
fn has_ended(args: &IngestArgs, snapshot: &Snapshot) -> bool {
    let shards = snapshot.shards.len();
    let mut required = snapshot.strategies.iter().filter(|strategy| strategy.state.required);
    snapshot.is_published && (args.detach || required.all(|strategy| strategy.has_ended(shards)))
}

/// At the end optional strategies are waited for as long as they get on.
struct Patience {
    longest: Duration,
    committed: u64,
    since: Instant,
}

impl Patience {
    fn new(longest: Duration) -> Self {
        Self { longest, committed: 0, since: Instant::now() }
    }

    fn waits_for(&mut self, snapshot: &Snapshot) -> bool {
        let shards = snapshot.shards.len();
        // One that nobody has run yet is not waited for.
        let is_behind = |strategy: &StrategyProgress| {
            strategy.state.active && !strategy.cursors.is_empty() && !strategy.has_ended(shards)
        };
        let cursors = snapshot.strategies.iter().flat_map(|strategy| &strategy.cursors);
        let committed = cursors.map(|cursor| cursor.cursor).sum();
        if self.committed != committed {
            (self.committed, self.since) = (committed, Instant::now());
        }
        snapshot.strategies.iter().any(is_behind) && self.since.elapsed() < self.longest
    }
}
