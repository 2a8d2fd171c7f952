//! How many frames a broker may send of a shard before one is acknowledged. RabbitMQ bounds them by
//! their number only, so that the number follows from their size. Pure: the time is an argument.

use std::time::{Duration, Instant};

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
/// A number that was made smaller is not made larger again before this is over.
const SMALLER_FOR: Duration = Duration::from_secs(1);
/// Frames are taken to be the largest possible until so many have come.
const FIRST_FRAMES: usize = 16;

/// One shard's number of frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefetch {
    bytes: usize,
    /// The mean size of frames, times [`MEMORY`].
    mean: usize,
    count: u16,
    /// How often it was made wider than bytes allow.
    widened: u32,
    /// When it was made smaller.
    lowered: Option<Instant>,
    /// The bytes of the first frames, and how many they were.
    first: (usize, usize),
}

impl Prefetch {
    /// For `bytes` of frames that are `largest` bytes until they are seen to be smaller.
    pub(super) fn new(bytes: usize, largest: usize) -> Self {
        let mean = largest.max(1) * MEMORY;
        let mut prefetch = Self { bytes, mean, count: 0, widened: 0, lowered: None, first: (0, 0) };
        prefetch.count = prefetch.wanted();
        prefetch
    }

    /// The number of frames.
    pub(super) fn count(self) -> u16 {
        self.count
    }

    /// As large as the number may become.
    pub(super) fn most(self) -> u16 {
        u16::try_from(u32::from(MOST_FRAMES) << self.widened).unwrap_or(u16::MAX)
    }

    /// A frame of so many bytes came. Says whether the number has changed.
    #[inline]
    pub(super) fn note(&mut self, bytes: usize, at: Instant) -> bool {
        if self.first.1 < FIRST_FRAMES {
            self.first = (self.first.0 + bytes, self.first.1 + 1);
            if self.first.1 < FIRST_FRAMES {
                return false;
            }
            self.mean = self.first.0 / FIRST_FRAMES * MEMORY;
        } else {
            self.mean = self.mean - self.mean / MEMORY + bytes;
        }
        let (now, wanted) = (usize::from(self.count), usize::from(self.wanted()));
        let lower = wanted * WORTH_A_CHANGE <= now;
        let higher = wanted >= now * WORTH_A_CHANGE
            && self.lowered.is_none_or(|lowered| at.saturating_duration_since(lowered) >= SMALLER_FOR);
        if lower {
            self.lowered = Some(at);
        }
        if lower || higher {
            self.count = self.wanted();
        }
        lower || higher
    }

    /// Twice as many, whatever their size.
    pub(super) fn widen(&mut self) {
        self.widened = (self.widened + 1).min(8);
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
        let now = Instant::now();
        let changes = |prefetch: &mut Prefetch, frames: usize, bytes: usize, now: Instant| {
            (0..frames).filter(|_| prefetch.note(bytes, now)).count()
        };
        assert_eq!(prefetch.count(), 64);
        assert_eq!(changes(&mut prefetch, 100, 200 << 10, now), 0);
        assert!(changes(&mut prefetch, 1000, 300, now) <= 4);
        assert!((MOST_FRAMES / 4..=MOST_FRAMES).contains(&prefetch.count()), "{}", prefetch.count());
        // Large ones are many bytes: the first changes it at once, and small ones not back at once.
        assert_eq!(changes(&mut prefetch, 1, 1 << 20, now), 1);
        assert!(prefetch.count() <= 130, "{}", prefetch.count());
        assert_eq!(changes(&mut prefetch, 1000, 300, now), 0);
        assert_eq!(changes(&mut prefetch, 1, 300, now + SMALLER_FOR), 1);
    }

    #[test]
    fn small_frames_from_the_start_are_one_change() {
        let mut prefetch = Prefetch::new(16 << 20, 256 << 10);
        let changes = (0..1000).filter(|_| prefetch.note(300, Instant::now())).count();
        assert_eq!((changes, prefetch.count()), (1, MOST_FRAMES));
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
