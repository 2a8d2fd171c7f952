//! The ids of a log's events.

use tick_sdk::contracts::MessageId;
use uuid::Uuid;

/// Gives the event at a position its id.
pub(super) enum MessageIds {
    /// Made of time, position and these 30 random bits, which are drawn once for each opening of a store: a random
    /// number for each event is a call of the system for each.
    Random(u32),
    /// The same in each run of a test.
    #[cfg(feature = "testing")]
    Given(fn(u64) -> MessageId),
}

impl MessageIds {
    pub(super) fn new() -> Self {
        Self::Random(Uuid::new_v4().as_u128() as u32 >> 2)
    }

    /// A UUID v7. Positions are given once in a log, so two are alike only where two logs have an event at the same
    /// position in the same ms, and drew the same bits.
    pub(super) fn of(&self, position: u64, now_ms: u64) -> MessageId {
        match self {
            Self::Random(random) => MessageId(uuid_v7(now_ms, position, *random)),
            #[cfg(feature = "testing")]
            Self::Given(given) => given(position),
        }
    }
}

/// Sorts by time, then position.
fn uuid_v7(ms: u64, position: u64, random: u32) -> Uuid {
    let high = ms << 16 | 0x7000 | position >> 32 & 0xfff;
    let low = 0b10 << 62 | (position & 0xffff_ffff) << 30 | u64::from(random);
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_sort_as_their_events() {
        let ids = MessageIds::new();
        let places = [(1, 5), (2, 5), (0xffff_ffff, 5), (0x1_0000_0000, 5), (0xfff_ffff_ffff, 5), (3, 6)];
        let made: Vec<_> = places.iter().map(|(position, ms)| ids.of(*position, *ms).0).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]), "{made:?}");
        for id in made {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
        }
        let time = ids.of(7, 1_767_225_600_123).0.get_timestamp().unwrap();
        assert_eq!(time.to_unix(), (1_767_225_600, 123_000_000));
        assert_ne!(MessageIds::new().of(1, 1), MessageIds::new().of(1, 1));
    }
}
