//! What an ingester keeps of its run, so that a killed one goes on: one small file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tick_feed::atomic_file;
use tick_feed::budget::{Budget, place_shards};
use tick_feed::rabbitmq::publisher::{ShardStart, Snapshot, StrategyProgress};
use tick_feed::run::Manifest;
use tick_sdk::names::RunId;

use super::IngestArgs;
use crate::budget;

/// The version of the file that is written and read.
const VERSION: u32 = 2;

/// A resumed run's attempts begin so far above those that were written down: a killed ingester may
/// have begun some more since.
const ATTEMPTS_SINCE: u32 = 1 << 16;

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    version: u32,
    pub(super) run: RunId,
    manifest: String,
    /// Where each shard goes on: everything before was confirmed.
    pub(super) shards: Vec<ShardStart>,
    pub(super) strategies: Vec<StrategyProgress>,
    /// Shards are where it places them, and stay there.
    budget: String,
    /// The run has ended, or was given up.
    closed: bool,
}

/// The run that is to be published, and where that is kept.
pub(super) struct OpenedState {
    pub(super) folder: PathBuf,
    pub(super) record: RunRecord,
}

/// Looks which run is to be published.
pub(super) fn open(args: &IngestArgs, manifest: &Manifest) -> Result<OpenedState> {
    let folder = args.state_folder();
    let known = read(&folder)?;
    let record = match (args.resume, known) {
        (Some(run), Some(known)) if known.run == run => resume(args, known, manifest)?,
        (Some(run), Some(known)) => bail!(
            "{} holds run {}, not {run}\n  name the folder that the run was begun with by --state",
            folder.display(),
            known.run
        ),
        (Some(run), None) => bail!(
            "{} holds no run, so {run} cannot be resumed\n  name the folder that it was begun with by --state",
            folder.display()
        ),
        (None, Some(known)) if !known.closed && !args.new => bail!(
            "{} holds run {}, which has not ended\n  go on with it by --resume {}, or abandon it by --new",
            folder.display(),
            known.run,
            known.run
        ),
        (None, _) => begin(args, manifest)?,
    };
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(OpenedState { folder, record })
}

fn begin(args: &IngestArgs, manifest: &Manifest) -> Result<RunRecord> {
    let shards = args.shards;
    let strategy = |wanted: &super::args::WantedStrategy| {
        StrategyProgress::from_start(wanted.name.clone(), wanted.required, shards)
    };
    Ok(RunRecord {
        version: VERSION,
        run: RunId::random(),
        manifest: manifest.to_string(),
        shards: vec![ShardStart::default(); usize::from(shards)],
        strategies: args.strategies.iter().map(strategy).collect(),
        budget: budget::or_measured(args.budget.as_ref())?.to_string(),
        closed: false,
    })
}

fn resume(args: &IngestArgs, mut known: RunRecord, manifest: &Manifest) -> Result<RunRecord> {
    if known.closed {
        bail!("run {} has ended; leave --resume out to begin another", known.run);
    }
    let before: Manifest = known.manifest.parse().unwrap_or_default();
    if let Some(difference) = before.difference(manifest) {
        bail!(
            "run {} cannot go on: {difference}\n  resume it with the same files and options, or begin another by --new",
            known.run
        );
    }
    for wanted in &args.strategies {
        let strategy = known.strategies.iter_mut().find(|known| known.state.name == wanted.name);
        let Some(strategy) = strategy else {
            bail!(
                "run {} was begun without strategy {}\n  leave it out, and let it join by `orchard run --from start`",
                known.run,
                wanted.name
            );
        };
        strategy.state.required = wanted.required;
    }
    if let Some(budget) = &args.budget {
        let nodes = args.broker.len();
        let places = |budget: &Budget| place_shards(args.shards, &budget.weights(nodes));
        if places(budget) != places(&known.budget()?) {
            bail!(
                "run {} was begun with --budget {}, and with {budget} its shards would change brokers\n  \
                 leave --budget out",
                known.run,
                known.budget
            );
        }
        known.budget = budget.to_string();
    }
    known.shards.iter_mut().for_each(|shard| shard.attempt += ATTEMPTS_SINCE);
    Ok(known)
}

fn read(folder: &Path) -> Result<Option<RunRecord>> {
    let path = folder.join("run");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let advice = || format!("{} is no record of a run: remove it to begin another", path.display());
    let record: RunRecord = serde_json::from_slice(&text).with_context(advice)?;
    if record.version != VERSION {
        let found = record.version;
        bail!("{} is of version {found}, and this program reads {VERSION}", path.display());
    }
    Ok(Some(record))
}

impl RunRecord {
    /// Messages a second for each broker.
    pub(super) fn budget(&self) -> Result<Budget> {
        self.budget.parse().map_err(|reason| anyhow!("the record of run {}: {reason}", self.run))
    }
}

impl OpenedState {
    pub(super) fn manifest(&self) -> &str {
        &self.record.manifest
    }

    /// Writes down how far everything is.
    pub(super) fn save(&mut self, snapshot: Option<&Snapshot>, closed: bool) -> Result<()> {
        if let Some(snapshot) = snapshot {
            let start = |shard: &tick_feed::rabbitmq::publisher::ShardSnapshot| ShardStart {
                position: shard.confirmed,
                attempt: shard.attempt,
            };
            self.record.shards = snapshot.shards.iter().map(start).collect();
            self.record.strategies.clone_from(&snapshot.strategies);
        }
        self.record.closed = closed;
        self.write().with_context(|| format!("writing {}", self.folder.join("run").display()))
    }

    fn write(&self) -> Result<()> {
        Ok(atomic_file::replace(&self.folder.join("run"), &serde_json::to_vec_pretty(&self.record)?)?)
    }
}
