//! A received body, in which ticks are read in place.

use std::ops::Range;
use std::sync::Arc;

use rkyv::util::AlignedVec;

use tick_sdk::Tick;

/// Where a received body's buffer is used again.
pub(crate) trait BufferHome: std::fmt::Debug + Send + Sync {
    /// Takes back a buffer that nobody reads any more.
    fn recycle(&self, buffer: Vec<u8>);
}

/// Ticks in place in a received body.
#[derive(Clone, Debug)]
pub(in crate::frame) struct ReceivedTicks {
    body: Arc<ReceivedBody>,
    /// Where they are in the body; checked to be whole ticks at a tick's alignment.
    bytes: Range<usize>,
}

/// A body as it came, or copied once where it was not aligned.
#[derive(Debug)]
pub(super) enum ReceivedBody {
    AsItCame {
        bytes: Vec<u8>,
        /// Where the buffer is used again.
        home: Option<Arc<dyn BufferHome>>,
    },
    Aligned(AlignedVec),
}

impl Drop for ReceivedBody {
    fn drop(&mut self) {
        if let Self::AsItCame { bytes, home: Some(home) } = self {
            home.recycle(std::mem::take(bytes));
        }
    }
}

impl ReceivedBody {
    /// Keeps the buffer where it is aligned for ticks, and copies it once where it is not.
    pub(super) fn new(bytes: Vec<u8>, home: Option<Arc<dyn BufferHome>>) -> Self {
        if bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Self::AsItCame { bytes, home };
        }
        let mut aligned = AlignedVec::with_capacity(bytes.len());
        aligned.extend_from_slice(&bytes);
        Self::Aligned(aligned)
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        match &mut self {
            Self::AsItCame { bytes, .. } => std::mem::take(bytes),
            Self::Aligned(bytes) => bytes.to_vec(),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::AsItCame { bytes, .. } => bytes,
            Self::Aligned(bytes) => bytes,
        }
    }
}

pub(super) const ALIGNMENT: usize = align_of::<Tick>();

impl ReceivedTicks {
    /// `bytes` are whole ticks at a tick's alignment.
    pub(super) fn new(body: ReceivedBody, bytes: Range<usize>) -> Self {
        Self { body: Arc::new(body), bytes }
    }

    #[inline]
    pub(in crate::frame) fn as_slice(&self) -> &[Tick] {
        bytemuck::cast_slice(&self.body.as_slice()[self.bytes.clone()])
    }
}
