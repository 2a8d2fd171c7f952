//! What is declared on a broker: exchanges and queues.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};

use crate::Table;

/// Which queues an exchange gives a message to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// Those that are bound with the message's routing key.
    Direct,
    /// All that are bound.
    Fanout,
}

impl ExchangeKind {
    pub(crate) fn of_lapin(self) -> lapin::ExchangeKind {
        match self {
            Self::Direct => lapin::ExchangeKind::Direct,
            Self::Fanout => lapin::ExchangeKind::Fanout,
        }
    }
}

/// How an exchange is declared. The default is lost with the broker and deleted by nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// Whether it survives a restart of the broker.
    pub is_durable: bool,
    /// Whether it is deleted with its last binding.
    pub is_auto_delete: bool,
}

impl ExchangeOptions {
    /// An exchange that survives a restart of the broker.
    pub fn durable() -> Self {
        Self { is_durable: true, ..Self::default() }
    }

    /// An exchange that is deleted with its last binding.
    pub fn auto_delete() -> Self {
        Self { is_auto_delete: true, ..Self::default() }
    }

    pub(crate) fn of_lapin(self) -> ExchangeDeclareOptions {
        let Self { is_durable, is_auto_delete } = self;
        ExchangeDeclareOptions {
            durable: is_durable,
            auto_delete: is_auto_delete,
            ..ExchangeDeclareOptions::default()
        }
    }
}

/// How a queue is declared. The default is lost with the broker and deleted by nobody else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueOptions {
    /// Whether it survives a restart of the broker.
    pub is_durable: bool,
    /// Whether only this connection may use it; it is deleted with the connection.
    pub is_exclusive: bool,
    /// Whether it is deleted with its last consumer.
    pub is_auto_delete: bool,
    /// What else the broker is to do with it: its type, bounds, and so on.
    pub arguments: Table,
}

impl QueueOptions {
    /// A queue that survives a restart of the broker.
    pub fn durable() -> Self {
        Self { is_durable: true, ..Self::default() }
    }

    /// A queue that is this connection's alone, and deleted with it or with its last consumer.
    pub fn exclusive() -> Self {
        Self { is_exclusive: true, is_auto_delete: true, ..Self::default() }
    }

    /// The same with these arguments.
    #[must_use]
    pub fn with_arguments(self, arguments: Table) -> Self {
        Self { arguments, ..self }
    }

    pub(crate) fn of_lapin(&self) -> QueueDeclareOptions {
        QueueDeclareOptions {
            durable: self.is_durable,
            exclusive: self.is_exclusive,
            auto_delete: self.is_auto_delete,
            ..QueueDeclareOptions::default()
        }
    }
}

/// A queue as its broker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStatus {
    /// Its name; the broker has chosen it where none was given.
    pub name: String,
    /// Messages that wait in it. Those that were delivered and are not acknowledged do not count.
    pub messages: u32,
    /// How many consume it.
    pub consumers: u32,
}

impl QueueStatus {
    pub(crate) fn of(queue: &lapin::Queue) -> Self {
        let name = queue.name().to_string();
        Self { name, messages: queue.message_count(), consumers: queue.consumer_count() }
    }
}
