//! Carries messages to the clients of other instances of a server.
//!
//! A hub with [`Options::backplane`](crate::Options::backplane) reaches by [`Clients`](crate::Clients) everyone who is connected to
//! any instance: all, users, groups and single connections. Each hub of an instance has a backplane of its own.
//!
//! A question to a client is asked by the instance that the client is connected to, and by no other.
//!
//! **Sticky routing.** Requests of one connection have to reach the instance that has it: a route by cookie, by address, or by the
//! query's `id`. Without negotiation and with WebSockets alone a connection is one request, and needs none. Stateful reconnect
//! always needs it, since what a client has not acknowledged is in the memory of one instance; a client that comes back to another
//! one is told that its id is unknown, and begins anew. So a hub with a backplane does not offer stateful reconnect unless
//! [`Options::is_routing_sticky`](crate::Options::is_routing_sticky) says that it is safe.

mod in_process;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(test)]
mod tests;
#[cfg(feature = "rabbitmq")]
mod wire;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use in_process::InProcess;
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RabbitMq;

/// One instance's access to all others.
pub trait Backplane: fmt::Debug + Send + Sync + 'static {
    /// Passes on what other instances publish, from each in the order in which it published. Called once, within a runtime.
    fn start(&self, receive: Receive);

    /// Sends to all other instances, and not to this one. An error says that they may not have it.
    fn publish(&self, envelope: Envelope) -> Publishing<'_>;
}

/// Takes what came from other instances; it does not wait.
pub type Receive = Arc<dyn Fn(Envelope) + Send + Sync>;

/// The end of a publication.
pub type Publishing<'a> = Pin<Box<dyn Future<Output = Result<(), BackplaneError>> + Send + 'a>>;

/// What one instance has for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A message for clients.
    Send {
        /// For whom.
        to: Recipients,
        /// It replaces what waits under this key.
        key: Option<String>,
        /// Whole, in JSON.
        json: Bytes,
        /// Whole, in MessagePack; all instances name fields alike.
        messagepack: Bytes,
    },
    /// The connection, if there is one, is added to a group.
    Join {
        /// Its id.
        connection: String,
        /// The group's name.
        group: String,
    },
    /// The connection is removed from a group.
    Leave {
        /// Its id.
        connection: String,
        /// The group's name.
        group: String,
    },
}

/// Some of the clients, on all instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipients {
    /// Everyone.
    All,
    /// Everyone but these connections.
    AllExcept(Vec<String>),
    /// These connections.
    Connections(Vec<String>),
    /// All connections of these users.
    Users(Vec<String>),
    /// The members of these groups, each once.
    Groups(Vec<String>),
    /// The members of a group but these connections.
    GroupExcept {
        /// Its name.
        group: String,
        /// Connections.
        without: Vec<String>,
    },
}

/// A message that did not reach the other instances, or maybe not all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("backplane: {reason}")]
pub struct BackplaneError {
    /// What failed.
    pub reason: String,
}
