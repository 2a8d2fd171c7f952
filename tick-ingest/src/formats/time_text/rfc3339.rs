//! `2024-08-08T23:54:18.362Z`: the usual shape by hand, everything else by jiff; the two agree.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::TimeError;
use super::calendar::{parse_fraction, seconds_since_1970, two_digits};
use super::written::{LocalTime, Written, instant};

#[inline(always)]
pub(super) fn parse(text: &[u8]) -> Result<Written, TimeError> {
    match parse_usual(text) {
        Some(written) => Ok(written),
        None => parse_any(text),
    }
}

/// `2024-08-08T23:54:18[.362…][Z|+02:00]`; `None` means nothing but that it is another shape.
#[inline(always)]
pub(super) fn parse_usual(text: &[u8]) -> Option<Written> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let separators = [head[4], head[7], head[13], head[16]] == *b"--::" && matches!(head[10], b'T' | b' ');
    let year = two_digits(head, 0)? * 100 + two_digits(head, 2)?;
    let (month, day) = (two_digits(head, 5)?, two_digits(head, 8)?);
    let (hour, minute, second) = (two_digits(head, 11)?, two_digits(head, 14)?, two_digits(head, 17)?);
    if !separators {
        return None;
    }
    let seconds = seconds_since_1970([year, month, day], [hour, minute, second])?;
    let (nanoseconds, zone) = parse_fraction(rest)?;
    let local = seconds * 1_000_000_000 + u64::from(nanoseconds);
    match zone {
        b"Z" => Some(Written::Instant(local)),
        b"" => Some(Written::Local(LocalTime { seconds: seconds as i64, nanoseconds })),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let offset: &[u8; 5] = offset.try_into().ok()?;
            let (hours, minutes) = (two_digits(offset, 0)?, two_digits(offset, 3)?);
            if offset[2] != b':' || hours > 23 || minutes > 59 || (hours, minutes) == (0, 0) && *sign == b'-'
            {
                return None;
            }
            let offset = u64::from(hours * 3600 + minutes * 60) * 1_000_000_000;
            let utc = if *sign == b'+' { local.checked_sub(offset) } else { local.checked_add(offset) };
            utc.map(Written::Instant)
        }
        _ => None,
    }
}

#[cold]
pub(super) fn parse_any(text: &[u8]) -> Result<Written, TimeError> {
    if text.is_empty() {
        return Err(TimeError::Empty);
    }
    let text = std::str::from_utf8(text).map_err(|_| TimeError::NotRfc3339)?;
    if let Ok(time) = Timestamp::from_str(text) {
        return instant(time);
    }
    // Only a text that names no offset is a local time; a broken offset must not be read as none.
    let (date, clock) = text.split_at_checked(10).unwrap_or((text, ""));
    let bare = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | 'T' | 't' | ' ');
    if !clock.chars().all(bare) || date.contains('+') {
        return Err(TimeError::NotRfc3339);
    }
    let local = DateTime::from_str(text).map_err(|_| TimeError::NotRfc3339)?;
    LocalTime::of(local).map(Written::Local).ok_or(TimeError::NotRfc3339)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_nanosecond_comes_back(ns in 0..18_446_744_073_709_551_615u64) {
            let text = Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string();
            prop_assert_eq!(parse(text.as_bytes()), Ok(Written::Instant(ns)));
            // Before 2554, the first year that does not fit whole.
            if ns < 18_429_292_800_000_000_000 {
                prop_assert_eq!(parse_usual(text.as_bytes()), Some(Written::Instant(ns)));
            }
        }

        #[test]
        fn both_paths_agree(
            date in "(19[67]|20[0-9]|2[0-5][0-9])[0-9]-[01][0-9]-[0-3][0-9]",
            rest in "[T tx][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|z|[+-][0-2][0-9]:[0-7][0-9])?.?",
        ) {
            let text = date + &rest;
            if let Some(usual) = parse_usual(text.as_bytes()) {
                prop_assert_eq!(parse_any(text.as_bytes()), Ok(usual), "{}", text);
            }
        }
    }
}
