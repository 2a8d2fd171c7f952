//! Numbers as the page writes them, in the same way as its script does.

use crate::text::thousands;

/// 1 in the units in which money and prices are kept.
const ONE: u128 = 1_000_000_000;

/// Money to the cent, or with three digits where it is less than one: `1,027.30`, `0.00123`, `−12.50`.
pub(super) fn money(raw: i128) -> String {
    let size = raw.unsigned_abs();
    let decimals = if size == 0 || size >= ONE { 2 } else { (11 - size.ilog10()).min(9) };
    let unit = 10u128.pow(9 - decimals);
    let rounded = (size + unit / 2) / unit;
    let per_one = 10u128.pow(decimals);
    let whole = thousands(u64::try_from(rounded / per_one).unwrap_or(u64::MAX));
    let part = rounded % per_one;
    let sign = if raw < 0 && rounded > 0 { "−" } else { "" };
    format!("{sign}{whole}.{part:0width$}", width = decimals as usize)
}

/// Money with its sign: `+1,027.30`.
pub(super) fn signed(raw: i128) -> String {
    if raw > 0 { format!("+{}", money(raw)) } else { money(raw) }
}

/// A price with the decimals it has: `61,800.1`.
pub(super) fn price(raw: i128) -> String {
    let size = raw.unsigned_abs();
    let whole = thousands(u64::try_from(size / ONE).unwrap_or(u64::MAX));
    let part = format!("{:09}", size % ONE);
    let part = part.trim_end_matches('0');
    let sign = if raw < 0 { "−" } else { "" };
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// A number with so many decimals, and never `−0`.
pub(super) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let is_zero = text.bytes().all(|byte| byte == b'0' || byte == b'.');
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// A number of percent: `12.34 %`, `0.0123 %`.
pub(super) fn percent(value: f64) -> String {
    let decimals = if value != 0.0 && value.abs() < 0.095 { 4 } else { 2 };
    format!("{} %", decimal(value, decimals))
}

/// The same with its sign.
pub(super) fn signed_percent(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", percent(value))
}

/// A share, 0 to 1, in percent.
pub(super) fn share(value: f64) -> String {
    format!("{} %", decimal(value * 100.0, 1))
}

/// A length of time in its two largest units: `1 h 5 min`, `344 s`, `12.5 ms`.
pub(super) fn duration(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    if ns == 0 {
        return "0 s".to_owned();
    }
    if ns < 1_000 {
        return format!("{ns} ns");
    }
    if seconds < 1.0 {
        return format!("{} ms", decimal(seconds * 1e3, 1));
    }
    if seconds < 60.0 {
        return format!("{} s", decimal(seconds, 1));
    }
    let whole = seconds.round() as u64;
    let parts =
        [(whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).take(2).collect();
    parts.iter().map(|(n, unit)| format!("{n} {unit}")).collect::<Vec<_>>().join(" ")
}

/// Counts in short: `1.23 M`.
pub(super) fn compact(value: f64) -> String {
    for (size, unit) in [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")] {
        if value >= size {
            let scaled = value / size;
            let decimals = if scaled >= 100.0 {
                0
            } else if scaled >= 10.0 {
                1
            } else {
                2
            };
            return format!("{}{unit}", decimal(scaled, decimals));
        }
    }
    decimal(value, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_cents_or_three_digits() {
        for (raw, text) in [
            (1_027_300_000_000, "1,027.30"),
            (-261_400_000_000, "−261.40"),
            (0, "0.00"),
            (1_230_000, "0.00123"),
            (-999_999_999, "−1.000"),
            (1, "0.000000001"),
            (i128::from(i64::MAX), "9,223,372,036.85"),
        ] {
            assert_eq!(money(raw), text);
        }
        assert_eq!((signed(5_000_000_000), signed(0)), ("+5.00".to_owned(), "0.00".to_owned()));
        assert_eq!(
            (price(61_800_100_000_000), price(-2)),
            ("61,800.1".to_owned(), "−0.000000002".to_owned())
        );
    }

    #[test]
    fn ratios_have_no_negative_zero() {
        assert_eq!((decimal(-0.001, 2), decimal(-1234.5, 1)), ("0.00".to_owned(), "−1,234.5".to_owned()));
        assert_eq!((percent(0.0123), percent(-12.345)), ("0.0123 %".to_owned(), "−12.35 %".to_owned()));
        assert_eq!(decimal(f64::INFINITY, 2), "–");
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        let second = 1_000_000_000;
        for (ns, text) in [
            (0, "0 s"),
            (12_500_000, "12.5 ms"),
            (second * 59, "59.0 s"),
            (second * 344, "5 min 44 s"),
            (second * 90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
