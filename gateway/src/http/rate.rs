//! How many requests may come: of each caller, and from each address beyond this machine, whoever sends them. So
//! many at once, and no more than a steady rate in the long run.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many addresses are counted one by one; those beyond share a rate.
const ADDRESSES: usize = 10_000;
/// A request with a wrong key counts as so many of its address: a key is not to be guessed.
const OF_A_GUESS: u64 = 20;

/// How many requests a second may come, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In the long run.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

impl RateLimit {
    /// Refuses nobody.
    pub const NONE: Self = Self { per_second: u32::MAX, burst: u32::MAX };

    /// So many a second, and those of two seconds at once.
    pub const fn per_second(per_second: u32) -> Self {
        Self { per_second, burst: per_second.saturating_mul(2) }
    }
}

/// Counts one caller's requests.
struct Count {
    /// When all of its requests so far will have been made up for, in ns since the limiter began.
    made_up: AtomicU64,
    shares: Shares,
}

/// A limit in time: each request takes a period of it.
#[derive(Clone, Copy)]
struct Shares {
    /// In ns.
    period: u64,
    /// What is allowed at once, in ns.
    burst: u64,
}

impl Shares {
    fn of(limit: RateLimit) -> Self {
        // Of a rate beyond one a ns there is none.
        let period = (1_000_000_000 / u64::from(limit.per_second.max(1))).max(1);
        Self { period, burst: period * u64::from(limit.burst.max(1)) }
    }

    /// When all is made up for with one more request; the error is how long until it may come.
    fn take(self, made_up: u64, now: u64) -> Result<u64, Duration> {
        let at = made_up.max(now);
        let most = now.saturating_add(self.burst - self.period);
        if at <= most { Ok(at.saturating_add(self.period)) } else { Err(Duration::from_nanos(at - most)) }
    }
}

/// Counts requests; of callers without a lock, as that is part of every read.
pub(crate) struct RateLimiter {
    begun: Instant,
    callers: Vec<(&'static str, Count)>,
    address: Shares,
    addresses: Mutex<HashMap<IpAddr, u64>>,
}

impl RateLimiter {
    /// With a limit for each caller, and one for each address.
    pub(crate) fn new(callers: &[(&'static str, RateLimit)], address: RateLimit) -> Self {
        let count = |limit| Count { made_up: AtomicU64::new(0), shares: Shares::of(limit) };
        Self {
            begun: Instant::now(),
            callers: callers.iter().map(|&(caller, limit)| (caller, count(limit))).collect(),
            address: Shares::of(address),
            addresses: Mutex::default(),
        }
    }

    /// Counts one request of the caller's.
    ///
    /// # Errors
    /// It is one too many; how long until it is not.
    pub(crate) fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        let Some((_, count)) = self.callers.iter().find(|(known, _)| *known == caller) else {
            return Ok(());
        };
        let now = self.since_begin(now);
        let mut made_up = count.made_up.load(Ordering::Relaxed);
        loop {
            let taken = count.shares.take(made_up, now)?;
            let (relaxed, one) = (Ordering::Relaxed, &count.made_up);
            match one.compare_exchange_weak(made_up, taken, relaxed, relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => made_up = other,
            }
        }
    }

    /// Counts one request from an address; this machine's programs are callers, and not counted twice.
    ///
    /// # Errors
    /// As [`RateLimiter::take`].
    pub(crate) fn take_from(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let Some(address) = address.and_then(counted_as) else { return Ok(()) };
        let now = self.since_begin(now);
        self.with_address(address, now, |made_up| {
            *made_up = self.address.take(*made_up, now)?;
            Ok(())
        })
    }

    /// Counts a wrong key from an address.
    pub(crate) fn count_guess(&self, address: Option<IpAddr>, now: Instant) {
        let Some(address) = address.and_then(counted_as) else { return };
        let now = self.since_begin(now);
        self.with_address(address, now, |made_up| {
            let most = now.saturating_add(self.address.burst);
            *made_up = (*made_up).max(now).saturating_add(OF_A_GUESS * self.address.period).min(most);
        });
    }

    fn with_address<T>(&self, address: IpAddr, now: u64, act: impl FnOnce(&mut u64) -> T) -> T {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, made_up| *made_up > now);
        }
        let is_counted = addresses.len() < ADDRESSES || addresses.contains_key(&address);
        let counted = if is_counted { address } else { Ipv6Addr::UNSPECIFIED.into() };
        act(addresses.entry(counted).or_insert(0))
    }

    fn since_begin(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

/// One household has one address of version 4, or a network of 2^64 of version 6; this machine's own are none.
fn counted_as(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn limiter(limit: RateLimit) -> RateLimiter {
        RateLimiter::new(&[("a", limit), ("b", limit)], limit)
    }

    fn address(last: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from(0x0a00_0000 + last).into())
    }

    #[test]
    fn the_greatest_limit_refuses_nobody() {
        let limiter = limiter(RateLimit::NONE);
        for _ in 0..1000 {
            // The clock is read before the count is taken, so another request may have come between.
            limiter.take("a", limiter.begun + Duration::from_nanos(5)).unwrap();
            limiter.take("a", limiter.begun).unwrap();
        }
    }

    #[test]
    fn a_caller_has_its_burst_and_then_its_rate() {
        let limiter = limiter(RateLimit { per_second: 2, burst: 3 });
        let begin = limiter.begun;
        for _ in 0..3 {
            limiter.take("a", begin).unwrap();
        }
        assert_eq!(limiter.take("a", begin), Err(Duration::from_millis(500)));
        limiter.take("b", begin).unwrap();
        let later = begin + Duration::from_millis(600);
        limiter.take("a", later).unwrap();
        limiter.take("a", later).unwrap_err();
    }

    #[test]
    fn an_address_has_its_own_share_and_this_machine_is_not_counted() {
        let limiter = limiter(RateLimit { per_second: 2, burst: 2 });
        let begin = limiter.begun;
        let home = |last: u16| Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last).into());
        for address in [address(1), home(1)] {
            limiter.take_from(address, begin).unwrap();
            limiter.take_from(address, begin).unwrap();
            limiter.take_from(address, begin).unwrap_err();
        }
        limiter.take_from(home(2), begin).unwrap_err();
        limiter.take_from(address(2), begin).unwrap();
        for _ in 0..9 {
            limiter.take_from(Some(Ipv4Addr::LOCALHOST.into()), begin).unwrap();
            limiter.take_from(None, begin).unwrap();
        }
    }

    #[test]
    fn wrong_keys_use_up_a_share_soon_and_not_for_long() {
        let limiter = limiter(RateLimit { per_second: 100, burst: 200 });
        let begin = limiter.begun;
        for _ in 0..30 {
            limiter.count_guess(address(1), begin);
        }
        limiter.take_from(address(1), begin).unwrap_err();
        limiter.take_from(address(1), begin + Duration::from_secs(2)).unwrap();
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let limiter = limiter(RateLimit { per_second: 1, burst: 1 });
        let begin = limiter.begun;
        for last in 0..ADDRESSES as u32 {
            limiter.take_from(address(last), begin).unwrap();
        }
        limiter.take_from(address(20_000), begin).unwrap();
        limiter.take_from(address(20_001), begin).unwrap_err();
        assert!(limiter.addresses.lock().unwrap().len() <= ADDRESSES + 1);
        limiter.take_from(address(20_001), begin + Duration::from_secs(3)).unwrap();
        assert_eq!(limiter.addresses.lock().unwrap().len(), 1);
    }
}
