//! Numbers as other countries write them.

use std::ops::Range;

use super::super::mapping::NumberStyle;

/// More characters than any number has that is not refused anyway, but for zeros.
pub(super) const LONGEST: usize = 64;

impl NumberStyle {
    /// The number with a point before its decimals and nothing between its thousands; `None` where it
    /// is not written in this style: groups are of three digits, but for the first.
    pub(super) fn to_plain<'a>(self, text: &[u8], buffer: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
        let mark = if self.decimal_comma { b',' } else { b'.' };
        let exponent = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(exponent);
        let (sign, mantissa) = mantissa.split_at(usize::from(mantissa.starts_with(b"-")));
        let point = mantissa.iter().position(|b| *b == mark);
        let (whole, fraction) = mantissa.split_at(point.unwrap_or(mantissa.len()));
        let mut plain = Plain { buffer, len: 0 };
        plain.push(sign)?;
        self.push_whole(whole, &mut plain)?;
        if let [_, decimals @ ..] = fraction {
            plain.push(b".")?;
            plain.push_digits(decimals)?;
        }
        plain.push(exponent)?;
        let Plain { buffer, len } = plain;
        Some(&buffer[..len])
    }

    /// The digits before the point, in groups or not.
    fn push_whole(self, whole: &[u8], plain: &mut Plain<'_>) -> Option<()> {
        let mut rest = whole;
        let mut is_first = true;
        while let Some(separator) = self.separator(rest) {
            let group = &rest[..separator.start];
            let is_short = is_first && matches!(group.len(), 1 | 2);
            if group.len() != 3 && !is_short {
                return None;
            }
            plain.push_digits(group)?;
            rest = &rest[separator.end..];
            is_first = false;
        }
        if is_first || rest.len() == 3 { plain.push_digits(rest) } else { None }
    }

    /// Where the next separator of groups is.
    fn separator(self, text: &[u8]) -> Option<Range<usize>> {
        let separators: &[&[u8]] = match self.thousands? {
            b',' => &[b","],
            b'.' => &[b"."],
            b'\'' => &[b"'", "\u{2019}".as_bytes()],
            // Also those that do not break, which is what programs write.
            _ => &[b" ", "\u{a0}".as_bytes(), "\u{202f}".as_bytes(), "\u{2009}".as_bytes()],
        };
        (0..text.len()).find_map(|start| {
            let separator = separators.iter().find(|separator| text[start..].starts_with(separator))?;
            Some(start..start + separator.len())
        })
    }

    /// A number of this style.
    pub(super) fn example(self) -> String {
        let thousands = self.thousands.map(|byte| char::from(byte).to_string()).unwrap_or_default();
        format!("1{thousands}234{}5", if self.decimal_comma { ',' } else { '.' })
    }
}

/// The number so far.
struct Plain<'a> {
    buffer: &'a mut [u8; LONGEST],
    len: usize,
}

impl Plain<'_> {
    fn push(&mut self, text: &[u8]) -> Option<()> {
        let end = self.len + text.len();
        self.buffer.get_mut(self.len..end)?.copy_from_slice(text);
        self.len = end;
        Some(())
    }

    fn push_digits(&mut self, text: &[u8]) -> Option<()> {
        if text.iter().all(u8::is_ascii_digit) { self.push(text) } else { None }
    }
}
