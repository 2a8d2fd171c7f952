//! The message budget: how many messages a second each broker node may be given, who sends when,
//! and which node a shard is on. Nothing here reads a clock: time is an argument.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tick_sdk::quantity::count_within;

#[cfg(feature = "rabbitmq")]
pub mod measured;

/// Messages a second for each node: the first one, each further one. A clustered node also passes
/// on what its peers' clients send, so further ones add less than the first.
pub const DEFAULT_RATES: [u32; 2] = [30_000, 15_000];

/// What may be sent at once after a pause, in time of the rate. It is short, as a broker feels a
/// burst as latency; and covers a timer that wakes late.
pub const BURST: Duration = Duration::from_millis(10);

/// Messages a second that each broker node may be given, or no limit.
///
/// Its text is `30000,15000` or `30K,15K`: the first node's, then the others'; the last number stands for all
/// nodes beyond it. So `30000` is the same for every node, `30000,15000,20000` sets three. `off` is
/// no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Empty for no limit; none is 0.
    rates: Vec<u32>,
}

impl Default for Budget {
    /// [`DEFAULT_RATES`].
    fn default() -> Self {
        Self { rates: DEFAULT_RATES.to_vec() }
    }
}

impl Budget {
    /// No limit.
    pub const OFF: Self = Self { rates: Vec::new() };

    /// The same for every node; at least one message a second.
    pub fn same(rate: u32) -> Self {
        Self { rates: vec![rate.max(1)] }
    }

    /// The part of one of so many that share it; at least one message a second.
    pub fn share(&self, among: u32) -> Self {
        Self { rates: self.rates.iter().map(|rate| (rate / among.max(1)).max(1)).collect() }
    }

    /// The messages a second of a node, counted from 0; `None` for no limit.
    pub fn rate(&self, node: usize) -> Option<u32> {
        self.rates.get(node).or(self.rates.last()).copied()
    }

    /// What each of `nodes` nodes counts for when shards are placed: its rate, or 1 where there is
    /// no limit.
    pub fn weights(&self, nodes: usize) -> Vec<u32> {
        (0..nodes).map(|node| self.rate(node).unwrap_or(1)).collect()
    }
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let parse = count_within::<u32>(1..=u64::from(u32::MAX));
        let rate = |number: &str| parse(number.trim()).ok();
        let rates = text.split(',').map(rate).collect::<Option<Vec<u32>>>();
        rates.map(|rates| Self { rates }).ok_or_else(|| {
            format!(
                "'{text}' is not a valid budget: write messages a second of the first node and of each further \
                 one, as 30000,15000 or 30K,15K, or off"
            )
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rates.is_empty() {
            return f.write_str("off");
        }
        let rates: Vec<_> = self.rates.iter().map(u32::to_string).collect();
        f.write_str(&rates.join(","))
    }
}

/// The right to send to one node: `rate` messages a second, and [`BURST`] of that at once.
///
/// Times are since a start that the caller chooses, and do not run backwards; one that does counts
/// as the latest seen. It counts in billionths of a message, so nothing is lost to rounding.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Messages a second, which are billionths a nanosecond; `None` for no limit.
    rate: Option<u32>,
    /// The most that gathers, in billionths.
    burst: i128,
    /// What was there at `at`, in billionths; below zero is debt.
    tokens: i128,
    at: Duration,
}

const BILLION: i128 = 1_000_000_000;

impl TokenBucket {
    /// A full bucket. Its burst is [`BURST`] of the rate, and at least one message.
    pub fn new(rate: Option<u32>, now: Duration) -> Self {
        let burst = i128::from(rate.unwrap_or(0)) * BURST.as_nanos() as i128;
        let burst = burst.max(BILLION);
        Self { rate, burst, tokens: burst, at: now }
    }

    /// Whether `cost` messages may leave now. What costs more than the burst may leave when the
    /// bucket is full: it is paid back afterwards.
    pub fn available(&self, now: Duration, cost: u32) -> bool {
        self.delay(now, cost).is_zero()
    }

    /// How long until `cost` messages may leave, if nothing else is taken meanwhile.
    pub fn delay(&self, now: Duration, cost: u32) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let needed = (i128::from(cost) * BILLION).min(self.burst);
        let missing = (needed - self.tokens_at(now)).max(0) as u128;
        let ns = missing.div_ceil(u128::from(rate));
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// Takes `cost` messages, even if they are not there: what may not wait (a frame whose linger is
    /// over, a resend, a heartbeat) makes debt, and later ones wait until it is paid.
    pub fn take(&mut self, now: Duration, cost: u32) {
        self.tokens = self.tokens_at(now) - i128::from(cost) * BILLION;
        self.at = self.at.max(now);
    }

    fn tokens_at(&self, now: Duration) -> i128 {
        let ns = now.saturating_sub(self.at).as_nanos() as i128;
        (self.tokens + ns * i128::from(self.rate.unwrap_or(0))).min(self.burst)
    }
}

/// The node of each shard: nodes get shards in proportion to their weights (the largest remainders
/// get one more), and neighbours are spread. The same arguments give the same places, always.
pub fn place_shards(shards: u16, weights: &[u32]) -> Vec<u16> {
    let mut left = shares(shards, weights);
    let counts: Vec<i64> = left.iter().map(|count| i64::from(*count)).collect();
    let mut credit = vec![0; counts.len()];
    // Each turn every node earns its count, and the richest pays for all: smooth and in proportion.
    let place = |_| {
        credit.iter_mut().zip(&counts).for_each(|(credit, count)| *credit += count);
        let node = (0..left.len())
            .filter(|node| left[*node] > 0)
            .max_by_key(|node| (credit[*node], std::cmp::Reverse(*node)))
            .unwrap_or(0);
        credit[node] -= i64::from(shards);
        if let Some(left) = left.get_mut(node) {
            *left -= 1;
        }
        node as u16
    };
    (0..shards).map(place).collect()
}

/// How many shards each node gets; at least one node.
fn shares(shards: u16, weights: &[u32]) -> Vec<u16> {
    let even = [1];
    let weights = if weights.iter().all(|weight| *weight == 0) { &even[..] } else { weights };
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let exact = |weight: &u32| u64::from(shards) * u64::from(*weight);
    let mut counts: Vec<u16> = weights.iter().map(|weight| (exact(weight) / total) as u16).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|node| std::cmp::Reverse(exact(&weights[*node]) % total));
    let missing = usize::from(shards - counts.iter().sum::<u16>());
    by_remainder.iter().take(missing).for_each(|node| counts[*node] += 1);
    counts
}

#[cfg(test)]
mod tests;
