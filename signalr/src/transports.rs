//! Bytes between clients and handlers: negotiation, WebSockets, Server-Sent Events and long polling on axum.

mod answer;
mod endpoint;
mod events;
mod frame;
mod guards;
#[cfg(test)]
pub(crate) mod in_memory;
mod input;
mod link;
mod links;
mod negotiate;
mod polling;
mod request;
mod socket;
mod utf8;
mod web_socket;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::http::request::Parts;

pub use self::endpoint::Endpoint;
pub use self::input::{Input, Received};
use crate::outbox::Outbox;
use crate::user::User;

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

impl ConnectionId {
    /// As it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.into())
    }
}

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
    /// The request that opened it (that of the socket, the stream or the first poll), without its body, and without the id and the
    /// token in its query.
    pub request: Arc<Parts>,
    /// Whether the client asked for stateful reconnect, and got it.
    pub is_stateful: bool,
    /// From the client.
    pub input: Input,
    /// To the client.
    pub outbox: Arc<Outbox>,
}

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
