//! Replays that are played through a feed: the worker ingests the files, hosts run each strategy as a lane and
//! commit to one ledger in PostgreSQL, and what came of it is read there at the end.
//!
//! The position of the ingest is kept in `replays/` in the folder of state, so that the next worker resumes it.
//! When the replay ends, its queues and exchanges are removed; a sweep removes, once more, what a host that was
//! late has declared anew, and then the folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broker::{BrokerError, BrokerUrl};
use bus::{Bus, EventSource};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use strategy_host::ledger::{self, Ledger, OpenedRun};
use tick_feed::rabbitmq::{Durability, FeedRemover};
use tick_ingest::feed::FeedControl;
use tick_ingest::publish::{
    self, Begin, Cancellation, FeedStrategy, IngestEnd, IngestError, IngestEvent, IngestPlan, PreparedIngest,
    StateError,
};
use tick_ingest::replays::{Captures, ClaimedReplay, QueueError, ReplayQueue};
use tick_sdk::contracts::Contract;
use tick_sdk::contracts::strategies::{LaneFailed, STRATEGIES};
use tick_sdk::names::{FeedName, RunId};
use uuid::Uuid;

use super::ledgers::{done_with, remove};
use super::plan::replay_plan;
use super::player::{BeginError, PlayEnd, PlayError, Prepared, PreparedPlay};
use crate::replay::{ReplayError, ReplayPlan, ReplayProgress, Total, outcome_of_committed};

/// A worker that has lost its replay without knowing lets go of its folder within this time.
const FOLDER_FREE: Duration = Duration::from_secs(15);
/// A look for lanes that failed goes over so many events.
const EVENTS_PER_LOOK: usize = 10_000;
/// Between looks whether it is.
const LOOK: Duration = Duration::from_millis(250);

/// How replays are played through feeds.
#[derive(Clone)]
pub struct FeedReplays {
    /// The brokers' nodes, in the order in which hosts name them, too.
    pub brokers: Vec<BrokerUrl>,
    /// The hosts' ledger, as `postgres://` URL.
    pub ledger: String,
    /// How many shards a replay's feed has; at least one a node.
    pub shards: u16,
    /// What the brokers do with its frames.
    pub durability: Durability,
    /// A replay has so many strategies at most: a host must have a place for all of them, as its
    /// `HostsPlan::most_lanes` says.
    pub most_strategies: usize,
}

impl FeedReplays {
    /// Four shards, in the brokers' memory; at most 64 strategies.
    pub fn new(brokers: Vec<BrokerUrl>, ledger: impl Into<String>) -> Self {
        let (shards, durability) = (4, Durability::Memory);
        Self { brokers, ledger: ledger.into(), shards, durability, most_strategies: 64 }
    }
}

/// Without the ledger's URL, which has a password.
impl fmt::Debug for FeedReplays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, shards, durability, most_strategies, .. } = self;
        let brokers: Vec<String> = brokers.iter().map(BrokerUrl::to_string).collect();
        f.debug_struct("FeedReplays")
            .field("brokers", &brokers)
            .field("shards", shards)
            .field("durability", durability)
            .field("most_strategies", most_strategies)
            .finish_non_exhaustive()
    }
}

/// Plays replays through feeds.
#[derive(Clone)]
pub(super) struct FeedPlayer {
    /// Its log of `strategies` says which lanes have failed.
    pub(super) bus: Arc<Bus>,
    pub(super) feeds: Arc<FeedReplays>,
    /// Where positions are kept, a folder a replay.
    pub(super) folder: PathBuf,
}

/// The feed of a replay.
pub(super) fn feed_of(replay_id: Uuid) -> FeedName {
    format!("replay-{}", replay_id.simple()).parse().expect("a valid name")
}

impl FeedPlayer {
    pub(super) fn prepare(
        &self,
        claimed: &ClaimedReplay,
        captures: &Captures,
    ) -> Result<Prepared, BeginError> {
        let folder = self.folder.join(claimed.replay_id.to_string());
        let mut plan = replay_plan(&claimed.plan, captures, folder.clone())?;
        plan.ledger = None;
        let known = publish::recorded(&folder).map_err(IngestError::from)?;
        // One that is asked for again, as its files were mended, begins anew if it had come to its end.
        let known = known.filter(|known| !known.has_ended || claimed.requeued == 0);
        plan.shards = known.as_ref().map_or(self.feeds.shards, |known| known.shards);
        plan.check().map_err(ReplayError::from)?;
        let (most, strategies) = (self.feeds.most_strategies, plan.names().len());
        if strategies > most {
            return Err(BeginError::TooManyStrategies { strategies, most });
        }
        let total = Total::of(&plan.sources, plan.selection.repeats)?;
        let selection = plan.selection.clone();
        let (run, is_resumed, ingest) = match known {
            Some(known) if known.has_ended => (known.run, true, None),
            known => {
                let mut wanted = self.ingest_plan(claimed, &plan, folder);
                wanted.begin = known.map_or(Begin::Replace, |known| Begin::Resume(known.run));
                let prepared = prepare_ingest(wanted, claimed)?;
                (prepared.run_id(), prepared.is_resumed(), Some(prepared))
            }
        };
        let ledger = self.feeds.ledger.clone();
        let opened = OpenedRun { run, resumed: is_resumed };
        let feed = feed_of(claimed.replay_id);
        let failures = LaneFailures::from_now_on(self.bus.clone(), feed.clone());
        let play = PreparedFeed { plan, total, opened, ledger: ledger.clone(), ingest, failures };
        let play = PreparedPlay::Feed(Box::new(play));
        Ok(Prepared { run, is_resumed, feed: Some(feed), ledger, selection, play })
    }

    fn ingest_plan(&self, claimed: &ClaimedReplay, plan: &ReplayPlan, folder: PathBuf) -> IngestPlan {
        let FeedReplays { brokers, durability, .. } = &*self.feeds;
        let feed = feed_of(claimed.replay_id);
        // The feed waits for all of them: they are what it is played for.
        let strategies = plan.names().into_iter().map(|name| FeedStrategy { name, is_required: true });
        IngestPlan {
            strategies: strategies.collect(),
            read: plan.read.clone(),
            selection: plan.selection.clone(),
            groups: plan.groups.clone(),
            pace: plan.pace,
            shards: plan.shards,
            durability: *durability,
            state: folder,
            ..IngestPlan::new(feed, brokers.clone(), plan.sources.clone())
        }
    }

    pub(super) fn ledgers(&self) -> Vec<String> {
        vec![self.feeds.ledger.clone()]
    }

    /// Removes a replay's queues and exchanges; what cannot be removed is left to a sweep.
    pub(super) fn remove_feed(&self, replay_id: Uuid) {
        let feed = feed_of(replay_id);
        if let Err(error) = self.try_remove_feed(replay_id) {
            tracing::warn!(%feed, %error, "a replay's feed stays on its broker; it is removed later");
        }
    }

    fn try_remove_feed(&self, replay_id: Uuid) -> Result<(), BrokerError> {
        let known = publish::recorded(&self.folder.join(replay_id.to_string()));
        // Without a record nothing was declared.
        let Ok(Some(known)) = known else { return Ok(()) };
        let feed = feed_of(replay_id);
        self.feeds.brokers.iter().try_for_each(|broker| {
            FeedRemover::connect(broker, &feed, &known.strategies, known.shards)?.remove()
        })
    }

    pub(super) fn sweep(&self, queue: &ReplayQueue) -> Result<(), QueueError> {
        for (replay_id, folder) in done_with(&self.folder, queue)? {
            match self.try_remove_feed(replay_id) {
                Ok(()) => remove(&folder),
                Err(error) => tracing::warn!(%replay_id, %error, "a replay's feed stays on its broker"),
            }
        }
        Ok(())
    }
}

/// Takes the replay's folder, for which another worker is waited for that has lost the replay.
fn prepare_ingest(mut plan: IngestPlan, claimed: &ClaimedReplay) -> Result<PreparedIngest, BeginError> {
    let until = Instant::now() + FOLDER_FREE;
    loop {
        match publish::prepare(&plan) {
            Err(IngestError::State(StateError::InUse { .. })) if Instant::now() < until => {
                std::thread::sleep(LOOK);
            }
            Err(IngestError::State(StateError::ManifestDiffers { difference, .. })) => {
                if claimed.requeued == 0 {
                    return Err(BeginError::Changed { difference });
                }
                // It failed, and was asked for again because its files were mended.
                plan.begin = Begin::Replace;
            }
            prepared => return Ok(prepared?),
        }
    }
}

/// A replay whose folder is this process's.
pub(super) struct PreparedFeed {
    plan: ReplayPlan,
    total: Total,
    opened: OpenedRun,
    ledger: String,
    /// `None` where everything is committed, and only what came of it is to be found out.
    ingest: Option<PreparedIngest>,
    failures: LaneFailures,
}

impl PreparedFeed {
    pub(super) fn start(self: Box<Self>) -> Result<RunningFeed, PlayError> {
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

/// Lanes of a feed whose strategies fail, as the log says: they would fail for ever, and the feed would wait for them.
struct LaneFailures {
    bus: Arc<Bus>,
    feed: FeedName,
    /// The last event that was looked at; `None` while the log could not be read.
    position: Option<u64>,
}

impl LaneFailures {
    fn from_now_on(bus: Arc<Bus>, feed: FeedName) -> Self {
        let position = bus.head(STRATEGIES).ok();
        Self { bus, feed, position }
    }

    /// Why the next one failed, if one has. A log that cannot be read is read the next time.
    fn next(&mut self) -> Option<String> {
        let Some(position) = self.position else {
            self.position = self.bus.head(STRATEGIES).ok();
            return None;
        };
        let names = [LaneFailed::NAME];
        let page = self.bus.look(STRATEGIES, position, EVENTS_PER_LOOK, Some(&names)).ok()?;
        self.position = Some(page.looked_to);
        let mut failed = page.events.iter().filter_map(|event| serde_json::from_str(&event.body).ok());
        failed
            .find(|failed: &LaneFailed| failed.is_of_strategy && failed.feed == self.feed.as_str())
            .map(|failed| failed.reason)
    }
}

/// Stops a replay, whatever it is at.
#[derive(Clone, Default)]
struct Stop {
    ingest: Cancellation,
    results: Arc<FeedControl>,
}

/// A replay that plays through its feed. Dropped, it is stopped and waited for.
pub(super) struct RunningFeed {
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
    pub(super) fn wait_progress(&self, timeout: Duration) -> Option<ReplayProgress> {
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

    pub(super) fn cancel(&self) {
        self.stop.ingest.cancel();
        self.stop.results.stop();
    }

    pub(super) fn finish(mut self) -> Result<PlayEnd, PlayError> {
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

#[cfg(test)]
mod tests {
    use bus::StoreError;

    use super::*;

    #[test]
    fn a_replay_fails_of_its_own_lanes_whose_strategy_failed_since_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let store = strategy_host::deployments::open(&folder.path().join("strategies.sqlite")).unwrap();
        let bus = Arc::new(Bus::builder().context(STRATEGIES, store).start().unwrap());
        let fail = |feed: &FeedName, is_of_strategy, reason: &str| {
            let (feed, strategy, reason) = (feed.to_string(), "apple".to_owned(), reason.to_owned());
            let failed = LaneFailed { feed, strategy, reason, failures: 1, is_of_strategy };
            bus.transaction(STRATEGIES, |work| {
                work.publish(&failed);
                Ok::<_, StoreError>(())
            })
            .unwrap();
        };
        let [own, other] = [1, 2].map(|number| feed_of(Uuid::from_u128(number)));
        fail(&own, true, "before");
        let mut failures = LaneFailures::from_now_on(bus.clone(), own.clone());
        assert_eq!(failures.next(), None);
        fail(&other, true, "of another replay");
        fail(&own, false, "the broker was away");
        assert_eq!(failures.next(), None);
        fail(&own, true, "tick 7: it panicked");
        assert_eq!(failures.next().as_deref(), Some("tick 7: it panicked"));
    }
}
