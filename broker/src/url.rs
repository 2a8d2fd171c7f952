//! A broker's URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lapin::uri::{AMQPScheme, AMQPUri};

use crate::BrokerError;

/// A peer that is silent for twice this time is gone.
pub(crate) const HEARTBEAT_SECONDS: u16 = 3;

/// Where a broker is: `amqp://user:password@host:port/vhost`. With `amqps` the files of its
/// authority and of the client's certificate go in the query, as RabbitMQ's own clients have it:
/// `amqps://host/?cacertfile=ca.pem&certfile=client.pem&keyfile=client-key.pem`. Without `cacertfile` the
/// system's authorities are trusted, and with it no other.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    uri: AMQPUri,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
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
    /// The vhost.
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    /// The broker's host with its port, as they stand in the URL.
    pub fn address(&self) -> String {
        let authority = &self.uri.authority;
        format!("{}:{}", authority.host, authority.port)
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    pub(crate) fn with_port(&self, port: u16) -> Self {
        let mut url = self.clone();
        url.uri.authority.port = port;
        url
    }

    pub(crate) fn with_login_of(mut self, other: &Self) -> Self {
        self.uri.authority.userinfo = other.uri.authority.userinfo.clone();
        self
    }

    pub(crate) fn with_files_of(self, other: &Self) -> Self {
        Self { ca: other.ca.clone(), certificate: other.certificate.clone(), key: other.key.clone(), ..self }
    }

    pub(crate) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// The host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.authority.host.as_str();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The file of those who sign the broker's certificate; the system's own where there is none.
    pub(crate) fn authority_file(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The files of this client's certificate and key.
    pub(crate) fn client_files(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.key.as_deref())
    }
}

#[cfg(test)]
mod tests;
