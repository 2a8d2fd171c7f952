//! Buffers of received bodies, used again: the last one that was returned is still in the processor's caches.

use std::sync::{Arc, Mutex, PoisonError};

/// All buffers that wait to be used again hold at most so many bytes.
const KEPT_BYTES: usize = 16 << 20;
/// A larger one is not kept.
const MAX_BYTES: usize = 4 << 20;
/// A smaller one is not worth a lock.
const MIN_BYTES: usize = 8 << 10;

/// Where buffers are taken from, and where they go when their frames are dropped.
#[derive(Clone, Debug)]
pub struct Buffers(Option<Arc<Mutex<Kept>>>);

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// Keeps those that come back, within bounds.
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Keeps none: each is made anew.
    pub fn none() -> Self {
        Self(None)
    }

    /// A buffer of so many bytes, whatever they are.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        let mut buffer = Vec::new();
        if let Some(kept) = self.0.as_ref().filter(|_| bytes >= MIN_BYTES) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = kept.buffers.pop() {
                kept.bytes -= last.capacity();
                buffer = last;
            }
        }
        buffer.resize(bytes, 0);
        buffer
    }

    /// Takes a buffer back that is no longer needed.
    pub fn give(&self, buffer: Vec<u8>) {
        let Some(kept) = &self.0 else { return };
        let bytes = buffer.capacity();
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes) {
            return;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + bytes <= KEPT_BYTES {
            kept.bytes += bytes;
            kept.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_buffer_is_used_first_and_no_more_are_kept_than_the_bound() {
        let buffers = Buffers::new();
        let (first, last) = (buffers.take(1 << 20), buffers.take(1 << 20));
        let place = last.as_ptr();
        buffers.give(first);
        buffers.give(last);
        let taken = buffers.take(1 << 19);
        assert_eq!(taken.as_ptr(), place);
        (0..100).for_each(|_| buffers.give(vec![0; 1 << 20]));
        buffers.give(vec![0; MAX_BYTES + 1]);
        let kept = buffers.0.unwrap().lock().unwrap().bytes;
        assert!((KEPT_BYTES - (1 << 20)..=KEPT_BYTES).contains(&kept), "{kept}");
    }
}
