//! `perf peers`: the same work done by others, in alternation with ours.
//!
//! A peer is a folder with two scripts and its kind, so that one is added without a change here;
//! nothing of what they need enters our own lock file.

mod amount;
pub(crate) mod child;
mod embedded;
mod folder;
mod line;
mod ours;
mod rounds;
mod show;
mod signals;
mod transport;

use std::path::PathBuf;
use std::time::Duration;

use broker::{BrokerError, BrokerUrl};
use clap::Args;
use serde::Serialize;
use thiserror::Error;
use tick_sdk::quantity::parse_count;

use amount::parse_body_bytes;
use folder::Kind;
use ours::Ours;

use crate::args::BrokerArgs;
use crate::environment;
use crate::outcome::Environment;

/// Options of `perf peers`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct PeersArgs {
    /// The broker that all share, as amqp://user:password@host:port/vhost [default: ORCHARD_TEST_AMQP]
    #[arg(long, value_name = "URL")]
    pub(crate) broker: Option<String>,
    /// The folder with a folder for each peer
    #[arg(long, value_name = "DIR", default_value = "perf/peers")]
    pub(crate) peers: PathBuf,
    /// Where peers are built and installed
    #[arg(long, value_name = "DIR", default_value = "target/peers")]
    pub(crate) build: PathBuf,
    /// Only these peers
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Sizes of a message's body; 16K is 16 KiB
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "16K,64K,160K,320K,512K", value_parser = parse_body_bytes)]
    pub(crate) body_bytes: Vec<u64>,
    /// Millions of bytes that are published at each size, by each, in each round
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) megabytes: u64,
    /// Queues that get each body, with a consumer each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) queues: u64,
    /// How many times each takes its turn; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// Ticks of the generated market for those that play files
    #[arg(long, value_name = "N", default_value = "2M", value_parser = parse_count)]
    pub(crate) ticks: u64,
    /// How long one run may take before it is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// The result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Build and install the peers, and measure nothing
    #[arg(long)]
    pub(crate) setup_only: bool,
    /// Our side's program, instead of this one
    #[arg(long, value_name = "PROGRAM", hide = true)]
    pub(crate) program: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Rounds alternate: ours, then each peer, then the next round, so that what else the machine does meets all.
A peer that cannot be had or fails is left out, and the table says why.

Examples:
  perf peers --setup-only                        installs all that can be had
  perf peers --broker amqp://guest:guest@127.0.0.1:5672/%2f
  perf peers --only librabbitmq,lapin --body-bytes 320K --queues 3
  perf peers --only hftbacktest,nautilus --ticks 10M";

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum PeersError {
    /// There are no peers.
    #[error("there are no peers in {}: give their folder with --peers", dir.display())]
    NoPeers {
        /// Where they were looked for.
        dir: PathBuf,
        /// Why it cannot be read, if it cannot.
        source: Option<std::io::Error>,
    },
    /// A name after `--only`.
    #[error("there is no peer '{name}': there are {known}")]
    UnknownPeer {
        /// As it was given.
        name: String,
        /// What could have been given.
        known: String,
    },
    /// A folder of a peer has no valid `kind`.
    #[error("{} does not say 'transport', 'transport of a file' or 'embedded': write one of them into it", file.display())]
    NoKind {
        /// The file.
        file: PathBuf,
    },
    /// What the files say cannot be made.
    #[error("{what} cannot be written: see whether there is room and whether it may be written")]
    Unwritable {
        /// What it is.
        what: String,
        /// The system's message.
        source: std::io::Error,
    },
    /// Our own program cannot make or replay the market.
    #[error("orchard {command} failed, so there is nothing to compare with: {why}")]
    Ours {
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
    /// Transports share a broker, and none is named.
    #[error("{0}\n  or name with --only those that play ticks, which need none")]
    NoBroker(String),
    /// The shared broker is not there.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// What `--json` writes.
#[derive(Debug, Default, Serialize)]
struct Comparison {
    /// The form of this object.
    schema: u32,
    /// `peers`.
    workload: &'static str,
    /// Where, by what, and what was wrong with the circumstances.
    environment: Environment,
    /// Who cannot take part at all, and why.
    skipped: Vec<Skipped>,
    /// One for each size of a body.
    transport: Vec<transport::Size>,
    /// The generated market through Apple.
    embedded: Option<embedded::Market>,
}

/// A peer that could not be set up.
#[derive(Debug, Serialize)]
struct Skipped {
    name: String,
    why: String,
}

/// Sets the peers up, and measures them and ours in turn.
pub(crate) fn run(args: &PeersArgs) -> Result<(), PeersError> {
    let peers = folder::find(&args.peers, &args.only)?;
    let wants_broker = peers.iter().any(|peer| peer.kind != Kind::Embedded);
    let is_measured = wants_broker && !args.setup_only;
    let broker = is_measured.then(|| SharedBroker::find(args.broker.as_deref())).transpose()?;
    let mut comparison = Comparison { schema: 1, workload: "peers", ..Comparison::default() };
    let mut ready = Vec::new();
    for peer in peers {
        eprintln!("setting up {}", peer.name);
        match peer.set_up(&args.build) {
            Ok(peer) => ready.push(peer),
            Err(why) => comparison.skipped.push(Skipped { name: peer.name, why }),
        }
    }
    if args.setup_only {
        show::setups(&ready, &comparison, args.json);
        return Ok(());
    }
    comparison.environment = look(broker.as_ref());
    let ours = Ours::new(args.program.clone(), Duration::from_secs(args.timeout))?;
    let (embedded, transports): (Vec<_>, Vec<_>) = ready.iter().partition(|peer| peer.kind == Kind::Embedded);
    if let Some(SharedBroker { url, .. }) = broker.filter(|_| !transports.is_empty()) {
        comparison.transport = transport::measure(args, &url, &ours, &transports)?;
    }
    if !embedded.is_empty() {
        comparison.embedded = Some(embedded::measure(args, &ours, &embedded)?);
    }
    show::comparison(&comparison, args.json);
    Ok(())
}

/// The broker of the transports.
struct SharedBroker {
    /// With its login, as the peers take it.
    url: String,
    /// `RabbitMQ 3.10.8`.
    product: String,
}

impl SharedBroker {
    /// The named one, or the environment's first; it must answer.
    fn find(named: Option<&str>) -> Result<Self, PeersError> {
        let url = match named {
            Some(url) => url.to_owned(),
            None => BrokerArgs::environment_urls().map_err(PeersError::NoBroker)?.swap_remove(0),
        };
        let product = crate::bodies::product(&url.parse::<BrokerUrl>()?)?;
        Ok(Self { url, product })
    }
}

/// The circumstances, just before anything is measured.
fn look(broker: Option<&SharedBroker>) -> Environment {
    let mut environment = environment::look();
    for warning in &environment.warnings {
        eprintln!("warning: {warning}");
    }
    if let Some((name, version)) = broker.and_then(|broker| broker.product.split_once(' ')) {
        environment.versions.insert(name.to_owned(), version.to_owned());
    }
    environment
}
