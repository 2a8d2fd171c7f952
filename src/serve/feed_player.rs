//! Replays that are played through a feed: the worker ingests the files, hosts run each strategy as a lane and
//! commit to one ledger in PostgreSQL, and what came of it is read there at the end.
//!
//! The position of the ingest is kept in `replays/` in the folder of state, so that the next worker resumes it.
//! When the replay ends, its queues and exchanges are removed; a sweep removes, once more, what a host that was
//! late has declared anew, then what hosts committed of it, and then the folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{BrokerError, BrokerUrl};
use bus::Bus;
use strategy_host::ledger::{self, LedgerError, OpenedRun};
use strategy_host::publishing::feed_of_replay;
use tick_feed::rabbitmq::{Durability, FeedRemover};
use tick_ingest::publish::{self, Begin, FeedStrategy, IngestError, IngestPlan, PreparedIngest, StateError};
use tick_ingest::replays::{Captures, ClaimedReplay, QueueError, ReplayQueue};
use tick_sdk::contracts::CommandId;
use uuid::Uuid;

use super::ledgers::{done_with, remove};
use super::plan::replay_plan;
use super::player::{BeginError, Prepared, PreparedPlay};
use crate::replay::{ReplayError, ReplayPlan, Total};
use failures::LaneFailures;
pub(super) use playing::{PreparedFeed, RunningFeed};

mod failures;
mod playing;

/// A worker that has lost its replay without knowing lets go of its folder within this time.
const FOLDER_FREE: Duration = Duration::from_secs(15);
/// Between looks whether it is.
const LOOK: Duration = Duration::from_millis(250);
/// A sweep removes a replay from the hosts' ledger in so many steps at most; the next one goes on.
const STEPS_PER_SWEEP: usize = 1_000;
/// A sweep waits so long for the ledger.
const LEDGER_AWAY: Duration = Duration::from_secs(10);

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
        let feed = feed_of_replay(claimed.command.command_id);
        let failures = LaneFailures::from_now_on(self.bus.clone(), feed.clone());
        let play = PreparedFeed { plan, total, opened, ledger: ledger.clone(), ingest, failures };
        let play = PreparedPlay::Feed(Box::new(play));
        Ok(Prepared { run, is_resumed, feed: Some(feed), ledger, selection, play })
    }

    fn ingest_plan(&self, claimed: &ClaimedReplay, plan: &ReplayPlan, folder: PathBuf) -> IngestPlan {
        let FeedReplays { brokers, durability, .. } = &*self.feeds;
        let feed = feed_of_replay(claimed.command.command_id);
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
        let feed = feed_of_replay(CommandId(replay_id));
        if let Err(error) = self.try_remove_feed(replay_id) {
            tracing::warn!(%feed, %error, "a replay's feed stays on its broker; it is removed later");
        }
    }

    fn try_remove_feed(&self, replay_id: Uuid) -> Result<(), BrokerError> {
        let known = publish::recorded(&self.folder.join(replay_id.to_string()));
        // Without a record nothing was declared.
        let Ok(Some(known)) = known else { return Ok(()) };
        let feed = feed_of_replay(CommandId(replay_id));
        self.feeds.brokers.iter().try_for_each(|broker| {
            FeedRemover::connect(broker, &feed, &known.strategies, known.shards)?.remove()
        })
    }

    /// Removes what hosts have committed of a replay, all of which is in the log of `strategies` or forgotten; whether
    /// nothing is left of it.
    fn forget_committed(&self, replay_id: Uuid) -> Result<bool, LedgerError> {
        let mut ledger = ledger::open(&self.feeds.ledger)?;
        ledger.set_call_timeout(LEDGER_AWAY);
        let mut steps = 0;
        for recorded in ledger.runs(feed_of_replay(CommandId(replay_id)).as_str())? {
            while ledger.forget_run(recorded.run)? {
                steps += 1;
                if steps == STEPS_PER_SWEEP {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The folder goes last: it says what there may be.
    pub(super) fn sweep(&self, queue: &ReplayQueue) -> Result<(), QueueError> {
        for (replay_id, folder) in done_with(&self.folder, queue)? {
            if let Err(error) = self.try_remove_feed(replay_id) {
                tracing::warn!(%replay_id, %error, "a replay's feed stays on its broker");
                continue;
            }
            match self.forget_committed(replay_id) {
                Ok(true) => remove(&folder),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%replay_id, %error, "a replay's signals stay in the hosts' ledger")
                }
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
