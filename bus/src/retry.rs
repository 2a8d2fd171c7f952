//! When a failed attempt is made again.

use std::time::Duration;

/// A handler's policy. What it says is stored as a due time; nothing sleeps while it holds a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Retry {
    /// Never: the first failure is the last.
    Never,
    /// So many more attempts, at once.
    Immediate(u32),
    /// One more attempt after each of these pauses.
    Intervals(&'static [Duration]),
    /// More attempts after pauses that double, each made up to a quarter shorter or longer, so that many that
    /// failed together are not tried together.
    Exponential {
        /// How many more attempts.
        attempts: u32,
        /// The first pause.
        first: Duration,
        /// The longest pause.
        longest: Duration,
    },
}

impl Retry {
    /// Five more attempts, within half a minute.
    pub const DEFAULT: Self = Self::Exponential {
        attempts: 5,
        first: Duration::from_millis(200),
        longest: Duration::from_secs(15),
    };

    /// The pause after so many failed attempts, from 1; `None` when that was the last one. `seed` decides how
    /// the pause is varied: the same seed gives the same pause.
    pub fn pause_after(&self, attempts: u32, seed: u64) -> Option<Duration> {
        let failed_before = attempts.saturating_sub(1);
        match *self {
            Self::Never => None,
            Self::Immediate(more) => (failed_before < more).then_some(Duration::ZERO),
            Self::Intervals(pauses) => pauses.get(failed_before as usize).copied(),
            Self::Exponential { attempts: more, first, longest } => {
                let doubled = || first.saturating_mul(1u32.checked_shl(failed_before).unwrap_or(u32::MAX));
                (failed_before < more).then(|| varied(doubled().min(longest), seed ^ u64::from(attempts)))
            }
        }
    }
}

/// Three to five quarters of a pause.
fn varied(pause: Duration, seed: u64) -> Duration {
    // The finisher of SplitMix64: neighbouring seeds give unrelated values.
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    pause.mul_f64(0.75 + 0.5 * (mixed >> 11) as f64 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_ends() {
        assert_eq!(Retry::Never.pause_after(1, 7), None);
        assert_eq!(Retry::Immediate(2).pause_after(2, 7), Some(Duration::ZERO));
        assert_eq!(Retry::Immediate(2).pause_after(3, 7), None);
        const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(5)];
        let intervals = Retry::Intervals(PAUSES);
        assert_eq!(intervals.pause_after(2, 7), Some(Duration::from_secs(5)));
        assert_eq!(intervals.pause_after(3, 7), None);
        assert_eq!(Retry::DEFAULT.pause_after(6, 7), None);
    }

    #[test]
    fn exponential_pauses_double_and_vary_by_a_quarter() {
        for attempts in 1..=5u32 {
            let pauses: Vec<_> =
                (0..50).map(|seed| Retry::DEFAULT.pause_after(attempts, seed).unwrap()).collect();
            let middle = Duration::from_millis(200) * 2u32.pow(attempts - 1);
            let within = |pause: &Duration| *pause >= middle.mul_f64(0.75) && *pause <= middle.mul_f64(1.25);
            assert!(pauses.iter().all(within), "{attempts}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
        let long = Retry::Exponential {
            attempts: u32::MAX,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        };
        assert!(long.pause_after(4_000_000, 1).unwrap() <= Duration::from_secs(75));
    }
}
