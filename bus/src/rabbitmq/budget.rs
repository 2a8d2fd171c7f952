//! The control plane's share of the messages that a broker is given.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Messages a second of the control plane unless set: a tenth of what the first node of a broker is given.
pub const DEFAULT_MESSAGES_PER_S: u32 = 3_000;

/// What may be sent at once after a pause, in time of the rate. Commands come in bursts, and a burst of so few
/// messages is not felt by a feed beside it.
const BURST: Duration = Duration::from_millis(100);

/// How many messages a second this process gives the broker: commands that it sends, events that its relays publish,
/// faults and answers. Beside a feed on the same broker it keeps the one from slowing the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlBudget {
    /// Messages a second of all processes together; 0 for no limit.
    pub messages_per_s: u32,
    /// How many processes share it. Each takes its part, used or not.
    pub processes: u32,
}

impl Default for ControlBudget {
    /// [`DEFAULT_MESSAGES_PER_S`], for one process.
    fn default() -> Self {
        Self { messages_per_s: DEFAULT_MESSAGES_PER_S, processes: 1 }
    }
}

impl ControlBudget {
    /// No limit.
    pub const OFF: Self = Self { messages_per_s: 0, processes: 1 };

    /// This process's part, at least one message a second; `None` for no limit.
    pub fn share(&self) -> Option<u32> {
        (self.messages_per_s > 0).then(|| (self.messages_per_s / self.processes.max(1)).max(1))
    }
}

/// The tokens of one process.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Messages a second; `None` for no limit.
    rate: Option<u32>,
    begun: Instant,
    bucket: Mutex<Bucket>,
}

/// In billionths of a message, so that nothing is lost to rounding; below zero is debt.
#[derive(Debug)]
struct Bucket {
    tokens: i128,
    at: Duration,
}

const BILLION: i128 = 1_000_000_000;

impl Tokens {
    pub(crate) fn new(budget: ControlBudget) -> Self {
        let rate = budget.share();
        let bucket = Bucket { tokens: burst(rate.unwrap_or(0)), at: Duration::ZERO };
        Self { rate, begun: Instant::now(), bucket: Mutex::new(bucket) }
    }

    /// Takes the right to send one message, or says in what time there is one.
    pub(crate) fn try_take(&self) -> Result<(), Duration> {
        self.try_take_at(self.begun.elapsed())
    }

    /// Takes the right to send so many messages, which are on their way whatever it says: how long to wait before
    /// the next.
    pub(crate) fn take(&self, count: usize) -> Duration {
        self.take_at(self.begun.elapsed(), count)
    }

    fn try_take_at(&self, now: Duration) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.fill(now, rate);
        if bucket.tokens < BILLION {
            return Err(bucket.until(BILLION, rate));
        }
        bucket.tokens -= BILLION;
        Ok(())
    }

    fn take_at(&self, now: Duration, count: usize) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.fill(now, rate);
        bucket.tokens -= count as i128 * BILLION;
        bucket.until(0, rate)
    }
}

impl Bucket {
    fn fill(&mut self, now: Duration, rate: u32) {
        let since = now.saturating_sub(self.at).as_nanos() as i128;
        self.tokens = (self.tokens + since * i128::from(rate)).min(burst(rate));
        self.at = self.at.max(now);
    }

    /// In what time there are so many.
    fn until(&self, tokens: i128, rate: u32) -> Duration {
        let missing = (tokens - self.tokens).max(0) as u128;
        Duration::from_nanos(u64::try_from(missing.div_ceil(u128::from(rate))).unwrap_or(u64::MAX))
    }
}

fn burst(rate: u32) -> i128 {
    (i128::from(rate) * BURST.as_nanos() as i128).max(BILLION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_at_the_rate_and_off_is_no_limit() {
        let tokens = Tokens::new(ControlBudget { messages_per_s: 100, processes: 2 });
        let at = Duration::from_millis;
        for _ in 0..5 {
            tokens.try_take_at(at(0)).expect("the burst is a tenth of a second");
        }
        assert_eq!(tokens.try_take_at(at(0)), Err(at(20)));
        assert_eq!(tokens.take_at(at(20), 3), at(40));
        assert_eq!(tokens.try_take_at(at(60)), Err(at(20)));
        assert_eq!(tokens.try_take_at(at(80)), Ok(()));
        let off = Tokens::new(ControlBudget::OFF);
        assert_eq!(off.take(1_000_000), Duration::ZERO);
        assert_eq!(off.try_take(), Ok(()));
    }

    #[test]
    fn a_share_is_never_nothing() {
        assert_eq!(ControlBudget { messages_per_s: 2, processes: 5 }.share(), Some(1));
        assert_eq!(ControlBudget { messages_per_s: 3_000, processes: 0 }.share(), Some(3_000));
    }
}
