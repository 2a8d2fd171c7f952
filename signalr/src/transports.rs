//! Bytes between clients and handlers: negotiation, WebSockets, Server-Sent Events and long polling on axum.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::http::request::Parts;
use bytes::Bytes;

use crate::options::Options;
use crate::outbox::Outbox;
use crate::user::{Authenticate, User};

/// How bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A socket for both directions.
    WebSockets,
    /// A response that goes on, and a request for each message of the client. Text only.
    ServerSentEvents,
    /// A request that waits for messages.
    LongPolling,
}

/// A connection's public name: it may be shown, and is not what lets a request in.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(Arc<str>);

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What serves connections: a hub, or an application that speaks a protocol of its own.
pub trait Handler: Send + Sync + 'static {
    /// Serves one connection to its end; when it returns the connection is closed.
    fn serve(&self, connection: Connection) -> impl Future<Output = ()> + Send;
}

/// A client's connection, whatever carries it.
#[derive(Debug)]
pub struct Connection {
    /// May be shown.
    pub id: ConnectionId,
    /// Who it is.
    pub user: Option<Arc<User>>,
    /// What carries it.
    pub transport: Transport,
    /// The request that opened it (that of the socket, the stream or the first poll), without its body.
    pub request: Arc<Parts>,
    /// Whether the client asked for stateful reconnect, and got it.
    pub is_stateful: bool,
    /// From the client.
    pub input: Input,
    /// To the client.
    pub outbox: Arc<Outbox>,
}

/// The connections of one handler, and the routes on which clients make them. Cheap to clone.
///
/// ```no_run
/// # use std::{sync::Arc, time::Duration};
/// # use signalr::{Connection, Handler, Options, User, transports::Endpoint};
/// # struct Echo;
/// # impl Handler for Echo { async fn serve(&self, _: Connection) {} }
/// # async fn run() {
/// let anonymous = |_: Option<&str>, _: &axum::http::request::Parts| Ok(None::<User>);
/// let endpoint = Endpoint::new(Arc::new(Echo), Options::default(), anonymous);
/// let app = axum::Router::new().merge(endpoint.router("/echo"));
/// // … at the end:
/// endpoint.shut_down(Duration::from_secs(10)).await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint {}

/// Where a client is sent instead of being connected here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The hub's URL there, on which the client negotiates again.
    pub url: String,
    /// The token that the client sends there.
    pub access_token: Option<String>,
}

/// How many connections there are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ids that were negotiated and not yet connected.
    pub negotiated: usize,
    /// With a socket.
    pub web_sockets: usize,
    /// Stateful ones whose socket broke, and that may come back.
    pub detached: usize,
    /// By Server-Sent Events.
    pub server_sent_events: usize,
    /// By long polling.
    pub long_polling: usize,
}

impl Endpoint {
    /// Serves connections with `handler`.
    pub fn new<H: Handler>(handler: Arc<H>, options: Options, authenticate: impl Authenticate) -> Self {
        let _ = (handler, options, authenticate);
        todo!()
    }

    /// Clients for which `redirect` answers something are sent there when they negotiate.
    pub fn redirect(self, redirect: impl Fn(&Parts) -> Option<Redirect> + Send + Sync + 'static) -> Self {
        let _ = redirect;
        todo!()
    }

    /// The routes `path` and `path/negotiate`.
    pub fn router(&self, path: &str) -> axum::Router {
        let _ = path;
        todo!()
    }

    /// How many connections there are.
    pub fn counts(&self) -> Counts {
        todo!()
    }

    /// Ends all connections: each handler receives [`Received::Stopping`], says goodbye and returns; what waits is sent. After
    /// `within` the rest is cut. From now on new connections are refused with 503. Returns how many were cut.
    pub async fn shut_down(&self, within: std::time::Duration) -> usize {
        let _ = within;
        todo!()
    }
}

/// What comes from the client. Bounded: a client whose input is not taken has to wait.
#[derive(Debug)]
pub struct Input {}

/// One piece of what comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes, cut anywhere.
    Bytes(Bytes),
    /// A new socket carries the connection: what was begun on the old one is not ended.
    Reattached,
    /// The server stops: say goodbye (a Close that allows reconnecting) and return. Comes once, and before what waits.
    Stopping,
}

impl Input {
    /// The next piece; `None` when the client has gone.
    pub async fn next(&mut self) -> Option<Received> {
        todo!()
    }
    /// The client takes no part in stateful reconnect (its handshake asked for version 1): a broken socket ends the connection.
    pub fn forbid_reattach(&self) {
        todo!()
    }
}
