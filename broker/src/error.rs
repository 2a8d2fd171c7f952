//! What a broker refused, or why it could not be reached.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use thiserror::Error;

use crate::{BrokerUrl, tls};

/// What a broker refused, or why it could not be asked.
#[derive(Clone, Debug, Error)]
pub enum BrokerError {
    /// The text is not a valid URL of a broker.
    #[error(
        "'{url}' is not a valid broker URL: {reason}\n  write amqp://USER:PASSWORD@HOST:PORT/VHOST, where a vhost of / is %2f"
    )]
    Url {
        /// The text, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that the URL names cannot be read.
    #[error("{file}: {reason}\n  it is named by the broker's URL")]
    File {
        /// The file.
        file: String,
        /// The system's message.
        reason: String,
    },
    /// The broker cannot be connected to.
    #[error(
        "broker {url} cannot be reached: {reason}\n  see whether it runs, and whether host and port are right"
    )]
    Unreachable {
        /// The broker, without a password.
        url: String,
        /// What was tried, and what came of it.
        reason: String,
    },
    /// TLS fails, or one end does not accept the other's certificate. It is also what comes of an
    /// encrypted connection that the broker ended before it answered, as it does then.
    #[error("broker {url}: TLS fails: {reason}")]
    Tls {
        /// The broker, without a password.
        url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The login is refused.
    #[error(
        "broker {url} refuses the login: see user and password in its URL, and the user's rights on the vhost"
    )]
    Login {
        /// The broker, without a password.
        url: String,
    },
    /// The vhost is not there, or closed to this user.
    #[error(
        "broker {url} has no vhost '{vhost}' for this user\n  make it with `rabbitmqctl add_vhost`, or name another in the URL"
    )]
    Vhost {
        /// The broker, without a password.
        url: String,
        /// The vhost.
        vhost: String,
    },
    /// The connection was lost.
    #[error("the connection to broker {url} is lost: {reason}")]
    Lost {
        /// The broker, without a password.
        url: String,
        /// How that was seen.
        reason: String,
    },
    /// A queue or exchange of that name exists, and is another.
    #[error(
        "broker {url}: {reason}\n  it was made with other arguments: use another feed name, or delete it"
    )]
    Arguments {
        /// The broker, without a password.
        url: String,
        /// The broker's message, which names the queue.
        reason: String,
    },
    /// A queue or exchange is not there.
    #[error("broker {url}: {reason}")]
    NotFound {
        /// The broker, without a password.
        url: String,
        /// The broker's message, which names the queue.
        reason: String,
    },
    /// This login may not do that.
    #[error("broker {url}: {reason}")]
    Refused {
        /// The broker, without a password.
        url: String,
        /// The broker's message, which names what it refuses.
        reason: String,
    },
    /// Another connection has what only one can have.
    #[error("broker {url}: {reason}")]
    Locked {
        /// The broker, without a password.
        url: String,
        /// The broker's message, which names the queue.
        reason: String,
    },
    /// Anything else.
    #[error("broker {url}: {reason}")]
    Other {
        /// The broker, without a password.
        url: String,
        /// The broker's or the client library's message.
        reason: String,
    },
}

impl BrokerError {
    /// Whether trying again may help: the broker or the network is down.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. })
    }

    /// Whether trying again may help whoever was connected before with the same URL. Its certificates
    /// were accepted then, so an error of TLS is taken for that of a broker that stops or begins.
    pub fn is_temporary_once_connected(&self) -> bool {
        self.is_temporary() || matches!(self, Self::Tls { .. })
    }

    /// Whether the broker closes a channel, and not its connection, to say so.
    pub(crate) fn is_of_a_channel(&self) -> bool {
        matches!(
            self,
            Self::Arguments { .. } | Self::NotFound { .. } | Self::Refused { .. } | Self::Locked { .. }
        )
    }

    /// What an error of an established connection means.
    pub(crate) fn of_established(url: &BrokerUrl, error: &lapin::Error) -> Self {
        let url = url.to_string();
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::IOError(_)
            | ErrorKind::MissingHeartbeatError
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidChannel(_) => Self::Lost { url, reason },
            ErrorKind::ProtocolError(protocol) => {
                let reason = protocol.get_message().to_string();
                match protocol.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Self::Arguments { url, reason },
                    AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Self::NotFound { url, reason },
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Refused { url, reason },
                    AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => Self::Locked { url, reason },
                    AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED | AMQPHardError::INTERNALERROR) => {
                        Self::Lost { url, reason }
                    }
                    _ => Self::Other { url, reason },
                }
            }
            _ => Self::Other { url, reason },
        }
    }

    /// What an error while connecting means.
    pub(crate) fn of_connecting(broker: &BrokerUrl, error: &lapin::Error) -> Self {
        let url = broker.to_string();
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::ProtocolError(protocol) => match protocol.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Login { url },
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                    Self::Vhost { url, vhost: broker.uri().vhost.clone() }
                }
                _ => Self::Unreachable { url, reason },
            },
            ErrorKind::IOError(error) => match tls::reason(error) {
                Some(reason) => Self::Tls { url, reason },
                None => Self::Unreachable { url, reason },
            },
            _ => Self::Unreachable { url, reason },
        }
    }

    /// What an established connection, or a channel of it, was closed with: AMQP's code and the
    /// broker's message.
    pub(crate) fn of_closed(url: &BrokerUrl, code: u16, reason: String) -> Self {
        let url = url.to_string();
        match code {
            403 => Self::Refused { url, reason },
            404 => Self::NotFound { url, reason },
            405 => Self::Locked { url, reason },
            406 => Self::Arguments { url, reason },
            // The connection was forced to close, or the broker had an error of its own.
            320 | 541 => Self::Lost { url, reason },
            _ => Self::Other { url, reason },
        }
    }
}
