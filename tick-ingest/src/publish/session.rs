//! A run from its beginning to its outcome.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use crossbeam_channel::bounded;
use tick_feed::rabbitmq::publisher::UNCONFIRMED_BYTES;
use tick_feed::rabbitmq::{Publisher, PublisherPlan};
use tick_feed::transport::FrameObserver;
use tick_sdk::groups::Groups;
use tick_sdk::names::RunId;

use super::feeding::Feeding;
use super::folder_lock::FolderLock;
use super::log::{self, SourceLog};
use super::state::{self, OpenedState};
use super::watch::Watch;
use super::{Begin, Cancellation, IngestEnd, IngestError, IngestEvent, IngestOutcome, IngestPlan, LogError};
use crate::feed::{FeedControl, FeedPlan, Gather};
use crate::manifest::{self, Described};

/// So many reports of the feeding threads wait to be handed on; each is of something that failed.
const WAITING_EVENTS: usize = 64;

/// A run that was checked, and whose state folder is this process's, and of which nothing is published.
pub struct PreparedIngest {
    plan: IngestPlan,
    feed: FeedPlan,
    control: Arc<FeedControl>,
    state: OpenedState,
    /// The sources cannot be read twice.
    is_logged: bool,
    /// The log of a resumed run, where it is not finished.
    log: Option<SourceLog>,
    observer: Option<Arc<dyn FrameObserver>>,
    /// Until the end: no other process reads or writes the folder.
    _lock: FolderLock,
}

/// Checks the plan, takes its state folder, and reads every file once, to compare it with what was
/// published before. No broker is connected to.
///
/// # Errors
/// The plan cannot be carried out, a source is not there, or the state folder is in use, or has another
/// run, or one that other sources or options do not go on with.
pub fn prepare(plan: &IngestPlan) -> Result<PreparedIngest, IngestError> {
    let groups = plan.check()?;
    let is_logged = log::is_needed(&plan.sources)?;
    let manifest = manifest::describe(&Described {
        sources: &plan.sources,
        read: &plan.read,
        selection: &plan.selection,
        shards: plan.shards,
        groups: &plan.groups,
        is_logged,
    })?;
    if is_logged && plan.selection.repeats > 1 {
        return Err(IngestError::RepeatedPipe);
    }
    let lock = FolderLock::take(&plan.state)?;
    let state = state::open(plan, &manifest)?;
    let control = Arc::new(FeedControl::default());
    let mut feed = feed_plan(plan, state.record.run, groups, &control);
    // A damaged log is an error before anything is published.
    let is_resumed = matches!(plan.begin, Begin::Resume(_));
    let log = if is_logged && is_resumed { SourceLog::resume(&state.folder, &mut feed)? } else { None };
    let (plan, observer) = (plan.clone(), None);
    Ok(PreparedIngest { plan, feed, control, state, is_logged, log, observer, _lock: lock })
}

fn feed_plan(plan: &IngestPlan, run: RunId, groups: Groups, control: &FeedControl) -> FeedPlan {
    let mut read = plan.read.clone();
    read.stopped = control.stop_flag();
    FeedPlan {
        run,
        sources: plan.sources.clone(),
        read,
        selection: plan.selection.clone(),
        pace: plan.pace,
        shards: plan.shards,
        frame_ticks: plan.max_frame_ticks(),
        // A frame that only says how far the run is would be a message: heartbeats do that.
        gather: Gather { flush_ticks: usize::MAX, eager: plan.frame_ticks.is_none(), linger: plan.linger },
        start: Vec::new(),
        groups: Arc::new(groups),
    }
}

impl PreparedIngest {
    /// The run's id.
    pub fn run_id(&self) -> RunId {
        self.state.record.run
    }

    /// Whether an earlier process published a part of the run.
    pub fn is_resumed(&self) -> bool {
        matches!(self.plan.begin, Begin::Resume(_))
    }

    /// Every frame is seen by this one, too, before it waits for the brokers. It sees frames again that are sent
    /// again, but none that are sent to one strategy alone so that it catches up.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn FrameObserver>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Connects to the brokers and publishes, until the run has ended or is cancelled.
    ///
    /// # Errors
    /// No broker can be reached at the start, one refuses, another ingester has the feed or takes it, a
    /// source cannot be read, or the state folder cannot be written to. Where a broker is away later on, it
    /// is waited for.
    pub fn run(
        mut self,
        cancellation: &Cancellation,
        mut on_event: impl FnMut(IngestEvent),
    ) -> Result<IngestOutcome, IngestError> {
        cancellation.attach(&self.control);
        let publisher = Publisher::start(self.publisher_plan()?)?;
        // Before it is written, nobody is told of the run: one that is killed here has begun none.
        let log = match self.begin() {
            Ok(log) => log,
            Err(error) => {
                publisher.stop(false)?;
                return Err(error);
            }
        };
        publisher.keep(&publisher.snapshot()?);
        let (run, started) = (self.run_id(), Instant::now());
        tracing::info!(feed = %self.plan.feed, %run, resumed = self.is_resumed(), "publishing a run");
        on_event(IngestEvent::RunBegins { run });

        let (events, reports) = bounded(WAITING_EVENTS);
        let feeding = Feeding {
            plan: &self.feed,
            log: log.as_ref().map(SourceLog::reader).transpose()?,
            publisher: &publisher,
            control: &self.control,
            observer: self.observer.take(),
            counts: Mutex::default(),
            events,
        };
        let watch = Watch { plan: &self.plan, cancellation, feeding: &feeding, reports };
        let published = publish(&watch, log, &mut self.state, &mut on_event);
        watch.report(&mut on_event);
        let counts = feeding.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let end = published?;
        let has_ended = end == IngestEnd::RunEnded;
        let snapshot = publisher.snapshot()?;
        self.state.save(Some(&snapshot), has_ended)?;
        publisher.keep(&snapshot);
        publisher.stop(has_ended)?;
        tracing::info!(feed = %self.plan.feed, %run, ?end, ticks = snapshot.published(), "published");
        Ok(IngestOutcome { run, end, snapshot, counts, elapsed: started.elapsed() })
    }

    /// Writes which run is published, before any of it is. Only now is it certain that this is the feed's
    /// ingester, so that the log of an earlier run may be deleted; gives the log that is to be written.
    fn begin(&mut self) -> Result<Option<SourceLog>, IngestError> {
        let begun = if self.is_logged && !self.is_resumed() { Some(self.begin_log()?) } else { None };
        self.state.save(None, false)?;
        Ok(begun.or(self.log.take()))
    }

    fn begin_log(&self) -> Result<SourceLog, LogError> {
        SourceLog::begin(&self.state.folder)
    }

    fn publisher_plan(&self) -> Result<PublisherPlan, IngestError> {
        let Self { plan, state, .. } = self;
        Ok(PublisherPlan {
            feed: plan.feed.clone(),
            run: state.record.run,
            manifest: state.manifest().to_owned(),
            groups: plan.groups.clone(),
            brokers: plan.brokers.clone(),
            budget: state.record.budget()?,
            durability: plan.durability,
            max_frame_bytes: plan.max_frame_bytes(),
            queue_bytes: plan.queue_bytes,
            abandon_after: plan.abandon_after,
            shards: state.record.shards.clone(),
            strategies: state.record.strategies.clone(),
            ended: state.ended,
            replace: plan.begin == Begin::Replace,
            unconfirmed_bytes: UNCONFIRMED_BYTES,
            observer: None,
        })
    }
}

/// Feeds the publisher on threads of its own, and watches it on this one.
fn publish(
    watch: &Watch<'_>,
    log: Option<SourceLog>,
    state: &mut OpenedState,
    on_event: &mut dyn FnMut(IngestEvent),
) -> Result<IngestEnd, IngestError> {
    let feeding = watch.feeding;
    std::thread::scope(|scope| {
        let mut threads = Threads { scope, running: Vec::new() };
        threads.spawn(|| feeding.run());
        if let Some(log) = log {
            threads.spawn(|| feeding.write_log(log));
        }
        let watched = watch.run(&mut threads, state, on_event);
        feeding.control.stop();
        feeding.publisher.stop_accepting();
        let fed = threads.join_all();
        let end = watched?;
        fed.map(|()| end)
    })
}

/// The threads that feed the publisher.
pub(super) struct Threads<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    running: Vec<ScopedJoinHandle<'scope, Result<(), IngestError>>>,
}

impl<'scope> Threads<'scope, '_> {
    pub(super) fn spawn(&mut self, work: impl FnOnce() -> Result<(), IngestError> + Send + 'scope) {
        self.running.push(self.scope.spawn(work));
    }

    /// Joins those that have ended; the error of one that failed.
    pub(super) fn join_finished(&mut self) -> Result<(), IngestError> {
        while let Some(place) = self.running.iter().position(ScopedJoinHandle::is_finished) {
            joined(self.running.swap_remove(place))?;
        }
        Ok(())
    }

    /// Joins all of them; the first one's error.
    fn join_all(self) -> Result<(), IngestError> {
        self.running.into_iter().map(joined).fold(Ok(()), Result::and)
    }
}

/// What a thread came to; its panic goes on here.
fn joined(thread: ScopedJoinHandle<'_, Result<(), IngestError>>) -> Result<(), IngestError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
