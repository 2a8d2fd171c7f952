//! Bytes between clients and handlers: negotiation, WebSockets, Server-Sent Events and long polling on axum.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::http::request::Parts;
use bytes::Bytes;

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
}

impl Input {
    /// The next piece; `None` when the client has gone.
    pub async fn next(&mut self) -> Option<Received> {
        todo!()
    }
}
