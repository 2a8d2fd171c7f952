//! Times on the command line, and as people read them.

use jiff::Timestamp;

/// A point in time in nanoseconds since the UNIX epoch, from RFC 3339 (`2024-08-08T23:54:18Z`), a
/// date (`2024-08-08`, midnight UTC), or an integer of nanoseconds.
pub(crate) fn parse_time_ns(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "'{text}' is not a valid time: write 2024-08-08, 2024-08-08T23:54:18Z or nanoseconds since 1970"
        )
    };
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| wrong());
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    };
    let time: Timestamp = whole.parse().map_err(|_| wrong())?;
    u64::try_from(time.as_nanosecond()).map_err(|_| wrong())
}

/// A point in time as people read it, to the millisecond, in UTC.
pub(crate) fn format_time(ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => format!("{ns} ns"),
    }
}

/// A duration as people read it: `344.8 s`, `2 h 03 m`, `1.5 ms`.
pub(crate) fn format_duration(ns: u64) -> String {
    let seconds = ns as f64 * 1e-9;
    match seconds {
        s if s >= 7200.0 => format!("{} h {:02} m", (s / 3600.0) as u64, (s / 60.0) as u64 % 60),
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} us", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly() {
        let day = 1_723_075_200_000_000_000;
        assert_eq!(parse_time_ns("2024-08-08"), Ok(day));
        assert_eq!(parse_time_ns("2024-08-08T00:00:01.5Z"), Ok(day + 1_500_000_000));
        assert_eq!(parse_time_ns("1723075200000000000"), Ok(day));
        for wrong in ["", "yesterday", "1969-12-31", "2024-13-01"] {
            assert!(parse_time_ns(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format_time(day + 1_234_567), "2024-08-08 00:00:00.001");
    }
}
