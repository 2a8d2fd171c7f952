//! The position of an ingester's run, in one small file, so that the run can be resumed after a kill.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tick_feed::atomic_file;
use tick_feed::budget::{Budget, place_shards};
use tick_feed::rabbitmq::publisher::{ShardStart, Snapshot, StrategyProgress};
use tick_feed::run::Manifest;
use tick_sdk::names::{RunId, StrategyName};

use super::{Begin, FeedStrategy, IngestPlan, StateError};

/// The version of the file that is written and read.
const VERSION: u32 = 2;

/// A resumed run's attempts begin so far above those that were written: a killed ingester may have begun
/// some more since.
const ATTEMPTS_SINCE: u32 = 1 << 16;

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    version: u32,
    pub(super) run: RunId,
    manifest: String,
    /// Where each shard goes on: everything before it was confirmed.
    pub(super) shards: Vec<ShardStart>,
    pub(super) strategies: Vec<StrategyProgress>,
    /// Shards are where it places them, and stay there.
    budget: String,
    /// The run has ended.
    closed: bool,
}

/// The run that is published, and the folder with its record.
pub(super) struct OpenedState {
    pub(super) folder: PathBuf,
    pub(super) record: RunRecord,
    /// The run that the folder had before, and that has ended.
    pub(super) ended: Option<RunId>,
}

/// The run whose position a folder keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedRun {
    /// The run.
    pub run: RunId,
    /// Every required strategy has committed to its end, so that it is not resumed.
    pub has_ended: bool,
    /// Its strategies, those that have left not among them.
    pub strategies: Vec<StrategyName>,
    /// How many shards it has.
    pub shards: u16,
}

/// The run whose position is kept in this folder, if there is one.
///
/// # Errors
/// What is there cannot be read, or is another version's.
pub fn recorded(folder: &Path) -> Result<Option<RecordedRun>, StateError> {
    Ok(read(folder)?.map(|record| RecordedRun {
        run: record.run,
        has_ended: record.closed,
        strategies: record.strategies.into_iter().map(|strategy| strategy.state.name).collect(),
        shards: record.shards.len() as u16,
    }))
}

/// Reads which run the folder has, and checks it against the plan.
pub(super) fn open(plan: &IngestPlan, manifest: &Manifest) -> Result<OpenedState, StateError> {
    let folder = plan.state.clone();
    let known = read(&folder)?;
    let ended = known.as_ref().filter(|known| known.closed).map(|known| known.run);
    let record = match (plan.begin, known) {
        (Begin::Resume(run), Some(known)) if known.run == run => resume(plan, known, manifest)?,
        (Begin::Resume(run), Some(known)) => {
            return Err(StateError::OtherRun { folder, found: known.run, run });
        }
        (Begin::Resume(run), None) => return Err(StateError::NoRun { folder, run }),
        (Begin::New, Some(known)) if !known.closed => {
            return Err(StateError::RunNotEnded { folder, run: known.run });
        }
        (Begin::New | Begin::Replace, _) => begin(plan, manifest),
    };
    Ok(OpenedState { folder, record, ended })
}

fn begin(plan: &IngestPlan, manifest: &Manifest) -> RunRecord {
    let strategy = |strategy: &FeedStrategy| {
        StrategyProgress::from_start(strategy.name.clone(), strategy.is_required, plan.shards)
    };
    RunRecord {
        version: VERSION,
        run: RunId::random(),
        manifest: manifest.to_string(),
        shards: vec![ShardStart::default(); usize::from(plan.shards)],
        strategies: plan.strategies.iter().map(strategy).collect(),
        budget: plan.budget.clone().unwrap_or_default().to_string(),
        closed: false,
    }
}

fn resume(plan: &IngestPlan, mut known: RunRecord, manifest: &Manifest) -> Result<RunRecord, StateError> {
    let run = known.run;
    if known.closed {
        return Err(StateError::RunHasEnded { run });
    }
    let before: Manifest = known.manifest.parse().unwrap_or_default();
    if let Some(difference) = before.difference(manifest) {
        return Err(StateError::ManifestDiffers { run, difference });
    }
    for FeedStrategy { name, is_required } in &plan.strategies {
        let strategy = known.strategies.iter_mut().find(|known| known.state.name == *name);
        let Some(strategy) = strategy else {
            return Err(StateError::NewStrategy { run, strategy: name.clone() });
        };
        strategy.state.required = *is_required;
    }
    if let Some(budget) = &plan.budget {
        let nodes = plan.brokers.len();
        let places = |budget: &Budget| place_shards(plan.shards, &budget.weights(nodes));
        let begun = known.budget()?;
        if places(budget) != places(&begun) {
            return Err(StateError::BudgetMovesShards { run, begun, budget: budget.clone() });
        }
        known.budget = budget.to_string();
    }
    known.shards.iter_mut().for_each(|shard| shard.attempt += ATTEMPTS_SINCE);
    Ok(known)
}

fn read(folder: &Path) -> Result<Option<RunRecord>, StateError> {
    let path = folder.join("run");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path, source }),
    };
    let record: RunRecord = match serde_json::from_slice(&text) {
        Ok(record) => record,
        Err(source) => return Err(StateError::Record { path, source }),
    };
    if record.version != VERSION {
        return Err(StateError::RecordVersion { path, found: record.version, known: VERSION });
    }
    Ok(Some(record))
}

impl RunRecord {
    /// Messages a second for each broker.
    pub(super) fn budget(&self) -> Result<Budget, StateError> {
        self.budget.parse().map_err(|reason| StateError::RecordBudget { run: self.run, reason })
    }
}

impl OpenedState {
    /// The run's manifest, as text.
    pub(super) fn manifest(&self) -> &str {
        &self.record.manifest
    }

    /// Whether hosts are to be told of strategies what is not written yet.
    pub(super) fn lacks(&self, now: &Snapshot) -> bool {
        let written = self.record.strategies.iter().map(|strategy| &strategy.state);
        now.strategies.iter().map(|strategy| &strategy.state).ne(written)
    }

    /// Writes how far everything is, and whether the run has ended.
    pub(super) fn save(&mut self, snapshot: Option<&Snapshot>, closed: bool) -> Result<(), StateError> {
        if let Some(snapshot) = snapshot {
            let start = |shard: &tick_feed::rabbitmq::publisher::ShardSnapshot| ShardStart {
                position: shard.confirmed,
                attempt: shard.attempt,
            };
            self.record.shards = snapshot.shards.iter().map(start).collect();
            self.record.strategies.clone_from(&snapshot.strategies);
        }
        self.record.closed = closed;
        let path = self.folder.join("run");
        let written = serde_json::to_vec_pretty(&self.record).map_err(io::Error::from);
        let written = written.and_then(|text| atomic_file::write(&path, &text));
        written.map_err(|source| StateError::Write { path, source })
    }
}
