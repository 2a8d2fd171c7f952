//! The ledger: signals, cursor and state of every (run, strategy, shard), committed together.
//!
//! It is what makes each tick have its effect once. A commit compares the claim's epoch and the
//! cursor with what is stored, so a host that lost its claim changes nothing.

use std::path::Path;
use std::time::Duration;

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

mod checkpoint;
mod error;
mod memory;
mod ordered;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
mod sqlite;

pub use error::LedgerError;
pub use memory::MemoryLedger;
pub use ordered::{NamedSignal, OrderedSignals, compare_signals};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLedger, PostgresStore};
pub use rows::{Claim, Commit, Identity, LaneId, LaneRow, MemberRow, OpenedRun, RunRow, StoredBatch};
pub use sqlite::SqliteLedger;

use rows::{compare_feeds, report_fenced};

/// Where signals, cursors and state are kept. SQLite serves one machine; memory serves tests, and
/// measurements of what the others cost.
pub trait Ledger: Send {
    /// Which ledger this is: a random text, made when the ledger was. All members of one strategy
    /// must have the same.
    fn id(&self) -> &str;

    /// What keeps it, with its version, as `PostgreSQL 15.8`; `memory` where nothing does.
    ///
    /// # Errors
    /// The store failed.
    fn product(&self) -> Result<String, LedgerError> {
        Ok("memory".to_owned())
    }

    /// The run of no feed that this ledger holds for the manifest: a new one, or the one begun before.
    ///
    /// # Errors
    /// It holds a run of another manifest.
    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError>;

    /// Records a run that an ingester named, or compares it with what was recorded first.
    ///
    /// # Errors
    /// The run was recorded with another feed or manifest.
    fn record_run(&mut self, run: RunId, feed: &str, manifest: &Manifest) -> Result<(), LedgerError>;

    /// The runs of a feed, the one recorded last first.
    ///
    /// # Errors
    /// The store failed, or holds what cannot be read.
    fn runs(&self, feed: &str) -> Result<Vec<RunRow>, LedgerError>;

    /// Records who a strategy's instance is, or compares with what was recorded first.
    ///
    /// # Errors
    /// The instance was another strategy, version or set of parameters.
    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError>;

    /// Claims a lane: from now on earlier claims commit nothing. A lane that was never claimed begins
    /// at `begins_at`, with nothing committed and no state.
    ///
    /// # Errors
    /// The store failed, or holds what cannot be read.
    fn claim(&mut self, lane: &LaneId, begins_at: u64) -> Result<Claim, LedgerError>;

    /// Commits all of them in one transaction; gives the places of those that were fenced off, of
    /// which nothing is stored.
    ///
    /// # Errors
    /// The store failed; nothing is stored.
    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError>;

    /// Every lane of a run, in order of (strategy, shard).
    ///
    /// # Errors
    /// The store failed.
    fn lanes(&self, run: RunId) -> Result<Vec<LaneRow>, LedgerError>;

    /// Up to `limit` signal batches of a lane that begin at or after `from_seq`, in order.
    ///
    /// # Errors
    /// The store failed.
    fn batches(&self, lane: &LaneId, from_seq: u64, limit: usize) -> Result<Vec<StoredBatch>, LedgerError>;

    /// Where the last batch of a lane begins that begins at or before a tick: the one that has its signals, if
    /// it has any.
    ///
    /// # Errors
    /// The store failed.
    fn batch_at(&self, lane: &LaneId, seq: u64) -> Result<Option<u64>, LedgerError>;

    /// The instruments of one shard, by id.
    ///
    /// # Errors
    /// The store failed.
    fn dictionary(&self, run: RunId, shard: u16) -> Result<Vec<NewInstrument>, LedgerError>;

    /// Records that this member of a strategy lives; gives the members that do, sorted, this one
    /// included. A member lives for [`MEMBER_LIVES`] after its last beat, by the ledger's own clock.
    ///
    /// It ends within [`MEMBER_CALL_TIMEOUT`], and is tried again by its caller only: whoever gets no
    /// beat through for [`MEMBER_LIVES`] must take itself for dead, as the others do by then.
    ///
    /// # Errors
    /// The store failed, or did not answer in time (which [`LedgerError::is_temporary`] says); then
    /// nothing is known of the others.
    fn beat(&mut self, run: RunId, strategy: &StrategyName, member: &str)
    -> Result<Vec<String>, LedgerError>;

    /// Forgets a member, so that others need not wait until it is seen to be dead. It ends within
    /// [`MEMBER_CALL_TIMEOUT`], as a beat does.
    ///
    /// # Errors
    /// The store failed, or did not answer in time: then the member is dead after [`MEMBER_LIVES`].
    fn leave(&mut self, run: RunId, strategy: &StrategyName, member: &str) -> Result<(), LedgerError>;

    /// From now on a call through this handle ends within `longest`, with a temporary error where the
    /// store is away or busy. Without it, a ledger on a server is waited for, for minutes; one that is
    /// never away need not do anything. Beats and leaves keep their own, shorter bound.
    fn set_call_timeout(&mut self, longest: Duration) {
        let _ = longest;
    }

    /// Every member of a run's strategies that is not forgotten, in order of (strategy, member).
    ///
    /// # Errors
    /// The store failed.
    fn members(&self, run: RunId) -> Result<Vec<MemberRow>, LedgerError>;

    /// Removes some of a run that nobody hosts any more, at most [`FORGOTTEN_AT_ONCE`] rows; whether there may be
    /// more of it. The run itself goes last, so that whoever is killed in between finds it again.
    ///
    /// # Errors
    /// The store failed.
    fn forget_run(&mut self, run: RunId) -> Result<bool, LedgerError> {
        let _ = run;
        Ok(false)
    }
}

/// So many rows of a run are removed in one step: signals of many ticks each, or states.
pub const FORGOTTEN_AT_ONCE: usize = 500;

/// How long a member lives after its last beat.
pub const MEMBER_LIVES: Duration = Duration::from_secs(3);

/// A beat that takes longer has failed: so a member can try again before it is taken for dead, and
/// finds out in time that it will be.
pub const MEMBER_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// A member that was silent for longer is forgotten at the next beat, so that crashed ones do not
/// gather.
pub const MEMBER_FORGOTTEN: Duration = Duration::from_secs(600);

/// Opens the ledger that a user names: a `postgres://` URL, or a folder for SQLite.
///
/// # Errors
/// It cannot be opened, or is not a ledger of this version.
pub fn open(text: &str) -> Result<Box<dyn Ledger>, LedgerError> {
    match text.split_once("://") {
        None => Ok(Box::new(SqliteLedger::open(Path::new(text))?)),
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => Ok(Box::new(PostgresLedger::open(text)?)),
        Some((scheme, _)) => Err(LedgerError::Scheme { scheme: scheme.to_owned() }),
    }
}

/// Opens a ledger that is there, for reading: nothing is made, and whoever writes to it is not
/// disturbed.
///
/// # Errors
/// There is none, it cannot be opened, or is not a ledger of this version.
pub fn open_to_read(text: &str) -> Result<Box<dyn Ledger>, LedgerError> {
    if text.contains("://") { open(text) } else { Ok(Box::new(SqliteLedger::open_to_read(Path::new(text))?)) }
}

#[cfg(test)]
mod conformance;
