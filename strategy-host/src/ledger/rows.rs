//! What a ledger stores and gives.

use std::time::Duration;

use tick_feed::NewInstrument;
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};
use tracing::warn;

use super::error::LedgerError;

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
    pub(super) fn compare(&self, manifest: &Manifest) -> Result<(), LedgerError> {
        match self.manifest.difference(manifest) {
            Some(difference) => Err(LedgerError::OtherRun { difference }),
            None => Ok(()),
        }
    }
}

/// Reports the commits that were fenced off, as somebody else has claimed their lanes.
pub(super) fn report_fenced(commits: &[Commit], fenced: &[usize]) {
    for commit in fenced.iter().filter_map(|&place| commits.get(place)) {
        let LaneId { run, strategy, shard } = &commit.lane;
        let Commit { epoch, from_seq, .. } = commit;
        warn!(%run, %strategy, shard, epoch, from_seq, "a commit was fenced off: the lane has been claimed");
    }
}

/// Compares the feed that a run was recorded with, if any, with the one it is said to be of.
pub(super) fn compare_feeds(recorded: Option<&str>, feed: &str) -> Result<(), LedgerError> {
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
    pub(super) fn compare(&self, recorded: &Self) -> Result<(), LedgerError> {
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
