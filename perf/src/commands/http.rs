//! As much of an HTTP client as a load needs: one connection, one request after the other.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(super) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// A head larger than this is none.
const LONGEST_HEAD: usize = 64 * 1024;

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a `GET` of this path.
    pub(super) async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.ask(&get(self.address, path)).await
    }

    /// Sends a `POST` of this JSON.
    pub(super) async fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.ask(&post(self.address, path, body)).await
    }

    /// Sends a whole request and takes its whole answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = memchr_end(&self.received) {
                break end;
            }
            if self.received.len() > LONGEST_HEAD {
                return Err(io::Error::other("the answer has no end of its head"));
            }
            self.fill().await?;
        };
        let (status, length) = read_head(&self.received[..head])?;
        while self.received.len() < head + length {
            self.fill().await?;
        }
        let body = self.received[head..head + length].to_vec();
        self.received.drain(..head + length);
        Ok(Answer { status, body })
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Where the head ends, with its empty line.
fn memchr_end(received: &[u8]) -> Option<usize> {
    received.windows(4).position(|four| four == b"\r\n\r\n").map(|place| place + 4)
}

fn read_head(head: &[u8]) -> io::Result<(u16, usize)> {
    let wrong = || io::Error::other("the answer is not what a load expects: a status and a content-length");
    let head = std::str::from_utf8(head).map_err(|_| wrong())?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok((status, length.ok_or_else(wrong)?))
}

/// A `GET` of this path.
pub(super) fn get(host: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

fn post(host: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_status_and_length() {
        let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(memchr_end(head), Some(head.len()));
        assert_eq!(read_head(head).unwrap(), (202, 12));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
