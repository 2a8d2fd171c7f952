//! When a request is sent again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often a request is sent again, and how long is waited before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts in all, the first among them.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each one after it, less a random part of up to a half.
    pub first_wait: Duration,
    /// No wait is longer. Where the server asks for a longer one, its answer is the error.
    pub longest_wait: Duration,
}

impl Retries {
    /// Every request is sent once.
    pub const NONE: Self = Self { attempts: 1, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };

    /// How long to wait after so many attempts, from 1; `None` where there is no other.
    pub(super) fn wait(&self, attempts: u32, retry_after: Option<Duration>) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        match retry_after {
            Some(asked) => (asked <= self.longest_wait).then_some(asked),
            None => {
                let doubled = self.first_wait.saturating_mul(1 << (attempts - 1).min(20));
                Some(doubled.min(self.longest_wait).mul_f64(1.0 - random_share() / 2.0))
            }
        }
    }
}

/// Six attempts within about ten seconds: a server that is restarted is there again by then.
impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 6, first_wait: Duration::from_millis(250), longest_wait: Duration::from_secs(30) }
    }
}

/// From 0 to 1: clients that were refused together come again apart.
fn random_share() -> f64 {
    let draw = RandomState::new().hash_one(0_u8);
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let retries = Retries { attempts: 4, ..Retries::default() };
        let wait = |attempts| retries.wait(attempts, None);
        for (attempts, most) in [(1, 250), (2, 500), (3, 1000)] {
            let most = Duration::from_millis(most);
            assert!(wait(attempts).is_some_and(|wait| wait <= most && wait >= most / 2), "{attempts}");
        }
        assert_eq!(wait(4), None);
        assert_eq!(Retries::NONE.wait(1, Some(Duration::ZERO)), None);
        let many = Retries { attempts: 1000, ..retries };
        assert!(many.wait(999, None).is_some_and(|wait| wait <= many.longest_wait));
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed_or_refused() {
        let retries = Retries::default();
        let asked = |seconds| retries.wait(1, Some(Duration::from_secs(seconds)));
        assert_eq!(asked(7), Some(Duration::from_secs(7)));
        assert_eq!(asked(0), Some(Duration::ZERO));
        assert_eq!(asked(3600), None);
    }
}
