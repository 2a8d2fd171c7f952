//! The command line: what is measured, and how results are shown.

use std::sync::atomic::AtomicBool;

use clap::{Args, Subcommand};
use tick_feed::rabbitmq::BrokerUrl;

use crate::args::{BrokerArgs, LedgerArgs, LoadArgs, OutputArgs};
use crate::bodies::{self, BodiesArgs};
use crate::broker_metrics::BrokerMetrics;
use crate::budget::{self, BudgetArgs};
use crate::capacity::{self, CapacityArgs};
use crate::commands::beside::{self, BesideArgs};
use crate::commands::{self, CommandsArgs};
use crate::compare::{self, CompareArgs};
use crate::embedded::Embedded;
use crate::error::PerfError;
use crate::feeds::{Feeds, Part, find_strategy};
use crate::hubs::{self, HubsArgs};
use crate::ledger_load::{self, LedgerLoadArgs};
use crate::limits;
use crate::peers::{self, PeersArgs};
use crate::session::Session;
use crate::vary::{Knob, Vary};
use crate::viewers::{self, ViewersArgs};

/// Options of `perf`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PerfArgs {
    #[command(subcommand)]
    workload: Workload,
}

const AFTER_HELP: &str = "\
Examples:
  perf embedded                                    as fast as it goes in one process
  perf broker                                      over RabbitMQ, to signals in the ledger
  perf broker --rate 100K                          open loop: latency from when a tick was due
  perf broker --rate 1K..1M x2 --html knee.html    where does it stop?
  perf bodies --body-bytes 320K                    the transport by itself";

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
    /// Commands over HTTP on SQLite, or with --broker over RabbitMQ on PostgreSQL: accepted, handled, completed, read, each beside its limit
    Commands(CommandsArgs),
    /// A feed at one rate without commands and with them on the same broker, in turn: what they cost it
    Beside(BesideArgs),
    /// A hub's updates to all of its clients, beside the limit of one core in the same run
    Hubs(HubsArgs),
    /// A feed at one rate while nobody looks on, with viewers of its prices and signals, and with some that never read
    Viewers(ViewersArgs),
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

/// Measures what `args` say; ends early when `stop` is set.
///
/// # Errors
/// A server is not there, something fails meanwhile, or results cannot be written.
pub fn run(args: &PerfArgs, stop: &AtomicBool) -> Result<(), PerfError> {
    match &args.workload {
        Workload::Broker(load) => feeds("broker", Part::Whole, load, stop),
        Workload::Ingest(load) => feeds("ingest", Part::Ingest, load, stop),
        Workload::Consume(load) => feeds("consume", Part::Consume, load, stop),
        Workload::Embedded(load) => embedded(load, stop),
        Workload::Ledger(LedgerLoad { load, ledger, output }) => {
            let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
            let mut session = Session::open("ledger", output, None, stop)?;
            let ledger = session.ledger(ledger, &folder)?;
            session.set("lanes", load.lanes);
            session.set("signals", load.signals);
            session.set("keys", load.keys);
            let step = ledger_load::step(&ledger, load, stop)?;
            session.finish(vec![step], None)
        }
        Workload::Bodies(BodiesLoad { load, broker, output }) => {
            let named = BrokerArgs::default_brokers(broker.clone()).map_err(PerfError::Usage)?;
            let mut session = Session::open("bodies", output, None, stop)?;
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
        Workload::Commands(args) => Ok(commands::run(args)?),
        Workload::Beside(args) => beside::run(args, stop),
        Workload::Viewers(args) => viewers::run(args, stop),
        Workload::Hubs(args) => Ok(hubs::run(args)?),
        Workload::Compare(args) => Ok(compare::run(args)?),
        Workload::Memory(output) => {
            Session::open("memory", output, None, stop)?.finish(limits::memory(), None)
        }
        Workload::Loopback(output) => {
            let session = Session::open("loopback", output, None, stop)?;
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
    let mut session = Session::open(name, &load.output, load.load.input.as_deref(), stop)?;
    session.brokers(&brokers)?;
    session.settings(load.broker.settings());
    let ledger = session.ledger(&load.ledger, &folder)?;
    let metrics = BrokerMetrics::new(load.broker.metrics());
    session.rates(&load.load, |plan, value, live| {
        let (mut ticks, mut options) = (load.load.clone(), load.broker.clone());
        set(value, &mut ticks, Some(&mut options))?;
        let (brokers, metrics, ledger) = (brokers.clone(), metrics.clone(), ledger.clone());
        let (load, options, folder) = (&ticks, &options, folder.path());
        Ok(Feeds { part, load, options, brokers, metrics, ledger, folder, onlooker: None, stop }
            .step(plan, live)?)
    })
}

/// Sets what is varied, if anything is; `brokers` is `None` where there are none.
fn set(
    value: Option<(&Vary, u64)>,
    load: &mut LoadArgs,
    brokers: Option<&mut BrokerArgs>,
) -> Result<(), PerfError> {
    let Some((vary, value)) = value else { return Ok(()) };
    match vary.option() {
        Knob::Instruments => load.instruments = value as u32,
        Knob::Shards => load.shards = value as u16,
        Knob::Strategies => load.strategies = vec![value.to_string()],
        Knob::FrameTicks => load.frame_ticks = Some(value as u32),
        Knob::FrameBytes => load.frame_bytes = value,
        of_brokers @ (Knob::Instances | Knob::Producers | Knob::PrefetchBytes | Knob::ConfirmWindow) => {
            let Some(brokers) = brokers else {
                return Err(PerfError::Usage(format!("--vary {}: there is no broker here", vary.name())));
            };
            match of_brokers {
                Knob::Instances => brokers.instances = value as u16,
                Knob::Producers => brokers.producers = value as u16,
                Knob::PrefetchBytes => brokers.prefetch_bytes = value,
                _ => brokers.confirm_window = value,
            }
        }
    }
    Ok(())
}

fn embedded(load: &EmbeddedLoad, stop: &AtomicBool) -> Result<(), PerfError> {
    let folder = tempfile::tempdir().map_err(PerfError::Folder)?;
    check(&load.load)?;
    let mut session = Session::open("embedded", &load.output, load.load.input.as_deref(), stop)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = load.threads.map_or(cores, usize::from);
    session.set("threads", threads);
    // As `orchard replay` does, whatever servers there are.
    let ledger =
        load.ledger.state.clone().unwrap_or_else(|| folder.path().join("ledger").display().to_string());
    session.note_ledger(&ledger)?;
    session.rates(&load.load, |plan, value, live| {
        let mut ticks = load.load.clone();
        set(value, &mut ticks, None)?;
        let (load, ledger, folder) = (&ticks, ledger.clone(), folder.path());
        Ok(Embedded { load, threads, ledger, folder, stop }.step(plan, live)?)
    })
}
