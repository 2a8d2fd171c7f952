//! Decimal text to and from 1e-9 fixed point, exactly, never through f64.

use thiserror::Error;

mod digits;
mod scaled;

use digits::digits_of;
pub use digits::{parse_digits, write_digits};
pub use scaled::{Inexact, parse_scaled_price, parse_scaled_size};

/// The raw price of an empty side of the book.
pub const UNDEFINED_PRICE: i64 = i64::MAX;

/// How many raw units of [`Tick::price`](crate::Tick::price) and [`Tick::size`](crate::Tick::size) make 1.
pub const UNITS_PER_ONE: i64 = 1_000_000_000;

/// How many decimals a raw unit of a price or a size is: it is 1e-9.
pub const UNIT_DECIMALS: u8 = 9;

const DECIMALS: usize = UNIT_DECIMALS as usize;
const ONE: u128 = 1_000_000_000;

/// Why a text is not a price or a size.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecimalError {
    /// Not digits with at most one point and an optional exponent.
    #[error("is not a decimal number")]
    NotANumber,
    /// A digit other than 0 stands behind the ninth decimal.
    #[error("is finer than 1e-9, which a tick cannot hold exactly")]
    TooFine,
    /// The value does not fit 64 bits in units of 1e-9.
    #[error("is outside the range of a tick (about ±9.2e9)")]
    OutOfRange,
    /// A size below zero.
    #[error("is negative")]
    Negative,
}

/// Parses a price: `61800.10`, `-0.25`, `1e-7`; the result is in units of 1e-9.
///
/// # Errors
/// Whatever is not exactly such a number, see [`DecimalError`]; also [`i64::MAX`] itself, which
/// means "undefined" in a tick.
#[inline(always)]
pub fn parse_price(text: &[u8]) -> Result<i64, DecimalError> {
    match parse_short(text) {
        Some(price) if price < i64::MAX as u64 => Ok(price as i64),
        _ => parse_long_price(text),
    }
}

fn parse_long_price(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let magnitude = parse_magnitude(digits)?;
    let limit = i64::MAX as u128 - 1;
    if magnitude > limit {
        return Err(DecimalError::OutOfRange);
    }
    let magnitude = magnitude as i64;
    Ok(if negative { -magnitude } else { magnitude })
}

/// Parses a size: a price's text without sign; larger than a tick can hold is [`u64::MAX`].
///
/// # Errors
/// Whatever is not exactly such a number, see [`DecimalError`].
#[inline(always)]
pub fn parse_size(text: &[u8]) -> Result<u64, DecimalError> {
    parse_short(text).map_or_else(|| parse_long_size(text), Ok)
}

fn parse_long_size(text: &[u8]) -> Result<u64, DecimalError> {
    if let [b'-', rest @ ..] = text {
        return match parse_magnitude(rest) {
            Ok(0) => Ok(0),
            Ok(_) | Err(DecimalError::OutOfRange) => Err(DecimalError::Negative),
            Err(error) => Err(error),
        };
    }
    match parse_magnitude(text) {
        Ok(magnitude) => Ok(u64::try_from(magnitude).unwrap_or(u64::MAX)),
        Err(DecimalError::OutOfRange) => Ok(u64::MAX),
        Err(error) => Err(error),
    }
}

/// Any text, see [`parse_short`].
fn parse_magnitude(text: &[u8]) -> Result<u128, DecimalError> {
    parse_short(text).map_or_else(|| parse_long(text), |magnitude| Ok(magnitude.into()))
}

/// Digits, a point, digits: the text of nearly every field, in registers; `None` for what is longer,
/// odd or too large.
#[inline]
fn parse_short(text: &[u8]) -> Option<u64> {
    match text.len() {
        1..=8 => parse_eight(text),
        9..=16 => parse_sixteen(text),
        _ => None,
    }
}

/// What a number with so many decimals is to be multiplied with.
const SCALE: [u64; DECIMALS + 1] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// One to eight bytes; `None` for what is odd.
#[inline]
fn parse_eight(text: &[u8]) -> Option<u64> {
    let word = digits::load(text);
    let (digits, decimals) = match digits::find_point(word) {
        None => (word, 0),
        Some(_) if text.len() == 1 => return None,
        Some(at) => (digits::without(word, at), 7 - at),
    };
    if digits::not_digits(digits) != 0 {
        return None;
    }
    Some(digits::eight_digits(digits) * SCALE[decimals])
}

/// Nine to sixteen bytes; `None` for what is odd.
#[inline]
fn parse_sixteen(text: &[u8]) -> Option<u64> {
    let (head, tail) = text.split_at_checked(text.len().checked_sub(8)?)?;
    let (mut high, mut low) = (digits::load(tail), digits::load(head));
    let mut decimals = 0;
    if let Some(at) = digits::find_point(high) {
        high = digits::without(high, at) | low >> 56;
        low <<= 8;
        decimals = 7 - at;
    } else if let Some(at) = digits::find_point(low) {
        low = digits::without(low, at);
        decimals = 15 - at;
    }
    if digits::not_digits(high) | digits::not_digits(low) != 0 {
        return None;
    }
    let value = digits::eight_digits(low) * 100_000_000 + digits::eight_digits(high);
    value.checked_mul(*SCALE.get(decimals)?)
}

/// Any length and exponents, still exact.
#[cold]
fn parse_long(text: &[u8]) -> Result<u128, DecimalError> {
    scaled::Magnitude::parse(text, UNIT_DECIMALS)?.exactly()
}

/// Appends `raw` × 1e-9 as exact decimal text without trailing zeros: `61800.1`, `-0.000000001`, `3`.
pub fn write_decimal(raw: i128, out: &mut Vec<u8>) {
    if raw < 0 {
        out.push(b'-');
    }
    let magnitude = raw.unsigned_abs();
    let (whole, fraction) = match u64::try_from(magnitude) {
        Ok(magnitude) => (magnitude / ONE as u64, magnitude % ONE as u64),
        Err(_) => ((magnitude / ONE) as u64, (magnitude % ONE) as u64),
    };
    write_digits(whole, out);
    if fraction != 0 {
        // The leading 1 keeps the zeros behind the point.
        let mut digits = [0; 20];
        let digits = digits_of(fraction + ONE as u64, &mut digits);
        let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
        out.push(b'.');
        out.extend_from_slice(&digits[1..digits.len() - zeros]);
    }
}

/// `raw` × 1e-9 as exact decimal text, see [`write_decimal`].
pub fn format_decimal(raw: impl Into<i128>) -> String {
    let mut out = Vec::new();
    write_decimal(raw.into(), &mut out);
    String::from_utf8(out).expect("digits are UTF-8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_venues_write() {
        for (text, raw) in [
            ("61800.10", 61_800_100_000_000),
            ("0.000000001", 1),
            ("-0.25", -250_000_000),
            ("5", 5_000_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("1e-7", 100),
            ("1.5E3", 1_500_000_000_000),
            ("0.10000000000000000000000000000", 100_000_000),
            ("000000000000000000000000000001.0", 1_000_000_000),
            ("9223372036.854775806", i64::MAX - 1),
        ] {
            assert_eq!(parse_price(text.as_bytes()), Ok(raw), "{text}");
        }
    }

    #[test]
    fn refuses_what_a_tick_cannot_hold() {
        use DecimalError::*;
        for (text, error) in [
            ("", NotANumber),
            (".", NotANumber),
            ("-", NotANumber),
            ("NaN", NotANumber),
            ("inf", NotANumber),
            ("1.2.3", NotANumber),
            ("+1", NotANumber),
            ("--1", NotANumber),
            ("1e", NotANumber),
            ("1e9999999", NotANumber),
            ("0.0000000001", TooFine),
            ("1e-10", TooFine),
            ("9223372036.854775807", OutOfRange),
            ("123456789012345678901234567890", OutOfRange),
            ("1e999999", OutOfRange),
        ] {
            assert_eq!(parse_price(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(parse_size(b"-1"), Err(Negative));
        assert_eq!(parse_size(b"-0"), Ok(0));
        assert_eq!(parse_size(b"1e30"), Ok(u64::MAX));
        assert_eq!(parse_size(b"18446744073.709551615"), Ok(u64::MAX));
        assert_eq!(parse_scaled_size(b"18446744073.709551615", UNIT_DECIMALS), Ok((u64::MAX, Inexact::No)));
        for text in ["18446744073.709551616", "1e300"] {
            let size = parse_scaled_size(text.as_bytes(), UNIT_DECIMALS);
            assert_eq!(size, Ok((u64::MAX, Inexact::Saturated)), "{text}");
        }
    }

    #[test]
    fn short_texts_take_the_short_path() {
        for text in ["1", "0.1", "12.5", "0.005", "61800.1", "61800.10", "12345678"] {
            assert_eq!(
                parse_eight(text.as_bytes()).map(u128::from),
                parse_long(text.as_bytes()).ok(),
                "{text}"
            );
        }
        for text in
            ["123456789", "61800.123", "0.12345678", "12345678.9", "1723161258.36", "123456.012345678"]
        {
            assert_eq!(
                parse_sixteen(text.as_bytes()).map(u128::from),
                parse_long(text.as_bytes()).ok(),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same(raw in (-i64::MAX + 1)..i64::MAX) {
            prop_assert_eq!(parse_price(format_decimal(raw).as_bytes()), Ok(raw));
        }

        #[test]
        fn sizes_come_back(raw in any::<u64>()) {
            prop_assert_eq!(parse_size(format_decimal(raw).as_bytes()), Ok(raw));
        }

        #[test]
        fn both_paths_agree(text in "[0-9]{0,12}(\\.[0-9]{0,12})?|[0-9./:]{0,17}") {
            prop_assert_eq!(parse_magnitude(text.as_bytes()), parse_long(text.as_bytes()));
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_price(&text), parse_size(&text));
        }
    }
}
