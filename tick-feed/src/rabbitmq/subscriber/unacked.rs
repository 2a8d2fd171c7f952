//! Which deliveries of one shard are not yet acknowledged, and which acknowledgements are due. Pure:
//! no I/O, no clock.

use std::collections::VecDeque;

/// The deliveries of one subscription to one shard, in order, that the broker still keeps.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything before it is stored.
    stored: u64,
    /// How many wait until it is known whose run they are of.
    unknown: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u64,
    bytes: usize,
    /// The broker need not keep it once everything before this is stored.
    needed_below: u64,
}

/// An acknowledgement to send.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// This delivery and all before it.
    UpTo(u64),
    /// This delivery alone.
    One(u64),
}

/// When it is stored as a dead letter.
pub(super) const NEEDED_UNTIL_DEAD_LETTERED: u64 = u64::MAX;
/// When it is known whose run it is of.
pub(super) const NEEDED_UNTIL_RUN_KNOWN: u64 = u64::MAX - 1;
/// Once the run's end is committed.
pub(super) const NEEDED_UNTIL_END_COMMITTED: u64 = u64::MAX - 2;
/// At once.
pub(super) const NOT_NEEDED: u64 = 0;

impl Unacked {
    /// A delivery that is needed until everything before `needed_below` is stored.
    pub(super) fn push(&mut self, tag: u64, bytes: usize, needed_below: u64) {
        self.bytes += bytes;
        self.unknown += usize::from(needed_below == NEEDED_UNTIL_RUN_KNOWN);
        self.entries.push_back(Entry { tag, bytes, needed_below });
    }

    /// Everything before `stored` is stored. Gives the acknowledgement that this makes due.
    #[must_use]
    pub(super) fn store(&mut self, stored: u64) -> Option<Ack> {
        self.stored = self.stored.max(stored.min(NEEDED_UNTIL_END_COMMITTED));
        self.due()
    }

    /// One acknowledgement for all that is no longer needed from the oldest delivery on.
    #[must_use]
    pub(super) fn due(&mut self) -> Option<Ack> {
        let mut last = None;
        while let Some(entry) = self.entries.front()
            && entry.needed_below <= self.stored
        {
            last = Some(Ack::UpTo(entry.tag));
            self.bytes -= entry.bytes;
            self.entries.pop_front();
        }
        last
    }

    /// This delivery is no longer needed; it is acknowledged alone unless [`due`](Self::due) will
    /// include it.
    #[must_use]
    pub(super) fn discard(&mut self, tag: u64) -> Option<Ack> {
        let place = self.entries.binary_search_by_key(&tag, |entry| entry.tag).ok()?;
        if self.entries.range(..place).all(|entry| entry.needed_below <= self.stored) {
            self.unknown -= usize::from(self.entries[place].needed_below == NEEDED_UNTIL_RUN_KNOWN);
            self.entries[place].needed_below = NOT_NEEDED;
            return None;
        }
        self.acknowledged(tag);
        Some(Ack::One(tag))
    }

    /// This delivery was acknowledged by itself. Gives its bytes.
    pub(super) fn acknowledged(&mut self, tag: u64) -> usize {
        let place = self.entries.binary_search_by_key(&tag, |entry| entry.tag);
        let entry = place.ok().and_then(|place| self.entries.remove(place));
        let Some(entry) = entry else { return 0 };
        self.unknown -= usize::from(entry.needed_below == NEEDED_UNTIL_RUN_KNOWN);
        self.bytes -= entry.bytes;
        entry.bytes
    }

    /// The runs that were unknown are over; true if there were any.
    #[inline]
    pub(super) fn release_unknown_runs(&mut self) -> bool {
        if self.unknown == 0 {
            return false;
        }
        self.unknown = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.needed_below == NEEDED_UNTIL_RUN_KNOWN) {
            entry.needed_below = NOT_NEEDED;
        }
        true
    }

    /// Whether what is needed until then is not stored yet.
    pub(super) fn is_needed(&self, needed_below: u64) -> bool {
        needed_below > self.stored
    }

    /// The broker has forgotten all deliveries: they come again, or go elsewhere.
    pub(super) fn forget(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.unknown = 0;
    }

    /// How many deliveries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes their bodies have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_stored_goes_in_one_acknowledgement() {
        let mut unacked = Unacked::default();
        for (tag, needed_below) in [(1, 10), (2, 20), (3, 5), (4, 30)] {
            unacked.push(tag, 100, needed_below);
        }
        assert_eq!(unacked.store(9), None);
        assert_eq!(unacked.store(20), Some(Ack::UpTo(3)));
        assert_eq!((unacked.len(), unacked.bytes()), (1, 100));
        assert_eq!(unacked.store(u64::MAX), Some(Ack::UpTo(4)));
    }

    #[test]
    fn the_end_waits_until_it_is_committed_the_unknown_and_the_poison_longer() {
        let mut unacked = Unacked::default();
        unacked.push(1, 1, NEEDED_UNTIL_END_COMMITTED);
        unacked.push(2, 1, NEEDED_UNTIL_RUN_KNOWN);
        unacked.push(3, 1, NEEDED_UNTIL_DEAD_LETTERED);
        assert_eq!(unacked.store(1_000_000), None);
        assert_eq!(unacked.store(u64::MAX), Some(Ack::UpTo(1)));
        assert_eq!(unacked.due(), None);
        assert!(unacked.release_unknown_runs() && !unacked.release_unknown_runs());
        assert_eq!(unacked.due(), Some(Ack::UpTo(2)));
        unacked.push(4, 1, NOT_NEEDED);
        assert_eq!(unacked.due(), None);
        unacked.acknowledged(3);
        assert_eq!((unacked.due(), unacked.bytes()), (Some(Ack::UpTo(4)), 0));
    }

    #[test]
    fn what_came_too_early_goes_alone_unless_nothing_is_before_it() {
        let mut unacked = Unacked::default();
        unacked.push(1, 1, 10);
        unacked.push(2, 1, 30);
        assert_eq!(unacked.discard(2), Some(Ack::One(2)));
        assert_eq!(unacked.store(10), Some(Ack::UpTo(1)));
        unacked.push(3, 1, 30);
        unacked.push(4, 1, 40);
        assert_eq!((unacked.discard(3), unacked.discard(4)), (None, None));
        assert_eq!(unacked.due(), Some(Ack::UpTo(4)));
        assert_eq!(unacked.discard(9), None);
    }

    proptest! {
        /// Whatever is stored and discarded in whatever order, each delivery is acknowledged once,
        /// none before it may be, and every one that is acknowledged is still there.
        #[test]
        fn each_delivery_is_acknowledged_once_and_none_too_soon(
            steps in proptest::collection::vec((0u8..4, 0u64..50), 1..200)
        ) {
            let mut unacked = Unacked::default();
            let mut broker: Vec<(u64, u64)> = Vec::new();
            let (mut next_tag, mut stored) = (1, 0);
            for (step, value) in steps {
                let mut discarded = None;
                let ack = match step {
                    0 | 1 => {
                        unacked.push(next_tag, 1, value);
                        broker.push((next_tag, value));
                        next_tag += 1;
                        unacked.due()
                    }
                    2 => {
                        stored = stored.max(value);
                        unacked.store(value)
                    }
                    _ => {
                        discarded = Some(value);
                        if let Some(entry) = broker.iter_mut().find(|(tag, _)| *tag == value) {
                            entry.1 = 0;
                        }
                        unacked.discard(value)
                    }
                };
                let acknowledged = match ack {
                    None => continue,
                    Some(Ack::One(tag)) => {
                        prop_assert_eq!(discarded, Some(tag));
                        tag..=tag
                    }
                    Some(Ack::UpTo(tag)) => 0..=tag,
                };
                prop_assert!(broker.iter().any(|(tag, _)| tag == acknowledged.end()), "the broker does not know it");
                for (tag, needed_below) in broker.iter().filter(|(tag, _)| acknowledged.contains(tag)) {
                    prop_assert!(*needed_below <= stored, "{tag} is still needed");
                }
                broker.retain(|(tag, _)| !acknowledged.contains(tag));
            }
            prop_assert_eq!(unacked.len(), broker.len());
            let _ = unacked.store(u64::MAX);
            prop_assert_eq!((unacked.len(), unacked.bytes()), (0, 0));
        }
    }
}
