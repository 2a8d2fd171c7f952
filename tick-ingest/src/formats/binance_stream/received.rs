//! When a line was received: the time in front of its JSON, or in a wrapper around it.

use super::numbers::whole_number;
use crate::formats::time_text::{TimeError, TimeFormat, Zone};
use crate::{BadField, Batch};

/// From here on a number counts nanoseconds, below it microseconds: the year 1973 in either case.
const FIRST_NANOSECONDS: u64 = 100_000_000_000_000_000;
const FIRST_MICROSECONDS: u64 = 100_000_000_000_000;
const FIRST_MILLISECONDS: u64 = 100_000_000_000;
/// Lower numbers are counters, or nothing that is known.
const FIRST_SECONDS: u64 = 100_000_000;

/// No time is longer, and a line may be.
const LONGEST: usize = 64;

/// The time in front of the JSON, of `zone` where it names none, and where the JSON begins (or blanks before
/// it).
#[inline]
pub(super) fn receive_time(
    line: &[u8],
    zone: &Zone,
    out: &mut Batch,
) -> Result<(Option<u64>, usize), BadField> {
    if line.first() == Some(&b'{') {
        return Ok((None, 0));
    }
    // Nanoseconds of our days have 19 digits.
    const USUAL: usize = 19;
    if line.get(USUAL).is_some_and(is_blank)
        && line.get(USUAL + 1) == Some(&b'{')
        && let Ok(time) = whole_number(&line[..USUAL])
        && time >= FIRST_NANOSECONDS
    {
        return Ok((Some(time), USUAL));
    }
    unusual(line, zone, out)
}

#[cold]
fn unusual(line: &[u8], zone: &Zone, out: &mut Batch) -> Result<(Option<u64>, usize), BadField> {
    let Some((time, json)) = split(line) else {
        return Err(BadField::new("line", "is neither {json} nor a receive time and {json}"));
    };
    let time = if time.is_empty() { None } else { Some(parse(time, zone, out)?) };
    Ok((time, json))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The text of the time in front of the JSON, empty where there is none, and where the JSON begins.
///
/// Between them stand blanks, or one of `,;|:-` with blanks or without; around the time may be quotes or
/// brackets.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], usize)> {
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let rest = &line[start..];
    let bracketed =
        rest.strip_prefix(b"[").is_some_and(|inside| inside.first().is_some_and(u8::is_ascii_digit));
    if matches!(rest, [b'{' | b'[', ..]) && !bracketed {
        return Some((&[], start));
    }
    let before = usize::from(bracketed);
    let begins = |byte: &u8| matches!(byte, b'{' | b'[');
    let length = before + rest[before..].iter().take(LONGEST).position(begins)?;
    let text = without_separator(&rest[..length]);
    if text.len() == length && !bracketed {
        return None;
    }
    let text = match text {
        [b'[', inside @ .., b']'] | [b'"', inside @ .., b'"'] => inside.trim_ascii(),
        _ if bracketed => return None,
        text => text,
    };
    (!text.is_empty()).then_some((text, start + length))
}

fn without_separator(text: &[u8]) -> &[u8] {
    match text.trim_ascii_end() {
        [time @ .., b',' | b';' | b'|' | b':' | b'-'] => time.trim_ascii_end(),
        time => time,
    }
}

/// A time as programs that record write it: a number of s, ms, µs or ns by magnitude, with decimals or
/// without, or as RFC 3339 says.
///
/// # Errors
/// What is wrong with it.
#[cold]
pub(super) fn parse(text: &[u8], zone: &Zone, out: &mut Batch) -> Result<u64, BadField> {
    let bad = |reason: String| BadField::new("receive time", reason);
    let number = text.strip_prefix(b"-").unwrap_or(text);
    let whole = number.split(|byte| *byte == b'.').next().unwrap_or_default();
    let is_number = !whole.is_empty()
        && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && number.iter().filter(|byte| **byte == b'.').count() < 2;
    if !is_number {
        return parse_text(text, zone, out).map_err(bad);
    }
    if number.len() < text.len() {
        return Err(bad("is negative, and times count from 1970".to_owned()));
    }
    let whole = whole_number(whole).map_err(|reason| bad(reason.to_owned()))?;
    let unit = match whole {
        FIRST_NANOSECONDS.. => TimeFormat::Nanos,
        FIRST_MICROSECONDS.. => TimeFormat::Micros,
        FIRST_MILLISECONDS.. => TimeFormat::Millis,
        FIRST_SECONDS.. => TimeFormat::Seconds,
        _ => return Err(bad("is too small for a time since 1973 in s, ms, µs or ns".to_owned())),
    };
    unit.parse(text).map_err(|error| bad(error.to_string()))
}

/// Some loggers write a comma before the fraction, and some the time of their own zone without it.
fn parse_text(text: &[u8], zone: &Zone, out: &mut Batch) -> Result<u64, String> {
    const EXPECTED: &str =
        "is neither a number of s, ms, µs or ns nor a time such as 2024-06-01T00:00:00.123Z";
    let text: Vec<u8> = text.iter().map(|byte| if *byte == b',' { b'.' } else { *byte }).collect();
    let mut is_local = false;
    let time = TimeFormat::Rfc3339.resolve(&text, |local| {
        is_local = true;
        zone.instant(local)
    });
    if is_local && !zone.is_given() {
        out.counts.note(Zone::UTC_ASSUMED);
    }
    time.map_err(|error| match error {
        TimeError::Twice { .. } | TimeError::Never { .. } => error.to_string(),
        _ => EXPECTED.to_owned(),
    })
}

/// Whether a key of an object around an event says when it was received; names are compared without case and
/// underscores.
pub(super) fn is_key(key: &[u8]) -> bool {
    const NAMES: [&str; 29] = [
        "ts",
        "time",
        "timestamp",
        "datetime",
        "recv",
        "received",
        "receivedat",
        "receivedtime",
        "receivets",
        "receivetime",
        "receivetimestamp",
        "recvat",
        "recvts",
        "recvtime",
        "recvtimestamp",
        "tsrecv",
        "trecv",
        "localts",
        "localtime",
        "localtimestamp",
        "arrivaltime",
        "capturedat",
        "capturetime",
        "tsns",
        "tsus",
        "tsms",
        "timestampns",
        "timestampus",
        "timestampms",
    ];
    const LENGTH: usize = 24;
    if key.len() > LENGTH {
        return false;
    }
    let plain = key.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
    NAMES.iter().any(|name| name.bytes().eq(plain.clone()))
}
