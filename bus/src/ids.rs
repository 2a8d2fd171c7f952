//! Ids that are made many a second.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use uuid::Uuid;

use crate::running::now_ms;

/// 42 bits, drawn once for the process: a random number for each id is a call of the system for each.
static RANDOM: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().1 & ((1 << 42) - 1));
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A UUID v7 of the time, the process's random bits and a count. Two are alike only where two processes drew the same
/// bits, and had counted as far in the same ms.
pub(crate) fn next() -> Uuid {
    uuid_v7(now_ms(), *RANDOM, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Sorts by time; those of one process within a ms by their count.
fn uuid_v7(ms: u64, random: u64, count: u32) -> Uuid {
    let high = ms << 16 | 0x7000 | random >> 30 & 0xfff;
    let low = 0b10 << 62 | u64::from(count) << 30 | random & 0x3fff_ffff;
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_differ() {
        let made: Vec<_> = (0..1_000).map(|_| next()).collect();
        let different: std::collections::HashSet<_> = made.iter().collect();
        assert_eq!(different.len(), made.len());
        assert!(
            made.iter().all(|id| (id.get_version_num(), id.get_variant()) == (7, uuid::Variant::RFC4122))
        );
        let most = (1 << 42) - 1;
        let ids = [uuid_v7(5, most, 1), uuid_v7(5, most, u32::MAX), uuid_v7(6, most, 0)];
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(ids[1].get_timestamp().map(|at| at.to_unix()), Some((0, 5_000_000)));
        assert_ne!(uuid_v7(5, 1, 1), uuid_v7(5, 1 << 41, 1));
    }
}
