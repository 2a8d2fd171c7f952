//! The control plane in one process: contexts on SQLite, workers that play replays, and the gateway over HTTP.
//!
//! A [`ServePlan`] goes in; [`start`] gives a [`Serving`], which accepts requests until [`Serving::stop`]. What
//! is killed on the way goes on at the next start with the same folder of state. Nothing here prints, reads the
//! command line or installs a signal handler.
//!
//! ```no_run
//! use std::time::Duration;
//! use orchard::serve::{self, ServePlan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let serving = serve::start(ServePlan::new("state", "captures"))?;
//! println!("{}", serving.address().unwrap_or_default());
//! let stopped = serving.stop(Duration::from_secs(10));
//! println!("{} replays go on at the next start", stopped.replays_given_back);
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::documents::DocumentError;
use gateway::projections::ProjectorError;
use gateway::projections::RebuildError;
use gateway::{
    CommandLookup, FailedMessages, Gateway, GatewayError, GatewayOptions, Limits, RebuildReport, TickLookup,
};
use thiserror::Error;
use tick_ingest::replays::{Captures, CapturesError, QueueError};
use tokio::runtime::{self, Runtime};
use triage::Sight;

mod backend;
mod config;
mod documents;
mod feed_player;
mod hosts;
mod key;
mod ledgers;
mod lookup;
mod outcome;
mod plan;
mod player;
mod playing;
mod publication;
mod reports;
mod roles;
mod state;
mod stores;
mod system;
mod task;
#[cfg(test)]
mod tests;
mod worker;

pub use config::{
    BrokerConfig, ConfigError, DocumentsConfig, GatewayConfig, HostsConfig, IngesterConfig, InvalidConfig,
    PREFIX, Queues, Role, Secret, ServeConfig, ServicesConfig,
};
pub use documents::DocumentsPlan;
pub use feed_player::FeedReplays;
pub use hosts::{HostsRole, HostsRolePlan};
pub use roles::{BrokerPlan, Roles};

use backend::Backend;
use documents::Kept;
use key::BootstrapKey;
use lookup::CaptureLookup;
use reports::Reports;
use state::StateFolder;
use system::SystemView;

/// Everything that decides what a server does. [`ServePlan::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct ServePlan {
    /// The folder of state, which is made where it is missing. One process has it at a time.
    pub state: PathBuf,
    /// What this process does.
    pub roles: Roles,
    /// The folder whose files may be replayed; whoever carries out replays needs it.
    pub captures: Option<PathBuf>,
    /// PostgreSQL, as `postgres://` URL, where the stores are that processes share. Without it they are files in the
    /// folder of state.
    pub database: Option<String>,
    /// Where the documents are that are read.
    pub documents: DocumentsPlan,
    /// The broker that carries commands and events; without it they stay in this process.
    pub broker: Option<BrokerPlan>,
    /// Where requests are accepted; port 0 for any that is free.
    pub listen: Vec<SocketAddr>,
    /// Names that the server has beside its addresses.
    pub names: Vec<String>,
    /// What requests may cost.
    pub limits: Limits,
    /// How many replays are played at once.
    pub replays: u16,
    /// A worker that is silent for so long has died, and another takes its replay over. It renews once a second.
    pub replay_lease: Duration,
    /// How they are played.
    pub play: Play,
    /// Which lanes of feeds are run by this process, beside the rest.
    pub hosts: Option<HostsRolePlan>,
    /// How long ended commands are remembered, and how many.
    pub retention: bus::Retention,
    /// The bootstrap key; `None` for the one of the folder, which is made at the first start.
    pub key: Option<String>,
    /// Whether requests of this machine need the key, too.
    pub is_key_required: bool,
    /// Whether documents that another version has written are made anew, where the server would not start;
    /// [`Serving::rebuild`] makes them anew in any case.
    pub rebuild: bool,
}

impl ServePlan {
    /// On 127.0.0.1:8090, which needs no key; one replay at once.
    pub fn new(state: impl Into<PathBuf>, captures: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            roles: Roles::ALONE,
            captures: Some(captures.into()),
            database: None,
            documents: DocumentsPlan::Own,
            broker: None,
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8090))],
            names: Vec::new(),
            limits: Limits::default(),
            replays: 1,
            replay_lease: Duration::from_secs(30),
            play: Play::default(),
            hosts: None,
            retention: bus::Retention::default(),
            key: None,
            is_key_required: false,
            rebuild: false,
        }
    }
}

/// How replays are played.
#[derive(Clone, Debug, Default)]
pub enum Play {
    /// In this process, each with a SQLite ledger of its own.
    #[default]
    InProcess,
    /// Through a feed of its own each, whose lanes processes with the role `hosts` run.
    Feed(FeedReplays),
}

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Something in the folder of state cannot be used.
    #[error("the state {place}: {source}")]
    State {
        /// Which file or folder.
        place: String,
        /// The system's words.
        source: io::Error,
    },
    /// Another process has the folder of state.
    #[error("the state {folder} is in use by process {holder}: stop that, or use another --state")]
    InUse {
        /// The folder.
        folder: String,
        /// The process's number.
        holder: String,
    },
    /// What was asked for does not fit together.
    #[error("{0}")]
    Plan(&'static str),
    /// The folder of captures cannot be used.
    #[error(transparent)]
    Captures(#[from] CapturesError),
    /// A context's store cannot be opened.
    #[error(transparent)]
    Store(#[from] bus::StoreError),
    /// Handlers and contracts do not fit.
    #[error(transparent)]
    Bus(#[from] bus::StartError),
    /// The replays that the last process left cannot be taken up.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The system gives no thread.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
    /// The gateway does not start.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The documents that processes share cannot be kept.
    #[error(transparent)]
    Projections(#[from] ProjectorError),
    /// The documents cannot be made anew.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The key that was given can be guessed, or cannot be sent.
    #[error("the key is too short, or has characters other than printable ASCII: give 16 or more of those")]
    Key,
}

/// A server that accepts requests. Dropped it ends as [`Serving::stop`] does, without waiting.
pub struct Serving {
    roles: Roles,
    documents: DocumentsPlan,
    made_key: Option<String>,
    captures: Option<PathBuf>,
    gateway: Option<Gateway>,
    runtime: Option<Runtime>,
    /// Documents that gateways of other processes read.
    kept: Option<Kept>,
    hosts: Option<HostsRole>,
    backend: Backend,
    state: StateFolder,
}

/// What stopping came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Replays that were not at their end: the next start goes on with them.
    pub replays_given_back: u32,
    /// Whether everything ended in time. What did not is as if it had been killed: nothing is lost.
    pub is_clean: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Opens the state, starts contexts, workers and gateway; when it returns, requests are accepted.
///
/// # Errors
/// The state or the captures cannot be used, or the address is taken.
pub fn start(plan: ServePlan) -> Result<Serving, ServeError> {
    check(&plan)?;
    let captures = plan.captures.as_deref().map(Captures::open).transpose()?;
    let state = StateFolder::open(&plan.state)?;
    let lookup = CommandLookup::default();
    let backend = Backend::start(&plan, &state, captures.as_ref(), &lookup)?;
    let hosts = plan.hosts.as_ref().filter(|_| plan.roles.hosts);
    let hosts = hosts.map(|hosts| HostsRole::start(hosts, &backend.bus.events(), Some(&backend.bus), |_| {}));
    let hosts = hosts.transpose().map_err(ServeError::Thread)?;
    let mut serving = Serving {
        roles: plan.roles,
        documents: plan.documents,
        made_key: None,
        captures: captures.as_ref().map(|captures| captures.folder().to_owned()),
        gateway: None,
        runtime: None,
        kept: Kept::start(&plan, &backend.bus.events())?,
        hosts,
        backend,
        state,
    };
    if plan.roles.gateway {
        serving.start_gateway(&plan, lookup)?;
    }
    serving.backend.wait_for_broker();
    Ok(serving)
}

/// Whether roles, database and broker fit together.
fn check(plan: &ServePlan) -> Result<(), ServeError> {
    let Roles { gateway, projections, services, ingester, hosts } = plan.roles;
    let refused = |advice| Err(ServeError::Plan(advice));
    if !(gateway || projections || services || ingester || hosts) {
        return refused(
            "this process has no role: give it at least one of gateway, projections, services, ingester, hosts",
        );
    }
    if !services && plan.database.is_none() {
        return refused("processes that share the work share a database: give one, or the role services");
    }
    if gateway && !services && plan.broker.is_none() {
        return refused("a gateway without the role services sends commands over a broker: give its URL");
    }
    if (services || ingester) && plan.captures.is_none() {
        return refused("the roles services and ingester need the folder of captures");
    }
    if hosts && plan.hosts.is_none() {
        return refused("the role hosts needs a broker and a database");
    }
    documents::check(plan).or_else(refused)
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Serving {
    fn start_gateway(&mut self, plan: &ServePlan, lookup: CommandLookup) -> Result<(), ServeError> {
        let key = BootstrapKey::of(self.state.root(), plan.key.as_deref())?;
        let own = self.state.documents();
        let options = GatewayOptions {
            documents: plan.document_place(&own),
            limits: plan.limits,
            captures: self.captures.clone(),
            errors: plan.broker.as_ref().map(|broker| self.failed_messages(broker)),
            key: Some(key.key),
            is_key_needed_locally: plan.is_key_required,
            listen: plan.listen.clone(),
            names: plan.names.clone(),
            lookup,
            market: self.backend.market.clone(),
            ticks: self.tick_lookup(),
            reports: Some(Arc::new(Reports::new(self.backend.ticks.clone()))),
            system: Some(Arc::new(SystemView::new(plan))),
        };
        let runtime = runtime::Builder::new_multi_thread().enable_all().thread_name("http").build();
        let runtime = runtime.map_err(ServeError::Thread)?;
        let bus = &self.backend.bus;
        let begin = || runtime.block_on(Gateway::start(bus.clone(), options.clone()));
        let gateway = match begin() {
            Err(GatewayError::Documents(DocumentError::Schema { .. })) if plan.rebuild => {
                gateway::rebuild(&own, bus.events())?;
                begin()?
            }
            begun => begun?,
        };
        self.made_key = key.made;
        self.gateway = Some(gateway);
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Reads captures again, where this process has them.
    fn tick_lookup(&self) -> Option<Arc<dyn TickLookup>> {
        let captures = Captures::open(self.captures.as_deref()?).ok()?;
        Some(Arc::new(CaptureLookup::new(captures)))
    }

    /// Where messages that failed are, and where discarded ones are written down.
    fn failed_messages(&self, broker: &BrokerPlan) -> FailedMessages {
        let sight = broker.management.clone().map_or(Sight::ManagementBeside, Sight::Management);
        let nodes = std::iter::once(&broker.url).chain(&broker.options.other_nodes).cloned().collect();
        FailedMessages { nodes, sight, record: self.state.discarded() }
    }

    /// What this process does.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// Where the documents are that are read.
    pub fn documents(&self) -> DocumentsPlan {
        self.documents
    }

    /// Where it accepts requests, as `http://127.0.0.1:8090`; `None` for a process without a gateway.
    pub fn address(&self) -> Option<String> {
        self.gateway.as_ref().map(|gateway| format!("http://{}", gateway.local_addr()))
    }

    /// The bootstrap key, where this start has made it: the state has its hash only.
    pub fn made_key(&self) -> Option<&str> {
        self.made_key.as_deref()
    }

    /// The folder of state.
    pub fn state(&self) -> &Path {
        self.state.root()
    }

    /// The folder of captures.
    pub fn captures(&self) -> Option<&Path> {
        self.captures.as_deref()
    }

    /// Makes the documents that are read anew of all events, beside those that are served, then serves them.
    ///
    /// # Errors
    /// A log cannot be read, or a file cannot be written; the old documents are served on. `None`: this process has
    /// no documents.
    pub fn rebuild(&self) -> Result<Option<RebuildReport>, RebuildError> {
        match (&self.gateway, &self.runtime, &self.kept) {
            (Some(gateway), Some(runtime), _) => runtime.block_on(gateway.rebuild()).map(Some),
            (_, _, Some(kept)) => kept.rebuild().map(Some),
            _ => Ok(None),
        }
    }

    /// Accepts nothing more, lets requests end, stops replays after the frame that each is at, and ends every
    /// thread, all within this time.
    pub fn stop(mut self, timeout: Duration) -> Stopped {
        let begun = Instant::now();
        let until = begun + timeout;
        // Both at once: requests that wait for a replay would wait for nothing.
        let gateway = self.gateway.take().zip(self.runtime.take());
        let requests = std::thread::spawn(move || {
            let Some((gateway, runtime)) = gateway else { return true };
            // Whoever waits for a command by ?wait= is answered by then, or asks again.
            let ended = runtime.block_on(gateway.shutdown(timeout / 2));
            runtime.shutdown_timeout(timeout / 4);
            ended
        });
        let workers = self.backend.stop_workers(until);
        let hosts = self.hosts.take().is_none_or(|hosts| hosts.stop(until));
        let requests = requests.join().unwrap_or(false);
        // It ends with the batch that it is at.
        drop(self.kept.take());
        let lanes = self.backend.stop_lanes(until);
        Stopped {
            replays_given_back: self.backend.given_back(),
            is_clean: workers && hosts && requests && lanes,
            elapsed: begun.elapsed(),
        }
    }
}
