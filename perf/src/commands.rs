//! What the control plane carries on this machine, load included: commands accepted, handled, completed,
//! documents read and made anew; each beside its limit.
//!
//! `--broker` measures the same over RabbitMQ and PostgreSQL, see [`broker`].
//!
//! The limit of handling is a loop over the same SQLite without a framework, in batches of the same size; that of
//! reads is a bare route that answers the same bytes from memory. Both are measured in the same run.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::broker::BrokerError;
use bus::{Bus, EventSource, SqliteStore, StartError, Store, StoreError};
use clap::Args;
use gateway::{Gateway, GatewayError, GatewayOptions, Limits, RateLimit};
use serde::Serialize;
use thiserror::Error;
use tick_sdk::quantity::{parse_count, parse_duration};

pub(crate) mod beside;
mod broker;
mod http;
mod load;
mod plain;
mod requests;
mod show;
mod shown;

use load::{Due, Loaded};

/// Options of `perf commands`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CommandsArgs {
    /// How many commands are handled, and by the plain loop
    #[arg(long, value_name = "N", default_value = "100K", value_parser = parse_count)]
    commands: u64,
    /// How long each load over HTTP takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    duration: Duration,
    /// Connections of the loads that go as fast as they can
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Everything as one JSON object on standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    over_broker: broker::OverBroker,
}

/// A measurement that came to nothing.
#[derive(Debug, Error)]
pub enum CommandsError {
    /// What a user got wrong on the command line.
    #[error("{0}")]
    Usage(String),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database.
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    /// The plain loop's file.
    #[error("the plain loop: {0}")]
    Plain(#[from] rusqlite::Error),
    /// A context's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// Making documents anew.
    #[error(transparent)]
    Rebuild(#[from] gateway::projections::RebuildError),
    /// A connection of the load, or standard output.
    #[error("a load over HTTP: {0}")]
    Io(#[from] io::Error),
    /// What was handled did not come to be seen.
    #[error(
        "after {seconds} s not every command had ended and could be read: something else loads the machine, or a bug"
    )]
    NotDone {
        /// How long it was waited for.
        seconds: u64,
    },
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    /// With inbox, events and documents.
    pub(crate) handled_per_s: f64,
    pub(crate) plain_loop_per_s: f64,
    pub(crate) handled_of_plain_loop: f64,
    pub(crate) handled_without_documents_per_s: f64,
    pub(crate) accepted_per_s: f64,
    pub(crate) accepted_p99_ms: f64,
    pub(crate) completed_p50_ms: f64,
    pub(crate) completed_p99_ms: f64,
    pub(crate) reads_per_s: f64,
    pub(crate) bare_reads_per_s: f64,
    pub(crate) reads_of_bare: f64,
    pub(crate) projected_per_s: f64,
    pub(crate) rebuilt_events: u64,
}

/// Commands in one transaction, of the bus and of the plain loop.
const BATCH: u64 = 100;
/// Accepted commands a second, for their latency.
const ACCEPT_RATE: f64 = 1_000.0;
/// Commands a second that are waited for to their end.
const COMPLETE_RATE: f64 = 200.0;
/// The file of documents.
const DOCUMENTS: &str = "read.sqlite";
/// Between looks whether it is there.
const LOOK: Duration = Duration::from_millis(5);
/// Whatever is waited for is there by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures, and prints.
///
/// # Errors
/// A file, a socket or the machine.
pub(crate) fn run(args: &CommandsArgs) -> Result<(), CommandsError> {
    if args.over_broker.broker.is_some() {
        return broker::run(&args.over_broker, args.commands, args.duration, args.json);
    }
    let folder = tempfile::tempdir()?;
    let measured = measure(args, folder.path())?;
    show::print(&measured, args.json)?;
    Ok(())
}

fn measure(args: &CommandsArgs, folder: &Path) -> Result<Measured, CommandsError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // In turn, so that neither has the machine at its better time.
    let first = plain::handled_per_s(&folder.join("plain-1.sqlite"), args.commands / 2, BATCH)?;
    let (handled_without_documents_per_s, handled_per_s) =
        runtime.block_on(handled(args.commands, folder))?;
    let second = plain::handled_per_s(&folder.join("plain-2.sqlite"), args.commands / 2, BATCH)?;
    let plain_loop_per_s = 2.0 / (1.0 / first + 1.0 / second);

    let place = folder.join("http");
    std::fs::create_dir(&place)?;
    let bus = Arc::new(start_bus(&place)?);
    let gateway = runtime.block_on(start_gateway(&bus, &place))?;
    let over_http = OverHttp { address: gateway.local_addr(), args };
    let accepted = over_http.accepted(Due::AtOnce, usize::from(args.connections))?;
    runtime.block_on(settled(&bus, gateway.local_addr()))?;
    let accepted_open = over_http.accepted(Due::PerSecond(ACCEPT_RATE), 64)?;
    runtime.block_on(settled(&bus, gateway.local_addr()))?;
    let completed = over_http.completed(Due::PerSecond(COMPLETE_RATE))?;
    let (path, body) = runtime.block_on(requests::any_user(gateway.local_addr()))?;
    let reads = over_http.reads(&path)?;
    let bare = runtime.block_on(requests::bare(body))?;
    let bare = OverHttp { address: bare, args }.reads("/")?;
    let rebuilt = runtime.block_on(gateway.rebuild())?;
    runtime.block_on(gateway.shutdown(Duration::from_secs(5)));
    Ok(Measured {
        handled_per_s,
        plain_loop_per_s,
        handled_of_plain_loop: handled_per_s / plain_loop_per_s,
        handled_without_documents_per_s,
        accepted_per_s: accepted.per_s,
        accepted_p99_ms: accepted_open.p99_ms(),
        completed_p50_ms: completed.p50_ms(),
        completed_p99_ms: completed.p99_ms(),
        reads_per_s: reads.per_s,
        bare_reads_per_s: bare.per_s,
        reads_of_bare: reads.per_s / bare.per_s,
        projected_per_s: rebuilt.events as f64 / rebuilt.elapsed.as_secs_f64(),
        rebuilt_events: rebuilt.events,
    })
}

/// Loads of one server.
struct OverHttp<'a> {
    address: SocketAddr,
    args: &'a CommandsArgs,
}

impl OverHttp<'_> {
    fn accepted(&self, due: Due, connections: usize) -> io::Result<Loaded> {
        load::run(self.address, connections, due, self.args.duration, |connection, number| {
            requests::create(connection, number)
        })
    }

    /// From when a command was due until its end is read.
    fn completed(&self, due: Due) -> io::Result<Loaded> {
        load::run(self.address, 64, due, self.args.duration, |connection, number| {
            requests::create_and_wait(connection, number)
        })
    }

    fn reads(&self, path: &str) -> io::Result<Loaded> {
        let request = Arc::new(http::get(self.address, path));
        let connections = usize::from(self.args.connections);
        load::run(self.address, connections, Due::AtOnce, self.args.duration, move |connection, _| {
            requests::ask(connection, request.clone())
        })
    }
}

fn start_bus(folder: &Path) -> Result<Bus, CommandsError> {
    let store = accounts::open(&folder.join("accounts.sqlite"))?;
    Ok(Bus::builder().context("accounts", store).start()?)
}

async fn start_gateway(bus: &Arc<Bus>, folder: &Path) -> Result<Gateway, GatewayError> {
    let options = GatewayOptions {
        documents: folder.join(DOCUMENTS).into(),
        listen: vec![([127, 0, 0, 1], 0).into()],
        // The load is one caller.
        limits: Limits { local: RateLimit::NONE, ..Limits::default() },
        ..GatewayOptions::default()
    };
    Gateway::start(bus.clone(), options).await
}

/// Commands that lie in the inbox, and are shown as accepted: how many a second are handled alone, and handled and
/// made into documents.
async fn handled(commands: u64, folder: &Path) -> Result<(f64, f64), CommandsError> {
    let mut rates = Vec::new();
    for with_documents in [false, true] {
        let place = folder.join(format!("handled-{with_documents}"));
        std::fs::create_dir(&place)?;
        let store: SqliteStore = accounts::open(&place.join("accounts.sqlite"))?;
        requests::fill(&store, commands)?;
        let accepted = store.head()?;
        if with_documents {
            shown::accepted(store, &place.join(DOCUMENTS))?;
        } else {
            drop(store);
        }
        let begin = Instant::now();
        let bus = Arc::new(start_bus(&place)?);
        let gateway = if with_documents { Some(start_gateway(&bus, &place).await?) } else { None };
        // One event for the user and one for the command's end.
        let last = accepted + 2 * commands;
        // Looked for now and then: who waits for the log is woken by each commit, on a processor that the lane needs.
        let until = begin + PATIENCE;
        while bus.head("accounts")? < last {
            if Instant::now() > until {
                return Err(CommandsError::NotDone { seconds: PATIENCE.as_secs() });
            }
            tokio::time::sleep(LOOK).await;
        }
        if let Some(gateway) = &gateway {
            settled(&bus, gateway.local_addr()).await?;
        }
        rates.push(commands as f64 / begin.elapsed().as_secs_f64());
    }
    Ok((rates[0], rates[1]))
}

/// Waits until every command has ended and every document is there.
async fn settled(bus: &Arc<Bus>, address: SocketAddr) -> Result<(), CommandsError> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if requests::has_settled(bus, address).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(CommandsError::NotDone { seconds: PATIENCE.as_secs() })
}
