//! Who is connected, in which groups, and how they are reached, here and on other instances.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use crate::events::Event;
use crate::transports::ConnectionId;

/// The clients of one hub, from anywhere in the application. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clients {
    _nothing: Arc<()>,
}

/// Some of the clients.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    _clients: PhantomData<&'a Clients>,
}

/// A message that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// An argument cannot be encoded.
    #[error("argument of {event}: {error}")]
    Payload {
        /// The event's name.
        event: &'static str,
        /// Why.
        error: crate::protocol::PayloadError,
    },
    /// The message reached the clients of this instance, and maybe not those of others.
    #[error(transparent)]
    Backplane(#[from] crate::backplane::BackplaneError),
}

impl Clients {
    /// Everyone.
    pub fn all(&self) -> Target<'_> {
        todo!()
    }

    /// Everyone but these.
    pub fn all_except(&self, without: &[ConnectionId]) -> Target<'_> {
        let _ = without;
        todo!()
    }

    /// One connection.
    pub fn connection(&self, id: &ConnectionId) -> Target<'_> {
        let _ = id;
        todo!()
    }

    /// All connections of a user.
    pub fn user(&self, id: &str) -> Target<'_> {
        let _ = id;
        todo!()
    }

    /// A group.
    pub fn group(&self, name: &str) -> Target<'_> {
        let _ = name;
        todo!()
    }

    /// A group but these.
    pub fn group_except(&self, name: &str, without: &[ConnectionId]) -> Target<'_> {
        let _ = (name, without);
        todo!()
    }

    /// Adds a connection, of this instance or another, to a group.
    pub async fn join(&self, connection: &ConnectionId, group: &str) -> Result<(), SendError> {
        let _ = (connection, group);
        todo!()
    }

    /// Removes it.
    pub async fn leave(&self, connection: &ConnectionId, group: &str) -> Result<(), SendError> {
        let _ = (connection, group);
        todo!()
    }
}

impl Target<'_> {
    /// Calls the clients' method. Where a client does not read, its connection is closed with reconnect allowed.
    pub async fn send<A: Serialize>(&self, event: &Event<A>, arguments: A) -> Result<(), SendError> {
        let _ = (event, arguments);
        todo!()
    }

    /// As [`send`](Self::send), but replaces what still waits under this key: the latest wins, for a client that reads slowly.
    pub async fn send_latest<A: Serialize>(
        &self,
        key: &str,
        event: &Event<A>,
        arguments: A,
    ) -> Result<(), SendError> {
        let _ = (key, event, arguments);
        todo!()
    }
}
