//! One TCP connection of the replayed client: bytes go out as they were recorded, and what comes back is kept.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A connection for one request and, where that opened a WebSocket, for its frames.
pub(crate) struct Link {
    writer: Option<OwnedWriteHalf>,
    reader: Option<JoinHandle<()>>,
    reads: watch::Sender<bool>,
    seen: watch::Receiver<Seen>,
}

/// What has come from the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) head: Option<Head>,
    /// Without its chunks.
    pub(crate) body: Vec<u8>,
    pub(crate) is_body_ended: bool,
    pub(crate) frames: Vec<Frame>,
    /// How TCP ended, if it did.
    pub(crate) end: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

/// A WebSocket frame, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) is_last: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

impl Link {
    /// Connects, and sends the request. `is_head`: the answer has no body.
    pub(crate) async fn request(port: u16, request: &[u8], is_head: bool) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        stream.set_nodelay(true).unwrap();
        // What is dropped is reset; an orderly end is asked for.
        stream.set_zero_linger().unwrap();
        let (reader, mut writer) = stream.into_split();
        // A server that refuses early may have closed meanwhile; its answer says more.
        let _ = writer.write_all(request).await;
        let (reads, may_read) = watch::channel(true);
        let (seen, shown) = watch::channel(Seen::default());
        let reading = Reading { reader, may_read, seen, is_head, waiting: Vec::new() };
        let reader = tokio::spawn(reading.run());
        Self { writer: Some(writer), reader: Some(reader), reads, seen: shown }
    }

    /// Sends bytes; what the server does not take any more shows in what it answers.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        if let Some(writer) = &mut self.writer {
            let _ = writer.write_all(bytes).await;
        }
    }

    /// Ends this direction in order.
    pub(crate) async fn finish(&mut self) {
        if let Some(writer) = &mut self.writer {
            let _ = writer.shutdown().await;
        }
    }

    /// Resets the connection.
    pub(crate) async fn reset(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.forget();
        }
        if let Some(reader) = self.reader.take() {
            reader.abort();
            let _ = reader.await;
        }
    }

    /// Reads nothing more, until told to.
    pub(crate) fn read(&self, reads: bool) {
        let _ = self.reads.send(reads);
    }

    /// Whether it comes to this within the time.
    pub(crate) async fn comes_to(&self, within: Duration, condition: impl Fn(&Seen) -> bool) -> bool {
        let mut seen = self.seen.clone();
        let comes = seen.wait_for(|seen| condition(seen) || seen.end.is_some());
        matches!(tokio::time::timeout(within, comes).await, Ok(Ok(_))) && condition(&self.seen.borrow())
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

struct Reading {
    reader: OwnedReadHalf,
    may_read: watch::Receiver<bool>,
    seen: watch::Sender<Seen>,
    is_head: bool,
    /// What has come and is not a whole piece yet.
    waiting: Vec<u8>,
}

impl Reading {
    async fn run(mut self) {
        let mut piece = vec![0; 64 * 1024];
        let end = loop {
            if self.may_read.wait_for(|reads| *reads).await.is_err() {
                return;
            }
            match self.reader.read(&mut piece).await {
                Ok(0) => break "fin",
                Ok(length) => self.waiting.extend_from_slice(&piece[..length]),
                Err(_) => break "reset",
            }
            let waiting = &mut self.waiting;
            let is_head = self.is_head;
            self.seen.send_modify(|seen| while seen.take(waiting, is_head) {});
        };
        self.seen.send_modify(|seen| {
            seen.end = Some(end);
            seen.is_body_ended |= seen.header("content-length").is_none() && !seen.is_chunked();
        });
    }
}

impl Seen {
    pub(crate) fn status(&self) -> Option<u16> {
        self.head.as_ref().map(|head| head.status)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.iter().flat_map(|head| &head.headers);
        headers.find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    /// Takes one whole piece of what waits.
    fn take(&mut self, waiting: &mut Vec<u8>, is_head: bool) -> bool {
        if self.head.is_none() {
            return self.take_head(waiting, is_head);
        }
        if self.status() == Some(101) {
            return self.take_frame(waiting);
        }
        if self.is_body_ended || waiting.is_empty() {
            return false;
        }
        if self.is_chunked() {
            return self.take_chunk(waiting);
        }
        self.body.append(waiting);
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        self.is_body_ended = length.is_some_and(|length: usize| self.body.len() >= length);
        false
    }

    fn take_head(&mut self, waiting: &mut Vec<u8>, is_head: bool) -> bool {
        let Some(length) = find(waiting, b"\r\n\r\n") else { return false };
        let text = String::from_utf8_lossy(&waiting[..length]).into_owned();
        waiting.drain(..length + 4);
        let mut lines = text.split("\r\n");
        let mut status = lines.next().unwrap_or_default().splitn(3, ' ').skip(1);
        let head = Head {
            status: status.next().and_then(|status| status.parse().ok()).unwrap_or(0),
            reason: status.next().unwrap_or_default().to_owned(),
            headers: lines.filter_map(|line| line.split_once(':')).map(named).collect(),
        };
        let has_none = is_head || matches!(head.status, 204 | 304);
        self.head = Some(head);
        self.is_body_ended = has_none || self.header("content-length") == Some("0");
        true
    }

    fn take_chunk(&mut self, waiting: &mut Vec<u8>) -> bool {
        let Some(line) = find(waiting, b"\r\n") else { return false };
        let size = String::from_utf8_lossy(&waiting[..line]).into_owned();
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { return false };
        let end = line + 2 + size + 2;
        if waiting.len() < end {
            return false;
        }
        self.body.extend_from_slice(&waiting[line + 2..end - 2]);
        self.is_body_ended = size == 0;
        waiting.drain(..end);
        true
    }

    fn take_frame(&mut self, waiting: &mut Vec<u8>) -> bool {
        let Some((length, offset)) = frame_length(waiting) else { return false };
        let Some(end) = offset.checked_add(length).filter(|end| waiting.len() >= *end) else { return false };
        let frame = Frame {
            is_last: waiting[0] & 0x80 != 0,
            opcode: waiting[0] & 0x0f,
            payload: waiting[offset..end].to_vec(),
        };
        waiting.drain(..end);
        self.frames.push(frame);
        true
    }

    /// The close frame's code (none where it has none) and reason.
    pub(crate) fn close(&self) -> Option<(Option<u16>, String)> {
        let frame = self.frames.iter().find(|frame| frame.opcode == CLOSE)?;
        let code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        let reason = frame.payload.get(2..).unwrap_or_default();
        Some((code, String::from_utf8_lossy(reason).into_owned()))
    }
}

fn named((name, value): (&str, &str)) -> (String, String) {
    (name.to_ascii_lowercase(), value.trim().to_owned())
}

/// A frame's payload length, and where the payload begins.
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let short = bytes.get(1)? & 0x7f;
    match short {
        126 => Some((u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into(), 4)),
        127 => Some((usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10)),
        length => Some((length.into(), 2)),
    }
}

/// A client's frame. `first`: its first byte, with FIN and the reserved bits.
pub(crate) fn frame(first: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mask_bit = if is_masked { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(mask_bit | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(mask_bit | 126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(mask_bit | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if !is_masked {
        frame.extend_from_slice(payload);
        return frame;
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The payload of a close frame.
pub(crate) fn close_payload(code: Option<u64>, reason: &str) -> Vec<u8> {
    let Some(code) = code else { return Vec::new() };
    let mut payload = u16::try_from(code).unwrap().to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload
}

pub(crate) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
