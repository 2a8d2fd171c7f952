//! When this side has to show that it lives.

use std::time::{Duration, Instant};

/// Asks for a Ping where nothing was sent for the interval.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// Without anything sent.
    pub interval: Duration,
    /// When something was sent.
    pub last_sent: Instant,
}

impl KeepAlive {
    /// When a Ping is due.
    pub fn due(&self) -> Instant {
        self.last_sent + self.interval
    }
}
