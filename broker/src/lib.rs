//! Connections to AMQP 0-9-1 brokers: the only crate that names the client library.
//!
//! A [`BrokerUrl`] says where a broker is and how to log in, and a [`BrokerError`] what went wrong. A
//! [`Connection`] carries [`Channel`]s, and each of these declares, publishes, gets and consumes. Every
//! request is answered within [`TIMEOUT`] or has failed; nothing here blocks a thread.
//!
//! ```no_run
//! # async fn example() -> Result<(), broker::BrokerError> {
//! use broker::{BrokerUrl, Connection, Message, Outcome, QueueOptions};
//!
//! let url: BrokerUrl = "amqp://guest:guest@localhost/%2f".parse()?;
//! let connection = Connection::open(&url, "an example").await?;
//! let channel = connection.open_channel().await?;
//! channel.declare_queue("orders", &QueueOptions::durable()).await?;
//! let outcome = channel.publish_confirmed("", "orders", &Message::persistent(b"an order")).await?;
//! assert_eq!(outcome, Outcome::Confirmed);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Publisher`] has many messages on their way to the broker at once, each with an answer of its own.
//!
//! Where bodies are large and many, [`amqp`] has a client of our own that does not copy them.

#![deny(missing_docs, unnameable_types)]

pub mod amqp;
pub mod backoff;
mod channel;
mod connection;
mod consumer;
mod declaration;
mod error;
pub mod management;
mod message;
mod publisher;
mod reactor;
mod socket;
mod table;
mod tls;
mod url;

pub use channel::Channel;
pub use connection::{Connection, TIMEOUT};
pub use consumer::{Acknowledgement, Consumer};
pub use declaration::{ExchangeKind, ExchangeOptions, QueueOptions, QueueStatus};
pub use error::BrokerError;
pub use management::Management;
pub use message::{Delivery, Message, Outcome, Properties};
pub use publisher::{Confirm, Publication, Publisher, PublisherState};
pub use table::{Table, Value};
pub use url::BrokerUrl;
