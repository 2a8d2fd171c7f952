//! A replay from its beginning to its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use strategy_host::host::{CommitObserver, HostPlan, RunningHost};
use strategy_host::ledger::{Ledger, OpenedRun, SqliteLedger};
use tempfile::TempDir;
use tick_feed::run::Manifest;
use tick_feed::transport::{FrameObserver, Observed};
use tick_ingest::feed::{self, FeedControl, FeedPlan, Gather};
use tick_sdk::groups::Groups;
use tick_sdk::names::{RunId, StrategyName};

use super::outcome::{Collecting, Played};
use super::signals::SignalSink;
use super::stream::{SignalStream, StreamFailure};
use super::{ReplayError, ReplayOutcome, ReplayPlan, ReplayProgress, Total};

/// Checks the plan, opens its ledger and begins to play.
///
/// # Errors
/// As [`prepare`], or the system starts no thread.
pub fn start(plan: ReplayPlan) -> Result<RunningReplay, ReplayError> {
    prepare(plan)?.start()
}

/// Checks the plan and opens its ledger. With a ledger that is kept this reads every file once, to
/// compare it with what was played before.
///
/// # Errors
/// The plan cannot be carried out, a source is not there, or the ledger holds another run.
pub fn prepare(plan: ReplayPlan) -> Result<PreparedReplay, ReplayError> {
    let groups = plan.check()?;
    let total = Total::of(&plan.sources, plan.selection.repeats)?;
    let manifest = plan.manifest()?;
    // What is wrong with the plan is known by now, so that nothing wrong is recorded.
    let (ledger, opened) = OpenLedger::open(&plan, &manifest)?;
    tracing::debug!(run = %opened.run, resumed = opened.resumed, "opened the run in its ledger");
    Ok(PreparedReplay { plan, groups, total, ledger, opened, observer: None })
}

/// What a run came to whose lanes others have committed to `ledger`, as hosts of a feed do: its sources are read once
/// more for prices and counts, as fast as possible, and no strategy runs.
///
/// # Errors
/// A source cannot be read, or the ledger failed.
pub(crate) fn outcome_of_committed(
    mut plan: ReplayPlan,
    ledger: Box<dyn Ledger>,
    opened: OpenedRun,
    control: &FeedControl,
) -> Result<ReplayOutcome, ReplayError> {
    let groups = plan.check()?;
    plan.pace = feed::Pace::default();
    plan.read.stopped = control.stop_flag();
    let names = plan.names();
    let collecting = Collecting::of(&mut plan, opened, names);
    plan.strategies.clear();
    let host = host_plan(&mut plan, groups.clone(), None);
    let played = play(&feed_plan(plan, opened, groups), host, ledger, control, None)?;
    collecting.collect(played, None)
}

/// What the run came to that the plan's ledger keeps, and whether it was played to its end: as [`outcome_of_committed`],
/// after the sources were compared with those that were played.
///
/// # Errors
/// As [`prepare`]; there is no ledger, it is being written, or a source cannot be read.
pub(crate) fn outcome_of_kept(
    plan: ReplayPlan,
    control: &FeedControl,
) -> Result<(ReplayOutcome, bool), ReplayError> {
    plan.check()?;
    let manifest = plan.manifest()?;
    let folder = plan.ledger.clone().unwrap_or_default();
    drop(SqliteLedger::open_to_read(&folder)?);
    let mut ledger = SqliteLedger::open(&folder)?;
    let opened = ledger.open_run(&manifest)?;
    let lanes = ledger.lanes(opened.run)?;
    let expected = plan.names().len() * usize::from(plan.shards);
    let is_whole = lanes.len() == expected && lanes.iter().all(|lane| lane.ended);
    Ok((outcome_of_committed(plan, Box::new(ledger), opened, control)?, is_whole))
}

/// A replay that is recorded in its ledger and has not begun to play.
pub struct PreparedReplay {
    plan: ReplayPlan,
    groups: Arc<Groups>,
    total: Total,
    ledger: OpenLedger,
    opened: OpenedRun,
    observer: Option<Arc<dyn FrameObserver>>,
}

impl PreparedReplay {
    /// The run's id.
    pub fn run(&self) -> RunId {
        self.opened.run
    }

    /// Whether the ledger had the run already: what it committed has its effect once.
    pub fn is_resumed(&self) -> bool {
        self.opened.resumed
    }

    /// Every frame is seen by this one, too, on the thread that reads the sources; it is dropped when all are sent.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn FrameObserver>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Begins to play, on threads of its own.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(self) -> Result<RunningReplay, ReplayError> {
        let control = Arc::new(FeedControl::default());
        let bytes = Arc::new(AtomicU64::new(0));
        let total = self.total;
        let opened = self.opened;
        let (ended, has_ended) = bounded::<()>(0);
        let work = Work { prepared: self, control: control.clone(), bytes: bytes.clone() };
        let carry_out = move || {
            let outcome = work.carry_out();
            // Whoever waits for progress sees the channel close.
            drop(ended);
            outcome
        };
        let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(carry_out);
        let thread = Some(thread.map_err(ReplayError::Thread)?);
        Ok(RunningReplay { opened, control, bytes, total, started: Instant::now(), has_ended, thread })
    }
}

/// A replay that plays. Dropped without [`RunningReplay::finish`] it is cancelled and waited for.
pub struct RunningReplay {
    opened: OpenedRun,
    control: Arc<FeedControl>,
    bytes: Arc<AtomicU64>,
    total: Total,
    started: Instant,
    /// Closes when the outcome is there.
    has_ended: Receiver<()>,
    /// `None` when it was joined.
    thread: Option<JoinHandle<Result<ReplayOutcome, ReplayError>>>,
}

/// Cancels a replay from anywhere: another thread, a signal handler's thread, async code.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<FeedControl>);

impl Canceller {
    /// As [`RunningReplay::cancel`].
    pub fn cancel(&self) {
        self.0.stop();
    }
}

impl RunningReplay {
    /// The run's id.
    pub fn run(&self) -> RunId {
        self.opened.run
    }

    /// Whether the ledger had the run already.
    pub fn is_resumed(&self) -> bool {
        self.opened.resumed
    }

    /// How far it is now; does not wait.
    pub fn progress(&self) -> ReplayProgress {
        ReplayProgress {
            ticks: self.control.ticks(),
            bytes: self.bytes.load(Ordering::Relaxed),
            total: self.total,
            elapsed: self.started.elapsed(),
        }
    }

    /// Waits so long, or until the outcome is there: then `None`, and else how far it is.
    pub fn wait_progress(&self, timeout: Duration) -> Option<ReplayProgress> {
        match self.has_ended.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => Some(self.progress()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Whether the outcome is there, so that [`RunningReplay::finish`] does not wait.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the replay after the frame it is at; what it has sent is taken and committed, and the
    /// outcome says that it was interrupted. Does not wait.
    pub fn cancel(&self) {
        self.control.stop();
    }

    /// A handle that cancels this replay from elsewhere, and may outlive it.
    pub fn canceller(&self) -> Canceller {
        Canceller(self.control.clone())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The first reason for which the replay could not go on.
    pub fn finish(mut self) -> Result<ReplayOutcome, ReplayError> {
        let thread = self.thread.take().expect("only finish and drop take it");
        thread.join().unwrap_or_else(|panic| Err(ReplayError::Panicked(panic_text(&*panic))))
    }
}

impl Drop for RunningReplay {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.control.stop();
            // Nobody is there to take the outcome.
            let _ = thread.join();
        }
    }
}

/// What a panic said, where it said it in words.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message").to_owned()
}

/// A ledger, and the folder that goes with it when nobody asked to keep it.
struct OpenLedger {
    ledger: Box<dyn Ledger>,
    _temporary: Option<TempDir>,
}

impl OpenLedger {
    fn open(plan: &ReplayPlan, manifest: &Manifest) -> Result<(Self, OpenedRun), ReplayError> {
        let (folder, temporary) = match &plan.ledger {
            Some(folder) => (folder.clone(), None),
            None => {
                let folder = tempfile::tempdir().map_err(ReplayError::TemporaryLedger)?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let mut ledger: Box<dyn Ledger> = Box::new(SqliteLedger::open_exclusive(&folder)?);
        let opened = ledger.open_run(manifest)?;
        Ok((Self { ledger, _temporary: temporary }, opened))
    }
}

/// What the replay's own thread does.
struct Work {
    prepared: PreparedReplay,
    control: Arc<FeedControl>,
    bytes: Arc<AtomicU64>,
}

impl Work {
    fn carry_out(self) -> Result<ReplayOutcome, ReplayError> {
        let Self { prepared, control, bytes } = self;
        let PreparedReplay { mut plan, groups, ledger, opened, observer: frames, .. } = prepared;
        let OpenLedger { ledger, _temporary } = ledger;
        let names = plan.names();
        let failure = StreamFailure::new(control.clone());
        let (observer, at_end) = take_signals(&mut plan, opened, &names, &failure)?;
        plan.read.read_bytes = bytes;
        plan.read.stopped = control.stop_flag();
        let collecting = Collecting::of(&mut plan, opened, names);
        let host = host_plan(&mut plan, groups.clone(), observer);
        let played = play(&feed_plan(plan, opened, groups), host, ledger, &control, frames)?;
        failure.take().map_err(ReplayError::Signals)?;

        let outcome = collecting.collect(played, at_end)?;
        let (ticks, interrupted) = (outcome.feed.ticks, outcome.feed.interrupted);
        tracing::info!(run = %opened.run, ticks, interrupted, commits = outcome.commits, "replayed");
        Ok(outcome)
    }
}

/// Who writes signals while the run goes on, and who writes all of them at its end.
type SignalWriters = (Option<Box<dyn CommitObserver>>, Option<Box<dyn SignalSink>>);

/// Signals go out while the run goes on, or at its end. Those of a resumed run go out whole at the
/// end, as the ones before the interruption are not committed again.
fn take_signals(
    plan: &mut ReplayPlan,
    opened: OpenedRun,
    names: &[StrategyName],
    failure: &StreamFailure,
) -> Result<SignalWriters, ReplayError> {
    let Some(output) = plan.signals.take() else { return Ok((None, None)) };
    if opened.resumed || !output.is_live {
        return Ok((None, Some(output.sink)));
    }
    let stream = SignalStream::new(output.sink, opened.run, names, plan.shards, failure.clone());
    Ok((Some(Box::new(stream.map_err(ReplayError::Signals)?)), None))
}

fn host_plan(
    plan: &mut ReplayPlan,
    groups: Arc<Groups>,
    observer: Option<Box<dyn CommitObserver>>,
) -> HostPlan {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // About 5 MB of ticks wait for a thread: with fewer, threads sleep and wake too often
    // (measured: 8 frames of 4,096 ticks 0.8 of the speed of 32); with more, they leave the cache.
    let queued_frames = (131_072 / plan.frame_ticks as usize).clamp(4, 4096);
    HostPlan {
        instances: std::mem::take(&mut plan.strategies),
        shards: plan.shards,
        threads: plan.threads.map_or(cores, usize::from),
        groups,
        queued_frames,
        record_market: true,
        observer,
    }
}

fn feed_plan(plan: ReplayPlan, opened: OpenedRun, groups: Arc<Groups>) -> FeedPlan {
    FeedPlan {
        run: opened.run,
        sources: plan.sources,
        read: plan.read,
        selection: plan.selection,
        pace: plan.pace,
        shards: plan.shards,
        frame_ticks: plan.frame_ticks as usize,
        gather: Gather::default(),
        start: Vec::new(),
        groups,
    }
}

fn play(
    plan: &FeedPlan,
    host: HostPlan,
    ledger: Box<dyn Ledger>,
    control: &FeedControl,
    frames: Option<Arc<dyn FrameObserver>>,
) -> Result<Played, ReplayError> {
    let started = Instant::now();
    let host = RunningHost::start(ledger, plan.run, host)?;
    let frames = Observed::new(host.frames(), frames);
    let feed = feed::run(plan, &frames, control);
    drop(frames);
    // A host that failed is why the feed could not go on: its error comes first.
    let host = host.finish()?;
    let elapsed = started.elapsed();
    Ok(Played { feed: feed?, host, elapsed })
}
