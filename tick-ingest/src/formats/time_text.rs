//! Times in text, to nanoseconds since the UNIX epoch, exactly.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use thiserror::Error;
use tick_sdk::decimal::parse_digits;

mod pattern;

pub use pattern::Pattern;

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
    /// `2024-08-08T23:54:18.362Z`, with `T` or a blank, any offset; without an offset it is UTC.
    Rfc3339,
    /// A strftime pattern such as `%d.%m.%Y %H:%M:%S%.f`; without an offset it is UTC.
    Pattern(Pattern),
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TimeError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Not digits with at most one point.
    #[error("is not a number of {0}")]
    NotANumber(&'static str),
    /// Not as RFC 3339 says.
    #[error("is not an RFC 3339 time such as 2024-08-08T23:54:18.362Z")]
    NotRfc3339,
    /// Not as the pattern says.
    #[error("is not a time of the pattern that the mapping gives")]
    NotOfPattern,
    /// A digit other than 0 behind the nanoseconds.
    #[error("is finer than a nanosecond, which a tick cannot hold exactly")]
    TooFine,
    /// Below zero.
    #[error("is before 1970, where a tick's time begins")]
    Before1970,
    /// Above [`u64::MAX`] nanoseconds.
    #[error("is after the year 2554, where a tick's time ends")]
    After2554,
}

impl TimeFormat {
    /// Nanoseconds since the UNIX epoch.
    ///
    /// # Errors
    /// The text is not such a time, or no tick can hold it exactly.
    #[inline]
    pub fn parse(&self, text: &[u8]) -> Result<u64, TimeError> {
        match self {
            Self::Seconds => parse_units::<9>(text, "seconds"),
            Self::Millis => parse_units::<6>(text, "milliseconds"),
            Self::Micros => parse_units::<3>(text, "microseconds"),
            Self::Nanos => parse_units::<0>(text, "nanoseconds"),
            Self::Rfc3339 => parse_rfc3339(text),
            Self::Pattern(pattern) => pattern.parse(text),
        }
    }
}

/// Digits, and as many decimals as make a whole number of nanoseconds.
#[inline]
fn parse_units<const DECIMALS: u32>(text: &[u8], unit: &'static str) -> Result<u64, TimeError> {
    match parse_digits(text) {
        Some(value) => value.checked_mul(const { 10u64.pow(DECIMALS) }).ok_or(TimeError::After2554),
        None => parse_decimal_units(text, DECIMALS, unit),
    }
}

fn parse_decimal_units(text: &[u8], decimals: u32, unit: &'static str) -> Result<u64, TimeError> {
    let (negative, digits) = match text {
        [] => return Err(TimeError::Empty),
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let whole = &digits[..point.unwrap_or(digits.len())];
    let fraction = point.map_or(&[][..], |point| &digits[point + 1..]);
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(TimeError::NotANumber(unit));
    }
    if negative {
        return Err(TimeError::Before1970);
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(decimals as usize));
    if beyond.iter().any(|b| *b != b'0') {
        return Err(TimeError::TooFine);
    }
    let padding = std::iter::repeat_n(&b'0', decimals as usize - kept.len());
    let mut digits = whole.iter().chain(kept).chain(padding);
    let value = digits.try_fold(0u64, |sum, b| sum.checked_mul(10)?.checked_add(u64::from(b - b'0')));
    value.ok_or(TimeError::After2554)
}

/// The usual shape by hand, everything else by jiff; the two agree.
#[inline]
fn parse_rfc3339(text: &[u8]) -> Result<u64, TimeError> {
    match parse_usual_rfc3339(text) {
        Some(ns) => Ok(ns),
        None => parse_any_rfc3339(text),
    }
}

/// `2024-08-08T23:54:18[.362…][Z|+02:00]`; `None` means nothing but that it is another shape.
#[inline]
fn parse_usual_rfc3339(text: &[u8]) -> Option<u64> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let separators = [head[4], head[7], head[13], head[16]] == *b"--::" && matches!(head[10], b'T' | b' ');
    let year = two_digits(head, 0)? * 100 + two_digits(head, 2)?;
    let (month, day) = (two_digits(head, 5)?, two_digits(head, 8)?);
    let (hour, minute, second) = (two_digits(head, 11)?, two_digits(head, 14)?, two_digits(head, 17)?);
    if !separators {
        return None;
    }
    let seconds = seconds_since_1970([year, month, day], [hour, minute, second])?;
    let (fraction, zone) = parse_fraction(rest)?;
    let local = seconds * 1_000_000_000 + fraction;
    match zone {
        b"" | b"Z" => Some(local),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let offset: &[u8; 5] = offset.try_into().ok()?;
            let (hours, minutes) = (two_digits(offset, 0)?, two_digits(offset, 3)?);
            if offset[2] != b':' || hours > 23 || minutes > 59 || (hours, minutes) == (0, 0) && *sign == b'-'
            {
                return None;
            }
            let offset = u64::from(hours * 3600 + minutes * 60) * 1_000_000_000;
            if *sign == b'+' { local.checked_sub(offset) } else { local.checked_add(offset) }
        }
        _ => None,
    }
}

/// `None` for what is not a date or time of day, or is near the ends of what a tick can hold.
#[inline]
fn seconds_since_1970([year, month, day]: [u32; 3], [hour, minute, second]: [u32; 3]) -> Option<u64> {
    let date = (1970..2554).contains(&year) && matches!(month, 1..=12) && day >= 1;
    if !date || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + u64::from(hour * 3600 + minute * 60 + second))
}

#[inline]
fn two_digits(text: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
}

/// A point and one to nine digits, or nothing; in nanoseconds, and what stands behind.
#[inline]
fn parse_fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    const POWERS: [u64; 10] = [0, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let [b'.', digits @ ..] = text else { return Some((0, text)) };
    let mut value = 0;
    let mut count = 0;
    for byte in digits.iter().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value * 10 + u64::from(digit);
        count += 1;
    }
    if count == 0 || count > 9 {
        return None;
    }
    Some((value * POWERS[count], &digits[count..]))
}

#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar; years are counted from March, so that the leap day is the last.
#[inline]
fn days_since_1970(year: u32, month: u32, day: u32) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    u64::from(year * 365 + leap_days + day_of_year) - 719_468
}

#[cold]
fn parse_any_rfc3339(text: &[u8]) -> Result<u64, TimeError> {
    if text.is_empty() {
        return Err(TimeError::Empty);
    }
    let text = std::str::from_utf8(text).map_err(|_| TimeError::NotRfc3339)?;
    if let Ok(time) = Timestamp::from_str(text) {
        return nanoseconds(time);
    }
    // Only a text that names no offset is one of UTC; a broken offset must not be read as none.
    let (date, clock) = text.split_at_checked(10).unwrap_or((text, ""));
    let bare = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | 'T' | 't' | ' ');
    if !clock.chars().all(bare) || date.contains('+') {
        return Err(TimeError::NotRfc3339);
    }
    let local = DateTime::from_str(text).map_err(|_| TimeError::NotRfc3339)?;
    utc(local).ok_or(TimeError::NotRfc3339).and_then(nanoseconds)
}

fn utc(local: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(local).ok()
}

fn nanoseconds(time: Timestamp) -> Result<u64, TimeError> {
    let ns = time.as_nanosecond();
    u64::try_from(ns).map_err(|_| if ns < 0 { TimeError::Before1970 } else { TimeError::After2554 })
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
            Self::Rfc3339 => "rfc3339",
            Self::Pattern(pattern) => pattern.text(),
        })
    }
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "s" => Self::Seconds,
            "ms" => Self::Millis,
            "us" | "µs" => Self::Micros,
            "ns" => Self::Nanos,
            "rfc3339" => Self::Rfc3339,
            pattern if pattern.contains('%') => Self::Pattern(pattern.parse()?),
            other => {
                return Err(format!(
                    "{other:?} is not a valid time unit: use s, ms, us, ns, rfc3339 or a strftime pattern"
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(format: &str, text: &str) -> Result<u64, TimeError> {
        format.parse::<TimeFormat>().unwrap().parse(text.as_bytes())
    }

    #[test]
    fn units_are_exact() {
        for (format, text, ns) in [
            ("s", "1723161258", 1_723_161_258_000_000_000),
            ("s", "1723161258.362000001", 1_723_161_258_362_000_001),
            ("s", "0.5", 500_000_000),
            ("s", "1723161258.36200000000000", 1_723_161_258_362_000_000),
            ("ms", "1723161258362", 1_723_161_258_362_000_000),
            ("ms", "1723161258362.5", 1_723_161_258_362_500_000),
            ("us", "1723161258362001", 1_723_161_258_362_001_000),
            ("ns", "18446744073709551615", u64::MAX),
            ("ns", "7", 7),
            ("rfc3339", "2024-08-08T23:54:18.362Z", 1_723_161_258_362_000_000),
            ("rfc3339", "2024-08-09 01:54:18.362+02:00", 1_723_161_258_362_000_000),
            ("rfc3339", "2024-08-08 23:54:18", 1_723_161_258_000_000_000),
            ("rfc3339", "2024-08-08", 1_723_075_200_000_000_000),
            ("rfc3339", "2262-04-12T00:00:00Z", 9_223_372_800_000_000_000),
            ("rfc3339", "2554-07-21T23:34:33.709551615Z", u64::MAX),
            ("%d.%m.%Y %H:%M:%S%.f", "08.08.2024 23:54:18.362", 1_723_161_258_362_000_000),
            ("%Y%m%d %H%M%S %z", "20240809 015418 +0200", 1_723_161_258_000_000_000),
            ("%s", "1723161258", 1_723_161_258_000_000_000),
        ] {
            assert_eq!(parse(format, text), Ok(ns), "{format} {text}");
        }
    }

    #[test]
    fn says_what_a_tick_cannot_hold() {
        use TimeError::*;
        for (format, text, error) in [
            ("s", "", Empty),
            ("s", "abc", NotANumber("seconds")),
            ("s", ".5", NotANumber("seconds")),
            ("s", "1e9", NotANumber("seconds")),
            ("ms", "NaN", NotANumber("milliseconds")),
            ("s", "-1", Before1970),
            ("s", "0.0000000001", TooFine),
            ("ns", "1.5", TooFine),
            ("s", "18446744074", After2554),
            ("ms", "123456789012345678901234567890", After2554),
            ("rfc3339", "1969-12-31T23:59:59Z", Before1970),
            ("rfc3339", "1970-01-01T00:00:00+00:01", Before1970),
            ("rfc3339", "2554-07-21T23:34:33.709551616Z", After2554),
            ("rfc3339", "2023-02-29T00:00:00Z", NotRfc3339),
            ("rfc3339", "2024-08-08T23:54:18.362+99:99", NotRfc3339),
            ("rfc3339", "2024-08-08T24:54:18Z", NotRfc3339),
            ("rfc3339", "NaN", NotRfc3339),
            ("rfc3339", "", Empty),
            ("%Y-%m-%d", "08.08.2024", NotOfPattern),
            ("%Y-%m-%d", "1969-12-31", Before1970),
        ] {
            assert_eq!(parse(format, text), Err(error), "{format} {text}");
        }
        assert!("min".parse::<TimeFormat>().unwrap_err().contains("rfc3339"));
        assert!("%E".parse::<TimeFormat>().is_err());
    }

    proptest! {
        #[test]
        fn every_nanosecond_comes_back_from_rfc3339(ns in 0..18_446_744_073_709_551_615u64) {
            let text = Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string();
            prop_assert_eq!(parse_rfc3339(text.as_bytes()), Ok(ns));
            if ns < 18_429_897_600_000_000_000 {
                prop_assert_eq!(parse_usual_rfc3339(text.as_bytes()), Some(ns));
            }
        }

        #[test]
        fn both_rfc3339_paths_agree(
            date in "(19[67]|20[0-9]|2[0-5][0-9])[0-9]-[01][0-9]-[0-3][0-9]",
            rest in "[T tx][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|z|[+-][0-2][0-9]:[0-7][0-9])?.?",
        ) {
            let text = date + &rest;
            if let Some(ns) = parse_usual_rfc3339(text.as_bytes()) {
                prop_assert_eq!(parse_any_rfc3339(text.as_bytes()), Ok(ns), "{}", text);
            }
        }

        #[test]
        fn decimals_of_seconds_come_back(ns in any::<u64>()) {
            let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
            prop_assert_eq!(TimeFormat::Seconds.parse(text.as_bytes()), Ok(ns));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}|[-0-9.:TZ+ ]{0,40}") {
            for format in ["s", "ns", "rfc3339", "%Y-%m-%d %H:%M:%S%.f %z"] {
                let _ = parse(format, &text);
            }
        }
    }
}
