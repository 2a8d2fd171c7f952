//! Patterns whose texts are read by the places of their digits.

use super::super::calendar::{parse_decimals, parse_fraction, seconds_since_1970, two_digits};
use super::super::written::{LocalTime, Written};

/// Where a text of full width has what: every number of it has as many digits as it can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    year: usize,
    /// Of month, day, hour, minute and second.
    parts: [usize; 5],
    /// How many of them there are: a clock may end with its hours or minutes, or be left out.
    given: usize,
    twelve_hours: bool,
    literals: Vec<(usize, u8)>,
    /// Where all of these end, and a fraction may begin.
    width: usize,
    fraction: Fraction,
    /// What stands behind the fraction as it is.
    tail: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fraction {
    #[default]
    None,
    /// A point and digits, or nothing: `%.f`.
    Point,
    /// Digits: `%f`.
    Digits,
}

/// What a text ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Nothing,
    /// `+0200`: `%z`.
    Offset,
    /// `+02:00`: `%:z`.
    OffsetWithColon,
    /// `AM`, `PM`: `%p`.
    Meridiem,
}

impl Layout {
    /// What the text says; `None` means nothing but that it is to be read otherwise.
    #[inline(always)]
    pub(super) fn read(&self, text: &[u8]) -> Option<Written> {
        let (fixed, rest) = text.split_at_checked(self.width)?;
        if !self.literals.iter().all(|&(at, byte)| fixed[at] == byte) {
            return None;
        }
        let year = two_digits(fixed, self.year)? * 100 + two_digits(fixed, self.year + 2)?;
        let part = |part: usize| two_digits(fixed, self.parts[part]);
        let date = [year, part(0)?, part(1)?];
        let clock = if self.given == 5 { [part(2)?, part(3)?, part(4)?] } else { self.short_clock(fixed)? };
        let (nanoseconds, rest) = match self.fraction {
            Fraction::Point => parse_fraction(rest)?,
            Fraction::None => (0, rest),
            Fraction::Digits => parse_decimals(rest)?,
        };
        if self.tail.is_empty() && self.end == End::Nothing {
            let seconds = seconds_since_1970(date, clock)? as i64;
            return rest.is_empty().then_some(Written::Local(LocalTime { seconds, nanoseconds }));
        }
        self.read_end(date, clock, nanoseconds, rest)
    }

    /// Of a clock that ends before its seconds.
    #[inline(never)]
    fn short_clock(&self, fixed: &[u8]) -> Option<[u32; 3]> {
        let part =
            |part: usize| if part < self.given { two_digits(fixed, self.parts[part]) } else { Some(0) };
        Some([part(2)?, part(3)?, part(4)?])
    }

    /// With what stands behind the fraction.
    #[inline(never)]
    fn read_end(&self, date: [u32; 3], clock: [u32; 3], nanoseconds: u32, rest: &[u8]) -> Option<Written> {
        let rest = rest.strip_prefix(self.tail.as_slice())?;
        let [hour, minute, second] = clock;
        let (hour, offset) = match self.end {
            End::Nothing if rest.is_empty() => (hour, None),
            End::Nothing => return None,
            End::Offset => (hour, Some(parse_offset(rest, 3)?)),
            End::OffsetWithColon => (hour, Some(parse_offset(rest, 4).filter(|_| rest[3] == b':')?)),
            End::Meridiem => (hour_of_day(hour, rest)?, None),
        };
        let seconds = seconds_since_1970(date, [hour, minute, second])? as i64;
        let local = LocalTime { seconds, nanoseconds };
        match offset {
            None => Some(Written::Local(local)),
            Some(offset) => local.at_offset(offset).ok().map(Written::Instant),
        }
    }

    /// `None` unless the pattern gives year, month and day once each, and nothing beside them but a
    /// clock, a fraction, a zone's offset or half of the day at its end, and literals.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        const PARTS: [&str; 5] = ["%m", "%d", "%H", "%M", "%S"];
        let pattern = pattern.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M");
        let mut layout = Self::default();
        let mut seen = [0; 6];
        let mut rest = pattern.as_str();
        while let Some(first) = rest.bytes().next() {
            let at = layout.width;
            if let Some(part) = PARTS.iter().position(|name| rest.starts_with(name)) {
                layout.add_part(part, &mut seen);
                rest = &rest[2..];
            } else if rest.starts_with("%I") {
                layout.twelve_hours = true;
                layout.add_part(2, &mut seen);
                rest = &rest[2..];
            } else if rest.starts_with("%Y") {
                layout.year = at;
                layout.width += 4;
                seen[5] += 1;
                rest = &rest[2..];
            } else if let Some(literal) = literal(first) {
                // A blank of the pattern stands for any number of blanks; one is the usual.
                layout.literals.push((at, literal));
                layout.width += 1;
                rest = &rest[1..];
            } else {
                layout.take_end(rest)?;
                break;
            }
        }
        let [month, day, hour, minute, second, year] = seen;
        layout.given = 2 + hour + minute + second;
        let nested = hour >= minute && minute >= second && seen.iter().all(|count| *count <= 1);
        let fraction = layout.fraction == Fraction::None || second == 1;
        let halves = layout.twelve_hours == (layout.end == End::Meridiem);
        ([month, day, year] == [1; 3] && nested && fraction && halves).then_some(layout)
    }

    fn add_part(&mut self, part: usize, seen: &mut [usize; 6]) {
        self.parts[part] = self.width;
        self.width += 2;
        seen[part] += 1;
    }

    /// What is as long as it likes, and what stands behind it.
    fn take_end(&mut self, rest: &str) -> Option<()> {
        let mut rest = rest;
        let fractions = [("%.f", Fraction::Point), ("%f", Fraction::Digits)];
        if let Some((text, fraction)) = fractions.into_iter().find(|(text, _)| rest.starts_with(text)) {
            self.fraction = fraction;
            rest = &rest[text.len()..];
        }
        let literals = rest.find('%').unwrap_or(rest.len());
        self.tail = rest[..literals].bytes().map(literal).collect::<Option<_>>()?;
        // Digits behind a fraction would belong to it.
        if self.fraction != Fraction::None && self.tail.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        self.end = match &rest[literals..] {
            "" => End::Nothing,
            "%z" => End::Offset,
            "%:z" => End::OffsetWithColon,
            "%p" | "%P" => End::Meridiem,
            _ => return None,
        };
        Some(())
    }
}

/// What a pattern's byte stands for, if it stands for itself.
fn literal(byte: u8) -> Option<u8> {
    let stands = byte == b' ' || byte.is_ascii_alphanumeric() || byte.is_ascii_punctuation() && byte != b'%';
    stands.then_some(byte)
}

/// `+0200`, or `+02:00` with the minutes at 4; in seconds. `-0000` is left to jiff.
#[inline]
fn parse_offset(text: &[u8], minutes_at: usize) -> Option<i32> {
    if text.len() != minutes_at + 2 {
        return None;
    }
    let (hours, minutes) = (two_digits(text, 1)?, two_digits(text, minutes_at)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 3600 + minutes * 60) as i32;
    match text[0] {
        b'+' => Some(seconds),
        b'-' if seconds > 0 => Some(-seconds),
        _ => None,
    }
}

/// The hour from 0 to 23, of one from 1 to 12 and `AM` or `PM`.
#[inline]
fn hour_of_day(hour: u32, half: &[u8]) -> Option<u32> {
    if !(1..=12).contains(&hour) {
        return None;
    }
    match half {
        [b'A' | b'a', b'M' | b'm'] => Some(hour % 12),
        [b'P' | b'p', b'M' | b'm'] => Some(hour % 12 + 12),
        _ => None,
    }
}
