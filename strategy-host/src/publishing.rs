//! What a run commits, as events of the context `strategies`: its signals, and at its end its round trips, accounts and
//! curves.
//!
//! A ledger is written at the speed of ticks and knows nothing of the bus. [`SignalPublisher`] follows it: it
//! reads each lane's batches after the last signal that it published, and stores in one commit the events and
//! where it stands. Whatever is killed in between, every signal is in the log once. What a replay that is forgotten
//! has published is removed from the log again, in steps: it is noted where that stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::{Bus, EndedCommand, EventSource, StoreError, Tables, TablesError, WorkError, values};
use thiserror::Error;
use tick_sdk::contracts::strategies::STRATEGIES;
use tick_sdk::names::RunId;

use crate::ledger::{self, LaneId, Ledger, LedgerError};
use crate::paper::PaperResults;
pub(crate) use lanes::forget_lane;
pub use lanes::{feed_of_replay, lane_failed, lane_runs};
use pending::{Moved, Pending};
use tail::{Committed, LaneTail};

mod account;
mod curves;
mod forget;
mod lanes;
mod pending;
mod tail;
mod trades;

/// How far runs are published: each lane's last signal, and the runs whose accounts are. Where their events stand
/// in the log: the runs of each command, and each commit's first and last position. And what is forgotten, as long as
/// somebody may not know it: replays, and the events that say so of runs.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS published_lane (
    run BLOB NOT NULL,
    strategy TEXT NOT NULL,
    shard INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (run, strategy, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published_account (run BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published_run (
    replay_id BLOB NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (replay_id, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published_span (
    run BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (run, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten_replay (
    replay_id BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS forgotten_replay_at ON forgotten_replay (at_ms);
CREATE TABLE IF NOT EXISTS forgotten_run_event (
    position INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT;
";

/// All tables of what is published.
pub(crate) fn tables() -> String {
    [TABLES, lanes::TABLES, trades::TABLES].concat()
}

/// What could not be published. Whoever calls again goes on where the last commit was.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The bus was built without the context.
    #[error(
        "this process does not serve the context {STRATEGIES}: give its store to the bus when it is built"
    )]
    NotServed,
    /// Another publisher of the same run has published meanwhile. Nothing is doubled; where this one is called
    /// again it goes on after the other.
    #[error("another worker publishes run {run}, too: this one must stop")]
    Overtaken {
        /// The run.
        run: RunId,
    },
    /// The replay was forgotten while this publisher thought that it had it: nothing of it is to come back.
    #[error("run {run} is forgotten: its publisher must stop")]
    Forgotten {
        /// The run.
        run: RunId,
    },
    /// The run's ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The context's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The context's store is of another kind.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The context's tables cannot be read or written.
    #[error("the tables of the context {STRATEGIES}: {0}")]
    Tables(#[from] TablesError),
}

/// Publishes one run's signals while and after it runs, and its account at the end.
pub struct SignalPublisher {
    bus: Arc<Bus>,
    ledger: Box<dyn Ledger>,
    run: RunId,
    /// Those that the ledger has, as they come.
    lanes: Vec<LaneId>,
    /// Where each lane is read on; `None` when that must be looked up, as after a commit that failed.
    tails: Option<Vec<LaneTail>>,
    command: Option<EndedCommand>,
}

impl SignalPublisher {
    /// Follows a run's lanes in a ledger, the folder of one in SQLite or the `postgres://` URL of another. `command`
    /// is what the run was asked for by, where it was: the events carry its id.
    ///
    /// # Errors
    /// There is no ledger, or the bus does not serve the context `strategies`.
    pub fn open(
        bus: Arc<Bus>,
        ledger: &str,
        run: RunId,
        command: Option<EndedCommand>,
    ) -> Result<Self, PublishError> {
        if !bus.contexts().iter().any(|context| context == STRATEGIES) {
            return Err(PublishError::NotServed);
        }
        let ledger = ledger::open_to_read(ledger)?;
        Ok(Self { bus, ledger, run, lanes: Vec::new(), tails: None, command })
    }

    /// Publishes what was committed since the last call, and gives how many signals that is. What is committed
    /// while this call runs may be left to the next one.
    ///
    /// # Errors
    /// The ledger or the context's store failed; what was published before stays, and a later call goes on.
    pub fn publish_new(&mut self) -> Result<u64, PublishError> {
        self.publish_some(u64::MAX)
    }

    /// As [`SignalPublisher::publish_new`], but of each lane only about so many signals; the rest is left to later
    /// calls. For whoever must leave the processor to the run.
    ///
    /// # Errors
    /// As [`SignalPublisher::publish_new`].
    pub fn publish_some(&mut self, most_a_lane: u64) -> Result<u64, PublishError> {
        let committed = self.committed()?;
        let mut tails = self.tails.take().unwrap_or_else(|| {
            self.lanes.clear();
            Vec::new()
        });
        self.find_new_lanes(&committed, &mut tails)?;
        let mut published = 0;
        let mut pending = Pending::default();
        for (place, tail) in tails.iter_mut().enumerate() {
            let Some(&committed) = committed.get(&self.lanes[place]) else { continue };
            let lane = &self.lanes[place];
            let before = published + pending.signals();
            while published + pending.signals() - before < most_a_lane
                && tail.read_batch(&*self.ledger, lane, committed, place, &mut pending)?
            {
                if pending.is_full() {
                    published += self.commit(&mut pending)?;
                }
            }
            pending.end_of_lane();
        }
        published += self.commit(&mut pending)?;
        self.tails = Some(tails);
        Ok(published)
    }

    /// Publishes what is left, and each strategy's round trips, account and curves, once in a run however often this
    /// is called. Gives a position of the log of `strategies`: whoever has passed it has all events of the run.
    ///
    /// # Errors
    /// As [`SignalPublisher::publish_new`].
    pub fn finish(mut self, account: &PaperResults) -> Result<u64, PublishError> {
        self.publish_new()?;
        self.publish_trades(account)?;
        let Self { bus, run, command, .. } = self;
        bus.transaction(STRATEGIES, |work| {
            forget::begin(work, run, command.as_ref())?;
            let sql = "INSERT INTO published_account (run) VALUES ($1) ON CONFLICT DO NOTHING";
            let is_first = work.tables()?.execute(sql, &values![run.0])? == 1;
            if is_first {
                let before = work.position()?;
                account::events(run, account).iter().for_each(|event| work.publish(event));
                curves::events(run, account).iter().for_each(|event| work.publish(event));
                forget::note(work, run, command.as_ref(), before)?;
            }
            Ok(work.position()?)
        })
    }

    /// Whether every lane that the ledger has of the run has come to its end, and all of it is published.
    ///
    /// # Errors
    /// The ledger failed.
    pub(crate) fn has_ended(&self) -> Result<bool, PublishError> {
        let committed = self.committed()?;
        let tails = self.tails.iter().flatten();
        let read = self.lanes.iter().zip(tails).filter(|(lane, tail)| {
            committed.get(lane).is_some_and(|committed| committed.ended && tail.has_read(*committed))
        });
        Ok(!committed.is_empty() && read.count() == committed.len())
    }

    /// Up to where each lane had committed at the beginning of a call: what comes later is for the next, or a
    /// fast run would keep this one for as long as it lasts.
    fn committed(&self) -> Result<BTreeMap<LaneId, Committed>, LedgerError> {
        let lanes = self.ledger.lanes(self.run)?.into_iter();
        Ok(lanes.map(|row| (row.lane, Committed { cursor: row.cursor, ended: row.ended })).collect())
    }

    /// Lanes come when somebody claims them first, and never go.
    fn find_new_lanes(
        &mut self,
        committed: &BTreeMap<LaneId, Committed>,
        tails: &mut Vec<LaneTail>,
    ) -> Result<(), PublishError> {
        if committed.len() > self.lanes.len() {
            let known: BTreeSet<&LaneId> = self.lanes.iter().collect();
            let new: Vec<_> = committed.keys().filter(|lane| !known.contains(lane)).cloned().collect();
            tails.extend(self.find_tails(&new)?);
            self.lanes.extend(new);
        }
        Ok(())
    }

    fn find_tails(&self, lanes: &[LaneId]) -> Result<Vec<LaneTail>, PublishError> {
        let published: Vec<Option<(u64, u32)>> = self.bus.transaction(STRATEGIES, |work| {
            let sql = "SELECT seq, n FROM published_lane WHERE run = $1 AND strategy = $2 AND shard = $3";
            let tables = work.tables()?;
            let last = |lane: &LaneId| {
                let key = values![lane.run.0, lane.strategy.as_str(), lane.shard];
                let found = tables.query_first(sql, &key)?;
                Ok::<_, PublishError>(
                    found.map(|row| Ok::<_, TablesError>((row.get(0)?, row.get(1)?))).transpose()?,
                )
            };
            lanes.iter().map(last).collect()
        })?;
        let tails = lanes.iter().zip(published);
        tails.map(|(lane, published)| Ok(LaneTail::find(&*self.ledger, lane, published)?)).collect()
    }

    /// Stores what was gathered and where it ends: one commit.
    fn commit(&self, pending: &mut Pending) -> Result<u64, PublishError> {
        let pending = std::mem::take(pending);
        let published = pending.signals();
        if published == 0 {
            return Ok(0);
        }
        self.bus.transaction(STRATEGIES, |work| {
            forget::begin(work, self.run, self.command.as_ref())?;
            for (place, moved) in pending.moved() {
                move_lane(work.tables()?, &self.lanes[*place], *moved)?;
            }
            let before = work.position()?;
            pending.events(&self.lanes).for_each(|event| work.publish(&event));
            forget::note(work, self.run, self.command.as_ref(), before)?;
            Ok::<_, PublishError>(published)
        })
    }
}

/// Stores a lane's last published signal where it is the one that this publisher found: whoever lost the run to
/// another worker without knowing changes nothing.
fn move_lane(tables: &mut dyn Tables, lane: &LaneId, moved: Moved) -> Result<(), PublishError> {
    let sql = "INSERT INTO published_lane (run, strategy, shard, seq, n) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (run, strategy, shard) DO UPDATE SET seq = excluded.seq, n = excluded.n \
               WHERE published_lane.seq = $6 AND published_lane.n = $7";
    let Moved { before, after: (seq, n) } = moved;
    let before_seq = before.map(|(seq, _)| seq);
    let before_n = before.map(|(_, n)| n);
    let LaneId { run, strategy, shard } = lane;
    match tables.execute(sql, &values![run.0, strategy.as_str(), *shard, seq, n, before_seq, before_n])? {
        0 => Err(PublishError::Overtaken { run: *run }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
