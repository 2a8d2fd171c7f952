//! The client's end of a SignalR connection over a WebSocket: as little as counts messages.

use std::io;
use std::net::SocketAddr;

use memchr::memchr;
use memchr::memmem::find;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What ends a record.
const END: u8 = 0x1e;
/// The server's head of an answer is shorter, and so is a record.
const MOST_HEAD: usize = 8 << 10;
const MOST_RECORD: usize = 16 << 20;

/// A connection that has shaken hands.
pub(super) struct Socket {
    stream: TcpStream,
    frames: Frames,
    /// Used again for each read.
    part: Vec<u8>,
}

impl Socket {
    pub(super) async fn connect(address: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let end = loop {
            if let Some(end) = find(&head, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut head).await? == 0 || head.len() > MOST_HEAD {
                return Err(io::Error::other("no answer to a request for a WebSocket"));
            }
        };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(io::Error::other(format!("no WebSocket: {}", String::from_utf8_lossy(line))));
        }
        let mut frames = Frames::default();
        frames.take(&head[end..])?;
        let mut socket = Self { stream, frames, part: Vec::with_capacity(16 << 10) };
        socket.send(r#"{"protocol":"json","version":1}"#).await?;
        Ok(socket)
    }

    /// Sends a record.
    pub(super) async fn send(&mut self, record: &str) -> io::Result<()> {
        let length = record.len() + 1;
        let mut frame = vec![0x81];
        // The mask is there, and changes nothing.
        match u16::try_from(length) {
            Ok(short @ ..126) => frame.push(0x80 | short as u8),
            Ok(long) => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
            Err(_) => return Err(io::Error::other("a record of a viewer is long")),
        }
        frame.extend([0; 4]);
        frame.extend(record.as_bytes());
        frame.push(END);
        self.stream.write_all(&frame).await
    }

    /// The next record; `None` when the server has closed. Where it is dropped while it waits, nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(record) = self.frames.next_record() {
                return Ok(Some(record));
            }
            if self.frames.is_closed {
                return Ok(None);
            }
            self.part.clear();
            if self.stream.read_buf(&mut self.part).await? == 0 {
                return Ok(None);
            }
            self.frames.take(&self.part)?;
        }
    }
}

/// Takes the frames off the records.
#[derive(Default)]
struct Frames {
    /// A frame's head that is not whole.
    head: Vec<u8>,
    /// Bytes of the frame's body that are still to come, and whether they are text.
    left: u64,
    is_text: bool,
    is_closed: bool,
    records: Vec<u8>,
}

impl Frames {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (byte, rest) = (bytes[0], &bytes[1..]);
                bytes = rest;
                self.head.push(byte);
                self.begin_frame();
                continue;
            }
            let (body, rest) =
                bytes.split_at(bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX)));
            if self.is_text {
                self.records.extend_from_slice(body);
            }
            self.left -= body.len() as u64;
            bytes = rest;
        }
        if self.records.len() > MOST_RECORD {
            return Err(io::Error::other("a record of the server is too long"));
        }
        Ok(())
    }

    /// Begins a frame's body once its head is whole.
    fn begin_frame(&mut self) {
        let [first, second, ..] = self.head[..] else { return };
        let more = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.head.len() < 2 + more {
            return;
        }
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.left = if more == 0 { u64::from(second & 0x7f) } else { number(&self.head[2..2 + more]) };
        let opcode = first & 0x0f;
        // The rest of a message that is in parts goes on as it began.
        if opcode != 0 {
            self.is_text = matches!(opcode, 1 | 2);
        }
        self.is_closed |= opcode == 8;
        self.head.clear();
    }

    fn next_record(&mut self) -> Option<Vec<u8>> {
        let end = memchr(END, &self.records)?;
        let rest = self.records.split_off(end + 1);
        let mut record = std::mem::replace(&mut self.records, rest);
        record.pop();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_of_frames_however_they_are_cut() {
        let long = "x".repeat(300);
        let mut bytes = vec![0x81, 4];
        bytes.extend(b"ab\x1ec");
        bytes.extend([0x89, 1, b'p']);
        // Behind a ping the rest comes in two parts.
        bytes.extend([0x01, 126, 1, 45]);
        bytes.extend(long.as_bytes());
        bytes.push(b'y');
        bytes.extend([0x80, 1, END]);
        bytes.extend([0x88, 0]);
        for size in [1, 2, 7, 1_000] {
            let mut frames = Frames::default();
            bytes.chunks(size).for_each(|part| frames.take(part).unwrap());
            let texts: Vec<_> = std::iter::from_fn(|| frames.next_record()).collect();
            assert_eq!(texts.len(), 2, "in parts of {size}");
            assert_eq!(texts[0], b"ab");
            assert_eq!(texts[1], format!("c{long}y").as_bytes());
            assert!(frames.is_closed);
        }
    }
}
