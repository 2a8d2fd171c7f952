//! The ledger: signals, cursor and state of every (run, strategy, shard), committed together.
//!
//! It is what makes each tick have its effect once. A commit compares the claim's epoch and the
//! cursor with what is stored, so a host that lost its claim changes nothing.

use thiserror::Error;
use tick_sdk::run::Manifest;
use tick_sdk::{NewInstrument, RunId};

mod memory;
mod ordered;
mod sqlite;

pub use memory::MemoryLedger;
pub use ordered::{NamedSignal, OrderedSignals, compare_signals};
pub use sqlite::SqliteLedger;

/// Where signals, cursors and state are kept. SQLite serves one machine; memory serves tests, and
/// measurements of what the others cost.
pub trait Ledger: Send {
    /// The run that this ledger holds for the manifest: a new one, or the one begun before.
    ///
    /// # Errors
    /// It holds a run of another manifest.
    fn open_run(&mut self, manifest: &Manifest) -> Result<OpenedRun, LedgerError>;

    /// Records who a strategy's instance is, or compares with what was recorded first.
    ///
    /// # Errors
    /// The instance was another strategy, version or set of parameters.
    fn identify(&mut self, run: RunId, identity: &Identity) -> Result<(), LedgerError>;

    /// Claims a lane: from now on earlier claims commit nothing.
    ///
    /// # Errors
    /// The store failed, or holds what cannot be read.
    fn claim(&mut self, lane: &LaneId) -> Result<Claim, LedgerError>;

    /// Commits all of them in one transaction; gives the places of those that were fenced off, of
    /// which nothing is stored.
    ///
    /// # Errors
    /// The store failed; nothing is stored.
    fn commit(&mut self, commits: &[Commit]) -> Result<Vec<usize>, LedgerError>;

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
}

/// A run in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedRun {
    /// Its id.
    pub run: RunId,
    /// Whether it was there already.
    pub resumed: bool,
}

/// One strategy's instance on one shard of one run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// The run.
    pub run: RunId,
    /// The instance's name.
    pub strategy: String,
    /// The shard.
    pub shard: u16,
}

/// Who a strategy's instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The instance's name.
    pub name: String,
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
}

/// One committed batch of signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Where it begins.
    pub from_seq: u64,
    /// Encoded signals.
    pub signals: Vec<u8>,
}

/// A ledger that cannot do what is asked.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database refused.
    #[error("the ledger {place}: {source}")]
    Sqlite {
        /// Which database.
        place: String,
        /// Its own words.
        source: rusqlite::Error,
    },
    /// The folder or file cannot be used.
    #[error("the ledger {place}: {source}")]
    Io {
        /// Which file.
        place: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// Written by another version of this program.
    #[error(
        "the ledger {place} has schema {found}, and this program reads {expected}: use another --state folder, or the program that wrote it"
    )]
    Schema {
        /// Which database.
        place: String,
        /// Its schema.
        found: i64,
        /// The one expected.
        expected: i64,
    },
    /// The ledger's run has another manifest.
    #[error(
        "the ledger holds a run in which {difference}\n  repeat that run's options to resume it, or use another --state folder"
    )]
    OtherRun {
        /// What is different.
        difference: String,
    },
    /// The instance was recorded as another.
    #[error(
        "strategy {name} was recorded with {difference}\n  give this one a name of its own (NAME={strategy}:…), or use another --state folder"
    )]
    OtherIdentity {
        /// The instance's name.
        name: String,
        /// The registered strategy.
        strategy: String,
        /// What is different.
        difference: String,
    },
    /// Stored values that make no sense.
    #[error("the ledger is damaged: {0}\n  use another --state folder")]
    Damaged(String),
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
                name: self.name.clone(),
                strategy: self.strategy.clone(),
                difference: format!("{what} {recorded}, and now has {now}"),
            }),
        }
    }
}

#[cfg(test)]
mod conformance;
