//! Times by a strftime pattern.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::TimeError;
use super::written::{LocalTime, Written, instant};
use super::zone::Offset;

mod layout;
#[cfg(test)]
mod tests;

use layout::Layout;

/// A strftime pattern, as jiff's strptime takes it.
///
/// A text in which each number of the pattern has its full width is read without jiff, which takes
/// several times as long; every other text is left to jiff, and the two agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// `None` where the pattern has more in it than such a layout.
    layout: Option<Layout>,
    holds: Holds,
}

/// What a pattern's texts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holds {
    day: bool,
    clock: bool,
    /// `Z`, `UTC` or `GMT` stand in it as they are.
    utc: bool,
    zone: bool,
}

impl Pattern {
    /// The pattern as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether its texts say which day it is.
    pub fn holds_day(&self) -> bool {
        self.holds.day
    }

    /// Whether its texts say which time of the day it is.
    pub fn holds_clock(&self) -> bool {
        self.holds.clock
    }

    /// Whether its texts say of which zone they are.
    pub fn names_zone(&self) -> bool {
        self.holds.utc || self.holds.zone
    }

    /// The pattern of a day such as `2024-06-01`, a blank and this one.
    ///
    /// # Errors
    /// It is not a pattern.
    pub fn behind_day(&self) -> Result<Self, String> {
        format!("%Y-%m-%d {}", self.text).parse()
    }

    /// What the text says.
    ///
    /// # Errors
    /// The text is not of this pattern, or no tick can hold its time.
    #[inline(always)]
    pub(super) fn read(&self, text: &[u8]) -> Result<Written, TimeError> {
        let written = match self.layout.as_ref().and_then(|layout| layout.read(text)) {
            Some(written) => written,
            None => self.read_any(text)?,
        };
        match written {
            Written::Local(local) if self.holds.utc => local.at_offset(0).map(Written::Instant),
            _ => Ok(written),
        }
    }

    #[cold]
    fn read_any(&self, text: &[u8]) -> Result<Written, TimeError> {
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        let broken = BrokenDownTime::parse(&self.text, text).map_err(|_| TimeError::NotOfPattern)?;
        if let Ok(time) = broken.to_timestamp() {
            return instant(time);
        }
        let local = broken.to_datetime().map_err(|_| TimeError::NotOfPattern)?;
        match (broken.offset(), broken.iana_time_zone()) {
            (None, None) => LocalTime::of(local).map(Written::Local).ok_or(TimeError::NotOfPattern),
            (None, Some(name)) => {
                let zone = TimeZone::get(name).map_err(|_| TimeError::NotOfPattern)?;
                in_zone(local, &zone)
            }
            (Some(_), _) => Err(TimeError::NotOfPattern),
        }
    }
}

/// A local time of the zone that the text itself names.
fn in_zone(local: jiff::civil::DateTime, zone: &TimeZone) -> Result<Written, TimeError> {
    let written = LocalTime::of(local).ok_or(TimeError::NotOfPattern)?;
    let seconds = written.seconds;
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => written.at_offset(offset.seconds()).map(Written::Instant),
        AmbiguousOffset::Gap { before, after } => {
            Err(TimeError::Never { seconds, before: Offset::of(before), after: Offset::of(after) })
        }
        AmbiguousOffset::Fold { before, after } => {
            Err(TimeError::Twice { seconds, before: Offset::of(before), after: Offset::of(after) })
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |error: jiff::Error| {
            let letters = text.contains("%Z");
            let advice = if letters { "; write the zone's letters as they are, and give --tz" } else { "" };
            format!("pattern {text}: {error}{advice}")
        };
        // What it writes it must be able to read.
        let epoch = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let sample = strtime::format(text, &epoch).map_err(wrong)?;
        let broken = BrokenDownTime::parse(text, &sample).map_err(wrong)?;
        let timestamp = broken.timestamp().is_some();
        let holds = Holds {
            day: timestamp || broken.to_date().is_ok(),
            clock: timestamp || broken.hour().is_some(),
            utc: names_utc(text),
            zone: timestamp || broken.offset().is_some() || broken.iana_time_zone().is_some(),
        };
        Ok(Self { text: text.to_owned(), layout: Layout::of(text), holds })
    }
}

/// Whether `Z`, `UTC` or `GMT` stand in a pattern as words of their own.
fn names_utc(pattern: &str) -> bool {
    let mut literals = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            // A directive ends with its letter, behind flags, a width, colons and a point.
            chars.by_ref().find(|c| c.is_ascii_alphabetic() || *c == '%');
            literals.push(' ');
        } else {
            literals.push(c);
        }
    }
    literals.split(|c: char| !c.is_ascii_alphabetic()).any(|word| matches!(word, "Z" | "UTC" | "GMT"))
}
