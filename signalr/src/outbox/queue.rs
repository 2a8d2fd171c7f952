//! Messages in their order: small ones copied together, large ones shared with other connections.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::Format;

/// Messages up to this length are copied into a chunk: that costs less than a count of references for each.
const MAX_COPIED_BYTES: usize = 1024;
/// A chunk is taken whole, so it is not much larger than what a transport likes to write at once.
const MAX_CHUNK_BYTES: usize = 16 * 1024;
/// What a message with a key costs besides its bytes.
const KEYED_BYTES: usize = 96;
/// Entries for which room is kept while nothing waits.
const MAX_IDLE_ENTRIES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The chunk that small messages are appended to; it comes after all entries.
    tail: Vec<u8>,
    /// How long the tail became the last time, so that it is allocated once.
    usual_tail_bytes: usize,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Of what is taken next.
    format: Option<Format>,
    /// The number of the first entry, and which entries have a key.
    first: u64,
    keyed: Option<HashMap<Arc<str>, u64>>,
}

#[derive(Debug)]
enum Entry {
    /// Whole messages.
    Chunk(Vec<u8>),
    Shared(Bytes),
    /// May be replaced.
    Keyed(Arc<str>, Bytes),
    /// Counted where it is kept until it is acknowledged. Also a Sequence message, which the next one replaces.
    Numbered(Bytes),
    /// What follows is text or binary.
    Format(Format),
}

impl Queue {
    /// Messages that are kept elsewhere, too, do not count.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.entries.iter().all(|entry| matches!(entry, Entry::Format(_)))
    }

    pub(super) fn push(&mut self, message: &Bytes) {
        self.bytes += message.len();
        if message.len() > MAX_COPIED_BYTES {
            self.append(Entry::Shared(message.clone()));
            return;
        }
        if self.tail.len() + message.len() > MAX_CHUNK_BYTES {
            self.end_chunk();
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(self.usual_tail_bytes.max(message.len()));
        }
        self.tail.extend_from_slice(message);
    }

    /// What many clients are sent is shared by all for which nothing else waits, whatever its length: it is taken soon, and nothing
    /// is allocated meanwhile.
    pub(super) fn push_batch(&mut self, messages: &Bytes) {
        if self.entries.is_empty() && self.tail.is_empty() {
            self.bytes += messages.len();
            self.append(Entry::Shared(messages.clone()));
        } else {
            self.push(messages);
        }
    }

    pub(super) fn push_numbered(&mut self, message: Bytes) {
        self.append(Entry::Numbered(message));
    }

    /// What [`push_latest`](Self::push_latest) will add.
    pub(super) fn cost_of_latest(&self, key: &Arc<str>, message: &Bytes) -> usize {
        match self.keyed_entry(key) {
            Some(Entry::Keyed(_, earlier)) => message.len().saturating_sub(earlier.len()),
            _ => message.len() + KEYED_BYTES,
        }
    }

    pub(super) fn push_latest(&mut self, key: &Arc<str>, message: &Bytes) {
        let place = self.keyed.as_ref().and_then(|keyed| keyed.get(key)).map(|number| number - self.first);
        if let Some(Entry::Keyed(_, earlier)) = place.and_then(|place| self.entries.get_mut(place as usize)) {
            self.bytes = self.bytes - earlier.len() + message.len();
            *earlier = message.clone();
            return;
        }
        self.end_chunk();
        self.bytes += message.len() + KEYED_BYTES;
        self.keyed.get_or_insert_default().insert(key.clone(), self.first + self.entries.len() as u64);
        self.append(Entry::Keyed(key.clone(), message.clone()));
    }

    pub(super) fn switch_format(&mut self, format: Format) {
        self.append(Entry::Format(format));
    }

    /// All that is numbered is sent again, before what waits and has no number.
    pub(super) fn send_again(&mut self, sequence: Bytes, messages: impl Iterator<Item = Bytes>) {
        let others = mem::take(&mut self.entries);
        let others = others.into_iter().filter(|entry| !matches!(entry, Entry::Numbered(_)));
        let numbered = [sequence].into_iter().chain(messages).map(Entry::Numbered);
        self.entries = numbered.chain(others).collect();
    }

    pub(super) fn clear(&mut self) {
        let format = self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Format(format) => Some(*format),
            _ => None,
        });
        *self = Self { format: format.or(self.format), ..Self::default() };
    }

    /// Appends whole messages of one format, at least one, to `into`; what they counted is returned.
    pub(super) fn take(&mut self, limit_bytes: usize, into: &mut Vec<u8>) -> (Format, usize) {
        let before = self.bytes;
        let begin = into.len();
        while let Some(next) = self.entries.front() {
            if into.len() > begin && !next.fits(limit_bytes.saturating_sub(into.len() - begin)) {
                return self.taken(before);
            }
            self.take_entry(into);
        }
        if into.len() == begin || self.tail.len() <= limit_bytes.saturating_sub(into.len() - begin) {
            self.take_tail(into);
        }
        self.taken(before)
    }

    #[cfg(test)]
    pub(super) fn tail_bytes(&self) -> usize {
        self.tail.capacity()
    }

    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.tail.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    fn take_entry(&mut self, into: &mut Vec<u8>) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.first += 1;
        match entry {
            Entry::Chunk(messages) => {
                self.bytes -= messages.len();
                into.extend_from_slice(&messages);
            }
            Entry::Shared(message) => {
                self.bytes -= message.len();
                into.extend_from_slice(&message);
            }
            Entry::Keyed(key, message) => {
                self.bytes -= message.len() + KEYED_BYTES;
                into.extend_from_slice(&message);
                if let Some(keyed) = &mut self.keyed {
                    keyed.remove(&key);
                }
            }
            Entry::Numbered(message) => into.extend_from_slice(&message),
            Entry::Format(format) => self.format = Some(format),
        }
    }

    fn take_tail(&mut self, into: &mut Vec<u8>) {
        let tail = mem::take(&mut self.tail);
        self.usual_tail_bytes = tail.len();
        self.bytes -= tail.len();
        into.extend_from_slice(&tail);
    }

    /// An idle connection keeps no memory for what has gone.
    fn taken(&mut self, before: usize) -> (Format, usize) {
        if self.entries.is_empty() {
            if self.entries.capacity() > MAX_IDLE_ENTRIES {
                self.entries = VecDeque::new();
            }
            self.keyed = None;
        }
        (self.format.unwrap_or(Format::Text), before - self.bytes)
    }

    fn append(&mut self, entry: Entry) {
        self.end_chunk();
        self.entries.push_back(entry);
    }

    fn end_chunk(&mut self) {
        if !self.tail.is_empty() {
            self.usual_tail_bytes = MAX_CHUNK_BYTES.min(self.tail.len());
            self.entries.push_back(Entry::Chunk(mem::take(&mut self.tail)));
        }
    }

    fn keyed_entry(&self, key: &Arc<str>) -> Option<&Entry> {
        let number = self.keyed.as_ref()?.get(key)?;
        self.entries.get((number - self.first) as usize)
    }
}

impl Entry {
    /// Whether it is taken together with what was taken before.
    fn fits(&self, left_bytes: usize) -> bool {
        match self {
            Self::Chunk(messages) => messages.len() <= left_bytes,
            Self::Shared(message) | Self::Keyed(_, message) | Self::Numbered(message) => {
                message.len() <= left_bytes
            }
            Self::Format(_) => false,
        }
    }
}
