//! Times as .NET writes and reads them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::error::beginning;

/// A moment to a ten-millionth of a second, in the years 1 to 9999: what a .NET `DateTime` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcTime {
    /// Since the UNIX epoch, in units of 100 ns.
    ticks: i64,
}

/// A text that is no time.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{text}' is no time: give ISO 8601 in UTC, as 2026-01-31T12:00:00.123Z")]
pub struct InvalidTime {
    text: String,
}

const TICKS_A_SECOND: i64 = 10_000_000;
const SECONDS_A_DAY: i64 = 86_400;
/// Days from 0001-01-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: i64 = 719_162;
/// Days from 1970-01-01 to 10000-01-01.
const DAYS_AFTER_EPOCH: i64 = 2_932_897;

impl UtcTime {
    /// The beginning of UNIX time.
    pub const EPOCH: Self = Self { ticks: 0 };

    /// So many milliseconds after the UNIX epoch; `None` beyond the year 9999.
    pub fn from_unix_ms(ms: u64) -> Option<Self> {
        let ticks = i64::try_from(ms).ok()?.checked_mul(TICKS_A_SECOND / 1000)?;
        Self::from_ticks(ticks)
    }

    /// Milliseconds since the UNIX epoch; negative before it.
    pub fn unix_ms(self) -> i64 {
        self.ticks.div_euclid(TICKS_A_SECOND / 1000)
    }

    fn from_ticks(ticks: i64) -> Option<Self> {
        let day = ticks.div_euclid(TICKS_A_SECOND * SECONDS_A_DAY);
        (-DAYS_BEFORE_EPOCH..DAYS_AFTER_EPOCH).contains(&day).then_some(Self { ticks })
    }

    /// `YYYY-MM-DD`, and after a `T` `hh:mm`, `:ss`, up to 16 decimals, and `Z` or `±hh[:mm]`. Digits after
    /// the seventh decimal are cut, and a time without a zone is UTC.
    fn parse(text: &str) -> Option<Self> {
        let mut rest = Scan(text.as_bytes());
        let date = Date { year: rest.digits(4)?, month: rest.after(b'-')?, day: rest.after(b'-')? };
        let midnight = date.days_since_epoch()? * SECONDS_A_DAY;
        if rest.is_empty() {
            return Self::from_ticks(midnight * TICKS_A_SECOND);
        }
        let hour = rest.after(b'T')?;
        let minute = rest.after(b':')?;
        let has_seconds = rest.starts_with(b':');
        let second = if has_seconds { rest.after(b':')? } else { 0 };
        let fraction = if has_seconds && rest.take(b'.') { rest.fraction()? } else { 0 };
        let offset_minutes = rest.offset()?;
        if hour > 23 || minute > 59 || second > 59 || !rest.is_empty() {
            return None;
        }
        let seconds = midnight + (hour * 60 + minute - offset_minutes) * 60 + second;
        Self::from_ticks(seconds * TICKS_A_SECOND + fraction)
    }
}

/// The part of a text that is still to be read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn starts_with(&self, byte: u8) -> bool {
        self.0.first() == Some(&byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.starts_with(byte);
        if is_next {
            self.0 = &self.0[1..];
        }
        is_next
    }

    fn digit(&mut self) -> Option<i64> {
        let (&digit, rest) = self.0.split_first().filter(|(byte, _)| byte.is_ascii_digit())?;
        self.0 = rest;
        Some(i64::from(digit - b'0'))
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// Two digits after `separator`.
    fn after(&mut self, separator: u8) -> Option<i64> {
        if self.take(separator) { self.digits(2) } else { None }
    }

    /// Decimals, at least one and at most 16, in units of 100 ns.
    fn fraction(&mut self) -> Option<i64> {
        const MOST: u32 = 16;
        const KEPT: u32 = 7;
        let mut ticks = self.digit()?;
        let mut count = 1;
        while let Some(digit) = self.digit() {
            count += 1;
            if count <= KEPT {
                ticks = ticks * 10 + digit;
            }
        }
        (count <= MOST).then(|| ticks * 10_i64.pow(KEPT.saturating_sub(count)))
    }

    /// The zone in minutes east of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.is_empty() || self.take(b'Z') {
            return Some(0);
        }
        let sign = if self.take(b'-') { -1 } else { i64::from(self.take(b'+')) };
        let hours = self.digits(2)?;
        let minutes = if self.is_empty() { 0 } else { self.after(b':')? };
        // .NET's own bound is 14 hours.
        (sign != 0 && minutes < 60 && hours * 60 + minutes <= 14 * 60).then(|| sign * (hours * 60 + minutes))
    }
}

/// A day of the Gregorian calendar. Both ways count in years that begin in March, so that the leap day is
/// the last of its year.
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    fn days_since_epoch(&self) -> Option<i64> {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if self.year == 0 || !(1..=days).contains(&self.day) {
            return None;
        }
        let year = if self.month < 3 { self.year - 1 } else { self.year };
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        Some(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
    }

    fn of_days_since_epoch(days: i64) -> Self {
        let days = days + 719_468;
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = days.div_euclid(146_097) * 400 + year_of_era;
        Self {
            year: if month < 3 { year + 1 } else { year },
            month,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
        }
    }
}

/// UTC with `Z`, and as many decimals as are not zero.
impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ticks.div_euclid(TICKS_A_SECOND);
        let of_day = seconds.rem_euclid(SECONDS_A_DAY);
        let Date { year, month, day } = Date::of_days_since_epoch(seconds.div_euclid(SECONDS_A_DAY));
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)?;
        let fraction = self.ticks.rem_euclid(TICKS_A_SECOND);
        if fraction > 0 {
            let decimals = format!("{fraction:07}");
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for UtcTime {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        Self::parse(text).ok_or_else(|| InvalidTime { text: beginning(text) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_as_dotnet_reads_them() {
        let read = |text: &str| text.parse::<UtcTime>().map(|time| time.to_string()).ok();
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+05:30", "2026-01-31T06:30:00Z"),
            ("2026-01-31T12:00:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.1234567Z"),
            ("2026-01-31T12:00:00.1234567890123456Z", "2026-01-31T12:00:00.1234567Z"),
            ("2026-11-29T10:59:03.12064Z", "2026-11-29T10:59:03.12064Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2024-02-29T23:59-01", "2024-03-01T00:59:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "2026-01-31T12:00:00.12345678901234567Z",
            "2026-01-31 12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-06-30T23:59:60Z",
            "2026-01-31T12:00:00+0530",
            "2026-01-31T12:00:00+15:00",
            "2026-02-29",
            "0000-01-01",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00.Z",
            "yesterday",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_kept() {
        let time = UtcTime::from_unix_ms(1_769_860_800_123).unwrap();
        assert_eq!(time.to_string(), "2026-01-31T12:00:00.123Z");
        assert_eq!(time.unix_ms(), 1_769_860_800_123);
        assert_eq!(UtcTime::from_unix_ms(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ticks in -621_355_968_000_000_000_i64..2_534_022_144_000_000_000) {
            let time = UtcTime::from_ticks(ticks).unwrap();
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<UtcTime>();
        }
    }
}
