//! One shard as the strategy's thread has it. Pure: no I/O, and the time is an argument.

use std::time::{Duration, Instant};

use super::unacked::{NEEDED_UNTIL_DEAD_LETTERED, Unacked};
use crate::transport::TransportError;

/// A request for a larger prefetch that has no answer for so long is made again: the channel that it was
/// for was lost, or dead letters stood in its way.
const REQUEST_GROWTH_AGAIN: Duration = Duration::from_secs(1);
/// So many poison messages of a shard are on their way to the dead letters at most. Beyond, the shard's
/// frames are left to the broker until all of them are stored.
pub(super) const MAX_DEAD_LETTERING: usize = 64;
/// Their bodies have so many bytes at most, but for the first.
const MAX_DEAD_LETTERING_BYTES: usize = 64 << 20;

/// One shard.
#[derive(Default)]
pub(super) struct Intake {
    /// The subscription by which frames come; what came by another one is the broker's again.
    link: Option<u32>,
    /// It was released, and the broker has not confirmed that yet.
    is_leaving: bool,
    pub(super) unacked: Unacked,
    /// How many frames the broker sends before one is acknowledged.
    prefetch: u16,
    /// When a larger prefetch was requested, while that has no answer.
    growth_requested: Option<Instant>,
    /// Poison messages that are not stored as dead letters yet, and their bytes.
    dead_lettering: usize,
    dead_lettering_bytes: usize,
    /// What comes by this link is dropped, as the channel will be opened again.
    is_overflowing: bool,
}

impl Intake {
    /// One that was released.
    pub(super) fn leaving() -> Self {
        Self { is_leaving: true, ..Self::default() }
    }

    /// The broker has the shard back.
    pub(super) fn on_closed(&mut self) {
        self.is_leaving = false;
    }

    /// Frames come by this link from here on; what came by the link before comes again.
    pub(super) fn on_opened(&mut self, link: u32, prefetch: u16) {
        if self.is_leaving {
            return;
        }
        let mut unacked = std::mem::take(&mut self.unacked);
        unacked.forget();
        *self = Self { link: Some(link), prefetch, unacked, ..Self::default() };
    }

    /// The link by which frames come.
    #[inline]
    pub(super) fn link(&self) -> Option<u32> {
        self.link
    }

    /// Whether what comes by this link counts.
    #[inline]
    pub(super) fn takes(&self, link: u32) -> bool {
        self.link == Some(link) && !self.is_overflowing
    }

    /// Whether half of what may be unacknowledged is.
    #[inline]
    pub(super) fn is_prefetch_half_full(&self, prefetch_bytes: usize) -> bool {
        self.unacked.bytes() * 2 > prefetch_bytes || self.unacked.len() * 2 > usize::from(self.prefetch)
    }

    /// The prefetch to request, if the broker sends no more until something is acknowledged and no
    /// request is under way.
    ///
    /// # Errors
    /// More than `max_bytes` would be unacknowledged, or more frames than the protocol allows.
    pub(super) fn growth(
        &mut self,
        shard: u16,
        max_bytes: usize,
        now: Instant,
    ) -> Result<Option<u16>, TransportError> {
        let frames = self.unacked.len();
        let is_requested = self.growth_requested.is_some_and(|at| now < at + REQUEST_GROWTH_AGAIN);
        if self.link.is_none() || frames < usize::from(self.prefetch) || is_requested {
            return Ok(None);
        }
        let bytes = self.unacked.bytes();
        if self.prefetch == u16::MAX || bytes.saturating_mul(2) > max_bytes {
            return Err(TransportError::PrefetchExhausted { shard, frames, bytes });
        }
        self.growth_requested = Some(now);
        Ok(Some(self.prefetch.saturating_mul(2)))
    }

    /// Whether a poison message may be handed over now; if not, the shard's channel is to be opened
    /// again once those before it are stored, and nothing of this link counts any more.
    pub(super) fn begin_dead_lettering(&mut self, tag: u64, bytes: usize) -> bool {
        let is_full = self.dead_lettering >= MAX_DEAD_LETTERING
            || (self.dead_lettering > 0 && self.dead_lettering_bytes + bytes > MAX_DEAD_LETTERING_BYTES);
        if is_full {
            self.is_overflowing = true;
            return false;
        }
        self.dead_lettering += 1;
        self.dead_lettering_bytes += bytes;
        self.unacked.push(tag, bytes, NEEDED_UNTIL_DEAD_LETTERED);
        true
    }

    /// A poison message is stored and acknowledged. True if the channel is to be opened again.
    pub(super) fn on_dead_lettered(&mut self, tag: u64) -> bool {
        let bytes = self.unacked.acknowledged(tag);
        self.dead_lettering = self.dead_lettering.saturating_sub(1);
        self.dead_lettering_bytes = self.dead_lettering_bytes.saturating_sub(bytes);
        self.is_overflowing && self.dead_lettering == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(prefetch: u16) -> Intake {
        let mut intake = Intake::default();
        intake.on_opened(1, prefetch);
        intake
    }

    #[test]
    fn a_larger_prefetch_is_requested_once_until_it_is_answered_or_overdue() {
        let (start, mut intake) = (Instant::now(), opened(2));
        intake.unacked.push(1, 10, 1);
        assert_eq!(intake.growth(0, 1_000, start), Ok(None), "one more may come");
        intake.unacked.push(2, 10, 2);
        assert_eq!(intake.growth(0, 1_000, start), Ok(Some(4)));
        assert_eq!(intake.growth(0, 1_000, start), Ok(None));
        assert_eq!(intake.growth(0, 1_000, start + REQUEST_GROWTH_AGAIN), Ok(Some(4)));
        intake.on_opened(2, 4);
        (1..=4).for_each(|tag| intake.unacked.push(tag, 10, tag));
        assert_eq!(intake.growth(0, 1_000, start), Ok(Some(8)));
    }

    #[test]
    fn a_prefetch_beyond_its_limits_is_refused() {
        let mut intake = opened(2);
        (1..=2).for_each(|tag| intake.unacked.push(tag, 300, tag));
        let refused = TransportError::PrefetchExhausted { shard: 7, frames: 2, bytes: 600 };
        assert_eq!(intake.growth(7, 1_000, Instant::now()), Err(refused));
        let mut intake = opened(u16::MAX);
        (1..=u64::from(u16::MAX)).for_each(|tag| intake.unacked.push(tag, 1, tag));
        assert!(intake.growth(7, usize::MAX, Instant::now()).is_err());
    }

    #[test]
    fn beyond_so_many_dead_letters_the_channel_is_opened_again_once_they_are_stored() {
        let mut intake = opened(5_000);
        let last = MAX_DEAD_LETTERING as u64;
        assert!((1..=last).all(|tag| intake.begin_dead_lettering(tag, 1)));
        assert!(intake.takes(1));
        assert!(!intake.begin_dead_lettering(last + 1, 1));
        assert!(!intake.takes(1), "what comes behind comes again");
        assert!((1..last).all(|tag| !intake.on_dead_lettered(tag)));
        assert!(intake.on_dead_lettered(last));
        intake.on_opened(2, 5_000);
        assert!(intake.takes(2) && intake.begin_dead_lettering(1, 1));
    }

    #[test]
    fn what_is_opened_while_it_is_leaving_does_not_count() {
        let mut intake = Intake::leaving();
        intake.on_opened(3, 2);
        assert!(!intake.takes(3));
        intake.on_closed();
        intake.on_opened(4, 2);
        assert!(intake.takes(4));
    }
}
