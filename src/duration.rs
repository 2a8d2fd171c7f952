//! Times on the command line: durations and points in time.

use jiff::Timestamp;

/// A duration in nanoseconds, from `250ms`, `1s`, `1.5s`, `2m`, `3h`, `10us` or `5ns`.
pub(crate) fn parse_duration_ns(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no duration: write a number with ns, us, ms, s, m or h, as in 250ms");
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000u64,
        _ => return Err(wrong()),
    };
    let raw = tick_sdk::decimal::parse_size(number.as_bytes()).map_err(|_| wrong())?;
    u64::try_from(u128::from(raw) * u128::from(unit_ns) / 1_000_000_000).map_err(|_| wrong())
}

/// A point in time in nanoseconds since the UNIX epoch, from RFC 3339 (`2024-08-08T23:54:18Z`), a
/// date (`2024-08-08`, midnight UTC), or an integer of nanoseconds.
pub(crate) fn parse_time_ns(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("'{text}' is no time: write 2024-08-08, 2024-08-08T23:54:18Z or nanoseconds since 1970");
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
    fn durations_and_times_are_read_exactly() {
        assert_eq!(parse_duration_ns("250ms"), Ok(250_000_000));
        assert_eq!(parse_duration_ns("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse_duration_ns("2h"), Ok(7_200_000_000_000));
        for wrong in ["", "5", "s", "-1s", "1 s", "1d", "9999999999999h"] {
            assert!(parse_duration_ns(wrong).is_err(), "{wrong}");
        }
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
