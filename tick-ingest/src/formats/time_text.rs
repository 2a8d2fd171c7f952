//! Times in text, to nanoseconds since the UNIX epoch, exactly.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

mod calendar;
mod pattern;
mod rfc3339;
#[cfg(test)]
mod tests;
mod units;
mod written;
mod zone;

pub use pattern::Pattern;
pub use units::Unit;
pub use written::LocalTime;
use written::Written;
pub use zone::{Offset, UnknownZone, Zone};

/// How a column writes its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since the UNIX epoch, with decimals or without.
    Seconds,
    /// Milliseconds since the UNIX epoch, with decimals or without.
    Millis,
    /// Microseconds since the UNIX epoch, with decimals or without.
    Micros,
    /// Nanoseconds since the UNIX epoch.
    Nanos,
    /// One of these four, text by text, by magnitude: `1723161258`, `1723161258362`.
    Auto,
    /// `2024-08-08T23:54:18.362Z`, with `T` or a blank, any offset or none.
    Rfc3339,
    /// A strftime pattern such as `%d.%m.%Y %H:%M:%S%.f`.
    Pattern(Pattern),
    /// A day by a pattern, a blank, and how much of a unit the clock showed since midnight.
    DayAnd(Pattern, Unit),
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Not digits with at most one point and an exponent.
    #[error("is not a number of {0}")]
    NotANumber(Unit),
    /// A number that may be of several units, or of none.
    #[error(
        "is a number whose unit its magnitude does not show, as it would be before 1973 in each: give s, ms, us or ns instead of auto"
    )]
    UnitUnclear,
    /// Not as RFC 3339 says.
    #[error("is not an RFC 3339 time such as 2024-08-08T23:54:18.362Z")]
    NotRfc3339,
    /// Not as the pattern says.
    #[error("is not a time of the pattern that the mapping gives")]
    NotOfPattern,
    /// A time since midnight of a day or more.
    #[error("is not a time of day, as it is 24 hours or more behind midnight")]
    NotOfDay,
    /// A digit other than 0 behind the nanoseconds.
    #[error("is finer than a nanosecond, which a tick cannot hold exactly")]
    TooFine,
    /// Below zero.
    #[error("is before 1970, where a tick's time begins")]
    Before1970,
    /// Above [`u64::MAX`] nanoseconds.
    #[error("is after the year 2554, where a tick's time ends")]
    After2554,
    /// Clocks were set back, and showed it before and after.
    #[error(
        "comes twice, as the clocks of this time zone are set back: it is {} by {before} or {} by {after}; cut the file there and read each part by its offset, as with --tz {before}",
        before.utc(*seconds),
        after.utc(*seconds)
    )]
    Twice {
        /// What the clock showed, in seconds.
        seconds: i64,
        /// Before they were set back.
        before: Offset,
        /// From then on.
        after: Offset,
    },
    /// Clocks were set forward, and never showed it.
    #[error(
        "does not exist, as the clocks of this time zone are set forward: it would be {} by {before}, {} by {after}; the file is of another time zone, or of a fixed offset, as --tz {before}",
        before.utc(*seconds),
        after.utc(*seconds)
    )]
    Never {
        /// What the clock should have shown, in seconds.
        seconds: i64,
        /// Before they were set forward.
        before: Offset,
        /// From then on.
        after: Offset,
    },
}

impl TimeFormat {
    /// Nanoseconds since the UNIX epoch; a time without zone is of UTC.
    ///
    /// # Errors
    /// The text is not such a time, or no tick can hold it exactly.
    #[inline]
    pub fn parse(&self, text: &[u8]) -> Result<u64, TimeError> {
        self.resolve(text, |local| local.at_offset(0))
    }

    /// Nanoseconds since the UNIX epoch; a time without zone is of `zone`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and for a time that clocks of this zone showed twice or never.
    #[inline]
    pub fn parse_in(&self, text: &[u8], zone: &Zone) -> Result<u64, TimeError> {
        self.resolve(text, |local| zone.instant(local))
    }

    /// Nanoseconds since the UNIX epoch; `instant` says when a clock showed a time without zone.
    ///
    /// # Errors
    /// The text is not such a time, or no tick can hold it exactly, or the error of `instant`.
    #[inline]
    pub fn resolve(
        &self,
        text: &[u8],
        instant: impl FnOnce(LocalTime) -> Result<u64, TimeError>,
    ) -> Result<u64, TimeError> {
        let written = match self {
            Self::Seconds => return Unit::Seconds.parse(text),
            Self::Millis => return Unit::Millis.parse(text),
            Self::Micros => return Unit::Micros.parse(text),
            Self::Nanos => return Unit::Nanos.parse(text),
            Self::Auto => return units::parse_auto(text),
            Self::Rfc3339 => rfc3339::parse(text)?,
            Self::Pattern(pattern) => pattern.read(text)?,
            Self::DayAnd(pattern, unit) => parse_day_and(pattern, *unit, text)?,
        };
        match written {
            Written::Instant(ns) => Ok(ns),
            Written::Local(local) => instant(local),
        }
    }

    /// The unit, if times are numbers of one.
    pub(crate) fn unit(&self) -> Option<Unit> {
        match self {
            Self::Seconds => Some(Unit::Seconds),
            Self::Millis => Some(Unit::Millis),
            Self::Micros => Some(Unit::Micros),
            Self::Nanos => Some(Unit::Nanos),
            _ => None,
        }
    }
}

impl From<Unit> for TimeFormat {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Seconds => Self::Seconds,
            Unit::Millis => Self::Millis,
            Unit::Micros => Self::Micros,
            Unit::Nanos => Self::Nanos,
        }
    }
}

/// The clock is what stands behind the last blank.
fn parse_day_and(pattern: &Pattern, unit: Unit, text: &[u8]) -> Result<Written, TimeError> {
    let Some(blank) = memchr::memrchr(b' ', text) else {
        return Err(if text.is_empty() { TimeError::Empty } else { TimeError::NotOfPattern });
    };
    let since_midnight = unit.parse_clock(&text[blank + 1..])?;
    match pattern.read(text[..blank].trim_ascii_end())? {
        // A day has no zone of its own.
        Written::Instant(_) => Err(TimeError::NotOfPattern),
        Written::Local(day) => Ok(Written::Local(LocalTime {
            seconds: day.seconds + (since_midnight / 1_000_000_000) as i64,
            nanoseconds: (since_midnight % 1_000_000_000) as u32,
        })),
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Rfc3339 => f.write_str("rfc3339"),
            Self::Pattern(pattern) => f.write_str(pattern.text()),
            Self::DayAnd(pattern, unit) => write!(f, "{}+{}", pattern.text(), unit.short()),
            _ => f.write_str(self.unit().map_or("", Unit::short)),
        }
    }
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(unit) = unit_of_name(text) {
            return Ok(unit.into());
        }
        match text {
            "auto" => Ok(Self::Auto),
            "rfc3339" => Ok(Self::Rfc3339),
            pattern if pattern.contains('%') => parse_pattern(pattern),
            other => Err(format!(
                "{other:?} is not a valid time unit: use s, ms, us, ns, auto, rfc3339 or a strftime pattern"
            )),
        }
    }
}

fn unit_of_name(name: &str) -> Option<Unit> {
    let known = Unit::ALL.into_iter().find(|unit| unit.short() == name);
    known.or((name == "µs").then_some(Unit::Micros))
}

/// `%H:%M:%S` or `%Y%m%d+ms`.
fn parse_pattern(text: &str) -> Result<TimeFormat, String> {
    let Some((day, unit)) = text.rsplit_once('+').and_then(|(day, unit)| Some((day, unit_of_name(unit)?)))
    else {
        return Ok(TimeFormat::Pattern(text.parse()?));
    };
    let pattern: Pattern = day.parse()?;
    if !pattern.holds_day() || pattern.holds_clock() || pattern.names_zone() {
        return Err(format!("pattern {text}: before the + stands a day alone, as in %Y%m%d+ms"));
    }
    Ok(TimeFormat::DayAnd(pattern, unit))
}
