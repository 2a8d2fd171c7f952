//! Numbers of what a stateful client sends. Neither side writes them: both count from 1, and begin again with the number of a
//! Sequence message.

use std::time::{Duration, Instant};

/// As the official clients and ASP.NET Core do.
const ACK_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Received {
    /// The number of the countable message that comes next.
    next: u64,
    /// The highest number that was seen.
    latest: u64,
    ack_due: Option<Instant>,
}

impl Received {
    pub(super) fn new() -> Self {
        Self { next: 1, latest: 0, ack_due: None }
    }

    /// Counts a countable message. Whether it is new; one that was seen before a reattachment is not, but has to be
    /// acknowledged once more, as the client may have lost the Ack.
    pub(super) fn count(&mut self, now: Instant) -> bool {
        let number = self.next;
        self.next += 1;
        self.ack_due.get_or_insert(now + ACK_DELAY);
        let is_new = number > self.latest;
        self.latest = self.latest.max(number);
        is_new
    }

    /// The client goes on with this number. `None` where messages before it never came.
    pub(super) fn go_on_with(&mut self, sequence: u64) -> Option<()> {
        let is_known = sequence <= self.latest + 1;
        is_known.then(|| self.next = sequence)
    }

    pub(super) fn ack_due(&self) -> Option<Instant> {
        self.ack_due
    }

    /// The number to acknowledge, once it is due.
    pub(super) fn take_ack(&mut self, now: Instant) -> Option<u64> {
        self.ack_due.take_if(|due| *due <= now).map(|_| self.latest)
    }
}
