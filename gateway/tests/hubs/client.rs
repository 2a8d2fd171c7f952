//! A client of hubs by hand: the JSON protocol over a WebSocket without negotiation.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Everything that a test waits for comes within it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Ends a message of the protocol.
const SEPARATOR: u8 = 0x1e;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
    /// Of a message whose frames have not all come.
    text: Vec<u8>,
    messages: VecDeque<Value>,
    calls: u64,
}

/// The status of no answer at all, where nobody listens.
pub(crate) const NOBODY: u16 = 0;

/// Opens a WebSocket; the error is the status that was answered instead.
pub(crate) async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Client, u16> {
    open_with(TcpSocket::new_v4().unwrap(), address, path, headers).await
}

/// The same over a socket with settings of its own.
pub(crate) async fn open_with(
    socket: TcpSocket,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Client, u16> {
    let Ok(stream) = timeout(PATIENCE, socket.connect(address)).await.unwrap() else { return Err(NOBODY) };
    let (read, text, messages) = (Vec::new(), Vec::new(), VecDeque::new());
    let mut client = Client { stream, read, text, messages, calls: 0 };
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    client.write(format!("{head}\r\n").as_bytes()).await;
    let end = loop {
        if let Some(end) = client.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        if !client.fill().await {
            return Err(NOBODY);
        }
    };
    let head = String::from_utf8(client.read.drain(..end).collect()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if status == 101 { Ok(client) } else { Err(status) }
}

impl Client {
    /// With the handshake done, and without a key.
    pub(crate) async fn connect(address: SocketAddr, hub: &str) -> Self {
        Self::try_connect(address, hub).await.unwrap()
    }

    /// The error is what was answered instead.
    pub(crate) async fn try_connect(address: SocketAddr, hub: &str) -> Result<Self, u16> {
        let mut client = open(address, &format!("/hubs/{hub}"), &[]).await?;
        client.try_to_shake_hands().await.ok_or(NOBODY)?;
        Ok(client)
    }

    pub(crate) async fn shake_hands(&mut self) {
        self.try_to_shake_hands().await.expect("the handshake's answer");
    }

    async fn try_to_shake_hands(&mut self) -> Option<()> {
        self.send(&json!({"protocol": "json", "version": 1})).await;
        let answer = self.next().await?;
        (answer == json!({})).then_some(())
    }

    /// Calls a method, and gives its result; what comes meanwhile waits for [`next`](Self::next).
    pub(crate) async fn call(&mut self, method: &str, arguments: Value) -> Result<Value, String> {
        let id = self.begin(1, method, arguments).await;
        let mut others = VecDeque::new();
        let completion = loop {
            let message = self.next().await.expect("an answer");
            if message["type"] == 3 && message["invocationId"] == id.as_str() {
                break message;
            }
            others.push_back(message);
        };
        others.append(&mut self.messages);
        self.messages = others;
        match completion["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(completion["result"].clone()),
        }
    }

    /// Begins a stream.
    pub(crate) async fn stream(&mut self, method: &str, argument: Value) -> String {
        self.begin(4, method, json!([argument])).await
    }

    async fn begin(&mut self, kind: u8, method: &str, arguments: Value) -> String {
        self.calls += 1;
        let id = self.calls.to_string();
        let call = json!({"type": kind, "invocationId": id, "target": method, "arguments": arguments});
        self.send(&call).await;
        id
    }

    /// The next item of a stream; `None` where the stream or the connection has ended.
    pub(crate) async fn item(&mut self) -> Option<Value> {
        loop {
            let mut message = self.next().await?;
            match message["type"].as_u64() {
                Some(2) => return Some(message["item"].take()),
                Some(3 | 7) => return None,
                _ => {}
            }
        }
    }

    /// The arguments of the next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Option<Value> {
        loop {
            let mut message = self.next().await?;
            match message["type"].as_u64() {
                Some(1) if message["target"] == name => return Some(message["arguments"].take()),
                Some(7) => return None,
                _ => {}
            }
        }
    }

    /// The next message that is no ping; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.messages.pop_front() {
                Some(message) if message["type"] == 6 => {}
                Some(message) => return Some(message),
                None => self.receive().await?,
            }
        }
    }

    /// Reads one frame.
    async fn receive(&mut self) -> Option<()> {
        let (opcode, payload) = loop {
            if let Some(frame) = self.frame() {
                break frame;
            }
            if !self.fill().await {
                return None;
            }
        };
        match opcode {
            0..=2 => self.text.extend(payload),
            8 => return None,
            9 => self.frame_of(0x8a, &payload).await,
            _ => {}
        }
        while let Some(end) = self.text.iter().position(|byte| *byte == SEPARATOR) {
            let message: Vec<_> = self.text.drain(..=end).collect();
            self.messages.push_back(serde_json::from_slice(&message[..end]).unwrap());
        }
        Some(())
    }

    /// The next frame, if all of it is there.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [first, second, ..] = *self.read.as_slice() else { return None };
        assert_eq!(second & 0x80, 0, "a server masks nothing");
        let (head, length) = match second {
            126 => (4, u16::from_be_bytes(self.read.get(2..4)?.try_into().unwrap()).into()),
            127 => (10, u64::from_be_bytes(self.read.get(2..10)?.try_into().unwrap()) as usize),
            short => (2, short.into()),
        };
        if self.read.len() < head + length {
            return None;
        }
        let payload = self.read[head..head + length].to_vec();
        self.read.drain(..head + length);
        Some((first & 0x0f, payload))
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        let mut text = message.to_string().into_bytes();
        text.push(SEPARATOR);
        self.frame_of(0x81, &text).await;
    }

    /// Masked by zeros.
    async fn frame_of(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.write(&frame).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        // Where the other side has gone, reading says so.
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("room to write");
    }

    /// Whether something came: nothing does after the end.
    async fn fill(&mut self) -> bool {
        let mut bytes = vec![0; 64 << 10];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await.expect("something to read");
        let read = read.unwrap_or(0);
        self.read.extend(&bytes[..read]);
        read > 0
    }

    /// Waits until the server has cut the connection, without reading anything: what is sent is refused then.
    pub(crate) async fn is_cut(&mut self) {
        let ping = [&br#"{"type":6}"#[..], &[SEPARATOR]].concat();
        let mut frame = vec![0x81, 0x80 | ping.len() as u8, 0, 0, 0, 0];
        frame.extend(ping);
        while self.stream.write_all(&frame).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
