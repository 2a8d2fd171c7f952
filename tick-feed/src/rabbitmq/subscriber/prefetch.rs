//! How many frames a broker may send of a shard before one is acknowledged. RabbitMQ limits them by
//! their number only, so that the number follows from the largest size that the ingester announces.

/// So many bytes of each shard are not acknowledged, at most, unless set otherwise: 64 MiB. What a
/// fast feed sends while a commit is under way has to fit, or it stands still meanwhile.
pub const PREFETCH_BYTES: usize = 64 << 20;
/// A prefetch that has to grow, as no state can be stored within it, grows to so many bytes at most:
/// 1 GiB, or [`Subscription::prefetch_bytes`](super::Subscription::prefetch_bytes) where that is more.
pub const MAX_GROWN_BYTES: usize = 1 << 30;
/// So many frames of each shard are not acknowledged, at least, however large: one is worked on
/// while the next is on its way.
pub const FEWEST_FRAMES: u16 = 2;
/// So many frames of each shard are not acknowledged, at most, however small, before a prefetch grows.
pub const MOST_FRAMES: u16 = 5_000;

/// The number of frames of `largest` bytes that fit into `bytes`.
pub(super) fn prefetch_of(bytes: usize, largest: usize) -> u16 {
    let fits = (bytes / largest.max(1)).clamp(FEWEST_FRAMES.into(), MOST_FRAMES.into());
    u16::try_from(fits).unwrap_or(MOST_FRAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_follows_from_the_bytes_within_bounds() {
        assert_eq!(prefetch_of(64 << 20, 256 << 10), 256);
        assert_eq!(prefetch_of(64 << 20, 300), MOST_FRAMES);
        assert_eq!(prefetch_of(1, 64 << 20), FEWEST_FRAMES);
        assert_eq!(prefetch_of(1, 0), FEWEST_FRAMES);
    }
}
