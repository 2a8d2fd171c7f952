//! One question over HTTP, on a connection of its own.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::ManagementError;
use crate::socket::Socket;
use crate::{BrokerUrl, TIMEOUT};

/// No answer is larger.
const MAX_ANSWER: usize = 64 << 20;
const PORT: u16 = 15_672;
const TLS_PORT: u16 = 15_671;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as a part of a path or of a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Where the API is, and how to log in.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Host, port, login and certificates; its scheme says whether to encrypt.
    peer: BrokerUrl,
    /// Before `/api`; empty or from a `/` on.
    prefix: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.peer.is_encrypted() { "https" } else { "http" };
        let authority = &self.peer.uri().authority;
        write!(f, "{scheme}://{}:{}{}", authority.host, authority.port, self.prefix)
    }
}

impl Address {
    pub(super) fn beside(url: &BrokerUrl) -> Self {
        let port = if url.is_encrypted() { TLS_PORT } else { PORT };
        Self { peer: url.with_port(port), prefix: String::new() }
    }

    pub(super) fn parse(text: &str, url: &BrokerUrl) -> Result<Self, ManagementError> {
        let after_login = text.rsplit('@').next().unwrap_or(text);
        let wrong = || ManagementError::Address { address: after_login.to_owned() };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (scheme, port) = match scheme {
            "http" => ("amqp", 80),
            "https" => ("amqps", 443),
            _ => return Err(wrong()),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        let (authority, prefix) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
        let has_port = authority.rsplit(['@', ']']).next().is_some_and(|host| host.contains(':'));
        let port = if has_port { String::new() } else { format!(":{port}") };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let peer: BrokerUrl = format!("{scheme}://{authority}{port}/{query}").parse().map_err(|_| wrong())?;
        let peer = if authority.contains('@') { peer } else { peer.with_login_of(url) };
        let peer = if query.is_empty() { peer.with_files_of(url) } else { peer };
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { peer, prefix })
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Asks for a path.
pub(super) async fn get(address: &Address, path: &str) -> Result<Answer, ManagementError> {
    let unreachable = |reason: String| ManagementError::Unreachable { address: address.to_string(), reason };
    let asking = async {
        let mut socket = Socket::connect(&address.peer).await.map_err(|error| match error {
            crate::BrokerError::Unreachable { reason, .. } | crate::BrokerError::Tls { reason, .. } => reason,
            other => other.to_string(),
        })?;
        exchange(&mut socket, address, path).await.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(TIMEOUT, asking).await {
        Err(_) => Err(unreachable(crate::connection::no_answer())),
        Ok(Err(reason)) => Err(unreachable(reason)),
        Ok(Ok(answer)) => parsed(answer).ok_or_else(|| {
            unreachable("what answers there does not speak HTTP: is the port right?".to_owned())
        }),
    }
}

/// HTTP 1.0, so that the answer comes in one piece and ends with the connection.
async fn exchange(socket: &mut Socket, address: &Address, path: &str) -> io::Result<Vec<u8>> {
    let authority = &address.peer.uri().authority;
    let login = format!("{}:{}", authority.userinfo.username, authority.userinfo.password);
    let request = format!(
        "GET {}{path} HTTP/1.0\r\nHost: {}:{}\r\nAuthorization: Basic {}\r\nAccept: application/json\r\n\r\n",
        address.prefix,
        authority.host,
        authority.port,
        STANDARD.encode(login)
    );
    let mut left = request.as_bytes();
    while !left.is_empty() {
        let written = poll_fn(|cx| socket.poll_write(cx, &[IoSlice::new(left)])).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        left = &left[written..];
    }
    poll_fn(|cx| socket.poll_flush(cx)).await?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = poll_fn(|cx| socket.poll_read(cx, &mut [IoSliceMut::new(&mut buffer)])).await;
        let read = match read {
            // Not everybody ends TLS in good order, and the answer says its own length.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && is_whole(&answer) => 0,
            read => read?,
        };
        if read == 0 {
            return Ok(answer);
        }
        answer.extend_from_slice(&buffer[..read]);
        if answer.len() > MAX_ANSWER {
            return Err(io::Error::other(format!("its answer is larger than {} MB", MAX_ANSWER >> 20)));
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(Answer { body, .. }) = parsed(answer.to_vec()) else { return false };
    let head = String::from_utf8_lossy(&answer[..answer.len() - body.len()]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length == Some(body.len())
}

fn parsed(answer: Vec<u8>) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: answer[end + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        let url: BrokerUrl = "amqp://zoe:secret@broker:5673/a".parse().unwrap();
        Address::parse(text, &url).unwrap()
    }

    #[test]
    fn addresses_are_read_and_never_show_a_password() {
        assert_eq!(at("http://host:1/").to_string(), "http://host:1");
        assert_eq!(at("https://u:p@host/rabbit/").to_string(), "https://host:443/rabbit");
        assert_eq!(at("http://host:1").peer.uri().authority.userinfo.username, "zoe");
        assert_eq!(at("http://u:p@host:1").peer.uri().authority.userinfo.password, "p");
        let url: BrokerUrl = "amqps://zoe:secret@broker/".parse().unwrap();
        assert_eq!(Address::beside(&url).to_string(), "https://broker:15671");
        for wrong in ["host:1", "ftp://host", "http://u:secret@ho st:x"] {
            let error = Address::parse(wrong, &url).unwrap_err().to_string();
            assert!(error.contains("not an address") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parsed(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]".to_vec()).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"[]".as_slice()));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]"));
        assert!(parsed(b"AMQP\0\0\x09\x01".to_vec()).is_none());
    }
}
