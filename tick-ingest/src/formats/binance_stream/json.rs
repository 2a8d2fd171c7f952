//! One pass over one line of JSON: finds the values, and checks everything that it passes.
//!
//! A general JSON library builds or visits values by name; here a line is worth about 150 ns, so
//! the scanner only remembers where the values of the one-letter keys that are read lie. What it accepts
//! is exactly JSON (RFC 8259), nested at most [`DEEPEST`] deep.

use std::borrow::Cow;

/// How deep lists and objects may lie in each other.
const DEEPEST: usize = 64;

/// What broke; the place is the scanner's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    NoKey,
    NoColon,
    NoComma,
    Trailing,
    NotUtf8,
    Ended,
    NoValue,
    OpenString,
    Control,
    NoHex,
    NoEscape,
    LeadingZero,
    NoDigit,
    TooDeep,
    NoBrace,
    HalfPair,
}

impl Broken {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::NoKey => "there is no key",
            Self::NoColon => "there is no colon behind a key",
            Self::NoComma => "there is neither a comma nor the closing bracket",
            Self::Trailing => "there is something behind the closing brace",
            Self::NotUtf8 => "it is not UTF-8",
            Self::Ended => "it ends where a value is due",
            Self::NoValue => "there is no value",
            Self::OpenString => "a string has no end",
            Self::Control => "a string holds a control character",
            Self::NoHex => "there are not four hexadecimal digits behind \\u",
            Self::NoEscape => "there is no such escape",
            Self::LeadingZero => "a number begins with a needless 0",
            Self::NoDigit => "a number lacks a digit",
            Self::TooDeep => "lists and objects lie more than 64 deep in each other",
            Self::NoBrace => "there is no opening brace",
            Self::HalfPair => "half of a surrogate pair stands alone",
        }
    }
}

/// What a value is, as far as its ticks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Null,
    True,
    False,
    /// A string without escapes; the value is what stands between the quotes.
    Text,
    /// A string with escapes, not yet resolved.
    EscapedText,
    /// A number of digits only.
    Digits,
    /// Any other number.
    Number,
    /// A list or an object.
    Nested,
}

/// What a value is and where it lies in its line.
///
/// One number, so that it stays in a register: 3 bits of kind, 30 of its start, 30 of its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value(u64);

/// A line must be shorter than this for its places to fit a [`Value`].
pub(super) const LONGEST: usize = 1 << Value::PLACE;

impl Value {
    const PLACE: u32 = 30;

    #[inline(always)]
    fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self(kind as u64 | (start as u64) << 3 | (end as u64) << (3 + Self::PLACE))
    }

    #[inline(always)]
    pub(super) fn kind(self) -> Kind {
        const KINDS: [Kind; 8] = [
            Kind::Null,
            Kind::True,
            Kind::False,
            Kind::Text,
            Kind::EscapedText,
            Kind::Digits,
            Kind::Number,
            Kind::Nested,
        ];
        KINDS[(self.0 & 7) as usize]
    }

    #[inline(always)]
    pub(super) fn text(self, line: &[u8]) -> &[u8] {
        let (start, end) = (self.0 >> 3 & (LONGEST as u64 - 1), self.0 >> (3 + Self::PLACE));
        line.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// A position in a line.
pub(super) struct Scanner<'a> {
    line: &'a [u8],
    pub(super) at: usize,
    /// Some string held bytes outside ASCII: the line must prove to be UTF-8.
    pub(super) beyond_ascii: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(line: &'a [u8], at: usize) -> Self {
        Self { line, at, beyond_ascii: false }
    }

    /// The next byte that is not white space, not consumed; 0 at the end, which no JSON holds.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> u8 {
        let byte = self.line.get(self.at).copied().unwrap_or(0);
        if byte > b' ' || byte == 0 { byte } else { self.peek_behind_space() }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> u8 {
        while let Some(&byte) = self.line.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return byte;
            }
            self.at += 1;
        }
        0
    }

    /// Consumes `byte`, the next that is not white space.
    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8, otherwise: Broken) -> Result<(), Broken> {
        if self.peek() != byte {
            return Err(otherwise);
        }
        self.at += 1;
        Ok(())
    }

    /// The letter of a key `"x":` written without white space or escapes, consumed.
    #[inline(always)]
    pub(super) fn letter_key(&mut self) -> Option<u8> {
        match self.line.get(self.at..)?.first_chunk::<4>()? {
            [b'"', letter, b'"', b':'] if letter.is_ascii_alphabetic() => {
                self.at += 4;
                Some(*letter)
            }
            _ => None,
        }
    }

    /// Consumes exactly these bytes if they come next.
    #[inline(always)]
    pub(super) fn took(&mut self, bytes: &[u8]) -> bool {
        let next = self.line.get(self.at..).is_some_and(|rest| rest.starts_with(bytes));
        self.at += if next { bytes.len() } else { 0 };
        next
    }

    /// Any key with its colon.
    pub(super) fn key(&mut self) -> Result<Value, Broken> {
        self.expect(b'"', Broken::NoKey)?;
        let key = self.string()?;
        self.expect(b':', Broken::NoColon)?;
        Ok(key)
    }

    /// Behind a value: whether another one follows (its comma is consumed) or `close` (also).
    #[inline(always)]
    pub(super) fn another(&mut self, close: u8) -> Result<bool, Broken> {
        let byte = self.peek();
        if byte != b',' && byte != close {
            return Err(Broken::NoComma);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    /// Behind the JSON: nothing but white space, and all of it was UTF-8.
    #[inline]
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.peek();
        if self.at < self.line.len() {
            return Err(Broken::Trailing);
        }
        if self.beyond_ascii && std::str::from_utf8(self.line).is_err() {
            return Err(Broken::NotUtf8);
        }
        Ok(())
    }

    /// Any value, checked to its end.
    #[inline(always)]
    pub(super) fn value(&mut self) -> Result<Value, Broken> {
        self.value_at(0)
    }

    #[inline(always)]
    fn value_at(&mut self, depth: usize) -> Result<Value, Broken> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'0'..=b'9' | b'-' => self.number(),
            b't' => self.literal(b"true", Kind::True),
            b'f' => self.literal(b"false", Kind::False),
            b'n' => self.literal(b"null", Kind::Null),
            b'[' | b'{' => self.nested(depth),
            0 => Err(Broken::Ended),
            _ => Err(Broken::NoValue),
        }
    }

    #[inline(always)]
    fn spanning(&self, kind: Kind, start: usize) -> Value {
        Value::new(kind, start, self.at)
    }

    #[inline(always)]
    fn literal(&mut self, literal: &[u8], kind: Kind) -> Result<Value, Broken> {
        let start = self.at;
        if !self.line[start..].starts_with(literal) {
            return Err(Broken::NoValue);
        }
        self.at += literal.len();
        Ok(self.spanning(kind, start))
    }

    /// A string, behind its opening quote; consumes the closing one.
    #[inline(always)]
    fn string(&mut self) -> Result<Value, Broken> {
        let start = self.at;
        self.skip_plain();
        if self.line.get(self.at) != Some(&b'"') {
            return self.unusual_string(start);
        }
        let value = self.spanning(Kind::Text, start);
        self.at += 1;
        Ok(value)
    }

    /// Goes to the next byte that is not simply a character of a string: a quote, a backslash, a
    /// control character, or one outside ASCII.
    #[inline(always)]
    fn skip_plain(&mut self) {
        while let Some(eight) = self.line.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special_bytes(u64::from_le_bytes(*eight));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(&byte) = self.line.get(self.at) {
            if matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..) {
                return;
            }
            self.at += 1;
        }
    }

    #[cold]
    fn unusual_string(&mut self, start: usize) -> Result<Value, Broken> {
        let mut kind = Kind::Text;
        loop {
            self.skip_plain();
            match self.line.get(self.at) {
                None => return Err(Broken::OpenString),
                Some(b'"') => {
                    let value = self.spanning(kind, start);
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => {
                    kind = Kind::EscapedText;
                    self.escape()?;
                }
                Some(0x80..) => {
                    self.beyond_ascii = true;
                    self.at += 1;
                }
                Some(_) => return Err(Broken::Control),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Broken> {
        match self.line.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match self.line.get(self.at + 2..self.at + 6) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => self.at += 6,
                _ => return Err(Broken::NoHex),
            },
            _ => return Err(Broken::NoEscape),
        }
        Ok(())
    }

    /// A number; a whole one without sign is known by its kind.
    #[inline(always)]
    fn number(&mut self) -> Result<Value, Broken> {
        let start = self.at;
        self.skip_digits();
        let digits = self.at - start;
        let next = self.line.get(self.at).copied().unwrap_or(0);
        let leading_zero = digits > 1 && self.line[start] == b'0';
        if digits == 0 || leading_zero || matches!(next, b'.' | b'e' | b'E') {
            self.at = start;
            return self.unusual_number();
        }
        Ok(self.spanning(Kind::Digits, start))
    }

    #[inline(always)]
    fn skip_digits(&mut self) {
        while let Some(eight) = self.line.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let other = bytes_not_digits(u64::from_le_bytes(*eight));
            if other != 0 {
                self.at += other.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.line.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    #[cold]
    fn unusual_number(&mut self) -> Result<Value, Broken> {
        let start = self.at;
        self.at += usize::from(self.line.get(self.at) == Some(&b'-'));
        let whole = self.at;
        self.some_digits()?;
        if self.at - whole > 1 && self.line[whole] == b'0' {
            return Err(Broken::LeadingZero);
        }
        if self.line.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.line.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.line.get(self.at), Some(b'+' | b'-')));
            self.some_digits()?;
        }
        Ok(self.spanning(Kind::Number, start))
    }

    fn some_digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        self.skip_digits();
        if self.at == start { Err(Broken::NoDigit) } else { Ok(()) }
    }

    #[inline(never)]
    fn nested(&mut self, depth: usize) -> Result<Value, Broken> {
        if depth == DEEPEST {
            return Err(Broken::TooDeep);
        }
        let start = self.at;
        let is_object = self.line[start] == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.at += 1;
        if self.peek() == close {
            self.at += 1;
            return Ok(self.spanning(Kind::Nested, start));
        }
        loop {
            if is_object {
                self.peek();
                self.key()?;
            }
            self.value_at(depth + 1)?;
            if !self.another(close)? {
                return Ok(self.spanning(Kind::Nested, start));
            }
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Bit 7 of the lowest byte that ends the plain part of a string; bits above it mean nothing.
///
/// Each of the three tests may be wrong only above a byte for which it is right.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_byte(word ^ (ONES * b'"' as u64));
    let backslash = zero_byte(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control | word) & HIGH
}

/// Bit 7 of the lowest byte that is not a digit; bits above it mean nothing.
#[inline]
fn bytes_not_digits(word: u64) -> u64 {
    let digit = word ^ (ONES * b'0' as u64);
    (digit.wrapping_add(ONES * (0x80 - 10)) | digit) & HIGH
}

/// The number that eight digits write, the first of them in the lowest byte.
#[inline]
pub(super) fn eight_digits(word: u64) -> Option<u64> {
    if bytes_not_digits(word) != 0 {
        return None;
    }
    // Neighbours are joined to pairs, pairs to fours, fours to the eight.
    let pairs = (word & (ONES * 0x0f)).wrapping_mul((10 << 8) + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) + 1) >> 16;
    Some((fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) + 1) >> 32)
}

/// The string between the quotes with its escapes resolved.
pub(super) fn unescape(text: &[u8]) -> Result<Cow<'_, [u8]>, Broken> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = match rest[at + 1..] {
            [b'u', ref behind @ ..] => unescape_unicode(behind, &mut out)?,
            [letter, ref behind @ ..] => {
                out.push(match letter {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => other,
                });
                behind
            }
            [] => return Err(Broken::NoEscape),
        };
    }
    out.extend_from_slice(rest);
    Ok(Cow::Owned(out))
}

/// `\u` was consumed: four digits, and for a character beyond 16 bits another `\u` with four.
fn unescape_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Broken> {
    const BAD: Broken = Broken::HalfPair;
    let unit = |text: &[u8]| {
        let hex = text.get(..4).and_then(|hex| std::str::from_utf8(hex).ok()).ok_or(BAD)?;
        u32::from_str_radix(hex, 16).map_err(|_| BAD)
    };
    let first = unit(text)?;
    let (code, rest) = match (first, text.get(4..6)) {
        (0xd800..0xdc00, Some(b"\\u")) => {
            let second = unit(&text[6..])?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(BAD);
            }
            (0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), &text[10..])
        }
        _ => (first, &text[4..]),
    };
    let character = char::from_u32(code).ok_or(BAD)?;
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}
