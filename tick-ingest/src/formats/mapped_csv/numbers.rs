//! Reads the prices and sizes of a mapping's columns.

use tick_sdk::decimal::{DecimalError, Inexact, UNIT_DECIMALS, parse_scaled_price, parse_scaled_size};

use super::mapping::{NumberColumn, NumberStyle};
use crate::BadField;
use crate::formats::csv::absent::is_absent;
use crate::formats::csv::fields::{self, Fields};

mod style;

use style::LONGEST;

/// A column of numbers, resolved to what a row needs of it.
#[derive(Clone, Copy)]
pub(super) struct Number {
    place: usize,
    /// Its name in the mapping.
    key: &'static str,
    form: Form,
}

/// How a column's numbers are written, so that usual ones cost no more than themselves.
#[derive(Clone, Copy)]
enum Form {
    /// With a point, counting in ones.
    Plain,
    /// With a point, counting in units of ten to the power of `scale`.
    Scaled { scale: i8 },
    /// Also otherwise than with a point.
    Styled { style: NumberStyle, scale: i8 },
}

impl Number {
    pub(super) fn new(key: &'static str, column: &NumberColumn, place: usize, style: NumberStyle) -> Self {
        let form = match column.scale {
            scale if style != NumberStyle::default() => Form::Styled { style, scale },
            0 => Form::Plain,
            scale => Form::Scaled { scale },
        };
        Self { place, key, form }
    }

    /// The column's text in a row, without blanks around it.
    #[inline(always)]
    pub(super) fn text<'a>(&self, fields: &Fields<'a>) -> &'a [u8] {
        fields.trimmed(self.place)
    }

    /// The price that `text` says.
    #[inline(always)]
    pub(super) fn price(&self, text: &[u8]) -> Result<(i64, Inexact), BadField> {
        match self.form {
            Form::Plain => fields::inexact_price(text, self.key).map_err(|error| self.advise(text, error)),
            _ => self.odd(text, parse_scaled_price),
        }
    }

    /// The size that `text` says.
    #[inline(always)]
    pub(super) fn size(&self, text: &[u8]) -> Result<(u64, Inexact), BadField> {
        match self.form {
            Form::Plain => fields::inexact_size(text, self.key).map_err(|error| self.advise(text, error)),
            _ => self.odd(text, parse_scaled_size),
        }
    }

    #[inline(never)]
    fn odd<T>(
        &self,
        text: &[u8],
        parse: impl Fn(&[u8], u8) -> Result<T, DecimalError>,
    ) -> Result<T, BadField> {
        match self.form {
            Form::Plain => parse(text, UNIT_DECIMALS).map_err(|error| self.bad(text, error, 0)),
            Form::Scaled { scale } => {
                parse(text, decimals(scale)).map_err(|error| self.bad(text, error, scale))
            }
            Form::Styled { style, scale } => {
                let mut buffer = [0; LONGEST];
                let plain = style.to_plain(text, &mut buffer).ok_or_else(|| self.unstyled(text, style))?;
                parse(plain, decimals(scale)).map_err(|error| self.bad(text, error, scale))
            }
        }
    }

    #[cold]
    fn bad(&self, text: &[u8], error: DecimalError, scale: i8) -> BadField {
        let key = self.key;
        let unit = unit_decimals(scale);
        let reason = match error {
            _ if text.is_empty() => "is empty".to_owned(),
            DecimalError::TooFine => {
                let finer = (unit + 3).min(MOST_DECIMALS);
                format!(
                    "is finer than 1e-{unit}, the unit of these ticks; with a finer scale it is exact, as in {key}=COLUMN:1e-{finer}"
                )
            }
            DecimalError::OutOfRange => {
                format!("is outside the range of a tick (about ±9.2e{})", MOST_DECIMALS - unit)
            }
            error => error.to_string(),
        };
        BadField::new(key, reason)
    }

    #[cold]
    fn unstyled(&self, text: &[u8], style: NumberStyle) -> BadField {
        if text.is_empty() {
            return BadField::new(self.key, "is empty");
        }
        let example = style.example();
        BadField::new(self.key, format!("is not a number written as --map says, as in {example}"))
    }

    /// Says what the mapping may lack where a number is written otherwise.
    #[cold]
    fn advise(&self, text: &[u8], error: BadField) -> BadField {
        let key = self.key;
        let is_whole = text.iter().all(u8::is_ascii_digit);
        let advice = if text.contains(&b',') {
            "--map can say decimal=comma or thousands=comma".to_owned()
        } else if is_absent(text) && key == "price" {
            "rows that are no trades are left out by --map with only=COLUMN:TEXT".to_owned()
        } else if is_whole && parse_scaled_price(text, 0).is_ok() {
            format!("if it counts in units of 1e-9, --map can say {key}=COLUMN:1e-9")
        } else {
            return error;
        };
        BadField::new(error.field, format!("{}; {advice}", error.reason))
    }
}

/// A price of 1e-18 still fits a tick whose unit that is.
const MOST_DECIMALS: u8 = 18;

/// How many raw units make 1 of a column with this scale, as a power of ten: a tick's unit is 1e-9, and
/// where the scale is finer the scale itself.
fn decimals(scale: i8) -> u8 {
    if is_finer(scale) { scale.unsigned_abs() } else { UNIT_DECIMALS.saturating_add_signed(scale) }
}

/// How many decimals a tick's unit has that comes of a column with this scale.
fn unit_decimals(scale: i8) -> u8 {
    if is_finer(scale) { scale.unsigned_abs() } else { UNIT_DECIMALS }
}

/// Whether the scale is the ticks' unit instead of 1e-9.
pub(super) fn is_finer(scale: i8) -> bool {
    scale < -(UNIT_DECIMALS as i8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tick_sdk::decimal::format_decimal;

    use super::*;

    fn number(scale: i8, style: NumberStyle) -> Number {
        let column = NumberColumn { column: super::super::Column::Number(1), scale };
        Number::new("price", &column, 0, style)
    }

    fn price(scale: i8, style: NumberStyle, text: &str) -> Result<i64, String> {
        let price = number(scale, style).price(text.as_bytes());
        price.map(|(price, _)| price).map_err(|error| error.reason.into_owned())
    }

    const fn style(decimal_comma: bool, thousands: Option<u8>) -> NumberStyle {
        NumberStyle { decimal_comma, thousands }
    }

    #[test]
    fn numbers_of_other_countries_are_exact() {
        let german = style(true, Some(b'.'));
        let english = style(false, Some(b','));
        for (style, text, raw) in [
            (german, "1.234.567,89", 1_234_567_890_000_000),
            (german, "-0,5", -500_000_000),
            (german, "1234,5", 1_234_500_000_000),
            (german, "7", 7_000_000_000),
            (german, "1,5e3", 1_500_000_000_000),
            (english, "1,234.5", 1_234_500_000_000),
            (english, "12,345", 12_345_000_000_000),
            (style(true, Some(b' ')), "1 234\u{a0}567,5", 1_234_567_500_000_000),
            (style(true, Some(b' ')), "1\u{202f}234", 1_234_000_000_000),
            (style(false, Some(b'\'')), "1'234\u{2019}567.5", 1_234_567_500_000_000),
            (style(true, None), ",5", 500_000_000),
        ] {
            assert_eq!(price(0, style, text), Ok(raw), "{text}");
        }
    }

    #[test]
    fn other_styles_are_refused_and_never_read_as_another_number() {
        let (german, english) = (style(true, Some(b'.')), style(false, Some(b',')));
        for (style, text) in [
            (german, "1.5"),
            (german, "1.23.456"),
            (german, "1234.567"),
            (german, ".123"),
            (german, "1.234."),
            (german, "1..234"),
            (german, "1,234.567"),
            (german, "1.234,5,6"),
            (english, "1,5"),
            (english, "12,34,567"),
            (english, "1,2345"),
            (english, "1.234,5"),
            (style(true, None), "1.5"),
            (style(true, None), "1.234,5"),
            (german, "- 5"),
            (german, "--5"),
            (german, "abc"),
        ] {
            let reason = price(0, style, text).unwrap_err();
            assert!(reason.contains("as --map says") || reason.contains("not a decimal"), "{text}: {reason}");
        }
        let reason = price(0, NumberStyle::default(), "1,5").unwrap_err();
        assert!(reason.contains("decimal=comma"), "{reason}");
        assert!(price(0, german, &"1".repeat(10_000)).is_err());
    }

    #[test]
    fn errors_name_the_unit_and_a_scale_that_helps() {
        let plain = NumberStyle::default();
        assert!(price(0, plain, "0.0000000001").unwrap_err().contains("price=COLUMN:1e-12"));
        assert!(price(-12, plain, "0.0000000000001").unwrap_err().contains("price=COLUMN:1e-15"));
        assert!(price(-12, plain, "9300000").unwrap_err().contains("±9.2e6"));
        assert!(price(-9, plain, "9300000000000000000").unwrap_err().contains("±9.2e9"));
        assert_eq!(price(-12, plain, "0.000000123456"), Ok(123_456));
        assert_eq!(price(-10, plain, "0.0000000001"), Ok(1));
        assert_eq!(price(-4, plain, "5411100"), Ok(541_110_000_000));
        assert_eq!(price(2, plain, "1.5"), Ok(150_000_000_000));
    }

    /// A whole number's digits in groups of three.
    fn grouped(digits: &str, separator: char) -> String {
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
        groups.join(&separator.to_string())
    }

    proptest! {
        #[test]
        fn every_style_comes_back(
            raw in (-i64::MAX + 1)..i64::MAX,
            decimal_comma in any::<bool>(),
            separator in proptest::option::of(prop_oneof![Just(','), Just('.'), Just(' '), Just('\'')]),
        ) {
            let mark = if decimal_comma { ',' } else { '.' };
            prop_assume!(separator != Some(mark));
            let style = style(decimal_comma, separator.map(|c| c as u8));
            let plain = format_decimal(raw);
            let (sign, plain) = plain.strip_prefix('-').map_or(("", &*plain), |plain| ("-", plain));
            let (whole, fraction) = plain.split_once('.').map_or((plain, None), |(whole, fraction)| (whole, Some(fraction)));
            let whole = separator.map_or_else(|| whole.to_owned(), |separator| grouped(whole, separator));
            let fraction = fraction.map(|fraction| format!("{mark}{fraction}")).unwrap_or_default();
            prop_assert_eq!(price(0, style, &format!("{sign}{whole}{fraction}")), Ok(raw));
        }

        #[test]
        fn any_text_is_a_number_of_the_style_or_not(text in "[-0-9,. 'e]{0,20}|\\PC{0,70}", comma in any::<bool>()) {
            for thousands in [None, Some(b','), Some(b'.'), Some(b' '), Some(b'\'')] {
                let _ = price(-2, style(comma, thousands), &text);
            }
        }
    }
}
