//! HTTP/1.1 and WebSockets by hand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// One TCP connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A text of this JSON answer.
    pub(crate) fn field(&self, name: &str) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        value[name].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn is_uncached(&self) -> bool {
        self.header("cache-control") == Some("no-cache, no-store")
            && self.header("pragma") == Some("no-cache")
            && self.header("expires") == Some("Thu, 01 Jan 1970 00:00:00 GMT")
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).await.unwrap();
    }

    /// Fails once the other side has broken the connection.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap()
    }

    /// Whether the other side has ended or broken the connection; bytes before it are kept.
    pub(crate) async fn ends(&mut self) -> bool {
        while self.fill().await {}
        true
    }

    /// Ends without a word: a reset where `is_reset`.
    pub(crate) fn cut(self, is_reset: bool) {
        if is_reset {
            self.stream.set_zero_linger().unwrap();
        }
    }

    pub(crate) async fn send(&mut self, request: &str, headers: &[&str], body: Option<&[u8]>) {
        let mut head = format!("{request} HTTP/1.1\r\nHost: test.example\r\n");
        for header in headers {
            head += header;
            head += "\r\n";
        }
        if let Some(body) = body {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        self.write(&[head.as_bytes(), body.unwrap_or_default()].concat()).await;
    }

    pub(crate) async fn request(&mut self, request: &str, headers: &[&str], body: Option<&[u8]>) -> Answer {
        self.send(request, headers, body).await;
        let mut answer = self.head().await;
        if request.starts_with("HEAD") || [101, 204].contains(&answer.status) {
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            answer.body = self.exactly(length).await;
        } else {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        }
        answer
    }

    pub(crate) async fn head(&mut self) -> Answer {
        loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Answer { status, head, body: Vec::new() };
            }
            assert!(self.fill().await, "an answer");
        }
    }

    /// One chunk of a chunked body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n") {
                break end;
            }
            if !self.fill().await {
                return None;
            }
        };
        let line: Vec<_> = self.read.drain(..end + 2).collect();
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let chunk = self.exactly(length + 2).await;
        (length > 0).then(|| chunk[..length].to_vec())
    }

    async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.fill().await, "{length} bytes, not {:?}", self.read);
        }
        self.read.drain(..length).collect()
    }

    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.read);
        matches!(tokio::time::timeout(PATIENCE, read).await.expect("bytes or the end"), Ok(1..))
    }

    /// Asks for a WebSocket.
    pub(crate) async fn upgrade(&mut self, target: &str, headers: &[&str]) -> Answer {
        let asked = [
            "Connection: keep-alive, Upgrade",
            "Upgrade: WebSocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        self.request(&format!("GET {target}"), &[&asked, headers].concat(), None).await
    }

    /// A masked frame.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.write(&frame(first, payload)).await;
    }

    /// The first byte and the payload of the next frame.
    pub(crate) async fn next_frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.exactly(2).await;
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(self.exactly(2).await.try_into().unwrap())),
            127 => u64::from_be_bytes(self.exactly(8).await.try_into().unwrap()) as usize,
            length => usize::from(length),
        };
        (head[0], self.exactly(length).await)
    }

    /// Sends a message, and waits for its echo.
    pub(crate) async fn echo(&mut self, message: &str) -> String {
        self.frame(0x81, message.as_bytes()).await;
        self.text().await
    }

    pub(crate) async fn text(&mut self) -> String {
        let (first, payload) = self.next_frame().await;
        assert_eq!(first, 0x81);
        String::from_utf8(payload).unwrap()
    }
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0x22, 0x33, 0x44];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            frame.push(0xfe);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0xff);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, request: &str, headers: &[&str], body: &str) -> Answer {
    let has_body = request.starts_with('P');
    let mut client = Client::connect(address).await;
    client.request(request, headers, has_body.then_some(body.as_bytes())).await
}

/// Negotiates, and returns the token.
pub(crate) async fn negotiate(address: SocketAddr, headers: &[&str]) -> String {
    let negotiate = "POST /echo/negotiate?negotiateVersion=1&useStatefulReconnect=true";
    let answer = request(address, negotiate, headers, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.field("connectionToken")
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
