//! `orchard ingest`: files as a feed on RabbitMQ.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tick_feed::rabbitmq::publisher::{Snapshot, StrategyProgress, UNCONFIRMED_BYTES};
use tick_feed::rabbitmq::{Publisher, PublisherPlan};
use tick_ingest::feed::{FeedControl, FeedPlan, Gather, SourceSpec};
use tick_ingest::manifest::{self, Described};
use tick_sdk::groups::Groups;
use tick_sdk::host::Registration;

use crate::commands::replay::{read_groups, sources};
use crate::ended::Ended;
use crate::sources::on_interrupt;

mod absent;
mod args;
mod feeding;
mod folder_lock;
mod log;
mod progress;
mod state;

use absent::AbsentNotices;
pub(crate) use args::IngestArgs;
use feeding::Feeding;
use folder_lock::FolderLock;
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
        sources: &specs,
        read: &args.sources.read_options(),
        selection: &args.selection.selection(&args.sources)?,
        shards: args.shards,
        groups: &groups_text,
        is_logged: log::is_needed(&specs)?,
    };
    let manifest = manifest::describe(&described)?;
    let is_logged = described.is_logged;
    if is_logged {
        log::refuse_repeats(args.selection.selection(&args.sources)?.repeats)?;
    }
    // Until the end: nobody else reads or writes what is kept there.
    let _lock = FolderLock::take(&args.state_folder())?;
    let mut state = state::open(args, &manifest)?;
    let control = Arc::new(FeedControl::default());
    let mut plan = plan(args, &state, specs, groups)?;
    plan.read.stopped = control.stop_flag();
    let is_resumed = args.resume.is_some();
    // A damaged log is an error before anything is published.
    let resumed_log =
        if is_logged && is_resumed { SourceLog::resume(&state.folder, &mut plan)? } else { None };

    let stop = control.clone();
    on_interrupt(move || stop.stop())?;
    let publisher = Publisher::start(publisher_plan(args, &state, groups_text)?)?;
    let begun = begin(&mut state, is_logged && !is_resumed);
    let mut log = match begun {
        Ok(begun) => begun.or(resumed_log),
        Err(error) => {
            // Nothing was published of a run that begins: it does not stay behind as one that has not ended.
            publisher.stop(!is_resumed)?;
            return Err(error);
        }
    };
    eprintln!("run {}", state.record.run);
    let started = Instant::now();
    let reader = log.as_ref().map(SourceLog::reader).transpose()?;
    let counts = Mutex::default();
    let feeding = Feeding { plan: &plan, log: reader, publisher: &publisher, control: &control, counts };
    let published = std::thread::scope(|scope| {
        let mut threads = vec![scope.spawn(|| feeding.run())];
        threads.extend(log.take().map(|log| scope.spawn(|| feeding.write_log(log))));
        let watched = watch(args, &feeding, scope, &mut threads, &mut state);
        control.stop();
        publisher.stop_accepting();
        let fed = threads.into_iter().map(joined).fold(Ok(()), Result::and);
        let ended = watched?;
        fed.map(|()| ended)
    });
    let counts = feeding.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ended = published?;
    let closed = ended == Ended::Done && !args.detach;
    let snapshot = publisher.snapshot()?;
    state.save(Some(&snapshot), closed)?;
    publisher.stop(closed)?;
    let run = state.record.run;
    let (elapsed, detached) = (started.elapsed(), args.detach);
    let summary = Summary { run, snapshot: &snapshot, counts: &counts, elapsed, ended, detached };
    let text = if args.json { summary.json() } else { summary.text() };
    crate::stdout::stdout().write_all(text.as_bytes()).context("writing the summary")?;
    Ok(ended)
}

/// Writes down which run is published, before anything is. Only now is it sure that this is the feed's
/// ingester, so that the log of the run before may go: gives the new run's, if it `is_logged`.
fn begin(state: &mut OpenedState, is_logged: bool) -> Result<Option<SourceLog>> {
    let log = if is_logged { Some(SourceLog::begin(&state.folder)?) } else { None };
    state.save(None, false)?;
    Ok(log)
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

fn publisher_plan(args: &IngestArgs, state: &OpenedState, groups: String) -> Result<PublisherPlan> {
    Ok(PublisherPlan {
        feed: args.feed.clone(),
        run: state.record.run,
        manifest: state.manifest().to_owned(),
        groups,
        brokers: args.broker.clone(),
        budget: state.record.budget()?,
        durability: args.durability,
        max_frame_bytes: args.max_frame_bytes(),
        queue_bytes: args.queue_bytes,
        abandon_after: args.abandon_after,
        shards: state.record.shards.clone(),
        strategies: state.record.strategies.clone(),
        replace: args.new,
        unconfirmed_bytes: UNCONFIRMED_BYTES,
        observer: None,
    })
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
    let known = Registration::all()?.iter().map(|registration| registration.name).collect();
    let mut absent = AbsentNotices::new(args.feed.to_string(), known);
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
            if !args.quiet {
                let notices = absent.at(Instant::now(), &snapshot.without_instance);
                notices.iter().for_each(|notice| eprintln!("  {notice}"));
            }
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
