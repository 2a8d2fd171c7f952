//! Numbers as text, and text as numbers.

/// A count with a decimal suffix: `1500`, `500K`, `1.5M`, `2G`.
pub(super) fn count(text: &str) -> Result<f64, String> {
    let wrong = || format!("'{text}' is no count: write a number above 0, as 1500, 500K, 1.5M or 2G");
    let (number, factor) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 1e3),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 1e6),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let count = number * factor;
    if count.is_finite() && count > 0.0 { Ok(count) } else { Err(wrong()) }
}

/// A time with its unit, as `95us`, in ns.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no time: write a number with its unit, as 95us, 5ms or 2s");
    let units = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor))).ok_or_else(wrong)?;
    let ns = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if (0.0..1e15).contains(&ns) { Ok(ns.round() as u64) } else { Err(wrong()) }
}

/// Three digits and a decimal prefix.
pub(super) fn rate(number: f64) -> String {
    prefixed(number, &["", "k", "M", "G", "T"], 1e3, "")
}

/// Decimal bytes.
pub(super) fn bytes(number: f64) -> String {
    prefixed(number, &[" ", " k", " M", " G", " T", " P"], 1e3, "B")
}

/// A time with the unit that suits it.
pub(super) fn time(ns: u64) -> String {
    match ns {
        1_000_000_000.. => format!("{:.2} s", ns as f64 * 1e-9),
        _ => prefixed(ns as f64, &[" ns", " us", " ms"], 1e3, ""),
    }
}

/// A part of 1.
pub(super) fn percent(part: f64) -> String {
    match part * 100.0 {
        part if part >= 10.0 || part == 0.0 => format!("{part:.0} %"),
        part if part >= 0.1 => format!("{part:.1} %"),
        _ => "< 0.1 %".to_owned(),
    }
}

fn prefixed(number: f64, prefixes: &[&str], step: f64, unit: &str) -> String {
    let mut number = number;
    let mut place = 0;
    while number >= step * 0.9995 && place + 1 < prefixes.len() {
        number /= step;
        place += 1;
    }
    let digits = match number {
        number if number >= 99.95 || (place == 0 && number.fract() == 0.0) => 0,
        number if number >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.digits$}{}{unit}", prefixes[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_suffix_or_unit() {
        assert_eq!(count("1500"), Ok(1500.0));
        assert_eq!(count("1.5M"), Ok(1.5e6));
        assert_eq!(duration("95us"), Ok(95_000));
        assert_eq!(duration("0.5s"), Ok(500_000_000));
        for wrong in ["", "M", "-1", "0", "nan"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "5", "ms", "-1ms"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(rate(5_000.0), "5.00k");
        assert_eq!(rate(17_100_000.0), "17.1M");
        assert_eq!(bytes(327_880.0), "328 kB");
        assert_eq!(time(312_400), "312 us");
        assert_eq!(time(2_500_000_000), "2.50 s");
        assert_eq!(percent(0.004), "0.4 %");
        assert_eq!(percent(1.7), "170 %");
    }
}
