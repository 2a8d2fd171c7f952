//! How many frames a broker may send of a shard before one is acknowledged. RabbitMQ bounds them by
//! their number only, so that the number follows from their size. Pure.

/// So many bytes of each shard are not acknowledged, at most, unless told otherwise: 16 MiB.
pub const PREFETCH_BYTES: usize = 16 << 20;
/// So many frames of each shard are not acknowledged, at least, however large: one is worked on
/// while the next is on its way.
pub const FEWEST_FRAMES: u16 = 2;
/// So many frames of each shard are not acknowledged, at most, however small.
pub const MOST_FRAMES: u16 = 5_000;

/// The number changes when the size of frames has changed by this factor: a change costs a round
/// trip without deliveries.
const WORTH_A_CHANGE: usize = 4;
/// The weight of the next frame in the mean size is 1 to this.
const MEMORY: usize = 8;

/// One shard's number of frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefetch {
    bytes: usize,
    /// The mean size of frames, times [`MEMORY`].
    mean: usize,
    count: u16,
    /// How often it was made wider than bytes allow.
    widened: u32,
}

impl Prefetch {
    /// For `bytes` of frames that are `largest` bytes until they are seen to be smaller.
    pub(super) fn new(bytes: usize, largest: usize) -> Self {
        let mean = largest.max(1) * MEMORY;
        let mut prefetch = Self { bytes, mean, count: 0, widened: 0 };
        prefetch.count = prefetch.wanted();
        prefetch
    }

    /// The number of frames.
    pub(super) fn count(self) -> u16 {
        self.count
    }

    /// A frame of so many bytes came. Says whether the number has changed.
    #[inline]
    pub(super) fn note(&mut self, bytes: usize) -> bool {
        self.mean = self.mean - self.mean / MEMORY + bytes;
        let (now, wanted) = (usize::from(self.count), usize::from(self.wanted()));
        let changes = wanted >= now * WORTH_A_CHANGE || wanted * WORTH_A_CHANGE <= now;
        if changes {
            self.count = self.wanted();
        }
        changes
    }

    /// Twice as many, whatever their size.
    pub(super) fn widen(&mut self) {
        self.widened = (self.widened + 1).min(u16::BITS);
        self.count = self.wanted().max(self.count.saturating_mul(2));
    }

    fn wanted(self) -> u16 {
        let mean = (self.mean / MEMORY).max(1);
        let fits = (self.bytes / mean).clamp(FEWEST_FRAMES.into(), MOST_FRAMES.into());
        u16::try_from(fits << self.widened).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_follows_the_size_but_not_every_frame() {
        let mut prefetch = Prefetch::new(16 << 20, 256 << 10);
        assert_eq!(prefetch.count(), 64);
        assert!(!(0..100).any(|_| prefetch.note(200 << 10)));
        let changes = (0..1000).filter(|_| prefetch.note(300)).count();
        assert!((MOST_FRAMES / 4..=MOST_FRAMES).contains(&prefetch.count()), "{}", prefetch.count());
        assert!(changes <= 4, "{changes} changes");
        // Large ones are many bytes: the first changes it at once.
        assert!(prefetch.note(1 << 20));
        assert!(prefetch.count() <= 130, "{}", prefetch.count());
    }

    #[test]
    fn there_is_always_one_to_work_on_and_one_on_its_way() {
        let mut prefetch = Prefetch::new(1, 64 << 20);
        assert_eq!(prefetch.count(), FEWEST_FRAMES);
        prefetch.widen();
        assert_eq!(prefetch.count(), 2 * FEWEST_FRAMES);
        (0..40).for_each(|_| prefetch.widen());
        assert_eq!(prefetch.count(), u16::MAX);
    }
}
