//! How far a clock is ahead of UTC.

use std::fmt;

use jiff::Timestamp;

/// How far a clock is ahead of UTC, in seconds, less than 26 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(i32);

impl Offset {
    pub(super) const UTC: Self = Self(0);

    pub(in super::super) fn of(offset: jiff::tz::Offset) -> Self {
        Self(offset.seconds())
    }

    #[inline]
    pub(super) fn seconds(self) -> i32 {
        self.0
    }

    /// `+05:30`, `-0500`, `+09`; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sign, text) = match text.as_bytes() {
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
        let pair = |tens, ones| Some(digit(tens)? * 10 + digit(ones)?);
        let (hours, minutes) = match *text {
            [a, b] => (pair(a, b)?, 0),
            [a, b, c, d] | [a, b, b':', c, d] => (pair(a, b)?, pair(c, d)?),
            _ => return None,
        };
        let valid = hours <= 23 && minutes <= 59;
        valid.then_some(Self(sign * (hours * 3600 + minutes * 60)))
    }

    /// The instant at which a clock of this offset shows `seconds`, as text.
    pub(in super::super) fn utc(self, seconds: i64) -> impl fmt::Display {
        // Only a time near a change of clocks is asked for, so that it is never out of range.
        Timestamp::from_second(seconds - i64::from(self.0)).unwrap_or_default()
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        let seconds = self.0.unsigned_abs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{sign}{hours:02}:{minutes:02}")?;
        if seconds == 0 { Ok(()) } else { write!(f, ":{seconds:02}") }
    }
}
