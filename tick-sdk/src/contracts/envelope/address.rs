//! Where messages come from and go to.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::error::beginning;

/// An absolute address: `rabbitmq://host/vhost/name?temporary=true`, or short, `exchange:name`, `queue:name`.
///
/// The host is whatever the sender calls its broker. So a receiver uses only
/// [`virtual_host`](Self::virtual_host) and [`name`](Self::name), and never compares addresses as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

/// A text that is no absolute address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{text}' {reason}: give an absolute address, as rabbitmq://host/name or exchange:name")]
pub struct InvalidAddress {
    text: String,
    reason: &'static str,
}

impl Address {
    /// The address of the exchange `name`, whatever the receiver calls its broker.
    pub fn of_exchange(name: &str) -> Self {
        Self(format!("exchange:{name}"))
    }

    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the exchange or queue: what stands last, without the query.
    pub fn name(&self) -> &str {
        let path = self.path();
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }

    /// The virtual host with its percent signs resolved; `None` for the default one, and in a short address.
    pub fn virtual_host(&self) -> Option<String> {
        let (before, _) = self.path().rsplit_once('/')?;
        let name = before.trim_start_matches('/').split_once('/')?.1;
        (!name.is_empty()).then(|| percent_decoded(name))
    }

    /// All between scheme and query.
    fn path(&self) -> &str {
        let rest = self.0.split_once(':').map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split(['?', '#']).next().unwrap_or(rest)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let refuse = |reason| Err(InvalidAddress { text: beginning(text), reason });
        let Some((scheme, rest)) = text.split_once(':') else {
            return refuse("names no scheme");
        };
        let is_scheme_char = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(is_scheme_char) {
            return refuse("names no scheme");
        }
        if text.chars().any(char::is_control) {
            return refuse("contains a control character");
        }
        match rest.strip_prefix("//") {
            Some(rest) if !is_authority(rest.split(['/', '?', '#']).next().unwrap_or(rest)) => {
                refuse("names no valid host")
            }
            None if rest.is_empty() => refuse("names nothing after its scheme"),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Whether this is `[user@]host[:port]`.
fn is_authority(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let (host, port) = match host.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) if port.starts_with(':') => (address, port.strip_prefix(':')),
            _ => return false,
        },
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    !host.is_empty() && !host.contains(['[', ']', ' ', '\\']) && port.is_none_or(is_port)
}

/// `%2F` as `/`; what cannot be resolved stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_virtual_host_are_found() {
        let parts = |text: &str| {
            let address: Address = text.parse().unwrap();
            (address.virtual_host(), address.name().to_owned())
        };
        let named = |host: &str, name: &str| (Some(host.to_owned()), name.to_owned());
        assert_eq!(parts("rabbitmq://localhost/chain/create-user?bind=true"), named("chain", "create-user"));
        assert_eq!(parts("rabbitmqs://h:5671/a%2Fb/x"), named("a/b", "x"));
        assert_eq!(parts("rabbitmq://localhost/Orchard.Contracts:UserCreated").0, None);
        assert_eq!(
            parts("rabbitmq://localhost/Orchard.Contracts:UserCreated").1,
            "Orchard.Contracts:UserCreated"
        );
        assert_eq!(parts("exchange:replies?temporary=true"), (None, "replies".to_owned()));
        assert_eq!(parts("rabbitmq://[::1]:5672/v/x"), named("v", "x"));
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%é%41"), "%éA");
    }

    #[test]
    fn what_is_not_absolute_is_refused() {
        for text in
            ["replies", "/replies", "http://[bad", "http://", "exchange:", "1a:b", "a b:c", "x://h:99999/"]
        {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains("absolute"), "{text}: {error}");
        }
        assert!("queue:a\0b".parse::<Address>().is_err());
    }
}
