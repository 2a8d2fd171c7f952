//! The running gateway: its projections, its documents and the server in front of them.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use axum::serve::ListenerExt;
use bus::Bus;
use live::LiveMarket;
use thiserror::Error;
use tick_sdk::contracts::KnownCommand;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::captures::Captures;
use crate::documents::{DocumentError, Documents, Durability, PostgresDocuments, SqliteDocuments};
use crate::http::{
    ApiKey, Errors, FailedMessages, GatewayState, Guard, KEY_HOLDER, LOCAL, Limits, RateLimiter, service,
};
use crate::hubs::{Hubs, SystemSource};
use crate::lookup::CommandLookup;
use crate::projections::{Projector, ProjectorError, RebuildError, RebuildReport};
use crate::reports::ReportLookup;
use crate::ticks::TickLookup;

/// What a gateway is to serve, and where.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// Where the documents that are read are.
    pub documents: DocumentPlace,
    /// The folder whose files can be replayed. Without one, names are checked by their form only.
    pub captures: Option<PathBuf>,
    /// Where messages that failed are, and where what is discarded of them is written down. Without it, the routes of
    /// `/api/errors` say so.
    pub errors: Option<FailedMessages>,
    /// The bootstrap key. Without one, only this machine's programs are answered.
    pub key: Option<ApiKey>,
    /// Whether this machine's programs need the key, too.
    pub is_key_needed_locally: bool,
    /// Where to listen; port 0 is any that is free.
    pub listen: Vec<SocketAddr>,
    /// Names that this server has beside its addresses, as `Host` gives them, without the port.
    pub names: Vec<String>,
    /// What requests may cost.
    pub limits: Limits,
    /// Finds commands in its documents from the start on.
    pub lookup: CommandLookup,
    /// What is live in this process, and what other processes say of theirs.
    pub market: LiveMarket,
    /// How the rest of the system stands.
    pub system: Option<Arc<dyn SystemSource>>,
    /// Reads the captures of past runs again; without it there are no ticks and candles of them.
    pub ticks: Option<Arc<dyn TickLookup>>,
    /// Has the reports of replays; without it there are none.
    pub reports: Option<Arc<dyn ReportLookup>>,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            documents: PathBuf::from("read.sqlite").into(),
            captures: None,
            errors: None,
            key: None,
            is_key_needed_locally: false,
            listen: vec![([127, 0, 0, 1], 8090).into()],
            names: Vec::new(),
            limits: Limits::default(),
            lookup: CommandLookup::default(),
            market: LiveMarket::default(),
            system: None,
            ticks: None,
            reports: None,
        }
    }
}

/// Where documents are.
#[derive(Clone, PartialEq, Eq)]
pub enum DocumentPlace {
    /// In this file, which is made where it is missing. The gateway has it for itself, and keeps it up to date.
    File(PathBuf),
    /// In the database of this `postgres://` URL. Any number of gateways read them there.
    Shared {
        /// The database.
        url: String,
        /// Whether this process keeps them up to date while no other does. Without it, only others do.
        keeps: bool,
    },
}

impl From<PathBuf> for DocumentPlace {
    fn from(place: PathBuf) -> Self {
        Self::File(place)
    }
}

impl fmt::Debug for DocumentPlace {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => f.debug_tuple("File").field(place).finish(),
            Self::Shared { keeps, .. } => {
                f.debug_struct("Shared").field("keeps", keeps).finish_non_exhaustive()
            }
        }
    }
}

/// Why a gateway does not start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The documents cannot be opened.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// The projections do not start.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
    /// There is no such folder of captures.
    #[error("the folder of captures {}: {source}", folder.display())]
    Captures {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An address is taken, or not this machine's.
    #[error("listening at {address}: {source}\n  choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody beyond this machine could send, and nobody could be told apart.
    #[error("listening at {0}, which is not this machine's own, needs an API key")]
    KeyNeeded(SocketAddr),
}

/// A gateway that serves. Dropped, it ends at once; [`Gateway::shutdown`] lets requests end.
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    documents: DocumentPlace,
    projector: Arc<Projector>,
    hubs: Hubs,
    /// Nobody waits any more.
    stop: watch::Sender<bool>,
    /// Nothing is accepted any more.
    close: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Opens the documents, starts the projections and listens. Returns when connections are accepted.
    ///
    /// # Errors
    /// The documents cannot be opened, an address is taken, or a folder is not there.
    pub async fn start(bus: Arc<Bus>, options: GatewayOptions) -> Result<Self, GatewayError> {
        let GatewayOptions { documents: place, captures, errors, key, is_key_needed_locally, .. } = options;
        let (listen, names) = (options.listen, options.names);
        let (limits, lookup) = (options.limits, options.lookup);
        let (market, system) = (options.market, options.system);
        let (ticks, reports) = (options.ticks, options.reports);
        let listeners = bind(&listen, key).await?;
        let addresses: Vec<_> = listeners.iter().map(|(_, address)| *address).collect();
        let captures = captures.map(|folder| {
            Captures::open(&folder).map_err(|source| GatewayError::Captures { folder, source })
        });
        let captures = captures.transpose()?;
        let source = bus.events();
        let opened = {
            let (place, source) = (place.clone(), source.clone());
            tokio::task::spawn_blocking(move || open(&place, source)).await
        };
        let (documents, projector) = match opened {
            Ok(opened) => opened?,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        lookup.fill(&documents);
        let (stop, stopping) = watch::channel(false);
        let (close, _) = watch::channel(false);
        let known = KnownCommand::all();
        let sends_elsewhere = known.iter().any(|command| !bus.serves(command.endpoint));
        let state = Arc::new(GatewayState {
            bus,
            source,
            sends_elsewhere,
            documents,
            projector: projector.clone(),
            captures,
            ticks,
            reports,
            errors: errors.map(|errors| Arc::new(Errors::new(errors))),
            guard: Guard::new(key, is_key_needed_locally, &addresses, &names),
            rate: RateLimiter::new(&[(LOCAL, limits.local), (KEY_HOLDER, limits.key)], limits.address),
            waiting: Semaphore::new(limits.waiting),
            body_limit: limits.body_bytes,
            stopping,
        });
        let hubs = Hubs::new(&state, market, system);
        let app = service(state, hubs.router());
        let app = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(app);
        let servers = listeners.into_iter().map(|(listener, _)| {
            let mut closed = close.subscribe();
            let listener = listener.tap_io(|stream| {
                // Small answers are to leave at once; where the system cannot, they leave a little later.
                let _ = stream.set_nodelay(true);
            });
            let serve = axum::serve(listener, app.clone()).with_graceful_shutdown(async move {
                // It also ends when the sender is gone.
                let _ = closed.wait_for(|is_closed| *is_closed).await;
            });
            tokio::spawn(async move {
                if let Err(error) = serve.await {
                    tracing::error!(%error, "the server ended");
                }
            })
        });
        let servers = servers.collect();
        Ok(Self { addresses, documents: place, projector, hubs, stop, close, servers })
    }

    /// The first address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Every address that it listens at.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Makes all documents anew beside those that are served, then serves the new ones.
    ///
    /// # Errors
    /// A log cannot be read, or a store cannot be written; the old documents are served on.
    pub async fn rebuild(&self) -> Result<RebuildReport, RebuildError> {
        let (projector, place) = (self.projector.clone(), self.documents.clone());
        let rebuild = move || match &place {
            DocumentPlace::File(place) => projector.rebuild(place),
            DocumentPlace::Shared { url, .. } => projector.rebuild_shared(url),
        };
        match tokio::task::spawn_blocking(rebuild).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Ends within this time: clients of hubs are told to connect again, then nothing more is accepted, and requests may
    /// end; those that wait for a command are answered at once with what is known of it. Whether all have ended, and the
    /// projections with them: then nothing more is written into the documents, and another gateway may open them.
    pub async fn shutdown(mut self, timeout: Duration) -> bool {
        let until = tokio::time::Instant::now() + timeout;
        self.stop.send_replace(true);
        // Nobody waits any more for what they make.
        let projector = self.projector.clone();
        let projections = tokio::task::spawn_blocking(move || projector.stop());
        // The server would wait for the hubs' connections, which do not end by themselves.
        self.hubs.shutdown(timeout / 2).await;
        self.close.send_replace(true);
        let servers = std::mem::take(&mut self.servers);
        let aborts: Vec<_> = servers.iter().map(JoinHandle::abort_handle).collect();
        let ended = tokio::time::timeout_at(until, futures_util::future::join_all(servers)).await.is_ok();
        aborts.iter().for_each(tokio::task::AbortHandle::abort);
        let stopped = tokio::time::timeout_at(until, projections).await;
        ended && stopped.is_ok_and(|stopped| stopped.is_ok())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

async fn bind(
    listen: &[SocketAddr],
    key: Option<ApiKey>,
) -> Result<Vec<(TcpListener, SocketAddr)>, GatewayError> {
    let mut listeners = Vec::new();
    for &address in listen {
        if key.is_none() && !address.ip().is_loopback() {
            return Err(GatewayError::KeyNeeded(address));
        }
        let failed = |source| GatewayError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listeners.push((listener, bound));
    }
    Ok(listeners)
}

fn open(
    place: &DocumentPlace,
    source: Arc<dyn bus::EventSource>,
) -> Result<(Arc<Documents>, Arc<Projector>), GatewayError> {
    let (documents, projector) = match place {
        DocumentPlace::File(place) => {
            let store = SqliteDocuments::open(place, Durability::LastCommitsMayBeLost)?;
            let documents = Arc::new(Documents::new(Box::new(store)));
            (documents.clone(), Projector::start(documents, source)?)
        }
        DocumentPlace::Shared { url, keeps } => {
            let documents = Documents::shared(PostgresDocuments::open(url)?);
            let start = if *keeps { Projector::start } else { Projector::elsewhere };
            (documents.clone(), start(documents, source)?)
        }
    };
    Ok((documents, Arc::new(projector)))
}
