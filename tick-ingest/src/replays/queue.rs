//! The worker's side: recorded replays, each leased to one worker at a time.
//!
//! A lease ends by time, so that another worker takes over when one is killed; the epoch, which each claim
//! raises, refuses whatever a worker writes that has lost its lease. A replay that ends its worker's process each
//! time, as one that needs more memory than there is, fails in the end instead of being taken over for ever. How a replay ends is one commit: its row,
//! the event, and the end of the command that asked for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{
    Bus, CommandEnd, EndedCommand, EventSource, Row, Store, StoreError, TablesError, Work, WorkError, values,
};
use thiserror::Error;
use tick_sdk::contracts::bus::ReadableAt;
use tick_sdk::contracts::ticks::{
    ReplayCancelled, ReplayCompleted, ReplayFailed, ReplayOutcome, ReplayProgressed, ReplayStarted,
    StartReplay, TICKS,
};
use tick_sdk::contracts::{CommandId, ConversationId};
use tick_sdk::names::FeedName;
use uuid::Uuid;

use super::{State, log, pages};

/// After so many workers in a row that vanished and got no further than those before, a replay fails, …
const MAX_TAKE_OVERS: u32 = 10;
/// … but not within this time: whoever kills them all may soon have done with it.
const STUCK: Duration = Duration::from_secs(1_800);

/// Why it fails then.
const VANISHED: &str = "ten workers in a row ended without a word while they played it, and for half an hour none got \
                        further than the one before: their logs, and the system's, say why; requeue it when that is mended";

/// What a worker could not do.
#[derive(Debug, Error)]
pub enum QueueError {
    /// Another worker has the replay, or it has ended: whatever this one does is of no use.
    #[error("another worker has replay {replay_id}, or it has ended")]
    Lost {
        /// The replay.
        replay_id: Uuid,
    },
    /// The store failed; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The same, in the words of whoever asked it.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A statement failed.
    #[error("the replays: {0}")]
    Tables(#[from] TablesError),
    /// A recorded plan cannot be read.
    #[error("the plan of replay {replay_id} cannot be read: {source}")]
    Plan {
        /// The replay.
        replay_id: Uuid,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A replay that is leased to this worker.
#[derive(Clone, Debug)]
pub struct ClaimedReplay {
    /// The replay, which is the id of its command.
    pub replay_id: Uuid,
    /// What is to be played.
    pub plan: StartReplay,
    /// The run, where an earlier worker had begun it.
    pub run: Option<String>,
    /// How often it was asked for again after it had failed.
    pub requeued: u32,
    /// The command that asked for it.
    pub command: EndedCommand,
    epoch: u64,
}

/// Whether a worker goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    GoOn,
    /// Somebody wishes that the replay ends.
    CancelWanted,
    /// Another worker has it.
    Lost,
}

/// How a replay ended.
#[derive(Clone, Debug)]
pub enum ReplayEnd {
    /// It played everything.
    Completed {
        /// The run.
        run: String,
        /// What came of it.
        outcome: ReplayOutcome,
        /// Its page, where it could be made.
        report: Option<Vec<u8>>,
        /// Its command is shown as completed once these can be read.
        readable_at: Vec<ReadableAt>,
    },
    /// It was stopped on somebody's wish.
    Cancelled {
        /// The run, where it had begun.
        run: Option<String>,
        /// What came of it until then.
        outcome: Option<ReplayOutcome>,
        /// As above.
        report: Option<Vec<u8>>,
        /// As above.
        readable_at: Vec<ReadableAt>,
    },
    /// It could not go on.
    Failed {
        /// The run, where it had begun.
        run: Option<String>,
        /// Why.
        reason: String,
    },
}

/// The recorded replays, as workers take them. Its calls block.
#[derive(Clone)]
pub struct ReplayQueue {
    bus: Arc<Bus>,
    store: Arc<dyn Store>,
    lease: Duration,
}

impl ReplayQueue {
    /// The replays of `store`, which is the one that `bus` serves the context with.
    pub fn new(bus: Arc<Bus>, store: Arc<dyn Store>, lease: Duration) -> Self {
        Self { bus, store, lease }
    }

    /// Ends the leases of all workers: only where none of them can be alive, as at the start of a process that
    /// has the state for itself.
    ///
    /// # Errors
    /// The store failed.
    pub fn free_leases(&self) -> Result<usize, QueueError> {
        self.bus.transaction(TICKS, |work| {
            let sql = "UPDATE replay SET leased_until_ms = 0 WHERE state = $1";
            Ok(work.tables()?.execute(sql, &values![State::Running as i64])? as usize)
        })
    }

    /// Whether a replay needs its ledger no more: it has ended and is not asked for again, so that its events are
    /// enough, or it is forgotten. One that is not known needs it.
    ///
    /// # Errors
    /// The store failed.
    pub fn is_done_with(&self, replay_id: Uuid) -> Result<bool, QueueError> {
        let state = self.state(replay_id)?;
        Ok(matches!(state, Some(State::Completed | State::Cancelled | State::Forgotten)))
    }

    /// Whether a replay is forgotten. One that is not known is not.
    ///
    /// # Errors
    /// The store failed.
    pub fn is_forgotten(&self, replay_id: Uuid) -> Result<bool, QueueError> {
        Ok(self.state(replay_id)? == Some(State::Forgotten))
    }

    fn state(&self, replay_id: Uuid) -> Result<Option<State>, QueueError> {
        let sql = "SELECT state FROM replay WHERE replay_id = $1";
        let found = self.store.query(sql, &values![replay_id])?;
        let state = found.first().map(|row| row.get(0)).transpose()?;
        Ok(state.and_then(State::of))
    }

    /// Leases the replay that waits longest, or one whose worker has died; `None` where there is none.
    ///
    /// # Errors
    /// The store failed.
    pub fn claim(&self) -> Result<Option<ClaimedReplay>, QueueError> {
        // Most looks find nothing, and those need no transaction.
        if self.store.query(OPEN, &values![now_ms()])?.is_empty() {
            return Ok(None);
        }
        let lease = self.lease;
        let claimed = self.bus.transaction(TICKS, |work| {
            let now = work.now_ms();
            let tables = work.tables()?;
            let Some(row) = tables.query_first(OPEN, &values![now])? else {
                return Ok::<_, QueueError>(None);
            };
            let recorded = Recorded::of(&row, now)?;
            // Of two that found it the second changes nothing.
            let sql = "UPDATE replay SET state = $1, epoch = epoch + 1, leased_until_ms = $2, \
                       taken_over = CASE WHEN state = $1 THEN taken_over + 1 ELSE 0 END, \
                       furthest_at_ms = CASE WHEN state = $1 THEN furthest_at_ms ELSE $5 END \
                       WHERE replay_id = $3 AND epoch = $4 AND state <= 1";
            let leased_until = now + lease.as_millis() as u64;
            let replay_id = recorded.command.command_id.0;
            let claim = values![State::Running as i64, leased_until, replay_id, recorded.epoch, now];
            if tables.execute(sql, &claim)? == 0 {
                return Ok(None);
            }
            Ok(Some(Recorded { epoch: recorded.epoch + 1, ..recorded }))
        })?;
        let Some(recorded) = claimed else {
            return Ok(None);
        };
        if recorded.is_stuck {
            self.end(
                &recorded.claimed(),
                ReplayEnd::Failed { run: recorded.run, reason: VANISHED.to_owned() },
            )?;
            return self.claim();
        }
        self.read_plan(recorded).map(Some)
    }

    /// A plan that cannot be read fails for good, so that it is not claimed for ever.
    fn read_plan(&self, recorded: Recorded) -> Result<ClaimedReplay, QueueError> {
        let replay_id = recorded.command.command_id.0;
        let mut claimed = recorded.claimed();
        match serde_json::from_str(&recorded.plan) {
            Ok(plan) => {
                claimed.plan = plan;
                Ok(claimed)
            }
            Err(source) => {
                let error = QueueError::Plan { replay_id, source };
                let end = ReplayEnd::Failed { run: claimed.run.clone(), reason: error.to_string() };
                self.end(&claimed, end)?;
                Err(error)
            }
        }
    }

    /// Waits until there may be something to claim that was not there at `position` of the context's log, or so
    /// long; gives the position to wait at next.
    ///
    /// # Errors
    /// The store failed.
    pub fn wait(&self, position: u64, timeout: Duration) -> Result<u64, QueueError> {
        self.bus.wait_beyond(TICKS, position, timeout);
        Ok(self.bus.head(TICKS)?)
    }

    /// Whether the worker goes on; reads only, so that it may be asked ten times a second.
    ///
    /// # Errors
    /// The store failed.
    pub fn standing(&self, claimed: &ClaimedReplay) -> Result<Standing, QueueError> {
        let sql = "SELECT is_cancel_wanted FROM replay WHERE replay_id = $1 AND epoch = $2 AND state = $3";
        let key = values![claimed.replay_id, claimed.epoch, State::Running as i64];
        let found = self.store.query(sql, &key)?;
        Ok(match found.first().map(|row| row.get(0)).transpose()? {
            Some(false) => Standing::GoOn,
            Some(true) => Standing::CancelWanted,
            None => Standing::Lost,
        })
    }

    /// Makes the lease last anew.
    ///
    /// # Errors
    /// It is lost, or the store failed.
    pub fn renew(&self, claimed: &ClaimedReplay) -> Result<(), QueueError> {
        self.change(claimed, |_| Ok(()))
    }

    /// The worker has the run open, and plays it itself or through a feed.
    ///
    /// # Errors
    /// As [`ReplayQueue::renew`].
    pub fn started(
        &self,
        claimed: &ClaimedReplay,
        run: &str,
        is_resumed: bool,
        feed: Option<&FeedName>,
    ) -> Result<(), QueueError> {
        self.change(claimed, |work| {
            let sql = "UPDATE replay SET run = $1 WHERE replay_id = $2";
            work.tables()?.execute(sql, &values![run, claimed.replay_id])?;
            let replay_id = claimed.replay_id;
            let feed = feed.map(|feed| feed.as_str().to_owned());
            log::publish(work, replay_id, &ReplayStarted { replay_id, run: run.to_owned(), is_resumed, feed })
        })
    }

    /// Says how far it is, and renews the lease.
    ///
    /// # Errors
    /// As [`ReplayQueue::renew`].
    pub fn progressed(&self, claimed: &ClaimedReplay, progress: &ReplayProgressed) -> Result<(), QueueError> {
        self.change(claimed, |work| {
            let furthest = (progress.share.unwrap_or(0.0) * 1e6) as u64;
            let sql = "UPDATE replay SET furthest_ppm = $1, furthest_at_ms = $3, taken_over = 0 \
                       WHERE replay_id = $2 AND furthest_ppm < $1";
            let now = work.now_ms();
            work.tables()?.execute(sql, &values![furthest, claimed.replay_id, now])?;
            log::publish(work, claimed.replay_id, progress)
        })
    }

    /// Gives the replay back before its end: the next worker resumes it at once.
    ///
    /// # Errors
    /// As [`ReplayQueue::renew`].
    pub fn release(&self, claimed: &ClaimedReplay) -> Result<(), QueueError> {
        self.change(claimed, |work| {
            let sql = "UPDATE replay SET leased_until_ms = 0, taken_over = 0, furthest_at_ms = $2 WHERE replay_id = $1";
            let now = work.now_ms();
            work.tables()?.execute(sql, &values![claimed.replay_id, now])?;
            Ok(())
        })
    }

    /// Ends the replay and its command, once.
    ///
    /// # Errors
    /// As [`ReplayQueue::renew`].
    pub fn end(&self, claimed: &ClaimedReplay, end: ReplayEnd) -> Result<(), QueueError> {
        let replay_id = claimed.replay_id;
        self.change(claimed, |work| {
            let (state, report, end) = match end {
                ReplayEnd::Completed { run, outcome, report, readable_at } => {
                    let result = serde_json::json!({ "replayId": replay_id, "run": run });
                    log::publish(work, replay_id, &ReplayCompleted { replay_id, run, outcome })?;
                    (State::Completed, report, CommandEnd::Completed { result, readable_at })
                }
                ReplayEnd::Cancelled { run, outcome, report, readable_at } => {
                    let result = serde_json::json!({ "replayId": replay_id, "run": run });
                    log::publish(work, replay_id, &ReplayCancelled { replay_id, run, outcome })?;
                    (State::Cancelled, report, CommandEnd::Cancelled { result, readable_at })
                }
                ReplayEnd::Failed { run, reason } => {
                    let failed = ReplayFailed { replay_id, run, reason: reason.clone() };
                    log::publish(work, replay_id, &failed)?;
                    (State::Failed, None, CommandEnd::Failed { reason })
                }
            };
            let sql = "UPDATE replay SET state = $1 WHERE replay_id = $2";
            work.tables()?.execute(sql, &values![state as i64, replay_id])?;
            if let Some(report) = report {
                pages::store(work, replay_id, report)?;
            }
            work.end(&claimed.command, end)?;
            Ok(())
        })
    }

    /// One commit of the worker that has the lease, which it renews.
    fn change(
        &self,
        claimed: &ClaimedReplay,
        change: impl FnOnce(&mut Work<'_>) -> Result<(), QueueError>,
    ) -> Result<(), QueueError> {
        let lease = self.lease;
        self.bus.transaction(TICKS, |work| {
            // What the worker does is caused by the command that asked for the replay.
            work.caused_by_command(&claimed.command);
            let leased_until = work.now_ms() + lease.as_millis() as u64;
            let sql =
                "UPDATE replay SET leased_until_ms = $1 WHERE replay_id = $2 AND epoch = $3 AND state = $4";
            let row = values![leased_until, claimed.replay_id, claimed.epoch, State::Running as i64];
            if work.tables()?.execute(sql, &row)? == 0 {
                return Err(QueueError::Lost { replay_id: claimed.replay_id });
            }
            change(work)
        })
    }
}

/// The oldest replay that no worker has.
const OPEN: &str = "SELECT replay_id, conversation_id, initiator_id, attempts, plan, run, epoch, requeued, \
                    state, taken_over, furthest_at_ms FROM replay \
                    WHERE state <= 1 AND leased_until_ms <= $1 ORDER BY seq LIMIT 1";

/// A row that is to be claimed.
struct Recorded {
    command: EndedCommand,
    plan: String,
    run: Option<String>,
    epoch: u64,
    requeued: u32,
    /// Its workers vanish, and none gets further.
    is_stuck: bool,
}

impl Recorded {
    /// Leased, its plan not read yet.
    fn claimed(&self) -> ClaimedReplay {
        ClaimedReplay {
            replay_id: self.command.command_id.0,
            plan: StartReplay::default(),
            run: self.run.clone(),
            requeued: self.requeued,
            command: self.command,
            epoch: self.epoch,
        }
    }

    fn of(row: &Row, now_ms: u64) -> Result<Self, TablesError> {
        let is_taken_over = row.get::<i64>(8)? == State::Running as i64;
        let vanished: u32 = row.get(9)?;
        let stuck_ms = now_ms.saturating_sub(row.get(10)?);
        Ok(Self {
            command: EndedCommand {
                command_id: CommandId(row.get(0)?),
                conversation_id: ConversationId(row.get(1)?),
                initiator_id: row.get::<Option<_>>(2)?.map(CommandId),
                attempts: row.get(3)?,
            },
            plan: row.get(4)?,
            run: row.get(5)?,
            epoch: row.get(6)?,
            requeued: row.get(7)?,
            is_stuck: is_taken_over
                && vanished >= MAX_TAKE_OVERS
                && u128::from(stuck_ms) >= STUCK.as_millis(),
        })
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
