//! Connections to AMQP 0-9-1 brokers: the only crate that knows the protocol.
//!
//! A [`BrokerUrl`] says where a broker is and how to log in, a [`BrokerError`] what it refused.
//! [`amqp`] is a client of our own for large bodies; everything else goes over lapin.

pub mod amqp;
pub mod backoff;
mod connect;

pub use connect::{BrokerError, BrokerUrl, TIMEOUT, no_answer};
