//! The ledger: signals, cursor and state of every (run, strategy, shard), committed together.
//!
//! It is what makes each tick have its effect once. A commit compares the claim's epoch and the
//! cursor with what is stored, so a host that lost its claim changes nothing.

use std::path::Path;
use std::time::Duration;

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::{RunId, StrategyName};

mod checkpoint;
mod error;
mod memory;
mod ordered;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

pub use error::LedgerError;
pub use memory::MemoryLedger;
pub use ordered::{NamedSignal, OrderedSignals, compare_signals};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLedger, PostgresStore};
pub use sqlite::SqliteLedger;

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
}

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
/// It cannot be opened, or is no ledger of this version.
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

/// A run in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedRun {
    /// Its id.
    pub run: RunId,
    /// Whether it was there already.
    pub resumed: bool,
}

/// A run of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// What its ticks follow from.
    pub manifest: Manifest,
}

/// One strategy's instance on one shard of one run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// The run.
    pub run: RunId,
    /// The instance's name.
    pub strategy: StrategyName,
    /// The shard.
    pub shard: u16,
}

/// How far a lane has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRow {
    /// The lane.
    pub lane: LaneId,
    /// How many times it was claimed.
    pub epoch: u64,
    /// Signals of ticks before this are committed.
    pub cursor: u64,
    /// The ticks before this are in the stored state; at most `cursor`.
    pub state_seq: u64,
    /// Ticks of accepted gaps, all together.
    pub skipped: u64,
    /// Whether the run's end is committed.
    pub ended: bool,
}

/// A member of a strategy: one process that shares its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The strategy's instance.
    pub strategy: StrategyName,
    /// The member's name.
    pub member: String,
    /// How long ago its last beat was, by the ledger's clock.
    pub silent: Duration,
}

/// Who a strategy's instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The instance's name.
    pub name: StrategyName,
    /// The registered strategy.
    pub strategy: String,
    /// Its version, which stands for the layout of its state, too.
    pub version: u32,
    /// Every parameter with its value, as `name=value` separated by commas.
    pub params: String,
}

/// A lane as its new owner finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Every commit must carry it.
    pub epoch: u64,
    /// Signals of ticks before this are committed.
    pub cursor: u64,
    /// The ticks before this are in `states`; at most `cursor`.
    pub state_seq: u64,
    /// The end of the run is committed, too.
    pub ended: bool,
    /// The shard's instruments, by id.
    pub dictionary: Vec<NewInstrument>,
    /// Each key's stored state.
    pub states: Vec<(String, Vec<u8>)>,
}

/// What one lane commits at once.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The lane.
    pub lane: LaneId,
    /// The claim's epoch.
    pub epoch: u64,
    /// The committed cursor before.
    pub from_seq: u64,
    /// The committed cursor after.
    pub to_seq: u64,
    /// Signals of the ticks between, encoded; empty for none.
    pub signals: Vec<u8>,
    /// Instruments that appeared since the commit before.
    pub new_instruments: Vec<NewInstrument>,
    /// The states of the keys that changed since the last ones stored, as they are at `to_seq`.
    pub states: Option<Vec<(String, Vec<u8>)>>,
    /// Whether the run's end is included.
    pub ended: bool,
    /// Ticks of an accepted gap, which lie between `from_seq` and `to_seq` and nobody saw.
    pub skipped: u64,
}

/// One committed batch of signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Where it begins.
    pub from_seq: u64,
    /// Encoded signals.
    pub signals: Vec<u8>,
}

impl RunRow {
    /// Compares the manifest with what is asked for now; the error names the difference.
    fn compare(&self, manifest: &Manifest) -> Result<(), LedgerError> {
        match self.manifest.difference(manifest) {
            Some(difference) => Err(LedgerError::OtherRun { difference }),
            None => Ok(()),
        }
    }
}

/// Compares the feed that a run was recorded with, if any, with the one it is said to be of.
fn compare_feeds(recorded: Option<&str>, feed: &str) -> Result<(), LedgerError> {
    match recorded {
        Some(recorded) if recorded == feed => Ok(()),
        _ => {
            let recorded = recorded.unwrap_or("absent");
            let difference = format!("feed was {recorded}, and is now {feed}");
            Err(LedgerError::OtherRun { difference })
        }
    }
}

impl Identity {
    /// Compares with what was recorded first.
    ///
    /// # Errors
    /// They differ; the error names the difference.
    fn compare(&self, recorded: &Self) -> Result<(), LedgerError> {
        let pairs = [
            ("strategy", &recorded.strategy, &self.strategy),
            ("version", &recorded.version.to_string(), &self.version.to_string()),
            ("parameters", &recorded.params, &self.params),
        ];
        match pairs.into_iter().find(|(_, recorded, now)| recorded != now) {
            None => Ok(()),
            Some((what, recorded, now)) => Err(LedgerError::OtherIdentity {
                name: self.name.clone().into(),
                strategy: self.strategy.clone(),
                difference: format!("{what} {recorded}, and now has {now}"),
            }),
        }
    }
}

#[cfg(test)]
mod conformance;
