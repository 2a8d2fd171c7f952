//! AMQP 0-9-1 as far as frames need it: a body leaves from where its ticks are, and arrives in the
//! buffer in which it stays. Declarations, control messages and everything else go over lapin.
//!
//! lapin copies each body twice on either side and hands it from thread to thread; on two cores that
//! took a quarter of all time. Here one task owns the socket: it writes the parts of many messages by
//! one system call, and reads a body straight into its place.

mod buffers;
mod connection;
mod handshake;
mod incoming;
mod outgoing;

pub use buffers::Buffers;
pub use connection::AmqpConnection;
pub use incoming::Received;
pub use outgoing::{Envelope, Parts};

/// The protocol's methods, as [`AmqpConnection`] takes and gives them.
pub use amq_protocol::protocol;
/// The names in these.
pub use amq_protocol::types::ShortString;

/// Why a connection is of no use any more, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// The system's message, or how the peer departs from the protocol.
    Broken(String),
    /// An error of TLS.
    Tls(String),
    /// The broker closed it, with AMQP's own code.
    Closed { code: u16, text: String },
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match crate::tls::reason(&error) {
            Some(reason) => Self::Tls(reason),
            None => Self::Broken(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
