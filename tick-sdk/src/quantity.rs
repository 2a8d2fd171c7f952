//! Quantities as people write them on a command line.

use std::time::Duration;

/// A count with a decimal suffix: `1500`, `500K`, `1.5M`, `2G`.
///
/// # Errors
/// It is none, is 0, or does not fit.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no count: write a number, as 1500, 500K, 1.5M or 2G");
    let (number, exponent) = match text.as_bytes() {
        [number @ .., b'K' | b'k'] => (number, 3),
        [number @ .., b'M' | b'm'] => (number, 6),
        [number @ .., b'G' | b'g'] => (number, 9),
        number => (number, 0),
    };
    if let Some(count) = text.parse().ok().filter(|count| *count > 0) {
        return Ok(count);
    }
    // A decimal's raw value counts 1e-9, so the suffix only has to make it whole.
    let raw = u128::from(crate::decimal::parse_size(number).map_err(|_| wrong())?);
    let billionths = raw * 10u128.pow(exponent);
    let count = u64::try_from(billionths / 1_000_000_000).map_err(|_| wrong())?;
    let whole = billionths.is_multiple_of(1_000_000_000) && raw != u128::from(u64::MAX);
    if whole && count > 0 { Ok(count) } else { Err(wrong()) }
}

/// Bytes: `262144`, `256K`, `16M` or `1G`, in powers of 1024.
///
/// # Errors
/// It is none, is 0, or does not fit.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no number of bytes: write 262144, 256K, 16M or 1G");
    let (number, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// A duration in nanoseconds, from `250ms`, `1s`, `1.5s`, `2m`, `3h`, `10us` or `5ns`.
///
/// # Errors
/// It is none, or does not fit.
pub fn parse_duration_ns(text: &str) -> Result<u64, String> {
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
    let raw = crate::decimal::parse_size(number.as_bytes()).map_err(|_| wrong())?;
    u64::try_from(u128::from(raw) * u128::from(unit_ns) / 1_000_000_000).map_err(|_| wrong())
}

/// A duration, in the form of [`parse_duration_ns`].
///
/// # Errors
/// As there.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse_duration_ns(text).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_suffixes_and_are_whole() {
        let counts =
            [("1", 1), ("1500", 1500), ("500K", 500_000), ("1.5M", 1_500_000), ("2g", 2_000_000_000)];
        for (text, count) in counts {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
        for wrong in ["", "0", "M", "-1", "1.5", "1T", "1e99", "0.0001K", "99999999999G", "1 M"] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        assert_eq!(parse_bytes("256K"), Ok(262_144));
        assert_eq!(parse_bytes("16m"), Ok(16 << 20));
        assert_eq!(parse_bytes("1G"), Ok(1 << 30));
        assert_eq!(parse_bytes("7"), Ok(7));
        for wrong in ["", "0", "K", "ä", "16X", "1.5M", "99999999999G", "-1"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_exactly() {
        assert_eq!(parse_duration_ns("250ms"), Ok(250_000_000));
        assert_eq!(parse_duration_ns("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse_duration_ns("2h"), Ok(7_200_000_000_000));
        for wrong in ["", "5", "s", "-1s", "1 s", "1d", "9999999999999h"] {
            assert!(parse_duration_ns(wrong).is_err(), "{wrong}");
        }
    }
}
