//! How a table writes its numbers.

use super::super::mapping::NumberStyle;
use crate::formats::csv::absent;

/// Whether a field says that there is no number.
pub(super) fn is_absent(text: &str) -> bool {
    absent::is_absent(text.as_bytes())
}

/// What the cells of a table say about their style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StyleFinding {
    Sure(NumberStyle),
    /// Every comma has exactly three digits behind it: `1,234` is 1234 or 1.234.
    Unclear,
}

/// The style in which all these cells are numbers; cells that are none do not count.
pub(super) fn style<'a>(cells: impl Iterator<Item = &'a str>, delimiter: u8) -> StyleFinding {
    let mut seen = Seen::default();
    cells.for_each(|text| seen.add(text));
    let decimal_comma = seen.decimal_comma && !seen.decimal_point;
    let thousands = match () {
        () if decimal_comma && seen.point_groups => Some(b'.'),
        () if !decimal_comma && (seen.comma_groups || seen.either_comma) => Some(b','),
        () if seen.apostrophe_groups => Some(b'\''),
        () if seen.blank_groups => Some(b' '),
        () => None,
    };
    // Between commas as delimiters such a number is quoted, which is how thousands are written.
    if seen.either_comma && !decimal_comma && !seen.comma_groups && !seen.decimal_point && delimiter != b',' {
        return StyleFinding::Unclear;
    }
    StyleFinding::Sure(NumberStyle { decimal_comma, thousands })
}

/// Which ways of writing occur.
#[derive(Default)]
struct Seen {
    decimal_comma: bool,
    decimal_point: bool,
    comma_groups: bool,
    point_groups: bool,
    blank_groups: bool,
    apostrophe_groups: bool,
    /// One comma with three digits behind it.
    either_comma: bool,
}

impl Seen {
    fn add(&mut self, text: &str) {
        let Some(mantissa) = mantissa(text) else { return };
        let count = |separator: u8| mantissa.bytes().filter(|byte| *byte == separator).count();
        let (commas, points) = (count(b','), count(b'.'));
        self.blank_groups |= count(b' ') > 0 && is_grouped(whole_part(mantissa), ' ');
        self.apostrophe_groups |= count(b'\'') > 0 && is_grouped(whole_part(mantissa), '\'');
        match (commas, points) {
            (0, 0) => {}
            (1, 0) if is_grouped(mantissa, ',') => self.either_comma = true,
            (1, 0) => self.decimal_comma = true,
            (0, 1) => self.decimal_point |= !is_grouped(mantissa, '.'),
            (_, 0) => self.comma_groups |= is_grouped(mantissa, ','),
            (0, _) => self.point_groups |= is_grouped(mantissa, '.'),
            _ => self.add_both(mantissa),
        }
    }

    /// Of a comma and a point the last is the decimals'.
    fn add_both(&mut self, mantissa: &str) {
        let (comma, point) = (mantissa.rfind(','), mantissa.rfind('.'));
        let Some((comma, point)) = comma.zip(point) else { return };
        let (separator, whole) =
            if comma < point { (',', &mantissa[..point]) } else { ('.', &mantissa[..comma]) };
        if !is_grouped(whole, separator) {
            return;
        }
        self.comma_groups |= separator == ',';
        self.decimal_point |= separator == ',';
        self.point_groups |= separator == '.';
        self.decimal_comma |= separator == '.';
    }
}

/// The digits and separators of what may be a number, without sign and exponent.
fn mantissa(text: &str) -> Option<&str> {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = text.find(['e', 'E']).filter(|at| *at > 0).unwrap_or(text.len());
    let mantissa = &text[..end];
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ' ' | '\'');
    let has_digits = mantissa.bytes().any(|byte| byte.is_ascii_digit());
    (has_digits && mantissa.chars().all(is_part) && !mantissa.contains("  ")).then_some(mantissa)
}

fn whole_part(mantissa: &str) -> &str {
    mantissa.split(['.', ',']).next().unwrap_or("")
}

/// Groups of three digits, and one to three before them, of which the first digit is not 0.
fn is_grouped(text: &str, separator: char) -> bool {
    let mut groups = text.split(separator);
    let first = groups.next().unwrap_or("");
    let mut others = groups.peekable();
    let all_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len())
        && all_digits(first)
        && !first.starts_with('0')
        && others.peek().is_some()
        && others.all(|group| group.len() == 3 && all_digits(group))
}

/// A number as arithmetic for plausibility needs it; the reader itself never goes through floating point.
pub(super) fn number(text: &str, style: NumberStyle) -> Option<f64> {
    let plain: String;
    let mut text = text;
    if style != NumberStyle::default() {
        let kept = text.chars().filter(|c| style.thousands.map(char::from) != Some(*c));
        plain = kept.map(|c| if c == ',' && style.decimal_comma { '.' } else { c }).collect();
        text = &plain;
    }
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let is_number = text.chars().all(is_part) && text.contains(|c: char| c.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

/// How many decimals a text has that are not 0 at its end, exponent included.
pub(super) fn decimals(text: &str, style: NumberStyle) -> i32 {
    let point = if style.decimal_comma { ',' } else { '.' };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let fraction = mantissa.split_once(point).map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number(text, style) == Some(0.0) { 0 } else { fraction.len() as i32 - exponent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cells: &[&str], delimiter: u8) -> StyleFinding {
        style(cells.iter().copied(), delimiter)
    }

    fn sure(decimal_comma: bool, thousands: Option<u8>) -> StyleFinding {
        StyleFinding::Sure(NumberStyle { decimal_comma, thousands })
    }

    #[test]
    fn the_style_is_what_all_cells_agree_on() {
        assert_eq!(found(&["1.5", "1.234", "x", "2024.03.08 15:30:00"], b','), sure(false, None));
        assert_eq!(found(&["1,09381", "0,75", "1,234"], b';'), sure(true, None));
        assert_eq!(found(&["1.234,5", "12"], b';'), sure(true, Some(b'.')));
        assert_eq!(found(&["1,234.5", "1,234"], b','), sure(false, Some(b',')));
        assert_eq!(found(&["1,234", "0.5"], b';'), sure(false, Some(b',')));
        assert_eq!(found(&["67,510", "1,234"], b','), sure(false, Some(b',')));
        assert_eq!(found(&["1'234.5"], b','), sure(false, Some(b'\'')));
        assert_eq!(found(&["1 234,5"], b';'), sure(true, Some(b' ')));
        assert_eq!(found(&["1,234", "7"], b';'), StyleFinding::Unclear);
    }

    #[test]
    fn numbers_are_read_in_their_style() {
        let comma = NumberStyle { decimal_comma: true, thousands: Some(b'.') };
        assert_eq!(number("-1.234,5", comma), Some(-1234.5));
        assert_eq!(number("1e-7", NumberStyle::default()), Some(1e-7));
        for text in ["", "nan", "inf", "0x1", "1_0", "-", "e", "1 2"] {
            assert_eq!(number(text, NumberStyle::default()), None, "{text}");
        }
        assert_eq!(decimals("1.2500", NumberStyle::default()), 2);
        assert_eq!(decimals("1.5e-10", NumberStyle::default()), 11);
        assert_eq!(decimals("0.000", NumberStyle::default()), 0);
    }
}
