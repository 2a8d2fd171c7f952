//! How long to wait before trying again: twice as long each time, within bounds.

use std::time::Duration;

/// The first wait.
pub const SHORTEST: Duration = Duration::from_millis(10);
/// No wait is longer.
pub const LONGEST: Duration = Duration::from_secs(1);

/// Waits from [`SHORTEST`] to [`LONGEST`], each twice the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    last: Duration,
}

impl Backoff {
    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.last = (self.last * 2).clamp(SHORTEST, LONGEST);
        self.last
    }

    /// It went well: the next wait is the shortest again.
    pub fn reset(&mut self) {
        self.last = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.next_wait().as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next_wait(), SHORTEST);
    }
}
