//! Times as the routes have them: RFC 3339 text in UTC.

use jiff::Timestamp;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A time in ms since the UNIX epoch as text. Every event that is shown has one, so it is written by hand.
pub(crate) fn text_of_ms(ms: u64) -> String {
    let (year, month, day) = date_of(ms / DAY_MS);
    if year > 9998 {
        let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        return time.unwrap_or(Timestamp::MAX).to_string();
    }
    let (seconds, fraction) = (ms % DAY_MS / 1000, ms % 1000);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    write_number(&mut text[..4], year);
    write_number(&mut text[5..7], month);
    write_number(&mut text[8..10], day);
    write_number(&mut text[11..13], seconds / 3600);
    write_number(&mut text[14..16], seconds / 60 % 60);
    write_number(&mut text[17..19], seconds % 60);
    write_number(&mut text[20..23], fraction);
    // Zeros at the end of a fraction are left out, and the point where nothing is behind it.
    let end = match fraction {
        0 => 19,
        _ if fraction % 100 == 0 => 21,
        _ if fraction % 10 == 0 => 22,
        _ => 23,
    };
    text[end] = b'Z';
    // These are digits and signs.
    std::str::from_utf8(&text[..=end]).unwrap_or_default().to_owned()
}

fn write_number(digits: &mut [u8], number: u64) {
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
}

/// Year, month and day of a day since 1970-01-01, in the calendar of Gregory.
const fn date_of(days: u64) -> (u64, u64, u64) {
    // Years are counted from the 1st of March of the year 0, so that a leap day is the last of its year.
    let since = days.saturating_add(719_468);
    let (era, day_of_era) = (since / 146_097, since % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// A time in ns since the UNIX epoch as text, cut to the seven digits that .NET reads.
pub(crate) fn text_of_ns(ns: u64) -> String {
    let cut = i128::from(ns - ns % 100);
    Timestamp::from_nanosecond(cut).unwrap_or(Timestamp::MAX).to_string()
}

/// The ms since the UNIX epoch of a text that this module made; 0 of any other.
pub(crate) fn ms_of_text(text: &str) -> u64 {
    if let Some(ms) = ms_of_plain(text.as_bytes()) {
        return ms;
    }
    let time: Option<Timestamp> = text.parse().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).unwrap_or(0)
}

/// As [`text_of_ms`] writes it; `None` for whatever else may be a time.
fn ms_of_plain(text: &[u8]) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let (time, fraction) = time.split_at_checked(9)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else { return None };
    let [b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *time else { return None };
    let fraction = match *fraction {
        [b'Z'] => 0,
        [b'.', a, b'Z'] => number_of(&[a])? * 100,
        [b'.', a, b, b'Z'] => number_of(&[a, b])? * 10,
        [b'.', a, b, c, b'Z'] => number_of(&[a, b, c])?,
        _ => return None,
    };
    let (year, month, day) = (number_of(&[y1, y2, y3, y4])?, number_of(&[m1, m2])?, number_of(&[d1, d2])?);
    let (hour, minute, second) = (number_of(&[h1, h2])?, number_of(&[n1, n2])?, number_of(&[s1, s2])?);
    let is_time = hour < 24 && minute < 60 && second < 60;
    let days = days_of(year, month, day).filter(|days| is_time && date_of(*days) == (year, month, day))?;
    Some(days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + fraction)
}

/// The day since 1970-01-01, the other way round of [`date_of`]; `None` before, and of a month that is none.
const fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if month < 1 || month > 12 || day < 1 || year < 1970 {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn number_of(digits: &[u8]) -> Option<u64> {
    digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

/// Reads RFC 3339 with its zone, as ns since the UNIX epoch.
///
/// # Errors
/// What is wrong with the text, as the rest of a sentence that begins with its name.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const FORM: &str = "write it as 2024-08-08T10:30:00Z or 2024-08-08T10:30:00.5+02:00";
    let shape: String =
        text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c.to_ascii_uppercase() }).collect();
    if shape.starts_with("00/00/0000") {
        return Err(format!("is a date of the US form, whose zone is unknown; {FORM}"));
    }
    if shape.contains(' ') {
        return Err(format!("has a space in it (a '+' in a URL is written %2B); {FORM}"));
    }
    let Some(rest) = shape.strip_prefix("0000-00-00T00:00:00") else {
        return Err(format!("is no time; {FORM}"));
    };
    let zone = rest.strip_prefix('.').map_or(rest, |fraction| fraction.trim_start_matches('0'));
    let digits = rest.len() - zone.len();
    if digits == 1 || digits > 10 {
        return Err(format!("has no fraction of 1 to 9 digits behind the point; {FORM}"));
    }
    match zone {
        "Z" | "+00:00" | "-00:00" => {}
        "" => return Err(format!("has no zone; {FORM}")),
        _ => return Err(format!("is no time; {FORM}")),
    }
    let time: Timestamp = text.parse().map_err(|_| format!("is no time that there is; {FORM}"))?;
    u64::try_from(time.as_nanosecond()).map_err(|_| "is before 1970 or after 2554".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_zone_and_come_back() {
        let ns = parse("2024-08-08T10:30:00.1234567+02:00").unwrap();
        assert_eq!(text_of_ns(ns), "2024-08-08T08:30:00.1234567Z");
        assert_eq!(text_of_ns(ns + 99), "2024-08-08T08:30:00.1234567Z");
        assert_eq!(text_of_ms(1_723_105_800_250), "2024-08-08T08:30:00.25Z");
        assert_eq!(ms_of_text("2024-08-08T08:30:00.25Z"), 1_723_105_800_250);
        assert_eq!(parse("2024-08-08t10:30:00z"), parse("2024-08-08T10:30:00Z"));
    }

    #[test]
    fn what_is_written_by_hand_is_what_the_library_writes_and_reads() {
        let by_library = |ms: u64| Timestamp::from_millisecond(ms as i64).unwrap().to_string();
        // Every day until 2400 at another time of the day, days around each turn of a year, and odd fractions.
        let days = (0..157_000).map(|day| day * DAY_MS + day * 7_919_377 % DAY_MS);
        let turns =
            (0..8_000).flat_map(|year| [0, 1, 59, 60].map(|day| year * 31_556_952_000 + day * DAY_MS + day));
        for ms in days.chain(turns).chain([0, 1, 10, 100, 999, 1_000, 1_723_105_800_250]) {
            let text = text_of_ms(ms);
            assert_eq!(text, by_library(ms));
            assert_eq!(ms_of_plain(text.as_bytes()), Some(ms), "{text}");
        }
        for odd in
            ["2023-02-29T00:00:00Z", "2024-00-01T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z"]
        {
            assert_eq!((ms_of_plain(odd.as_bytes()), ms_of_text(odd)), (None, 0), "{odd}");
        }
        assert_eq!(text_of_ms(u64::MAX), Timestamp::MAX.to_string());
        assert_eq!(ms_of_text("2024-08-08T10:30:00.25+02:00"), 1_723_105_800_250);
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_reason() {
        for (text, reason) in [
            ("2024-08-08T10:30:00", "has no zone"),
            ("2024-08-08T10:30:00.5", "has no zone"),
            ("11/29/2026 10:30:05", "US form"),
            ("2024-08-08T10:30:00 02:00", "%2B"),
            ("2024-08-08", "is no time"),
            ("2024-02-31T10:30:00Z", "that there is"),
            ("2024-08-08T10:30:00.Z", "fraction"),
            ("2024-08-08T10:30:00.1234567890Z", "fraction"),
            ("1969-12-31T23:59:59Z", "before 1970"),
            ("2024-08-08T10:30:00+0200", "is no time"),
            ("", "is no time"),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
