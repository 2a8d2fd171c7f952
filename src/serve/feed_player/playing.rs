//! One replay through its feed: the ingest, then what came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use strategy_host::host::Timing;
use strategy_host::ledger::{self, Ledger, OpenedRun};
use tick_feed::transport::FrameObserver;
use tick_ingest::feed::FeedControl;
use tick_ingest::publish::{Cancellation, IngestEnd, IngestEvent, PreparedIngest};
use tick_sdk::names::RunId;

use super::failures::LaneFailures;
use crate::replay::{ReplayError, ReplayPlan, ReplayProgress, Total, outcome_of_committed};
use crate::serve::player::{PlayEnd, PlayError};

/// A replay whose folder is this process's.
pub(in crate::serve) struct PreparedFeed {
    pub(super) plan: ReplayPlan,
    pub(super) total: Total,
    pub(super) opened: OpenedRun,
    pub(super) ledger: String,
    /// `None` where everything is committed, and only what came of it is to be found out.
    pub(super) ingest: Option<PreparedIngest>,
    pub(super) failures: LaneFailures,
}

impl PreparedFeed {
    pub(in crate::serve) fn observed(mut self: Box<Self>, observer: Arc<dyn FrameObserver>) -> Box<Self> {
        self.ingest = self.ingest.map(|ingest| ingest.observed(observer));
        self
    }

    pub(in crate::serve) fn start(self: Box<Self>) -> Result<RunningFeed, PlayError> {
        let stop = Stop::default();
        let ticks = Arc::new(AtomicU64::new(0));
        let bytes = self.plan.read.read_bytes.clone();
        let total = self.total;
        let (ended, has_ended) = bounded::<()>(0);
        let (stopped, sent) = (stop.clone(), ticks.clone());
        let work = move || {
            let end = self.play(&stopped, &sent);
            // Whoever waits for progress sees the channel close.
            drop(ended);
            end
        };
        let thread = std::thread::Builder::new().name("replay".to_owned()).spawn(work);
        let thread = Some(thread.map_err(ReplayError::Thread)?);
        Ok(RunningFeed { stop, ticks, bytes, total, started: Instant::now(), has_ended, thread })
    }

    fn play(self, stop: &Stop, ticks: &AtomicU64) -> Result<PlayEnd, PlayError> {
        let Self { mut plan, opened, ledger, ingest, mut failures, .. } = self;
        let started = Instant::now();
        if let Some(ingest) = ingest {
            let mut failed = None;
            let ingested = ingest.run(&stop.ingest, |event| {
                on_event(opened.run, &event, ticks);
                if failed.is_none() && matches!(event, IngestEvent::Progress(_)) {
                    failed = failures.next();
                    failed.iter().for_each(|_| stop.ingest.cancel());
                }
            })?;
            if let Some(reason) = failed {
                return Err(PlayError::Lane { reason });
            }
            ticks.store(ingested.snapshot.published(), Ordering::Relaxed);
            if ingested.end != IngestEnd::RunEnded {
                return Ok(PlayEnd::Stopped(None));
            }
        }
        // What is read now is read for the second time.
        plan.read.read_bytes = Arc::default();
        let ledger = ledger::open_to_read(&ledger).map_err(ReplayError::from)?;
        check_ended(&*ledger, opened.run, plan.names().len() * usize::from(plan.shards))?;
        let mut outcome = outcome_of_committed(plan, ledger, opened, &stop.results)?;
        if outcome.feed.interrupted {
            return Ok(PlayEnd::Stopped(None));
        }
        outcome.elapsed = started.elapsed();
        // How long reading took says nothing of the hosts.
        outcome.timing = Timing::default();
        Ok(PlayEnd::Played(Box::new(outcome)))
    }
}

/// Hosts have said that every lane has come to its end: so this ledger has it, if it is theirs.
fn check_ended(ledger: &dyn Ledger, run: RunId, lanes: usize) -> Result<(), PlayError> {
    let rows = ledger.lanes(run).map_err(ReplayError::from)?;
    if rows.iter().filter(|row| row.ended).count() == lanes {
        return Ok(());
    }
    let reason =
        "the hosts of its feed commit to another ledger than this server reads: give both the same one";
    Err(PlayError::Lane { reason: reason.to_owned() })
}

fn on_event(run: RunId, event: &IngestEvent, ticks: &AtomicU64) {
    match event {
        IngestEvent::Progress(progress) => ticks.store(progress.now.published(), Ordering::Relaxed),
        IngestEvent::TicksUnavailable { error } | IngestEvent::CatchUpFailed { error, .. } => {
            tracing::warn!(%run, error, "a replay's hosts miss ticks that cannot be read again");
        }
        IngestEvent::RunBegins { .. } => {}
    }
}

/// Stops a replay, whatever it is at.
#[derive(Clone, Default)]
struct Stop {
    ingest: Cancellation,
    results: Arc<FeedControl>,
}

/// A replay that plays through its feed. Dropped, it is stopped and waited for.
pub(in crate::serve) struct RunningFeed {
    stop: Stop,
    ticks: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    total: Total,
    started: Instant,
    /// Closes when it has ended.
    has_ended: Receiver<()>,
    /// `None` when it was joined.
    thread: Option<JoinHandle<Result<PlayEnd, PlayError>>>,
}

impl RunningFeed {
    pub(in crate::serve) fn wait_progress(&self, timeout: Duration) -> Option<ReplayProgress> {
        match self.has_ended.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => Some(ReplayProgress {
                ticks: self.ticks.load(Ordering::Relaxed),
                bytes: self.bytes.load(Ordering::Relaxed),
                total: self.total,
                elapsed: self.started.elapsed(),
            }),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    pub(in crate::serve) fn cancel(&self) {
        self.stop.ingest.cancel();
        self.stop.results.stop();
    }

    pub(in crate::serve) fn finish(mut self) -> Result<PlayEnd, PlayError> {
        let thread = self.thread.take().expect("only finish and drop take it");
        let panicked = |_| Err(ReplayError::Panicked("see the server's log".to_owned()).into());
        thread.join().unwrap_or_else(panicked)
    }
}

impl Drop for RunningFeed {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.cancel();
            // Nobody is there to take how it ended.
            let _ = thread.join();
        }
    }
}
