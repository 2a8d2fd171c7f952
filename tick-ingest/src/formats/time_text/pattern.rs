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
    /// Empty where the pattern has more in it than these.
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Year,
    /// Two digits for month, day, hour, minute or second.
    Part(usize),
    /// A point and digits, or nothing.
    Fraction,
    Literal(u8),
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
    fn parse_full_width(&self, mut text: &[u8]) -> Option<u64> {
        let mut year = 0;
        let mut parts = [0; 5];
        let mut nanoseconds = 0;
        for step in &self.steps {
            match *step {
                Step::Literal(byte) => text = text.strip_prefix(&[byte])?,
                Step::Part(part) => {
                    let (digits, rest) = text.split_first_chunk::<2>()?;
                    parts[part] = two_digits(digits, 0)?;
                    text = rest;
                }
                Step::Year => {
                    let (digits, rest) = text.split_first_chunk::<4>()?;
                    year = two_digits(digits, 0)? * 100 + two_digits(digits, 2)?;
                    text = rest;
                }
                Step::Fraction => (nanoseconds, text) = parse_fraction(text)?,
            }
        }
        let [month, day, hour, minute, second] = parts;
        // Without steps the year is 0, which is none.
        let seconds = seconds_since_1970([year, month, day], [hour, minute, second])?;
        text.is_empty().then_some(seconds * 1_000_000_000 + nanoseconds)
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
        Ok(Self { text: text.to_owned(), steps: steps(text).unwrap_or_default() })
    }
}

/// `None` unless the pattern gives year, month, day, hour, minute and second once each, and nothing
/// beside them but a fraction at its end and literals.
fn steps(pattern: &str) -> Option<Vec<Step>> {
    let pattern = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
    let mut rest = pattern.as_str();
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        const DIRECTIVES: [(&str, Step); 7] = [
            ("%Y", Step::Year),
            ("%m", Step::Part(0)),
            ("%d", Step::Part(1)),
            ("%H", Step::Part(2)),
            ("%M", Step::Part(3)),
            ("%S", Step::Part(4)),
            ("%.f", Step::Fraction),
        ];
        let directive = DIRECTIVES.iter().find(|(name, _)| rest.starts_with(name));
        let (length, step) = match directive {
            Some((name, step)) => (name.len(), *step),
            // A blank of the pattern stands for any number of blanks; one is the usual.
            None if first == ' ' || first.is_ascii_punctuation() && first != '%' || first == 'T' => {
                (1, Step::Literal(first as u8))
            }
            None => return None,
        };
        steps.push(step);
        rest = &rest[length..];
    }
    let count = |step| steps.iter().filter(|known| **known == step).count();
    let once = (0..5).map(Step::Part).chain([Step::Year]).all(|step| count(step) == 1);
    let fraction_last = count(Step::Fraction) == usize::from(steps.last() == Some(&Step::Fraction));
    (once && fraction_last).then_some(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATTERNS: [&str; 4] = ["%d.%m.%Y %H:%M:%S%.f", "%Y%m%d %H%M%S", "%FT%T%.f", "%m/%d/%Y  %H-%M-%S"];

    #[test]
    fn only_plain_patterns_are_read_without_jiff() {
        for pattern in PATTERNS {
            assert!(!pattern.parse::<Pattern>().unwrap().steps.is_empty(), "{pattern}");
        }
        for pattern in ["%Y-%m-%d", "%s", "%F %T %z", "%F %T %p", "%-d.%m.%Y %T", "%.f%F %T", "%F %T %Y"] {
            assert!(pattern.parse::<Pattern>().unwrap().steps.is_empty(), "{pattern}");
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
