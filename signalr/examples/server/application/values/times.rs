//! Times: texts in JSON; in MessagePack timestamps (extension −1), and ticks of 100 ns for a span.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

use super::calendar::{
    EPOCH_DAYS, TICKS_A_DAY, TICKS_A_MINUTE, TICKS_A_SECOND, parse, parse_offset, print, print_offset,
};
use super::extension::{Extension, TIMESTAMP};

/// A point in time on some clock.
#[derive(Clone, Copy, Debug, Default, TS)]
#[ts(type = "string | Date")]
pub(in super::super) struct DateTime {
    /// 100 ns since the year 1.
    ticks: i64,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Clock {
    /// It does not say.
    #[default]
    Unspecified,
    Utc,
    /// The server's, which is at UTC, too.
    Local,
}

impl DateTime {
    pub(in super::super) fn utc(text: &str) -> Self {
        Self { ticks: ticks(text), clock: Clock::Utc }
    }

    pub(in super::super) fn unspecified(text: &str) -> Self {
        Self { ticks: ticks(text), clock: Clock::Unspecified }
    }

    fn read(text: &str) -> Option<Self> {
        let (ticks, rest) = parse(text)?;
        match rest {
            "" => Some(Self { ticks, clock: Clock::Unspecified }),
            "Z" => Some(Self { ticks, clock: Clock::Utc }),
            offset => {
                Some(Self { ticks: ticks - parse_offset(offset)? * TICKS_A_MINUTE, clock: Clock::Local })
            }
        }
    }

    /// As a timestamp of 32, 64 or 96 bits, the shortest that holds it.
    fn extension(self) -> Extension {
        let since_1970 = self.ticks - EPOCH_DAYS * TICKS_A_DAY;
        let seconds = since_1970.div_euclid(TICKS_A_SECOND);
        let nanoseconds = u32::try_from(since_1970.rem_euclid(TICKS_A_SECOND) * 100).expect("below a second");
        let data = match (u32::try_from(seconds), u64::try_from(seconds)) {
            (Ok(seconds), _) if nanoseconds == 0 => seconds.to_be_bytes().to_vec(),
            (_, Ok(seconds)) if seconds < 1 << 34 => {
                (u64::from(nanoseconds) << 34 | seconds).to_be_bytes().to_vec()
            }
            _ => [nanoseconds.to_be_bytes().as_slice(), seconds.to_be_bytes().as_slice()].concat(),
        };
        Extension { kind: TIMESTAMP, data }
    }

    pub(super) fn of_extension(value: &Extension) -> Option<Self> {
        let (seconds, nanoseconds) = match (value.kind, value.data.as_slice()) {
            (TIMESTAMP, data @ [_, _, _, _]) => (u32::from_be_bytes(data.try_into().ok()?).into(), 0),
            (TIMESTAMP, data @ [_, _, _, _, _, _, _, _]) => {
                let packed = u64::from_be_bytes(data.try_into().ok()?);
                (i64::try_from(packed & ((1 << 34) - 1)).ok()?, i64::try_from(packed >> 34).ok()?)
            }
            (TIMESTAMP, data) => {
                let (nanoseconds, seconds) = data.split_at_checked(4)?;
                let nanoseconds = u32::from_be_bytes(nanoseconds.try_into().ok()?);
                (i64::from_be_bytes(seconds.try_into().ok()?), nanoseconds.into())
            }
            _ => return None,
        };
        let ticks = seconds.checked_mul(TICKS_A_SECOND)?.checked_add(nanoseconds / 100)?;
        Some(Self { ticks: ticks.checked_add(EPOCH_DAYS * TICKS_A_DAY)?, clock: Clock::Utc })
    }
}

fn ticks(text: &str) -> i64 {
    parse(text).expect("a time of this program").0
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.extension().serialize(serializer);
        }
        let clock = match self.clock {
            Clock::Unspecified => "",
            Clock::Utc => "Z",
            Clock::Local => "+00:00",
        };
        serializer.serialize_str(&format!("{}{clock}", print(self.ticks)))
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = if deserializer.is_human_readable() {
            Self::read(&String::deserialize(deserializer)?)
        } else {
            Self::of_extension(&Extension::deserialize(deserializer)?)
        };
        read.ok_or_else(|| D::Error::custom("not a time"))
    }
}

/// A point in time, and how far the clock that showed it is from UTC.
#[derive(Clone, Copy, Debug, TS)]
#[ts(type = "string | [Date, number]")]
pub(in super::super) struct DateTimeOffset {
    /// On its clock: 100 ns since the year 1.
    ticks: i64,
    offset_minutes: i64,
}

impl DateTimeOffset {
    pub(in super::super) fn new(text: &str, offset_minutes: i64) -> Self {
        Self { ticks: ticks(text), offset_minutes }
    }
}

impl Serialize for DateTimeOffset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            let clock = DateTime { ticks: self.ticks, clock: Clock::Utc };
            return (clock, self.offset_minutes).serialize(serializer);
        }
        serializer.serialize_str(&format!("{}{}", print(self.ticks), print_offset(self.offset_minutes)))
    }
}

impl<'de> Deserialize<'de> for DateTimeOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let (clock, offset_minutes): (DateTime, i64) = Deserialize::deserialize(deserializer)?;
            return Ok(Self { ticks: clock.ticks, offset_minutes });
        }
        let text = String::deserialize(deserializer)?;
        let read = parse(&text).and_then(|(ticks, rest)| {
            let offset_minutes = if rest == "Z" || rest.is_empty() { 0 } else { parse_offset(rest)? };
            Some(Self { ticks, offset_minutes })
        });
        read.ok_or_else(|| D::Error::custom("not a time with an offset"))
    }
}

/// A span of time in ticks of 100 ns; `1.02:03:04.0050000` in JSON.
#[derive(Clone, Copy, Debug, TS)]
#[ts(type = "string | number")]
pub(in super::super) struct TimeSpan(pub(in super::super) i64);

impl TimeSpan {
    fn read(text: &str) -> Option<Self> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (time, fraction) = match text.rsplit_once('.') {
            Some((time, fraction)) if time.contains(':') => (time, fraction),
            _ => (text, ""),
        };
        let (days, time) = time.split_once('.').unwrap_or(("0", time));
        let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
        let seconds = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??;
        let fraction = format!("{fraction:0<7.7}").parse::<i64>().ok()?;
        let whole = days.parse::<i64>().ok()? * TICKS_A_DAY + seconds * TICKS_A_SECOND;
        Some(Self(sign * (whole + fraction)))
    }

    fn print(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ticks = self.0.abs();
        let seconds = ticks % TICKS_A_DAY / TICKS_A_SECOND;
        let days = match ticks / TICKS_A_DAY {
            0 => String::new(),
            days => format!("{days}."),
        };
        let fraction = match ticks % TICKS_A_SECOND {
            0 => String::new(),
            fraction => format!(".{fraction:07}"),
        };
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.print())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Self);
        }
        Self::read(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not a span of time"))
    }
}
