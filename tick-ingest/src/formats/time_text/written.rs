//! What the text of a time says.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::TimeError;

/// What the text of a time says: an instant, or what a clock showed that may stand anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nanoseconds since the UNIX epoch.
    Instant(u64),
    /// A date and time of day without zone.
    Local(LocalTime),
}

/// A date and time of day without zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Seconds since the UNIX epoch, if the clock showed UTC.
    pub(super) seconds: i64,
    /// Below one second.
    pub(super) nanoseconds: u32,
}

impl LocalTime {
    /// The instant at which a clock shows this that is `offset` seconds ahead of UTC.
    #[inline]
    pub(super) fn at_offset(self, offset: i32) -> Result<u64, TimeError> {
        const LAST: i64 = (u64::MAX / 1_000_000_000) as i64;
        let seconds = self.seconds - i64::from(offset);
        if !(0..LAST).contains(&seconds) {
            return at_the_ends(seconds, self.nanoseconds);
        }
        Ok(seconds as u64 * 1_000_000_000 + u64::from(self.nanoseconds))
    }

    /// `None` for years that jiff has no instants of.
    pub(super) fn of(local: DateTime) -> Option<Self> {
        let time = TimeZone::UTC.to_timestamp(local).ok()?;
        // Nanoseconds of a time before 1970 count backwards.
        let nanoseconds = time.as_nanosecond().rem_euclid(1_000_000_000) as u32;
        let seconds = time.as_nanosecond().div_euclid(1_000_000_000) as i64;
        Some(Self { seconds, nanoseconds })
    }
}

/// Near the first and last times that a tick can have, and beyond.
#[cold]
fn at_the_ends(seconds: i64, nanoseconds: u32) -> Result<u64, TimeError> {
    let Ok(seconds) = u64::try_from(seconds) else { return Err(TimeError::Before1970) };
    let ns = seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanoseconds.into()));
    ns.ok_or(TimeError::After2554)
}

/// Nanoseconds since the UNIX epoch.
pub(super) fn instant(time: Timestamp) -> Result<Written, TimeError> {
    let ns = time.as_nanosecond();
    let instant = u64::try_from(ns).map(Written::Instant);
    instant.map_err(|_| if ns < 0 { TimeError::Before1970 } else { TimeError::After2554 })
}
