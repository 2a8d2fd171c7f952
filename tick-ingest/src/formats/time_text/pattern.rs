//! Times by a strftime pattern.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

use super::{TimeError, nanoseconds, parse_fraction, seconds_since_1970, two_digits, utc};

/// A strftime pattern, as jiff's strptime takes it.
///
/// A text in which each number of the pattern has its full width is read without jiff, which takes
/// several times as long; every other text is left to jiff, and the two agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// `None` where the pattern has more in it than such a layout.
    layout: Option<Layout>,
}

/// Where a text of full width has what: every number of it has as many digits as it can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layout {
    year: usize,
    /// Of month, day, hour, minute and second.
    parts: [usize; 5],
    literals: Vec<(usize, u8)>,
    /// Where all of these end, and a fraction may begin.
    width: usize,
    has_fraction: bool,
}

impl Pattern {
    /// The pattern as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nanoseconds since the UNIX epoch; without an offset in the pattern it is UTC.
    ///
    /// # Errors
    /// The text is not of this pattern, or no tick can hold its time.
    #[inline]
    pub fn parse(&self, text: &[u8]) -> Result<u64, TimeError> {
        match self.parse_full_width(text) {
            Some(ns) => Ok(ns),
            None => self.parse_any(text),
        }
    }

    #[inline]
    fn parse_full_width(&self, text: &[u8]) -> Option<u64> {
        let Layout { year, parts, literals, width, has_fraction } = self.layout.as_ref()?;
        let (fixed, rest) = text.split_at_checked(*width)?;
        if !literals.iter().all(|&(at, byte)| fixed[at] == byte) {
            return None;
        }
        let year = two_digits(fixed, *year)? * 100 + two_digits(fixed, *year + 2)?;
        let part = |part: usize| two_digits(fixed, parts[part]);
        let seconds = seconds_since_1970([year, part(0)?, part(1)?], [part(2)?, part(3)?, part(4)?])?;
        let (nanoseconds, rest) = if *has_fraction { parse_fraction(rest)? } else { (0, rest) };
        rest.is_empty().then_some(seconds * 1_000_000_000 + nanoseconds)
    }

    fn parse_any(&self, text: &[u8]) -> Result<u64, TimeError> {
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        let broken = BrokenDownTime::parse(&self.text, text).map_err(|_| TimeError::NotOfPattern)?;
        let time = broken.to_timestamp().ok().or_else(|| match broken.offset() {
            None => broken.to_datetime().ok().and_then(utc),
            Some(_) => None,
        });
        time.ok_or(TimeError::NotOfPattern).and_then(nanoseconds)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let epoch = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        strtime::format(text, &epoch).map_err(|error| format!("pattern {text}: {error}"))?;
        Ok(Self { text: text.to_owned(), layout: Layout::of(text) })
    }
}

impl Layout {
    /// `None` unless the pattern gives year, month, day, hour, minute and second once each, and
    /// nothing beside them but a fraction at its end and literals.
    fn of(pattern: &str) -> Option<Self> {
        const PARTS: [&str; 5] = ["%m", "%d", "%H", "%M", "%S"];
        let pattern = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
        let mut layout = Self::default();
        let mut seen = [0; 6];
        let mut rest = pattern.as_str();
        while let Some(first) = rest.bytes().next() {
            let at = layout.width;
            let (length, width) = if let Some(part) = PARTS.iter().position(|name| rest.starts_with(name)) {
                layout.parts[part] = at;
                seen[part] += 1;
                (2, 2)
            } else if rest.starts_with("%Y") {
                layout.year = at;
                seen[5] += 1;
                (2, 4)
            } else if rest == "%.f" {
                layout.has_fraction = true;
                (3, 0)
            } else if first == b' ' || first == b'T' || first.is_ascii_punctuation() && first != b'%' {
                // A blank of the pattern stands for any number of blanks; one is the usual.
                layout.literals.push((at, first));
                (1, 1)
            } else {
                return None;
            };
            layout.width += width;
            rest = &rest[length..];
        }
        (seen == [1; 6]).then_some(layout)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERNS: [&str; 4] = ["%d.%m.%Y %H:%M:%S%.f", "%Y%m%d %H%M%S", "%FT%T%.f", "%m/%d/%Y  %H-%M-%S"];

    #[test]
    fn only_plain_patterns_are_read_without_jiff() {
        for pattern in PATTERNS {
            assert!(pattern.parse::<Pattern>().unwrap().layout.is_some(), "{pattern}");
        }
        for pattern in ["%Y-%m-%d", "%s", "%F %T %z", "%F %T %p", "%-d.%m.%Y %T", "%.f%F %T", "%F %T %Y"] {
            assert!(pattern.parse::<Pattern>().unwrap().layout.is_none(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn both_paths_agree(ns in 0..18_429_897_600_000_000_000u64, pattern in 0usize..4, cut in 0usize..4) {
            let pattern: Pattern = PATTERNS[pattern].parse().unwrap();
            let time = Timestamp::from_nanosecond(ns.into()).unwrap();
            let mut text = time.strftime(pattern.text()).to_string();
            let fast = pattern.parse_full_width(text.as_bytes());
            prop_assert_eq!(fast.map(Ok), Some(pattern.parse_any(text.as_bytes())));
            text.truncate(text.len() - cut);
            if let Some(fast) = pattern.parse_full_width(text.as_bytes()) {
                prop_assert_eq!(Ok(fast), pattern.parse_any(text.as_bytes()));
            }
        }

        #[test]
        fn odd_texts_agree(text in "[0-3][0-9]\\.[01][0-9]\\.(19|20)[0-9]{2} {1,2}[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?.?") {
            let pattern: Pattern = PATTERNS[0].parse().unwrap();
            if let Some(fast) = pattern.parse_full_width(text.as_bytes()) {
                prop_assert_eq!(Ok(fast), pattern.parse_any(text.as_bytes()), "{}", text);
            }
        }
    }
}
