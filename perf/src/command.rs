//! The command line: what is measured, and how it is told.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use thiserror::Error;
use tick_sdk::rabbitmq::{BrokerError, BrokerUrl, bodies as sdk_bodies};

use crate::args::{BrokerArgs, LedgerArgs, LoadArgs, OutputArgs};
use crate::bodies::{self, BodiesArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::budget::{self, BudgetArgs, BudgetError};
use crate::capacity::{self, CapacityArgs, CapacityError};
use crate::compare::{self, CompareArgs, CompareError};
use crate::embedded::Embedded;
use crate::feeds::{Feeds, FeedsError, Part, find_strategy};
use crate::ledger_load::{self, LedgerLoadArgs};
use crate::live::{Live, LiveError};
use crate::outcome::{Knee, Outcome, SCHEMA, Step};
use crate::peers::{self, PeersArgs, PeersError};
use crate::rates::{Rates, Search};
use crate::step::StepPlan;
use crate::vary::Vary;
use crate::{environment, is_carried, latency_stage, limits, table};

/// Options of `orchard perf`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PerfArgs {
    #[command(subcommand)]
    workload: Workload,
}

const AFTER_HELP: &str = "\
Examples:
  orchard perf embedded                                    as fast as it goes in one process
  orchard perf broker                                      over RabbitMQ, to signals in the ledger
  orchard perf broker --rate 100K                          open loop: latency from when a tick was due
  orchard perf broker --rate 1K..1M x2 --html knee.html    where does it stop?
  orchard perf bodies --body-bytes 320K                    the transport by itself";

#[derive(Debug, Subcommand)]
enum Workload {
    /// File → broker → strategy → committed
    Broker(FeedLoad),
    /// File → broker, confirmed; nobody consumes
    Ingest(FeedLoad),
    /// Full queues → strategy → committed
    Consume(FeedLoad),
    /// File → strategies → committed, in this process
    Embedded(EmbeddedLoad),
    /// Commits to a ledger, one after the other
    Ledger(LedgerLoad),
    /// Opaque bodies through a broker: what the transport carries by itself
    Bodies(BodiesLoad),
    /// How fast this machine reads and copies memory
    Memory(OutputArgs),
    /// What loopback TCP carries on this machine
    Loopback(OutputArgs),
    /// How many messages/s these brokers carry in time, for `ingest` and `plan`
    Budget(BudgetArgs),
    /// Simulate a feed that this machine cannot carry: what is busy, what waits, what breaks first
    Capacity(CapacityArgs),
    /// The same work by other libraries and brokers, in alternation with ours
    Peers(PeersArgs),
    /// Set two results of --json side by side
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
struct FeedLoad {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct EmbeddedLoad {
    #[command(flatten)]
    load: LoadArgs,
    /// Threads that run strategies, at most [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Load")]
    threads: Option<u16>,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct LedgerLoad {
    #[command(flatten)]
    load: LedgerLoadArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct BodiesLoad {
    #[command(flatten)]
    load: BodiesArgs,
    /// The broker [default: ORCHARD_TEST_AMQP]
    #[arg(long, value_name = "URL", help_heading = "Broker")]
    broker: Option<BrokerUrl>,
    #[command(flatten)]
    output: OutputArgs,
}

/// A measurement that came to nothing.
#[derive(Debug, Error)]
pub enum PerfError {
    /// What a user got wrong on the command line.
    #[error("{0}")]
    Usage(String),
    /// A feed or a host.
    #[error(transparent)]
    Feeds(Box<FeedsError>),
    /// A broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A log, or Prometheus.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A budget that cannot be measured.
    #[error(transparent)]
    Budget(BudgetError),
    /// A feed that cannot be simulated.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// Peers that cannot be run.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// Results that cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A socket of this machine.
    #[error("loopback TCP cannot be measured: {0}")]
    Loopback(#[source] std::io::Error),
    /// There is no room for what is sent.
    #[error("no temporary folder can be made: {0}\n  set TMPDIR to a folder with room")]
    Folder(#[source] std::io::Error),
    /// A file of results.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Standard output.
    #[error("the results cannot be written: {0}")]
    Print(#[from] std::io::Error),
}

impl From<FeedsError> for PerfError {
    fn from(error: FeedsError) -> Self {
        match error {
            FeedsError::Strategy { .. } => Self::Usage(error.to_string()),
            error => Self::Feeds(Box::new(error)),
        }
    }
}

impl From<BudgetError> for PerfError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Usage(problem) => Self::Usage(problem),
            error => Self::Budget(error),
        }
    }
}

/// Measures what `args` say, until it is done or `stop` is set.
///
/// # Errors
/// A server is not there, something fails on the way, or results cannot be written.
pub fn run(args: &PerfArgs, stop: &AtomicBool) -> Result<(), PerfError> {
    match &args.workload {
        Workload::Broker(load) => feeds("broker", Part::Whole, load, stop),
        Workload::Ingest(load) => feeds("ingest", Part::Ingest, load, stop),
        Workload::Consume(load) => feeds("consume", Part::Consume, load, stop),
        Workload::Embedded(load) => embedded(load, stop),
        Workload::Ledger(LedgerLoad { load, ledger, output }) => {
            let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
            let mut session = Session::open("ledger", output, stop)?;
            let ledger = session.ledger(ledger, &folder);
            session.set("lanes", load.lanes);
            session.set("signals", load.signals);
            session.set("keys", load.keys);
            let step = ledger_load::step(&ledger, load, stop)?;
            session.finish(vec![step], None)
        }
        Workload::Bodies(BodiesLoad { load, broker, output }) => {
            let named = BrokerArgs::default_brokers(broker.clone()).map_err(PerfError::Usage)?;
            let mut session = Session::open("bodies", output, stop)?;
            session.brokers(&named)?;
            session.set("body-bytes", load.body_bytes);
            session.set("window", load.window);
            session.set("queues", load.queues);
            let metrics = BrokerMetrics::new(BrokerArgs::default_metrics(broker.is_some()));
            let step = bodies::step(&named[0], load, &metrics, &mut session.live, stop)?;
            session.finish(vec![step], None)
        }
        Workload::Budget(args) => Ok(budget::run(args, stop)?),
        Workload::Capacity(args) => Ok(capacity::run(args)?),
        Workload::Peers(args) => Ok(peers::run(args)?),
        Workload::Compare(args) => Ok(compare::run(args)?),
        Workload::Memory(output) => Session::open("memory", output, stop)?.finish(limits::memory(), None),
        Workload::Loopback(output) => {
            let session = Session::open("loopback", output, stop)?;
            session.finish(limits::loopback().map_err(PerfError::Loopback)?, None)
        }
    }
}

/// What a user got wrong is said before anything is measured or connected.
fn check(load: &LoadArgs) -> Result<(), PerfError> {
    load.rates().map_err(PerfError::Usage)?;
    load.instances_of().iter().try_for_each(|(_, kind)| find_strategy(kind).map(drop))?;
    Ok(())
}

fn feeds(name: &str, part: Part, load: &FeedLoad, stop: &AtomicBool) -> Result<(), PerfError> {
    let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
    check(&load.load)?;
    let brokers = load.broker.brokers().map_err(PerfError::Usage)?;
    if brokers.len() > usize::from(load.load.shards) {
        let (brokers, shards) = (brokers.len(), load.load.shards);
        return Err(PerfError::Usage(format!(
            "{brokers} brokers for --shards {shards}: each takes at least one shard"
        )));
    }
    if part == Part::Consume && !load.load.rate.is_empty() {
        return Err(PerfError::Usage("consume goes as fast as it can: leave --rate out".to_owned()));
    }
    let mut session = Session::open(name, &load.output, stop)?;
    session.brokers(&brokers)?;
    session.settings(load.broker.settings());
    let ledger = session.ledger(&load.ledger, &folder);
    let metrics = BrokerMetrics::new(load.broker.metrics());
    session.rates(&load.load, |plan, value, live| {
        let (mut ticks, mut options) = (load.load.clone(), load.broker.clone());
        set(value, &mut ticks, Some(&mut options))?;
        let (brokers, metrics, ledger) = (brokers.clone(), metrics.clone(), ledger.clone());
        let (load, options, folder) = (&ticks, &options, folder.path());
        Ok(Feeds { part, load, options, brokers, metrics, ledger, folder, stop }.step(plan, live)?)
    })
}

/// Sets what is varied, if anything is.
fn set(
    value: Option<(&Vary, u64)>,
    load: &mut LoadArgs,
    brokers: Option<&mut BrokerArgs>,
) -> Result<(), PerfError> {
    value.map_or(Ok(()), |(vary, value)| vary.set(value, load, brokers)).map_err(PerfError::Usage)
}

fn embedded(load: &EmbeddedLoad, stop: &AtomicBool) -> Result<(), PerfError> {
    let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
    check(&load.load)?;
    let mut session = Session::open("embedded", &load.output, stop)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = load.threads.map_or(cores, usize::from);
    session.set("threads", threads);
    // As `orchard replay` does, whatever servers there are.
    let ledger =
        load.ledger.state.clone().unwrap_or_else(|| folder.path().join("ledger").display().to_string());
    session.set("ledger", ledger_kind(&ledger));
    session.rates(&load.load, |plan, value, live| {
        let mut ticks = load.load.clone();
        set(value, &mut ticks, None)?;
        let (load, ledger, folder) = (&ticks, ledger.clone(), folder.path());
        Ok(Embedded { load, threads, ledger, folder, stop }.step(plan, live)?)
    })
}

fn ledger_kind(ledger: &str) -> &'static str {
    match ledger.split_once("://") {
        Some(_) => "PostgreSQL",
        None if ledger == "memory" => "memory",
        None => "SQLite",
    }
}

/// One measurement under way.
struct Session<'a> {
    outcome: Outcome,
    live: Live,
    output: &'a OutputArgs,
    stop: &'a AtomicBool,
}

impl<'a> Session<'a> {
    fn open(workload: &str, output: &'a OutputArgs, stop: &'a AtomicBool) -> Result<Self, PerfError> {
        let environment = environment::look();
        for warning in &environment.warnings {
            eprintln!("warning: {warning}");
        }
        let outcome =
            Outcome { schema: SCHEMA, workload: workload.to_owned(), environment, ..Outcome::default() };
        Ok(Self { outcome, live: Live::open(output)?, output, stop })
    }

    fn set(&mut self, name: &str, value: impl ToString) {
        self.outcome.settings.insert(name.to_owned(), value.to_string());
    }

    fn settings(&mut self, settings: BTreeMap<String, String>) {
        self.outcome.settings.extend(settings);
    }

    fn version(&mut self, name: &str, version: String) {
        self.outcome.environment.versions.insert(name.to_owned(), version);
    }

    fn brokers(&mut self, brokers: &[BrokerUrl]) -> Result<(), BrokerError> {
        self.set("nodes", brokers.len());
        let product = sdk_bodies::product(&brokers[0])?;
        if let Some((name, version)) = product.split_once(' ') {
            self.version(name, version.to_owned());
        }
        Ok(())
    }

    /// The ledger's URL or folder.
    fn ledger(&mut self, args: &LedgerArgs, folder: &tempfile::TempDir) -> String {
        let postgres = || std::env::var("ORCHARD_TEST_POSTGRES").ok();
        let temporary = || folder.path().join("ledger").display().to_string();
        let ledger = args.state.clone().or_else(postgres).unwrap_or_else(temporary);
        self.set("ledger", ledger_kind(&ledger));
        ledger
    }

    /// Measures one rate after the other.
    fn rates(
        mut self,
        load: &LoadArgs,
        mut measure: impl FnMut(StepPlan, Option<(&Vary, u64)>, &mut Live) -> Result<Step, PerfError>,
    ) -> Result<(), PerfError> {
        self.settings(load.settings());
        let rates = load.rates().map_err(PerfError::Usage)?;
        if let Some(vary) = &load.vary {
            self.set(vary.name(), vary.values());
            return self.vary(load, vary, rates, measure);
        }
        let Some(rates) = rates else {
            let step = measure(StepPlan::new(load, None), None, &mut self.live)?;
            return self.finish(vec![step], None);
        };
        let mut search = Search::new(rates);
        let mut steps: Vec<Step> = Vec::new();
        while let Some(rate) = search.next_rate().filter(|_| !self.stop.load(Ordering::Acquire)) {
            if matches!(rates, Rates::Ramp { .. }) {
                self.live.heading(&format!("{} ticks/s", crate::units::rate(rate)));
            }
            let step = measure(StepPlan::new(load, Some(rate)), None, &mut self.live)?;
            // One that was cut short says nothing of its rate.
            if !self.stop.load(Ordering::Acquire) {
                search.heed(is_carried(&step, rate, load.knee));
            }
            steps.push(step);
        }
        let (carried, refused) = search.knee();
        let has_knee = matches!(rates, Rates::Ramp { .. }) && (carried.is_some() || refused.is_some());
        let knee = has_knee.then(|| {
            let carried = carried.unwrap_or(0.0);
            let at = steps.iter().find(|step| step.offered == Some(carried));
            Knee { carried, p99: at.and_then(latency_stage).map_or(0, |stage| stage.p99), refused }
        });
        steps.sort_by(|a, b| a.offered.unwrap_or(0.0).total_cmp(&b.offered.unwrap_or(0.0)));
        self.finish(steps, knee)
    }

    /// One value of an option after the other, at one rate or at full speed.
    fn vary(
        mut self,
        load: &LoadArgs,
        vary: &Vary,
        rates: Option<Rates>,
        mut measure: impl FnMut(StepPlan, Option<(&Vary, u64)>, &mut Live) -> Result<Step, PerfError>,
    ) -> Result<(), PerfError> {
        let rate = match rates {
            None => None,
            Some(Rates::Fixed(rate)) => Some(rate),
            Some(Rates::Ramp { .. }) => {
                return Err(PerfError::Usage("--vary goes with one --rate, not with a ramp".to_owned()));
            }
        };
        let mut steps = Vec::new();
        for (name, value) in vary.steps() {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            self.live.heading(&name);
            let step = measure(StepPlan::new(load, rate), Some((vary, value)), &mut self.live)?;
            steps.push(Step { name, ..step });
        }
        self.finish(steps, None)
    }

    /// Tells the results.
    fn finish(mut self, steps: Vec<Step>, knee: Option<Knee>) -> Result<(), PerfError> {
        (self.outcome.steps, self.outcome.knee) = (steps, knee);
        if self.stop.load(Ordering::Acquire) {
            self.outcome.environment.warnings.push("it was interrupted before its end".to_owned());
        }
        self.live.close()?;
        if let Some(path) = &self.output.html {
            let written = std::fs::write(path, crate::page::render(&self.outcome));
            written.map_err(|source| PerfError::Write { path: path.clone(), source })?;
        }
        let text = match self.output.json {
            true => serde_json::to_string_pretty(&self.outcome).map_err(std::io::Error::from)? + "\n",
            false => table::text(&self.outcome),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}
