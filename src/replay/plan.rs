//! What is to be replayed.

use std::path::PathBuf;
use std::sync::Arc;

use strategy_host::host::Instance;
use strategy_host::paper::PaperRules;
use tick_feed::run::Manifest;
use tick_ingest::ReadOptions;
use tick_ingest::feed::{self, Pace, SourceSpec, TickSelection};
use tick_ingest::manifest::{self, Described};
use tick_sdk::groups::Groups;
use tick_sdk::names::StrategyName;

use super::signals::SignalOutput;
use super::trades::TradeSink;
use super::{PlanError, ReplayError, instance_without_groups};

/// Everything that decides what a replay does. [`ReplayPlan::new`] has the usual values.
pub struct ReplayPlan {
    /// Where ticks come from, in the order in which equal times are taken.
    pub sources: Vec<SourceSpec>,
    /// How each source is read. Its `read_bytes` and `stopped` are the replay's own.
    pub read: ReadOptions,
    /// Which ticks are taken.
    pub selection: TickSelection,
    /// Who sees them, each under a name of its own; see [`parse_strategies`](super::parse_strategies).
    pub strategies: Vec<Instance>,
    /// The text of a groups file, one `NAME = SYMBOL SYMBOL` a line; empty for none.
    pub groups: String,
    /// How the paper account fills signals, and what that costs.
    pub account: PaperRules,
    /// What percentages of the account are of, in 1e-9 of the quote unit; `None` for the notional: the first price of each
    /// instrument traded, summed.
    pub capital: Option<i128>,
    /// How fast.
    pub pace: Pace,
    /// How many shards instruments are split over, 1 to 1024; the signals do not depend on it.
    pub shards: u16,
    /// Ticks a frame, at most, 1 to 65,536; the signals do not depend on it.
    pub frame_ticks: u32,
    /// How many threads run strategies, at most; `None` is one a core.
    pub threads: Option<u16>,
    /// The folder of a ledger that is kept, so that the same plan resumes an interrupted run. With
    /// `None` a temporary one goes with the run.
    pub ledger: Option<PathBuf>,
    /// Who takes every signal in its final order; `None` for nobody.
    pub signals: Option<SignalOutput>,
    /// Who takes every round trip when the run has ended; `None` for nobody.
    pub trades: Option<Box<dyn TradeSink>>,
}

impl ReplayPlan {
    /// All ticks of these sources, as fast as they are taken, without a ledger that is kept.
    pub fn new(sources: Vec<SourceSpec>, strategies: Vec<Instance>) -> Self {
        Self {
            sources,
            read: ReadOptions::default(),
            selection: TickSelection::default(),
            strategies,
            groups: String::new(),
            account: PaperRules::default(),
            capital: None,
            pace: Pace::default(),
            shards: 1,
            frame_ticks: 4096,
            threads: None,
            ledger: None,
            signals: None,
            trades: None,
        }
    }

    /// The instances' names, in their order.
    pub(crate) fn names(&self) -> Vec<StrategyName> {
        self.strategies.iter().map(|instance| instance.name.clone()).collect()
    }

    /// Refuses what cannot be carried out; the groups, read.
    pub(crate) fn check(&self) -> Result<Arc<Groups>, PlanError> {
        if self.sources.is_empty() {
            return Err(PlanError::NoSources);
        }
        check_range("shards", self.shards.into(), 1024)?;
        check_range("frame_ticks", self.frame_ticks.into(), 65_536)?;
        check_range("threads", self.threads.unwrap_or(1).into(), 1024)?;
        feed::check(&self.sources, &self.selection)?;
        let groups: Groups = self.groups.parse().map_err(PlanError::Groups)?;
        self.check_strategies(&groups)?;
        Ok(Arc::new(groups))
    }

    fn check_strategies(&self, groups: &Groups) -> Result<(), PlanError> {
        let names = self.names();
        if names.is_empty() {
            return Err(PlanError::NoStrategies);
        }
        if let Some(place) = (1..names.len()).find(|&place| names[..place].contains(&names[place])) {
            return Err(PlanError::NameTwice { name: names[place].to_string() });
        }
        match instance_without_groups(&self.strategies, groups) {
            Some(instance) => Err(PlanError::NoGroups { strategy: instance.name.to_string() }),
            None => Ok(()),
        }
    }

    /// What is compared when the run is resumed; nothing where no ledger is kept.
    pub(super) fn manifest(&self) -> Result<Manifest, ReplayError> {
        if self.ledger.is_none() {
            return Ok(Manifest::default());
        }
        Ok(manifest::describe(&Described {
            sources: &self.sources,
            read: &self.read,
            selection: &self.selection,
            shards: self.shards,
            groups: &self.groups,
            is_logged: false,
        })?)
    }
}

fn check_range(what: &'static str, value: u64, most: u64) -> Result<(), PlanError> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(PlanError::Range { what, value, least: 1, most })
}
