//! The fields of one CSV line, and the numbers in them.

pub(crate) use tick_sdk::decimal::parse_digits;
use tick_sdk::decimal::{
    DecimalError, Inexact, UNIT_DECIMALS, parse_price, parse_scaled_price, parse_scaled_size, parse_size,
};

use super::limits::MAX_COLUMNS;
use crate::formats::time_text::{TimeError, TimeFormat};
use crate::{BadField, Batch};

/// Cuts lines into a fixed number of fields, in one pass and without copying unless a field is quoted.
///
/// Every line must have the same number of fields: a comma too many would silently move each value
/// behind it into another column.
#[derive(Debug)]
pub(crate) struct Splitter {
    delimiter: u8,
    /// Fields that lack at a line's end are empty, and empty ones may be too many.
    ragged: bool,
    /// Field `i` is `bounds[i]..bounds[i + 1] - 1`.
    bounds: Box<[u32]>,
    /// The line without its quotes, only where it has some.
    unquoted: Vec<u8>,
}

/// The fields of one line.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    text: &'a [u8],
    bounds: &'a [u32],
}

impl<'a> Fields<'a> {
    /// The text of a column, counted from 0 and below the splitter's number of columns.
    #[inline(always)]
    pub(crate) fn get(&self, column: usize) -> &'a [u8] {
        &self.text[self.bounds[column] as usize..self.bounds[column + 1] as usize - 1]
    }

    /// The text of a column without blanks around it, of which most fields have none.
    #[inline(always)]
    pub(crate) fn trimmed(&self, column: usize) -> &'a [u8] {
        match self.get(column) {
            text @ [first, ..] if *first > b' ' && text[text.len() - 1] > b' ' => text,
            text => text.trim_ascii(),
        }
    }
}

impl Splitter {
    /// For lines of `columns` fields, at most [`MAX_COLUMNS`].
    pub(crate) fn new(delimiter: u8, columns: usize) -> Self {
        let columns = columns.min(MAX_COLUMNS);
        Self { delimiter, ragged: false, bounds: vec![0; columns + 1].into(), unquoted: Vec::new() }
    }

    /// Takes fields that lack at a line's end as empty, and passes over empty ones beyond the last.
    pub(crate) fn ragged(self, ragged: bool) -> Self {
        Self { ragged, ..self }
    }

    /// How many fields a line has.
    pub(crate) fn columns(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The fields of `line`.
    ///
    /// # Errors
    /// Another number of fields than there should be, or a quote that does not end.
    #[inline(always)]
    pub(crate) fn split<'a>(&'a mut self, line: &'a [u8]) -> Result<Fields<'a>, BadField> {
        match scan(line, self.delimiter, &mut self.bounds) {
            Scan::Complete => Ok(Fields { text: line, bounds: &self.bounds }),
            Scan::WrongCount if !self.ragged => Err(self.wrong_count(line)),
            Scan::WrongCount | Scan::Quoted => self.split_quoted(line),
        }
    }

    #[cold]
    fn split_quoted<'a>(&'a mut self, line: &'a [u8]) -> Result<Fields<'a>, BadField> {
        self.unquoted.clear();
        self.bounds[0] = 0;
        let mut count = 0;
        for field in QuotedFields::new(line, self.delimiter) {
            let field = field?;
            count += 1;
            match self.bounds.get_mut(count) {
                Some(bound) => {
                    field.append_to(&mut self.unquoted);
                    self.unquoted.push(self.delimiter);
                    *bound = self.unquoted.len() as u32;
                }
                None if self.ragged && field.text.trim_ascii().is_empty() => {}
                None => return Err(self.wrong_count(line)),
            }
        }
        if self.ragged {
            self.fill_up(count);
            return Ok(Fields { text: &self.unquoted, bounds: &self.bounds });
        }
        if count + 1 != self.bounds.len() {
            return Err(self.wrong_count(line));
        }
        Ok(Fields { text: &self.unquoted, bounds: &self.bounds })
    }

    /// Adds the empty fields that a line of `count` lacks.
    fn fill_up(&mut self, count: usize) {
        for bound in self.bounds.iter_mut().skip(count + 1) {
            self.unquoted.push(self.delimiter);
            *bound = self.unquoted.len() as u32;
        }
    }

    #[cold]
    fn wrong_count(&self, line: &[u8]) -> BadField {
        let found = QuotedFields::new(line, self.delimiter).take(MAX_COLUMNS).count();
        let expected = self.bounds.len() - 1;
        BadField::new("line", format!("has {found} instead of {expected} fields"))
    }
}

enum Scan {
    Complete,
    WrongCount,
    Quoted,
}

/// Fills in where the fields of a line without quotes begin.
///
/// A block of 64 bytes becomes a word with a bit per delimiter: fields are too short for a call, or a
/// branch, per delimiter to pay.
#[inline]
fn scan(line: &[u8], delimiter: u8, bounds: &mut [u32]) -> Scan {
    // Positions are kept in 32 bits; the driver's limit on a line is far below.
    if line.len() > u32::MAX as usize / 2 {
        return Scan::WrongCount;
    }
    let mut quoted = 0;
    let mut found = 0;
    for (block, text) in line.chunks(64).enumerate() {
        let (mut mask, quotes) = delimiters_of(text, delimiter);
        quoted |= quotes;
        while mask != 0 {
            found += 1;
            if let Some(bound) = bounds.get_mut(found) {
                *bound = block as u32 * 64 + mask.trailing_zeros() + 1;
            }
            mask &= mask - 1;
        }
    }
    if quoted != 0 {
        return Scan::Quoted;
    }
    if found + 2 != bounds.len() {
        return Scan::WrongCount;
    }
    bounds[found + 1] = line.len() as u32 + 1;
    Scan::Complete
}

/// A bit for each delimiter among at most 64 bytes, and whether there are quotes (not zero).
#[inline]
fn delimiters_of(text: &[u8], delimiter: u8) -> (u64, u64) {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const LOW_BITS: u64 = ONES * 0x7f;
    let delimiters = ONES * u64::from(delimiter);
    let quotes = ONES * u64::from(b'"');
    let mut mask = 0;
    let mut quoted = 0;
    let mut add = |word: u64, at: usize| {
        let (x, q) = (word ^ delimiters, word ^ quotes);
        // The high bit of every byte that is zero, exactly.
        let hits = !(((x & LOW_BITS) + LOW_BITS) | x | LOW_BITS);
        quoted |= !(((q & LOW_BITS) + LOW_BITS) | q | LOW_BITS);
        // The product gathers them in its highest byte.
        mask |= ((hits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << at;
    };
    let (words, rest) = text.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        add(u64::from_le_bytes(*word), i * 8);
    }
    if !rest.is_empty() {
        // The last eight bytes again, without those already seen; NUL is never a delimiter.
        let word = match text.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
            None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        add(word, words.len() * 8);
    }
    (mask, quoted)
}

/// Cuts a line of any number of fields, quoted as RFC 4180 says; for headers and odd lines.
pub(crate) struct QuotedFields<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

/// One field, with its doubled quotes still doubled.
#[derive(Clone, Copy)]
pub(crate) struct QuotedField<'a> {
    text: &'a [u8],
    quoted: bool,
}

impl QuotedField<'_> {
    /// Appends what the field says.
    pub(crate) fn append_to(self, out: &mut Vec<u8>) {
        if !self.quoted {
            return out.extend_from_slice(self.text);
        }
        let mut rest = self.text;
        while let Some(at) = memchr::memchr(b'"', rest) {
            out.extend_from_slice(&rest[..=at]);
            rest = &rest[at + 2..];
        }
        out.extend_from_slice(rest);
    }

    /// What the field says, without blanks around it.
    pub(crate) fn text(self) -> String {
        let mut out = Vec::new();
        self.append_to(&mut out);
        String::from_utf8_lossy(&out).trim().to_owned()
    }
}

impl<'a> QuotedFields<'a> {
    pub(crate) fn new(line: &'a [u8], delimiter: u8) -> Self {
        Self { rest: Some(line), delimiter }
    }

    fn quoted(&mut self, text: &'a [u8]) -> Result<QuotedField<'a>, BadField> {
        let mut from = 0;
        loop {
            let Some(at) = memchr::memchr(b'"', &text[from..]).map(|at| from + at) else {
                self.rest = None;
                return Err(BadField::new("line", "has a quote that does not end (in one line)"));
            };
            match text.get(at + 1) {
                Some(b'"') => from = at + 2,
                None => {
                    self.rest = None;
                    return Ok(QuotedField { text: &text[..at], quoted: true });
                }
                Some(next) if *next == self.delimiter => {
                    self.rest = Some(&text[at + 2..]);
                    return Ok(QuotedField { text: &text[..at], quoted: true });
                }
                Some(_) => {
                    self.rest = None;
                    return Err(BadField::new("line", "has text behind a closing quote"));
                }
            }
        }
    }
}

impl<'a> Iterator for QuotedFields<'a> {
    type Item = Result<QuotedField<'a>, BadField>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        if let [b'"', text @ ..] = rest {
            return Some(self.quoted(text));
        }
        let end = memchr::memchr(self.delimiter, rest);
        self.rest = end.map(|end| &rest[end + 1..]);
        Some(Ok(QuotedField { text: &rest[..end.unwrap_or(rest.len())], quoted: false }))
    }
}

/// The price in a field, and whether it was rounded; see [`count_inexact`].
///
/// # Errors
/// Whatever is not a price, but for floating-point noise exactly.
#[inline(always)]
pub(crate) fn inexact_price(text: &[u8], field: &'static str) -> Result<(i64, Inexact), BadField> {
    match parse_price(text) {
        Ok(price) => Ok((price, Inexact::No)),
        Err(error) => odd_price(text, field, error),
    }
}

#[cold]
fn odd_price(text: &[u8], field: &'static str, error: DecimalError) -> Result<(i64, Inexact), BadField> {
    match error {
        DecimalError::TooFine => parse_scaled_price(text, UNIT_DECIMALS),
        error => Err(error),
    }
    .map_err(|error| bad_decimal(text, field, error))
}

/// The size in a field, and whether it was rounded, or larger than a tick can hold; see [`count_inexact`].
///
/// # Errors
/// Whatever is not a size, but for floating-point noise exactly.
#[inline(always)]
pub(crate) fn inexact_size(text: &[u8], field: &'static str) -> Result<(u64, Inexact), BadField> {
    match parse_size(text) {
        Ok(size) if size < u64::MAX => Ok((size, Inexact::No)),
        _ => odd_size(text, field),
    }
}

#[cold]
fn odd_size(text: &[u8], field: &'static str) -> Result<(u64, Inexact), BadField> {
    parse_scaled_size(text, UNIT_DECIMALS).map_err(|error| bad_decimal(text, field, error))
}

/// Counts a number that is not what its text says, once its line is known to be good.
#[cold]
pub(crate) fn count_inexact(inexact: Inexact, out: &mut Batch) {
    match inexact {
        Inexact::No => {}
        Inexact::Rounded => out.counts.rounded += 1,
        Inexact::Saturated => out.counts.saturated_sizes += 1,
    }
}

/// The time in a field, in nanoseconds since the UNIX epoch.
///
/// # Errors
/// Whatever is not exactly such a time.
#[inline]
pub(crate) fn time(format: &TimeFormat, text: &[u8], field: &'static str) -> Result<u64, BadField> {
    format.parse(text).map_err(|error| bad_time(field, error))
}

#[cold]
fn bad_time(field: &'static str, error: TimeError) -> BadField {
    BadField::new(field, error.to_string())
}

#[cold]
pub(crate) fn bad_decimal(text: &[u8], field: &'static str, error: DecimalError) -> BadField {
    match error {
        _ if text.is_empty() => BadField::new(field, "is empty"),
        DecimalError::TooFine => {
            BadField::new(field, format!("{error}; --map with a scale can, as in {field}=COLUMN:1e-12"))
        }
        error => BadField::new(field, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &[u8], columns: usize) -> Result<Vec<Vec<u8>>, BadField> {
        let mut splitter = Splitter::new(b',', columns);
        let fields = splitter.split(line)?;
        Ok((0..columns).map(|i| fields.get(i).to_vec()).collect())
    }

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(split(br#""a,b",c,"d""e",,"""#, 4).unwrap_err().field, "line");
        assert_eq!(split(br#""a,b",c,"d""e","#, 4).unwrap(), [&b"a,b"[..], b"c", b"d\"e", b""]);
        assert_eq!(split(br#"5" pipe,x"#, 2).unwrap(), [&b"5\" pipe"[..], b"x"]);
        assert!(split(br#""a"b,c"#, 2).unwrap_err().reason.contains("behind a closing quote"));
    }

    #[test]
    fn says_how_many_fields_there_should_be() {
        assert_eq!(split(b"a,b", 3).unwrap_err().reason, "has 2 instead of 3 fields");
        assert_eq!(split(b"a,b,c,d", 3).unwrap_err().reason, "has 4 instead of 3 fields");
        assert_eq!(split(b"", 2).unwrap_err().reason, "has 1 instead of 2 fields");
    }

    proptest! {
        #[test]
        fn cuts_as_the_standard_library_does(line in "[a-z0-9,.\u{80}-\u{ff}-]{0,70}") {
            let expected: Vec<Vec<u8>> = line.as_bytes().split(|b| *b == b',').map(<[u8]>::to_vec).collect();
            prop_assert_eq!(split(line.as_bytes(), expected.len()).unwrap(), expected);
        }

        #[test]
        fn quoting_is_undone(fields in proptest::collection::vec("[a-c\",]{0,6}", 1..6)) {
            let line: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            let expected: Vec<Vec<u8>> = fields.iter().map(|f| f.clone().into_bytes()).collect();
            prop_assert_eq!(split(line.join(",").as_bytes(), fields.len()).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_split_or_refused(line in proptest::collection::vec(any::<u8>(), 0..100), columns in 1usize..9) {
            if let Ok(fields) = split(&line, columns) {
                prop_assert!(fields.iter().map(Vec::len).sum::<usize>() <= line.len());
            }
        }
    }
}
