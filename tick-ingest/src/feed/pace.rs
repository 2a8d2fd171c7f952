//! How fast a feed goes: the clock of a replay.

use std::str::FromStr;
use std::time::{Duration, Instant};

use tick_sdk::Tick;

/// How fast, and what is done with long pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// How fast.
    pub speed: Speed,
    /// A longer pause of the source, in ns of `ts_recv`, is shortened to this; the ticks' own times
    /// stay as they are.
    pub max_gap_ns: Option<u64>,
}

/// How fast a feed goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as it is taken.
    #[default]
    Max,
    /// So many times as fast as it was received.
    Times(f64),
    /// So many ticks a second, whatever their times.
    Rate(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor = text.strip_suffix('x').and_then(|number| number.parse::<f64>().ok());
        match factor {
            Some(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Times(factor)),
            _ => Err(format!("'{text}' is not a valid speed: write max, 1x, 10x or 0.5x")),
        }
    }
}

/// The clock of one feed, which starts with its first tick.
#[derive(Debug)]
pub(super) struct Clock {
    pace: Pace,
    started: Option<Instant>,
    /// The time that the source has played up to `last`, pauses shortened, in ns.
    played_ns: u64,
    /// The `ts_recv` of the last tick played.
    last: Option<u64>,
    /// Ticks played.
    ticks: u64,
}

impl Pace {
    /// Whether nothing is ever waited for.
    pub fn is_max(&self) -> bool {
        self.speed == Speed::Max
    }

    pub(super) fn start(self) -> Clock {
        Clock { pace: self, started: None, played_ns: 0, last: None, ticks: 0 }
    }
}

impl Clock {
    /// How many of these ticks, which come next, are due now; time is counted on by as many.
    pub(super) fn due(&mut self, ticks: &[Tick]) -> usize {
        if self.pace.is_max() {
            return ticks.len();
        }
        let now = self.started.get_or_insert_with(Instant::now).elapsed();
        let due = match self.pace.speed {
            Speed::Rate(rate) => {
                let allowed = (now.as_secs_f64() * rate) as u64 + 1;
                ticks.len().min(allowed.saturating_sub(self.ticks) as usize)
            }
            _ => ticks.iter().take_while(|tick| self.play_if_due(tick, now)).count(),
        };
        self.ticks += due as u64;
        due
    }

    /// How long until this tick, the next one, is due.
    pub(super) fn time_to(&self, tick: &Tick) -> Duration {
        let elapsed = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        self.due_at(tick).saturating_sub(elapsed)
    }

    fn play_if_due(&mut self, tick: &Tick, now: Duration) -> bool {
        let due = self.due_at(tick) <= now;
        if due {
            self.played_ns += self.step(tick);
            self.last = Some(tick.ts_recv);
        }
        due
    }

    /// When the next tick is due, after the clock's start.
    fn due_at(&self, tick: &Tick) -> Duration {
        match self.pace.speed {
            Speed::Max => Duration::ZERO,
            Speed::Times(factor) => seconds((self.played_ns + self.step(tick)) as f64 * 1e-9 / factor),
            Speed::Rate(rate) => seconds(self.ticks as f64 / rate),
        }
    }

    /// The source's time from the last tick to this one, shortened.
    fn step(&self, tick: &Tick) -> u64 {
        let gap = self.last.map_or(0, |last| tick.ts_recv.saturating_sub(last));
        gap.min(self.pace.max_gap_ns.unwrap_or(u64::MAX))
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use tick_sdk::Side;

    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::trade(ms * 1_000_000, ms * 1_000_000, 1, 1, Side::NONE)
    }

    #[test]
    fn speeds_are_read() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for wrong in ["", "fast", "0x", "-1x", "infx", "3"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tick_is_due_at_its_own_time_and_long_pauses_are_shortened() {
        let pace = Pace { speed: Speed::Times(2.0), max_gap_ns: Some(500_000_000) };
        let mut clock = pace.start();
        let ticks = [at(1000), at(1400), at(90_000)];
        assert_eq!(clock.due(&ticks), 1, "the clock starts with the first tick");
        assert_eq!(clock.due_at(&ticks[1]), Duration::from_millis(200));
        assert!(clock.play_if_due(&ticks[1], Duration::from_millis(200)));
        assert_eq!(clock.due_at(&ticks[2]), Duration::from_millis(450));
    }

    #[test]
    fn a_rate_counts_ticks_whatever_their_times() {
        let mut clock = Pace { speed: Speed::Rate(10.0), max_gap_ns: None }.start();
        let ticks = vec![at(5); 1000];
        assert!((1..1000).contains(&clock.due(&ticks)));
        clock.ticks = 20;
        assert_eq!(clock.due_at(&ticks[0]), Duration::from_secs(2));
    }
}
