//! Exchanges, queues and bindings, as MassTransit declares them.

use std::collections::{BTreeMap, BTreeSet};

use tick_sdk::contracts::envelope::exchange;
use tick_sdk::contracts::{CommandKind, EventKind, Kind, KnownCommand, KnownEvent, KnownRequest};

use super::target::MovedTo;
use super::{Value, fault};

mod definitions;
mod difference;

pub use definitions::InvalidDefinitions;
pub use difference::Difference;

/// Exchanges, queues and bindings. Empty, until something is added; what is there twice is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Exchanges by name.
    pub exchanges: BTreeMap<String, Exchange>,
    /// Queues by name.
    pub queues: BTreeMap<String, Queue>,
    /// Bindings.
    pub bindings: BTreeSet<Binding>,
}

/// What an exchange is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// `fanout`, everywhere here.
    pub kind: String,
    /// Whether it survives a restart of the broker.
    pub is_durable: bool,
    /// Whether it ends with its last binding.
    pub is_auto_delete: bool,
    /// What else was said when it was declared.
    pub arguments: Arguments,
}

/// What a queue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Whether it survives a restart of the broker.
    pub is_durable: bool,
    /// Whether it ends with its last consumer.
    pub is_auto_delete: bool,
    /// Whether it ends with the connection that declared it.
    pub is_exclusive: bool,
    /// What else was said when it was declared, its type for one.
    pub arguments: Arguments,
}

/// What was said of an exchange or a queue when it was declared, by name.
pub type Arguments = BTreeMap<String, Argument>;

/// One argument of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Argument {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Boolean(bool),
    /// What else there is, as JSON: only ever found, never wanted.
    Other(String),
}

/// Messages of an exchange go to another, or to a queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The exchange that they come from.
    pub source: String,
    /// Where they go.
    pub destination: String,
    /// What the destination is.
    pub to: BoundTo,
    /// The routing key: empty, everywhere here.
    pub key: String,
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BoundTo {
    /// An exchange.
    Exchange,
    /// A queue.
    Queue,
}

/// What the queues of all endpoints are: a setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Classic, without arguments: what .NET senders to `queue:NAME` declare.
    #[default]
    Classic,
    /// Quorum: senders must use `exchange:NAME`.
    Quorum {
        /// How many members it has at first; the broker's own number where absent.
        members: Option<u32>,
    },
}

impl QueueKind {
    /// What is said when it is declared.
    pub fn arguments(self) -> Arguments {
        let Self::Quorum { members } = self else { return Arguments::new() };
        let mut arguments = Arguments::new();
        arguments.insert("x-queue-type".to_owned(), Argument::Text("quorum".to_owned()));
        if let Some(members) = members {
            arguments.insert("x-quorum-initial-group-size".to_owned(), Argument::Number(members.into()));
        }
        arguments
    }
}

impl From<&Argument> for Value {
    fn from(argument: &Argument) -> Self {
        match argument {
            Argument::Text(text) | Argument::Other(text) => Self::Text(text.clone()),
            Argument::Number(number) => Self::Integer(*number),
            Argument::Boolean(is_so) => Self::Boolean(*is_so),
        }
    }
}

impl Topology {
    /// All that these endpoints need before their first message: their queues, the exchanges of their commands and
    /// requests, bound to them, those of their contexts' events, and the marker interfaces' with their bindings. What
    /// faults and moved messages need is declared when there is the first, as [`Target::topology`] says.
    ///
    /// [`Target::topology`]: super::Target::topology
    pub fn of(endpoints: &[&str], queue: QueueKind) -> Self {
        let mut topology = Self::default();
        for endpoint in endpoints {
            topology.endpoint(endpoint, queue);
            for command in KnownCommand::of_endpoint(endpoint) {
                topology.publishes(command.name, CommandKind::MARKER);
                topology.consumes(endpoint, &exchange(command.name));
            }
            for request in KnownRequest::of_endpoint(endpoint) {
                topology.publishes(request.name, None);
                topology.consumes(endpoint, &exchange(request.name));
            }
            for event in KnownEvent::of_context(endpoint) {
                topology.publishes(event.name, EventKind::MARKER);
            }
        }
        topology
    }

    /// A queue that gets a copy of every command that goes to these endpoints, every event and every fault. One process
    /// at a time consumes it, so that an order stays one.
    ///
    /// The endpoints are declared whole: a command to one whose services were never started would otherwise find the
    /// copy's queue alone, and be confirmed without having gone where it is carried out.
    pub fn listening<'a>(queue: &str, endpoints: impl Iterator<Item = &'a str>, kind: QueueKind) -> Self {
        const ONE_AT_A_TIME: &str = "x-single-active-consumer";
        let mut topology = Self::default();
        topology.endpoint(queue, kind);
        if let Some(queue) = topology.queues.get_mut(queue) {
            queue.arguments.insert(ONE_AT_A_TIME.to_owned(), Argument::Boolean(true));
        }
        for endpoint in endpoints {
            topology.endpoint(endpoint, kind);
            topology.consumes(queue, endpoint);
        }
        for marker in [CommandKind::MARKER, EventKind::MARKER].into_iter().flatten() {
            topology.consumes(queue, &exchange(marker));
        }
        topology.consumes(queue, fault::FAULT_EXCHANGE);
        topology
    }

    /// An endpoint's exchange and queue, which have its name.
    pub fn endpoint(&mut self, name: &str, queue: QueueKind) {
        self.exchange(name);
        let queue = Queue {
            is_durable: true,
            is_auto_delete: false,
            is_exclusive: false,
            arguments: queue.arguments(),
        };
        self.queues.insert(name.to_owned(), queue);
        self.bind(name, name, BoundTo::Queue);
    }

    /// That an endpoint gets what is published to an exchange.
    pub fn consumes(&mut self, endpoint: &str, source: &str) {
        self.exchange(source);
        self.bind(source, endpoint, BoundTo::Exchange);
    }

    /// The exchange of a contract, and that of its marker interface, which gets all that the first one gets.
    pub fn publishes(&mut self, contract: &str, marker: Option<&str>) {
        let source = exchange(contract);
        self.exchange(&source);
        if let Some(marker) = marker {
            self.passes(&source, &exchange(marker));
        }
    }

    /// The exchanges of a contract's faults, its marker's and all.
    pub fn faults(&mut self, contract: &str, marker: Option<&str>) {
        let source = fault::exchange_of(contract);
        self.exchange(&source);
        if let Some(marker) = marker {
            self.passes(&source, &fault::exchange_of(marker));
        }
        self.passes(&source, fault::FAULT_EXCHANGE);
    }

    /// The exchange of faults of what cannot be read, and that of all faults.
    pub fn receive_faults(&mut self) {
        self.exchange(fault::RECEIVE_FAULT_EXCHANGE);
        self.passes(fault::RECEIVE_FAULT_EXCHANGE, fault::FAULT_EXCHANGE);
    }

    /// A queue beside an endpoint's own, of the same kind.
    pub fn moves(&mut self, endpoint: &str, to: MovedTo, queue: QueueKind) {
        self.endpoint(&to.queue_of(endpoint), queue);
    }

    /// An exchange alone, durable and fanout.
    pub fn exchange(&mut self, name: &str) {
        let fanout = || Exchange {
            kind: "fanout".to_owned(),
            is_durable: true,
            is_auto_delete: false,
            arguments: Arguments::new(),
        };
        self.exchanges.entry(name.to_owned()).or_insert_with(fanout);
    }

    /// All of another one, too.
    pub fn add(&mut self, other: Self) {
        self.exchanges.extend(other.exchanges);
        self.queues.extend(other.queues);
        self.bindings.extend(other.bindings);
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.queues.is_empty() && self.bindings.is_empty()
    }

    fn passes(&mut self, source: &str, destination: &str) {
        self.exchange(destination);
        self.bind(source, destination, BoundTo::Exchange);
    }

    fn bind(&mut self, source: &str, destination: &str, to: BoundTo) {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        self.bindings.insert(Binding { source, destination, to, key: String::new() });
    }
}

#[cfg(test)]
mod tests;
