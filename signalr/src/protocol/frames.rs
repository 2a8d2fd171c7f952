//! Cuts a stream of bytes into messages, and refuses one above the limit before it is buffered.

use bytes::Bytes;

use super::Protocol;

/// Collects bytes until a message is whole.
#[derive(Debug)]
pub struct Splitter {
    protocol: Protocol,
    limit_bytes: usize,
}

/// A message, or what of it has come, is longer than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than the {limit_bytes} bytes that are allowed")]
pub struct TooLong {
    /// With separator or length.
    pub limit_bytes: usize,
}

impl Splitter {
    /// `limit_bytes` counts the separator or the length, too.
    pub fn new(protocol: Protocol, limit_bytes: usize) -> Self {
        Self { protocol, limit_bytes }
    }

    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        let _ = (bytes, self.protocol, self.limit_bytes);
        todo!()
    }

    /// The next whole message without its separator or length.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, super::ProtocolError> {
        todo!()
    }
}
