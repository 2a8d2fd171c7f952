//! Cuts a stream of bytes into messages, and refuses one above the limit before it is buffered.

use bytes::Bytes;

use super::Protocol;

/// Ends each message of JSON, and both handshakes.
pub(super) const SEPARATOR: u8 = 0x1e;
/// A length in front of MessagePack has at most so many bytes.
const MAX_LENGTH_BYTES: u32 = 5;

/// Collects bytes until a message is whole. What is whole already is sliced, not copied.
#[derive(Debug)]
pub struct Splitter {
    protocol: Protocol,
    limit_bytes: usize,
    /// What has come and is not looked at yet.
    rest: Bytes,
    /// The beginning of a message whose end has not come: shorter than the limit.
    begun: Vec<u8>,
    length: Length,
    failed: Option<FrameError>,
}

/// The length in front of a message of MessagePack.
#[derive(Clone, Copy, Debug, Default)]
struct Length {
    value: u64,
    bytes: u32,
    is_whole: bool,
}

/// Bytes that are not cut into messages any further: they end the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message, or what of it has come, is longer than the limit allows.
    #[error("a message is longer than the {limit_bytes} bytes that are allowed")]
    TooLong {
        /// With separator or length.
        limit_bytes: usize,
    },
    /// A length of MessagePack is 0, or is not a number of 31 bits in at most five bytes.
    #[error("the length in front of a message is not from 1 to 2147483647 in at most five bytes")]
    Length,
}

impl Splitter {
    /// `limit_bytes` counts the separator or the length, too.
    pub fn new(protocol: Protocol, limit_bytes: usize) -> Self {
        Self {
            protocol,
            limit_bytes,
            rest: Bytes::new(),
            begun: Vec::new(),
            length: Length::default(),
            failed: None,
        }
    }

    /// Takes what has come. Nothing is copied where all before it was taken by [`next_message`](Self::next_message).
    pub fn push(&mut self, bytes: &Bytes) {
        if self.rest.is_empty() {
            self.rest = bytes.clone();
        } else if !bytes.is_empty() {
            self.rest = [&self.rest[..], &bytes[..]].concat().into();
        }
    }

    /// The next whole message without its separator or length. An error stays.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let next = match self.protocol {
            Protocol::Json => self.next_text(),
            Protocol::MessagePack => self.next_binary(),
        };
        next.inspect_err(|error| {
            self.failed = Some(*error);
            self.drop_begun();
        })
    }

    /// What follows is of another protocol: the handshake is always JSON.
    pub(crate) fn switch_to(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Whether something has come that [`next_message`](Self::next_message) has not looked at.
    pub(crate) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The end of what has come will never come: a new socket begins with a new message.
    pub(crate) fn drop_begun(&mut self) {
        self.rest = Bytes::new();
        self.begun = Vec::new();
        self.length = Length::default();
    }

    fn next_text(&mut self) -> Result<Option<Bytes>, FrameError> {
        let end = self.rest.iter().position(|byte| *byte == SEPARATOR);
        // Without a separator one byte more has to come at least.
        let message_bytes = self.begun.len() + end.unwrap_or(self.rest.len()) + 1;
        if message_bytes > self.limit_bytes {
            return Err(FrameError::TooLong { limit_bytes: self.limit_bytes });
        }
        let Some(end) = end else {
            self.keep_rest();
            return Ok(None);
        };
        let message = self.complete(end);
        self.skip_bytes(1);
        Ok(Some(message))
    }

    fn next_binary(&mut self) -> Result<Option<Bytes>, FrameError> {
        while !self.length.is_whole {
            let Some(byte) = self.rest.first().copied() else {
                self.keep_rest();
                return Ok(None);
            };
            self.skip_bytes(1);
            self.length.take(byte)?;
        }
        self.check_length()?;
        let missing = self.length.value as usize - self.begun.len();
        if self.rest.len() < missing {
            self.keep_rest();
            return Ok(None);
        }
        self.length = Length::default();
        Ok(Some(self.complete(missing)))
    }

    fn check_length(&self) -> Result<(), FrameError> {
        if self.length.value == 0 {
            return Err(FrameError::Length);
        }
        if self.length.value + u64::from(self.length.bytes) > self.limit_bytes as u64 {
            return Err(FrameError::TooLong { limit_bytes: self.limit_bytes });
        }
        Ok(())
    }

    /// What was begun, and the first `bytes` of the rest.
    fn complete(&mut self, bytes: usize) -> Bytes {
        let end = self.rest.split_to(bytes);
        if self.begun.is_empty() {
            return end;
        }
        self.begun.extend_from_slice(&end);
        Bytes::from(std::mem::take(&mut self.begun))
    }

    fn skip_bytes(&mut self, bytes: usize) {
        drop(self.rest.split_to(bytes));
        self.release_empty_rest();
    }

    fn keep_rest(&mut self) {
        self.begun.extend_from_slice(&self.rest);
        self.rest = Bytes::new();
    }

    /// An empty slice would keep alive what a transport has received.
    fn release_empty_rest(&mut self) {
        if self.rest.is_empty() {
            self.rest = Bytes::new();
        }
    }
}

impl Length {
    /// Seven bits each, the lowest first; the highest bit says that more follow.
    fn take(&mut self, byte: u8) -> Result<(), FrameError> {
        self.value |= u64::from(byte & 0x7f) << (7 * self.bytes);
        self.bytes += 1;
        self.is_whole = byte & 0x80 == 0;
        let is_too_great = self.value > i32::MAX as u64;
        let is_too_long = self.bytes == MAX_LENGTH_BYTES && !self.is_whole;
        if is_too_great || is_too_long { Err(FrameError::Length) } else { Ok(()) }
    }
}
