//! Numbers with three digits and a unit, as people compare them.

/// Shown where there is no number.
pub(crate) const NOTHING: &str = "–";

/// `28400000.0` as `28.4 M`, for `ticks/s`, `messages/s` or another noun to follow.
pub(crate) fn rate(per_second: f64) -> String {
    three_digits(per_second, &[(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")])
}

/// `4400000` as `4.40 ms`; below a microsecond whole nanoseconds.
pub(crate) fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        _ => three_digits(ns as f64, &[(1e9, " s"), (1e6, " ms"), (1e3, " µs")]),
    }
}

/// `1136000000.0` as `1.14 GB`, in powers of 1000; `/s` may follow.
pub(crate) fn bytes(count: f64) -> String {
    three_digits(count, &[(1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")])
}

/// `0.176` as `18 %`; below ten a decimal more, as a part that is hardly used is not 0.
pub(crate) fn percent(part: f64) -> String {
    match part * 100.0 {
        part if !part.is_finite() => NOTHING.to_owned(),
        part if part >= 9.95 || part == 0.0 => format!("{part:.0} %"),
        part if part >= 0.05 => format!("{part:.1} %"),
        _ => "< 0.1 %".to_owned(),
    }
}

/// `value` in the largest unit that leaves at least 1. It is rounded before the unit is chosen, or
/// 999,600 would be `1000 k`.
fn three_digits(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let last = units.last().expect("the callers name units");
    if value == 0.0 {
        return format!("0{}", last.1);
    }
    let place = 10f64.powi(value.abs().log10().floor() as i32 - 2);
    let rounded = (value / place).round() * place;
    let (size, name) = units.iter().find(|(size, _)| rounded.abs() >= size * (1.0 - 1e-9)).unwrap_or(last);
    let number = rounded / size;
    let decimals = match number.abs() {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits_and_a_power_of_a_thousand() {
        for (per_second, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (1.0, "1.00"),
            (42.0, "42.0"),
            (999.4, "999"),
            (999.6, "1.00 k"),
            (1_000.0, "1.00 k"),
            (9_996.0, "10.0 k"),
            (250_000.0, "250 k"),
            (999_600.0, "1.00 M"),
            (28_400_000.0, "28.4 M"),
            (1.5e9, "1.50 G"),
            (-1_250.0, "-1.25 k"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(rate(per_second), text, "{per_second}");
        }
    }

    #[test]
    fn times_go_from_nanoseconds_to_seconds() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345, "12.3 µs"),
            (999_700, "1.00 ms"),
            (4_400_000, "4.40 ms"),
            (99_950_000, "100 ms"),
            (1_234_000_000, "1.23 s"),
            (90_000_000_000, "90.0 s"),
            (3_600_000_000_000, "3600 s"),
        ] {
            assert_eq!(time(ns), text, "{ns}");
        }
    }

    #[test]
    fn parts_are_percent() {
        for (part, text) in [
            (0.0, "0 %"),
            (1e-6, "< 0.1 %"),
            (0.004, "0.4 %"),
            (0.0996, "10 %"),
            (1.7, "170 %"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(percent(part), text, "{part}");
        }
    }

    #[test]
    fn bytes_count_in_thousands() {
        for (count, text) in [
            (0.0, "0 B"),
            (812.0, "812 B"),
            (3_637_062.0, "3.64 MB"),
            (1_136_000_000.0, "1.14 GB"),
            (25_769_803_776.0, "25.8 GB"),
        ] {
            assert_eq!(bytes(count), text, "{count}");
        }
    }
}
