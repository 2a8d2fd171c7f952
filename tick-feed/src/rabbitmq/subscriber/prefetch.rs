//! How many frames a broker may send of a shard before one is acknowledged. RabbitMQ bounds them by
//! their number only, so that the number follows from the largest size that the ingester tells.

/// So many bytes of each shard are not acknowledged, at most, unless told otherwise: 64 MiB. What a
/// fast feed sends while a commit is under way has to fit, or it stands still meanwhile.
pub const PREFETCH_BYTES: usize = 64 << 20;
/// So many frames of each shard are not acknowledged, at least, however large: one is worked on
/// while the next is on its way.
pub const FEWEST_FRAMES: u16 = 2;
/// So many frames of each shard are not acknowledged, at most, however small.
pub const MOST_FRAMES: u16 = 5_000;

/// The number of frames of `largest` bytes that fit into `bytes`, made larger where no state can be
/// stored within them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefetch(u16);

impl Prefetch {
    pub(super) fn new(bytes: usize, largest: usize) -> Self {
        let fits = (bytes / largest.max(1)).clamp(FEWEST_FRAMES.into(), MOST_FRAMES.into());
        Self(u16::try_from(fits).unwrap_or(MOST_FRAMES))
    }

    /// The number of frames.
    pub(super) fn count(self) -> u16 {
        self.0
    }

    /// Twice as many.
    pub(super) fn grow_prefetch(&mut self) {
        self.0 = self.0.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_follows_from_the_bytes_within_bounds() {
        assert_eq!(Prefetch::new(64 << 20, 256 << 10).count(), 256);
        assert_eq!(Prefetch::new(64 << 20, 300).count(), MOST_FRAMES);
        assert_eq!(Prefetch::new(1, 64 << 20).count(), FEWEST_FRAMES);
        assert_eq!(Prefetch::new(1, 0).count(), FEWEST_FRAMES);
    }

    #[test]
    fn it_widens_up_to_what_the_protocol_can_say() {
        let mut prefetch = Prefetch::new(1, 64 << 20);
        prefetch.grow_prefetch();
        assert_eq!(prefetch.count(), 2 * FEWEST_FRAMES);
        (0..40).for_each(|_| prefetch.grow_prefetch());
        assert_eq!(prefetch.count(), u16::MAX);
    }
}
