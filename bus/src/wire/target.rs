//! Where a message goes, and what must stand there before.

use serde::{Deserialize, Serialize};
use tick_sdk::contracts::{CommandKind, EventKind, Kind, envelope};

use super::bytes::{self, InvalidBytes};
use super::topology::{QueueKind, Topology};
use super::{Properties, fault};
use crate::store::OutgoingMessage;

/// A message that is ready to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Where it goes.
    pub target: Target,
    /// Its properties and headers.
    pub properties: Properties,
    /// The message itself.
    pub body: Vec<u8>,
}

/// Where a message goes: its exchange and routing key follow from it, and what must be declared before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The endpoint that carries out a command. Without a queue there it comes back.
    Endpoint {
        /// The endpoint's name.
        name: String,
    },
    /// Whoever listens to an event.
    Event {
        /// The contract's name.
        name: String,
    },
    /// Whoever answers a request.
    Request {
        /// The contract's name.
        name: String,
    },
    /// Whoever listens to faults of a contract.
    Fault {
        /// The contract's name.
        contract: String,
        /// Its marker interface.
        marker: Option<String>,
    },
    /// Whoever listens to faults of messages that could not be read.
    ReceiveFault,
    /// The queue beside an endpoint's own. Without it it comes back.
    Moved {
        /// The endpoint's name.
        endpoint: String,
        /// Which of its queues.
        to: MovedTo,
        /// The routing key that it had.
        key: String,
    },
    /// Where an answer is awaited, or faults are wished. Never declared: made anew, what has ended with its owner
    /// would stay for ever. The broker closes the channel where it is gone, so it has a channel of its own.
    Reply {
        /// The exchange, or empty.
        exchange: String,
        /// The routing key, where the exchange is empty: a queue.
        key: String,
    },
}

/// A queue beside an endpoint's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MovedTo {
    /// `NAME_error`: what could not be read or carried out.
    Error,
    /// `NAME_skipped`: what nobody there handles.
    Skipped,
}

impl MovedTo {
    /// The queue's name, which is also its exchange's.
    pub fn queue_of(self, endpoint: &str) -> String {
        match self {
            Self::Error => format!("{endpoint}_error"),
            Self::Skipped => format!("{endpoint}_skipped"),
        }
    }
}

impl Target {
    /// The exchange.
    pub fn exchange(&self) -> String {
        match self {
            Self::Endpoint { name } => name.clone(),
            Self::Event { name } | Self::Request { name } => envelope::exchange(name),
            Self::Fault { contract, .. } => fault::exchange_of(contract),
            Self::ReceiveFault => fault::RECEIVE_FAULT_EXCHANGE.to_owned(),
            Self::Moved { endpoint, to, .. } => to.queue_of(endpoint),
            Self::Reply { exchange, .. } => exchange.clone(),
        }
    }

    /// The routing key.
    pub fn key(&self) -> &str {
        match self {
            Self::Reply { key, .. } | Self::Moved { key, .. } => key,
            _ => "",
        }
    }

    /// Whether a queue must take it: the broker gives it back where there is none.
    pub fn is_mandatory(&self) -> bool {
        matches!(self, Self::Endpoint { .. } | Self::Moved { .. })
    }

    /// What must be declared before the first message goes there: of an endpoint that another process may have only
    /// its exchange, of answers nothing. `queue` is what the endpoint's own queue is, whose arguments the queues beside
    /// it have too.
    pub fn topology(&self, queue: QueueKind) -> Topology {
        let mut topology = Topology::default();
        match self {
            Self::Endpoint { name } => topology.exchange(name),
            Self::Reply { .. } => {}
            Self::Event { name } => topology.publishes(name, EventKind::MARKER),
            Self::Request { name } => topology.publishes(name, None),
            Self::Fault { contract, marker } => topology.faults(contract, marker.as_deref()),
            Self::ReceiveFault => topology.receive_faults(),
            Self::Moved { endpoint, to, .. } => topology.moves(endpoint, *to, queue),
        }
        topology
    }

    /// Whoever listens to faults of a command.
    pub(super) fn fault_of_command(contract: &str) -> Self {
        Self::Fault { contract: contract.to_owned(), marker: CommandKind::MARKER.map(str::to_owned) }
    }
}

/// What stands beside an outgoing message's body in the store.
#[derive(Serialize, Deserialize)]
struct Head {
    target: Target,
    properties: Properties,
}

/// For the store; the other way round it is `TryFrom`.
impl From<Publication> for OutgoingMessage {
    fn from(publication: Publication) -> Self {
        let Publication { target, properties, body } = publication;
        Self {
            exchange: target.exchange(),
            key: target.key().to_owned(),
            is_mandatory: target.is_mandatory(),
            properties: bytes::write(&Head { target, properties }, 512),
            body,
        }
    }
}

impl TryFrom<OutgoingMessage> for Publication {
    type Error = InvalidBytes;

    fn try_from(message: OutgoingMessage) -> Result<Self, InvalidBytes> {
        let Head { target, properties } = bytes::read("an outgoing message", &message.properties)?;
        Ok(Self { target, properties, body: message.body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;

    #[test]
    fn what_is_stored_comes_back() {
        let target =
            Target::Moved { endpoint: "accounts".to_owned(), to: MovedTo::Error, key: "k".to_owned() };
        let mut properties = Properties { priority: Some(7), ..Properties::default() };
        properties.headers.set("n", Value::F64(0.5));
        let publication = Publication { target, properties, body: vec![0xff] };
        let mut message = OutgoingMessage::from(publication.clone());
        assert_eq!((message.exchange.as_str(), message.is_mandatory), ("accounts_error", true));
        assert_eq!(Publication::try_from(message.clone()).unwrap(), publication);
        message.properties[0] = 9;
        let error = Publication::try_from(message.clone()).unwrap_err().to_string();
        assert!(error.contains("version 9"), "{error}");
        message.properties.truncate(3);
        message.properties[0] = 1;
        assert!(Publication::try_from(message).unwrap_err().to_string().contains("damaged"));
    }
}
