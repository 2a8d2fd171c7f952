//! When a lane requests what it is missing.

use std::time::{Duration, Instant};

use super::HostedLane;

/// A request for missing ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResendRequest {
    pub(super) from_seq: u64,
    pub(super) attempt: u32,
    pub(super) at: Instant,
}

/// Without an answer for this long, what is missing is requested again.
pub(in crate::host) const REQUEST_AGAIN: Duration = Duration::from_secs(3);

impl HostedLane {
    /// The first missing tick, if it is to be requested now that a frame of `attempt` has shown the
    /// gap: once for each attempt, and again when nothing came for [`REQUEST_AGAIN`].
    pub(in crate::host) fn request_resend(&mut self, attempt: u32, now: Instant) -> Option<u64> {
        let from_seq = self.position.next_seq();
        let waits = self.requested.is_some_and(|last| {
            last.from_seq == from_seq && last.attempt >= attempt && now < last.at + REQUEST_AGAIN
        });
        if waits {
            return None;
        }
        self.requested = Some(ResendRequest { from_seq, attempt, at: now });
        self.counts.resend_requests += 1;
        Some(from_seq)
    }

    /// Whether names are to be requested now.
    pub(in crate::host) fn request_names(&mut self, now: Instant) -> bool {
        let due = self.names_requested_at.is_none_or(|at| now >= at + REQUEST_AGAIN);
        if due {
            self.names_requested_at = Some(now);
        }
        due
    }

    /// The end was published as `attempt`, and `end_seq` is where it stands. Gives what to request
    /// if the end itself does not come.
    pub(in crate::host) fn request_end(&mut self, end_seq: u64, attempt: u32, now: Instant) -> Option<u64> {
        if self.ended || self.position.next_seq() != end_seq {
            return None;
        }
        match self.requested {
            Some(last) if last.from_seq == end_seq && now < last.at + REQUEST_AGAIN => None,
            Some(last) if last.from_seq == end_seq => self.request_resend(attempt, now),
            _ => {
                // It may be under way: the first time only the clock is started.
                self.requested = Some(ResendRequest { from_seq: end_seq, attempt, at: now });
                None
            }
        }
    }
}
