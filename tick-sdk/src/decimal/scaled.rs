//! Numbers in units of any power of ten, and numbers that floating-point arithmetic has touched.

use super::{DecimalError, parse_digits};

/// In what a number that was read is not what its text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inexact {
    /// In nothing.
    #[default]
    No,
    /// It was rounded to a whole unit, half to even: less than 1e-12 of it was lost, as floating-point
    /// arithmetic leaves behind (1580.7870000000003).
    Rounded,
    /// It is larger than a size can be, and [`u64::MAX`] stands for it.
    Saturated,
}

/// Parses a price as raw units, of which `10^decimals` make 1: 9 in a tick as usual, 13 where a column
/// counts in units of 1e4, 5 where it counts in units of 1e-4.
///
/// # Errors
/// As [`parse_price`](super::parse_price); [`DecimalError::TooFine`] only where more than
/// floating-point noise would be lost.
pub fn parse_scaled_price(text: &[u8], decimals: u8) -> Result<(i64, Inexact), DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (magnitude, inexact) = parse_magnitude(digits, decimals)?;
    let magnitude = i64::try_from(magnitude).ok().filter(|magnitude| *magnitude < i64::MAX);
    let magnitude = magnitude.ok_or(DecimalError::OutOfRange)?;
    Ok((if negative { -magnitude } else { magnitude }, inexact))
}

/// Parses a size as raw units, of which `10^decimals` make 1.
///
/// # Errors
/// As [`parse_size`](super::parse_size); [`DecimalError::TooFine`] only where more than
/// floating-point noise would be lost.
pub fn parse_scaled_size(text: &[u8], decimals: u8) -> Result<(u64, Inexact), DecimalError> {
    const SATURATED: (u64, Inexact) = (u64::MAX, Inexact::Saturated);
    if let [b'-', rest @ ..] = text {
        return match parse_magnitude(rest, decimals) {
            Ok((0, _)) => Ok((0, Inexact::No)),
            Ok(_) | Err(DecimalError::OutOfRange) => Err(DecimalError::Negative),
            Err(error) => Err(error),
        };
    }
    match parse_magnitude(text, decimals) {
        Ok((magnitude, inexact)) => Ok(u64::try_from(magnitude).map_or(SATURATED, |size| (size, inexact))),
        Err(DecimalError::OutOfRange) => Ok(SATURATED),
        Err(error) => Err(error),
    }
}

/// Whole numbers are what prices in units of 1e-4 or 1e-9 mostly are; they need no second look.
#[inline]
fn parse_magnitude(text: &[u8], decimals: u8) -> Result<(u128, Inexact), DecimalError> {
    let whole = parse_digits(text).zip(10u64.checked_pow(decimals.into()));
    match whole {
        Some((number, units)) => Ok((u128::from(number) * u128::from(units), Inexact::No)),
        None => Magnitude::parse(text, decimals)?.nearest(),
    }
}

/// A number without sign, as whole units and what is finer than one.
pub(super) struct Magnitude {
    whole: u128,
    /// In units of 1e-24 of a unit.
    fraction: u128,
    /// Whether digits other than 0 stand behind those of `fraction`.
    beyond: bool,
}

const FRACTION_DECIMALS: u32 = 24;
const FRACTION_UNITS: u128 = 10u128.pow(FRACTION_DECIMALS);

impl Magnitude {
    /// Digits with at most one point and an optional exponent.
    pub(super) fn parse(text: &[u8], decimals: u8) -> Result<Self, DecimalError> {
        let (mantissa, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = mantissa.iter().position(|&b| b == b'.').unwrap_or(mantissa.len());
        let digits = mantissa.iter().enumerate().filter(|&(i, _)| i != point).map(|(_, b)| *b);
        if digits.clone().next().is_none() || !digits.clone().all(|b| b.is_ascii_digit()) {
            return Err(DecimalError::NotANumber);
        }
        // The power of ten of the first digit, in units.
        let power = point as i64 - 1 + exponent + i64::from(decimals);
        Self::sum(digits.map(|b| b - b'0'), power)
    }

    /// Of digits of which the first counts for ten to the power `power`, in units.
    fn sum(digits: impl Iterator<Item = u8>, mut power: i64) -> Result<Self, DecimalError> {
        let (mut whole, mut fraction) = (0u128, 0u128);
        let mut beyond = false;
        // The power of the last digit that `fraction` has.
        let mut last = 0;
        let add = |sum: u128, digit: u8| {
            sum.checked_mul(10).and_then(|sum| sum.checked_add(digit.into())).ok_or(DecimalError::OutOfRange)
        };
        for digit in digits {
            if power >= 0 {
                whole = add(whole, digit)?;
            } else if power >= -i64::from(FRACTION_DECIMALS) {
                fraction = add(fraction, digit)?;
                last = power;
            } else {
                beyond |= digit != 0;
            }
            power -= 1;
        }
        // The last digit stood above the unit: what is between is zeros.
        if power >= 0 && whole != 0 {
            let zeros = u32::try_from(power + 1).ok().and_then(|zeros| 10u128.checked_pow(zeros));
            whole = zeros.and_then(|zeros| whole.checked_mul(zeros)).ok_or(DecimalError::OutOfRange)?;
        }
        let missing = u32::try_from(i64::from(FRACTION_DECIMALS) + last).unwrap_or_default();
        Ok(Self { whole, fraction: fraction * 10u128.pow(missing), beyond })
    }

    pub(super) fn exactly(self) -> Result<u128, DecimalError> {
        if self.fraction == 0 && !self.beyond { Ok(self.whole) } else { Err(DecimalError::TooFine) }
    }

    /// The nearest whole number of units, if it is as near as floating-point noise.
    fn nearest(self) -> Result<(u128, Inexact), DecimalError> {
        const NOISE: u128 = 1_000_000_000_000;
        const HALF: u128 = FRACTION_UNITS / 2;
        if self.fraction == 0 && !self.beyond {
            return Ok((self.whole, Inexact::No));
        }
        let odd = self.whole % 2 == 1;
        let up = self.fraction > HALF || self.fraction == HALF && (self.beyond || odd);
        let lost = if up { FRACTION_UNITS - self.fraction } else { self.fraction + u128::from(self.beyond) };
        let noise = self.whole.saturating_mul(FRACTION_UNITS / NOISE).saturating_add(self.fraction / NOISE);
        if lost >= noise {
            return Err(DecimalError::TooFine);
        }
        Ok((self.whole + u128::from(up), Inexact::Rounded))
    }
}

fn parse_exponent(text: &[u8]) -> Result<i64, DecimalError> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || digits.len() > 6 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::NotANumber);
    }
    Ok(sign * digits.iter().fold(0i64, |sum, b| sum * 10 + i64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decimal::{format_decimal, parse_price, parse_size};

    #[test]
    fn float_noise_is_rounded_and_said() {
        for (text, raw) in [
            ("1580.7870000000003", 1_580_787_000_000),
            ("1580.7869999999998", 1_580_787_000_000),
            ("-1580.7870000000003", -1_580_787_000_000),
            ("0.30000000000000004", 300_000_000),
            ("0.1000000000000000055511151231257827", 100_000_000),
            ("1.1000000000000001e-05", 11_000),
            ("4261.479999999999563442543149", 4_261_480_000_000),
            ("1000000.0000000005", 1_000_000_000_000_000),
            ("1000000.0000000015", 1_000_000_000_000_002),
            ("1000000.00000000050000000000000000000000001", 1_000_000_000_000_001),
        ] {
            assert_eq!(parse_scaled_price(text.as_bytes(), 9), Ok((raw, Inexact::Rounded)), "{text}");
            assert_eq!(parse_price(text.as_bytes()), Err(DecimalError::TooFine), "{text}");
        }
        assert_eq!(parse_scaled_size(b"0.30000000000000004", 9), Ok((300_000_000, Inexact::Rounded)));
    }

    #[test]
    fn real_steps_are_not_rounded() {
        for text in ["0.0000000001", "1e-30", "0.12345678901", "1.0000000001", "0.0000123456789", "1e-10"] {
            assert_eq!(parse_scaled_price(text.as_bytes(), 9), Err(DecimalError::TooFine), "{text}");
        }
        // Just at and just below 1e-12 of the value: 0.001 units of 1e9.
        assert_eq!(parse_scaled_price(b"1.000000000001", 9), Ok((1_000_000_000, Inexact::Rounded)));
        assert_eq!(parse_scaled_price(b"0.999999999999", 9), Err(DecimalError::TooFine));
    }

    #[test]
    fn scales_are_exact() {
        for (text, decimals, raw) in [
            ("1234567", 5, 123_456_700_000),
            ("5411000000000", 0, 5_411_000_000_000),
            ("0.000000123456", 12, 123_456),
            ("1.5", 11, 150_000_000_000),
            ("1.5e3", 5, 150_000_000),
            ("-7", 9, -7_000_000_000),
            ("9223372036854775806", 0, i64::MAX - 1),
        ] {
            assert_eq!(parse_scaled_price(text.as_bytes(), decimals), Ok((raw, Inexact::No)), "{text}");
        }
        assert_eq!(parse_scaled_price(b"9223372036854775807", 0), Err(DecimalError::OutOfRange));
        assert_eq!(parse_scaled_price(b"1", 27), Err(DecimalError::OutOfRange));
        assert_eq!(parse_scaled_price(b"0.5", 0), Err(DecimalError::TooFine));
        assert_eq!(parse_scaled_size(b"18446744073709551615", 0), Ok((u64::MAX, Inexact::No)));
        assert_eq!(parse_scaled_size(b"18446744073709551616", 0), Ok((u64::MAX, Inexact::Saturated)));
        assert_eq!(parse_scaled_size(b"3", 20), Ok((u64::MAX, Inexact::Saturated)));
        assert_eq!(parse_scaled_size(b"-1", 0), Err(DecimalError::Negative));
        assert_eq!(parse_scaled_size(b"-0.0", 0), Ok((0, Inexact::No)));
    }

    /// `raw` units, of which `10^decimals` make 1, as text.
    fn in_units(raw: u64, decimals: u8) -> String {
        let digits = format!("{raw:0>width$}", width = usize::from(decimals) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }

    proptest! {
        #[test]
        fn every_scale_comes_back(raw in any::<u64>(), shift in 0u32..64, decimals in 0u8..=27) {
            let raw = raw >> shift;
            let text = in_units(raw, decimals);
            prop_assert_eq!(parse_scaled_size(text.as_bytes(), decimals), Ok((raw, Inexact::No)));
            if let Some(price) = i64::try_from(raw).ok().filter(|price| *price < i64::MAX) {
                let negative = format!("-{text}");
                prop_assert_eq!(parse_scaled_price(text.as_bytes(), decimals), Ok((price, Inexact::No)));
                prop_assert_eq!(parse_scaled_price(negative.as_bytes(), decimals), Ok((-price, Inexact::No)));
            }
        }

        #[test]
        fn exponents_are_a_scale(raw in any::<u64>(), exponent in -27i64..=9) {
            let decimals = u8::try_from(-exponent.min(0)).unwrap();
            let text = format!("{raw}e{exponent}");
            let expected = u128::from(raw) * 10u128.pow(u32::try_from(exponent.max(0)).unwrap());
            let expected = u64::try_from(expected).map_or((u64::MAX, Inexact::Saturated), |raw| (raw, Inexact::No));
            prop_assert_eq!(parse_scaled_size(text.as_bytes(), decimals), Ok(expected));
        }

        /// What a program printed of a price it held as a double is that price.
        #[test]
        fn doubles_come_back_as_the_decimal_they_were(raw in 1i64..1_000_000_000_000_000_000, steps in 1u32..4) {
            let price = raw as f64 / 1e9;
            let sum: f64 = (0..steps).map(|_| price / f64::from(steps)).sum();
            let (read, _) = parse_scaled_price(format!("{sum}").as_bytes(), 9).unwrap();
            prop_assert!(read.abs_diff(raw) as f64 <= 1.0 + raw as f64 * 1e-15 * 4.0, "{sum}: {read}");
        }

        #[test]
        fn what_is_exact_is_the_same_with_and_without_rounding(text in "-?[0-9]{0,20}(\\.[0-9]{0,30})?(e-?[0-9]{1,2})?") {
            let text = text.as_bytes();
            match (parse_price(text), parse_scaled_price(text, 9)) {
                (Ok(price), scaled) => prop_assert_eq!(scaled, Ok((price, Inexact::No))),
                (Err(DecimalError::TooFine), Ok((_, inexact))) => prop_assert_eq!(inexact, Inexact::Rounded),
                // Rounding can reach the bound.
                (Err(error), scaled) => prop_assert!(scaled == Err(error) || scaled == Err(DecimalError::OutOfRange)),
            }
            if let Ok(size) = parse_size(text) {
                prop_assert_eq!(parse_scaled_size(text, 9).map(|(size, _)| size), Ok(size));
            }
        }

        #[test]
        fn rounding_loses_less_than_half_a_unit(raw in 1i64..i64::MAX / 2, digits in "[0-9]{1,20}") {
            let exact = format_decimal(raw);
            let padded = if exact.contains('.') { exact } else { exact + "." };
            let missing = 9 - (padded.len() - 1 - padded.find('.').unwrap());
            let text = format!("{padded}{}{digits}", "0".repeat(missing));
            match parse_scaled_price(text.as_bytes(), 9) {
                Ok((read, _)) => {
                    let up = digits.as_bytes()[0] >= b'5';
                    prop_assert!(read == raw || up && read == raw + 1, "{text}: {read}");
                }
                Err(error) => prop_assert_eq!(error, DecimalError::TooFine),
            }
        }

        #[test]
        fn any_bytes_are_a_number_or_not(text in proptest::collection::vec(any::<u8>(), 0..40), decimals in any::<u8>()) {
            let _ = (parse_scaled_price(&text, decimals), parse_scaled_size(&text, decimals));
        }
    }
}
