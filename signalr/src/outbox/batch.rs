//! Several messages in one piece, shared by all that they are sent to.

use bytes::Bytes;

/// Whole messages, one behind the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    bytes: Bytes,
    /// Where each message ends, for those that count them.
    ends: Vec<usize>,
}

/// A batch that is still being made.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Gathering {
    pub(crate) fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn finish(self) -> Batch {
        Batch { bytes: self.bytes.into(), ends: self.ends }
    }
}

impl Batch {
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Bytes> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| self.bytes.slice(begin..end))
    }
}
