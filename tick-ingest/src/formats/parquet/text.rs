//! Values as the text that a CSV would have.

use std::io::Write;

/// Appends a field of a CSV line, quoted where it must be.
pub(super) fn push_text(text: &[u8], line: &mut Vec<u8>) {
    if !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        return line.extend_from_slice(text);
    }
    line.push(b'"');
    for byte in text {
        line.extend_from_slice(if *byte == b'"' { b"\"\"" } else { std::slice::from_ref(byte) });
    }
    line.push(b'"');
}

/// Appends what can be displayed and has neither commas nor quotes.
pub(super) fn push(value: impl std::fmt::Display, line: &mut Vec<u8>) {
    write!(line, "{value}").expect("memory takes what is written");
}

/// Appends the shortest text that gives the same double.
///
/// Very large and very small ones have an exponent: without it one double can be 300 digits long.
pub(super) fn push_double<T: Into<f64> + Copy + std::fmt::Display + std::fmt::LowerExp>(
    value: T,
    line: &mut Vec<u8>,
) {
    let magnitude = value.into().abs();
    let usual = magnitude == 0.0 || (1e-18..1e18).contains(&magnitude) || !magnitude.is_finite();
    let written = if usual { write!(line, "{value}") } else { write!(line, "{value:e}") };
    written.expect("memory takes what is written");
}

/// Appends `value` in units of ten to the power of `-scale`, without zeros at its end.
pub(super) fn push_decimal(value: i128, scale: u32, line: &mut Vec<u8>) {
    if value < 0 {
        line.push(b'-');
    }
    let start = line.len();
    push(value.unsigned_abs(), line);
    let scale = scale as usize;
    if scale == 0 {
        return;
    }
    let digits = line.len() - start;
    if digits <= scale {
        let zeros = std::iter::repeat_n(b'0', scale + 1 - digits);
        line.splice(start..start, zeros);
    }
    line.insert(line.len() - scale, b'.');
    while line.last() == Some(&b'0') {
        line.pop();
    }
    if line.last() == Some(&b'.') {
        line.pop();
    }
}

/// Appends a day, counted from 1970-01-01, as `2024-06-01`.
pub(super) fn push_date(days: i64, line: &mut Vec<u8>) {
    // Years are counted from March, so that the leap day is the last of them.
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let shifted = days + 719_468;
    let era = shifted.div_euclid(DAYS_IN_400_YEARS);
    let day_of_era = shifted.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    push(format_args!("{year:04}-{month:02}-{day:02}"), line);
}

/// Appends a time of day as `09:30:00.123456789`, with as many digits of a second as its unit has.
pub(super) fn push_clock(units: i64, unit: Unit, line: &mut Vec<u8>) {
    let per_second = unit.per_second();
    let (seconds, fraction) = (units.div_euclid(per_second), units.rem_euclid(per_second));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let digits = unit.digits();
    push(format_args!("{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}"), line);
}

/// Appends a time that names no zone as `2024-06-01T09:30:00.123`.
pub(super) fn push_local_time(units: i64, unit: Unit, line: &mut Vec<u8>) {
    let per_day = unit.per_second() * 86_400;
    push_date(units.div_euclid(per_day), line);
    line.push(b'T');
    push_clock(units.rem_euclid(per_day), unit, line);
}

/// What a count of a time is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::csv::fields::QuotedFields;
    use crate::formats::time_text::TimeFormat;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        push(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn decimals_are_exact() {
        for (value, scale, expected) in [
            (0, 0, "0"),
            (0, 9, "0"),
            (-5, 1, "-0.5"),
            (12_300, 2, "123"),
            (12_345, 2, "123.45"),
            (1, 16, "0.0000000000000001"),
            (-1_000, 0, "-1000"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            assert_eq!(text(|line| push_decimal(value, scale, line)), expected);
        }
    }

    #[test]
    fn doubles_are_short_and_come_back() {
        for (value, expected) in [
            (39_433.62, "39433.62"),
            (5.0, "5"),
            (1e-9, "0.000000001"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::NAN, "NaN"),
            (1_580.787_000_000_000_3, "1580.7870000000003"),
        ] {
            assert_eq!(text(|line| push_double(value, line)), expected);
        }
        assert_eq!(text(|line| push_double(39_433.62_f32, line)), "39433.62");
    }

    #[test]
    fn times_before_1970_and_beyond_are_written_too() {
        assert_eq!(text(|line| push_local_time(-1, Unit::Millis, line)), "1969-12-31T23:59:59.999");
        assert_eq!(text(|line| push_date(19_875, line)), "2024-06-01");
        assert_eq!(text(|line| push_clock(34_200_000_000_001, Unit::Nanos, line)), "09:30:00.000000001");
        text(|line| push_local_time(i64::MIN, Unit::Millis, line));
        text(|line| push_local_time(i64::MAX, Unit::Millis, line));
    }

    proptest! {
        #[test]
        fn any_double_comes_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back: f64 = text(|line| push_double(value, line)).parse().unwrap();
            prop_assert!(back == value || back.is_nan() && value.is_nan());
        }

        #[test]
        fn local_times_come_back(ns in 0..i64::MAX) {
            let format: TimeFormat = "rfc3339".parse().unwrap();
            let text = text(|line| push_local_time(ns, Unit::Nanos, line));
            prop_assert_eq!(format.parse(text.as_bytes()), Ok(ns as u64), "{}", text);
        }

        #[test]
        fn any_text_comes_back(fields in proptest::collection::vec("[a,\"\r\n é]{0,8}", 1..5)) {
            let mut line = Vec::new();
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    line.push(b',');
                }
                push_text(field.as_bytes(), &mut line);
            }
            let cut = |field: Result<crate::formats::csv::fields::QuotedField<'_>, _>| {
                let mut out = Vec::new();
                field.unwrap().append_to(&mut out);
                String::from_utf8(out).unwrap()
            };
            let back: Vec<String> = QuotedFields::new(&line, b',').map(cut).collect();
            prop_assert_eq!(back, fields);
        }
    }
}
