//! Counts, rates, sizes and times as people write them on a command line: one syntax for all programs.

use std::ops::RangeInclusive;
use std::time::Duration;

use thiserror::Error;

use crate::decimal::parse_size;

/// A text that is not a quantity of the kind that is expected.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{text}' is not a valid {expected}: write {examples}")]
pub struct InvalidQuantity {
    text: String,
    expected: String,
    examples: &'static str,
}

impl InvalidQuantity {
    fn new(text: &str, expected: impl Into<String>, examples: &'static str) -> Self {
        Self { text: text.to_owned(), expected: expected.into(), examples }
    }
}

const COUNTS: &str = "a number, as 1500, 500K, 1.5M or 2G";

/// A count above 0, with a decimal suffix: `1500`, `500K`, `1.5M`, `2G`.
///
/// # Errors
/// It is not such a number, is 0, is not whole, or does not fit.
pub fn parse_count(text: &str) -> Result<u64, InvalidQuantity> {
    let count = whole(text, 1_000).filter(|count| *count > 0);
    count.ok_or_else(|| InvalidQuantity::new(text, "count", COUNTS))
}

/// Parses counts within `range`, in the form of [`parse_count`]; a range may begin at 0. For clap's
/// `value_parser`.
///
/// ```
/// let parse = tick_sdk::quantity::count_within::<u32>(1..=1_000_000);
/// assert_eq!(parse("10K"), Ok(10_000));
/// assert!(parse("2M").is_err());
/// ```
pub fn count_within<N: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<N, InvalidQuantity> + Clone + Send + Sync + 'static {
    move |text| {
        let count = whole(text, 1_000).filter(|count| range.contains(count));
        count.and_then(|count| N::try_from(count).ok()).ok_or_else(|| {
            let expected = format!("count from {} to {}", range.start(), range.end());
            InvalidQuantity::new(text, expected, COUNTS)
        })
    }
}

/// A rate per second above 0, with a decimal suffix: `5000`, `40K`, `1.5M`, `0.5`.
///
/// # Errors
/// It is not such a number, is 0, or does not fit.
pub fn parse_rate(text: &str) -> Result<f64, InvalidQuantity> {
    let rate = billionths(text, 1_000).filter(|billionths| *billionths > 0);
    // Both numbers are exact, so the quotient is the double that is nearest to the decimal text.
    let rate = rate.map(|billionths| billionths as f64 / 1e9);
    rate.ok_or_else(|| {
        InvalidQuantity::new(text, "rate per second", "a number above 0, as 5000, 40K or 1.5M")
    })
}

/// Bytes above 0, with a suffix in powers of 1024: `262144`, `256K`, `1.5M` or `1G`.
///
/// # Errors
/// It is not such a number, is 0, is not whole, or does not fit.
pub fn parse_bytes(text: &str) -> Result<u64, InvalidQuantity> {
    let bytes = whole(text, 1_024).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| InvalidQuantity::new(text, "number of bytes", "262144, 256K, 16M or 1G"))
}

/// A duration in nanoseconds, from `250ms`, `1s`, `1.5s`, `2m`, `3h`, `2d`, `10us` or `5ns`; a day has 24 hours.
///
/// # Errors
/// It is not such a text, or does not fit.
pub fn parse_duration_ns(text: &str) -> Result<u64, InvalidQuantity> {
    let wrong =
        || InvalidQuantity::new(text, "duration", "a number with ns, us, ms, s, m, h or d, as 250ms or 1.5s");
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000u64,
        "d" => 86_400_000_000_000,
        _ => return Err(wrong()),
    };
    let raw = parse_size(number.as_bytes()).map_err(|_| wrong())?;
    u64::try_from(u128::from(raw) * u128::from(unit_ns) / 1_000_000_000).map_err(|_| wrong())
}

/// A duration, in the form of [`parse_duration_ns`].
///
/// # Errors
/// As there.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidQuantity> {
    parse_duration_ns(text).map(Duration::from_nanos)
}

/// A whole number with an optional suffix `K`, `M` or `G`, each a `thousand` times the one before.
fn whole(text: &str, thousand: u128) -> Option<u64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let billionths = billionths(text, thousand)?;
    let is_whole = billionths.is_multiple_of(1_000_000_000);
    is_whole.then(|| u64::try_from(billionths / 1_000_000_000).ok())?
}

/// The number in units of 1e-9.
fn billionths(text: &str, thousand: u128) -> Option<u128> {
    let (number, power) = match text.as_bytes() {
        [number @ .., b'K' | b'k'] => (number, 1),
        [number @ .., b'M' | b'm'] => (number, 2),
        [number @ .., b'G' | b'g'] => (number, 3),
        number => (number, 0),
    };
    // A size that is too large for a tick is clipped to the largest number.
    let raw = parse_size(number).ok().filter(|raw| *raw != u64::MAX)?;
    Some(u128::from(raw) * thousand.pow(power))
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
    fn counts_within_a_range_have_the_same_suffixes() {
        let parse = count_within::<u32>(0..=1_000_000);
        assert_eq!([parse("0"), parse("10K"), parse("1M")], [Ok(0), Ok(10_000), Ok(1_000_000)]);
        let error = parse("2M").unwrap_err().to_string();
        assert_eq!(
            error,
            "'2M' is not a valid count from 0 to 1000000: write a number, as 1500, 500K, 1.5M or 2G"
        );
    }

    #[test]
    fn rates_have_the_suffixes_of_counts_and_may_be_fractions() {
        let rates = [("5000", 5e3), ("40K", 4e4), ("1.5M", 1.5e6), ("0.5", 0.5), ("2g", 2e9), ("0.1", 0.1)];
        for (text, rate) in rates {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for wrong in ["", "0", "K", "-1", "fast", "inf", "NaN", "1T", "1 K"] {
            let error = parse_rate(wrong).unwrap_err().to_string();
            assert!(error.contains("is not a valid rate per second: write"), "{error}");
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        assert_eq!(parse_bytes("256K"), Ok(262_144));
        assert_eq!(parse_bytes("16m"), Ok(16 << 20));
        assert_eq!(parse_bytes("1G"), Ok(1 << 30));
        assert_eq!(parse_bytes("1.5M"), Ok(3 << 19));
        assert_eq!(parse_bytes("7"), Ok(7));
        for wrong in ["", "0", "K", "ä", "16X", "1.3", "0.0001K", "99999999999G", "-1"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_exactly() {
        assert_eq!(parse_duration_ns("250ms"), Ok(250_000_000));
        assert_eq!(parse_duration_ns("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse_duration_ns("2h"), Ok(7_200_000_000_000));
        assert_eq!(parse_duration_ns("2d"), Ok(48 * 3_600_000_000_000));
        for wrong in ["", "5", "s", "-1s", "1 s", "1w", "9999999999999h", "999999999d"] {
            assert!(parse_duration_ns(wrong).is_err(), "{wrong}");
        }
    }
}
