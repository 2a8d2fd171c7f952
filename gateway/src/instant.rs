//! Times as the routes have them: RFC 3339 text in UTC.

use jiff::Timestamp;

/// A time in ms since the UNIX epoch as text.
pub(crate) fn text_of_ms(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}

/// A time in ns since the UNIX epoch as text, cut to the seven digits that .NET reads.
pub(crate) fn text_of_ns(ns: u64) -> String {
    let cut = i128::from(ns - ns % 100);
    Timestamp::from_nanosecond(cut).unwrap_or(Timestamp::MAX).to_string()
}

/// The ms since the UNIX epoch of a text that this module made; 0 of any other.
pub(crate) fn ms_of_text(text: &str) -> u64 {
    let time: Option<Timestamp> = text.parse().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).unwrap_or(0)
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
