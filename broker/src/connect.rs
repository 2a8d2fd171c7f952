//! A broker's URL, a connection to it, and every way in which that fails.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, ErrorKind};
use thiserror::Error;

/// A connection is made, and each request answered, within this time, or has failed.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A peer that is silent for twice this time is gone.
pub(crate) const HEARTBEAT_SECONDS: u16 = 3;

/// Where a broker is: `amqp://user:password@host:port/vhost`. With `amqps` the files of its
/// authority and of the client's certificate go in the query, as RabbitMQ's own clients have it:
/// `amqps://host/?cacertfile=ca.pem&certfile=client.pem&keyfile=client-key.pem`.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    uri: AMQPUri,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// What a broker refused, or why it could not be asked.
#[derive(Clone, Debug, Error)]
pub enum BrokerError {
    /// The text is no URL of a broker.
    #[error(
        "'{url}' is no broker: {reason}\n  write amqp://USER:PASSWORD@HOST:PORT/VHOST, where a vhost of / is %2f"
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
        /// The system's words.
        reason: String,
    },
    /// Nobody answers there.
    #[error(
        "broker {url} cannot be reached: {reason}\n  see whether it runs, and whether host and port are right"
    )]
    Unreachable {
        /// The broker, without a password.
        url: String,
        /// What was tried, and what came of it.
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
        /// The broker's words, which name the queue.
        reason: String,
    },
    /// A queue or exchange is not there.
    #[error("broker {url}: {reason}")]
    NotFound {
        /// The broker, without a password.
        url: String,
        /// The broker's words, which name the queue.
        reason: String,
    },
    /// Somebody else has what only one can have.
    #[error("broker {url}: {reason}")]
    Locked {
        /// The broker, without a password.
        url: String,
        /// The broker's words, which name the queue.
        reason: String,
    },
    /// Everything else.
    #[error("broker {url}: {reason}")]
    Other {
        /// The broker, without a password.
        url: String,
        /// The broker's or the client library's words.
        reason: String,
    },
}

impl BrokerError {
    /// Whether trying again may help: the broker or the way to it is down.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. })
    }
}

impl FromStr for BrokerUrl {
    type Err = BrokerError;

    fn from_str(text: &str) -> Result<Self, BrokerError> {
        let wrong = |reason: String| BrokerError::Url { url: without_password(text), reason };
        let mut uri: AMQPUri = text.parse().map_err(wrong)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let mut url = Self { uri, ca: None, certificate: None, key: None };
        let query = text.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let file = match name {
                "cacertfile" => &mut url.ca,
                "certfile" => &mut url.certificate,
                "keyfile" => &mut url.key,
                _ => continue,
            };
            *file = Some(value.into());
        }
        if url.certificate.is_some() != url.key.is_some() {
            return Err(wrong("certfile and keyfile go together".to_owned()));
        }
        let has_files = url.ca.is_some() || url.certificate.is_some();
        if has_files && url.uri.scheme == AMQPScheme::AMQP {
            return Err(wrong("certificates are of use with amqps:// only".to_owned()));
        }
        Ok(url)
    }
}

impl fmt::Display for BrokerUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, vhost, .. } = &self.uri;
        write!(f, "{scheme}://{}:{}/{}", authority.host, authority.port, vhost.replace('/', "%2f"))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerUrl({self})")
    }
}

fn without_password(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => format!("{}…{}", &text[..scheme + 3], &text[at..]),
        _ => text.to_owned(),
    }
}

impl BrokerUrl {
    /// A connection with this name, which the broker's own tools show.
    ///
    /// # Errors
    /// See [`BrokerError`]; after [`TIMEOUT`] nobody answers.
    pub async fn connect(&self, name: &str) -> Result<Connection, BrokerError> {
        self.connect_within(TIMEOUT, name).await
    }

    async fn connect_within(&self, limit: Duration, name: &str) -> Result<Connection, BrokerError> {
        let tls = self.tls()?;
        // The library's own attempts would hide what we report, and wait where we would not.
        let properties = ConnectionProperties::default()
            .with_connection_name(name.into())
            .configure_backoff(|backoff| backoff.with_max_times(0));
        let runtime = lapin::runtime::default_runtime().map_err(|error| self.failed(&error))?;
        let connecting = Connection::connect_uri_with_config(self.uri.clone(), properties, tls, runtime);
        match tokio::time::timeout(limit, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(BrokerError::Unreachable { url: self.to_string(), reason: no_answer() }),
        }
    }

    /// An event loop for a caller that has none, and waits for each answer.
    ///
    /// # Errors
    /// The system gives it no file descriptors.
    pub fn event_loop(&self) -> Result<tokio::runtime::Runtime, BrokerError> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            BrokerError::Other {
                url: self.to_string(),
                reason: format!("no event loop can be made: {error}"),
            }
        })
    }

    /// Waits for an answer of the broker, but not longer than [`TIMEOUT`].
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub async fn answer<T>(&self, request: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
        match tokio::time::timeout(TIMEOUT, request).await {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_) => Err(BrokerError::Lost { url: self.to_string(), reason: no_answer() }),
        }
    }

    /// What an error of an established connection means.
    pub fn failed(&self, error: &lapin::Error) -> BrokerError {
        let (url, reason) = (self.to_string(), error.to_string());
        match error.kind() {
            ErrorKind::IOError(_)
            | ErrorKind::MissingHeartbeatError
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidChannel(_) => BrokerError::Lost { url, reason },
            ErrorKind::ProtocolError(protocol) => {
                let reason = protocol.get_message().to_string();
                match protocol.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
                        BrokerError::Arguments { url, reason }
                    }
                    AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => BrokerError::NotFound { url, reason },
                    AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => BrokerError::Locked { url, reason },
                    AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED | AMQPHardError::INTERNALERROR) => {
                        BrokerError::Lost { url, reason }
                    }
                    _ => BrokerError::Other { url, reason },
                }
            }
            _ => BrokerError::Other { url, reason },
        }
    }

    /// What an error while connecting means.
    fn refused(&self, error: &lapin::Error) -> BrokerError {
        let (url, reason) = (self.to_string(), error.to_string());
        match error.kind() {
            ErrorKind::ProtocolError(protocol) => match protocol.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => BrokerError::Login { url },
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                    BrokerError::Vhost { url, vhost: self.uri.vhost.clone() }
                }
                _ => BrokerError::Unreachable { url, reason },
            },
            _ => BrokerError::Unreachable { url, reason },
        }
    }

    /// What an established connection, or a channel of it, was closed with: AMQP's code, and the broker's
    /// words.
    pub fn closed(&self, code: u16, reason: String) -> BrokerError {
        let url = self.to_string();
        match code {
            404 => BrokerError::NotFound { url, reason },
            405 => BrokerError::Locked { url, reason },
            406 => BrokerError::Arguments { url, reason },
            // The connection was forced to close, or the broker had an error of its own.
            320 | 541 => BrokerError::Lost { url, reason },
            _ => BrokerError::Other { url, reason },
        }
    }

    pub fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub fn tls(&self) -> Result<OwnedTLSConfig, BrokerError> {
        let read = |file: &PathBuf| {
            std::fs::read(file).map_err(|error| BrokerError::File {
                file: file.display().to_string(),
                reason: error.to_string(),
            })
        };
        let cert_chain = self.ca.as_ref().map(read).transpose()?;
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                Some(OwnedIdentity::PKCS8 { pem: read(certificate)?, key: read(key)? })
            }
            _ => None,
        };
        let cert_chain = cert_chain.map(|pem| String::from_utf8_lossy(&pem).into_owned());
        Ok(OwnedTLSConfig { identity, cert_chain })
    }
}

pub fn no_answer() -> String {
    format!("there was no answer for {} s", TIMEOUT.as_secs())
}

#[cfg(test)]
mod tests;
