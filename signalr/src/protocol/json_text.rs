//! Walks over JSON without decoding it. What applications put into messages stays as it is until its type is known, so
//! bytes that are not UTF-8 or half of a surrogate pair fail the call whose argument they are, and not the connection.

use std::borrow::Cow;
use std::ops::Range;

use super::{MAX_DEPTH, ProtocolError};

/// A value of an object or array, as it stands in the message.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    message: &'a [u8],
    start: usize,
    end: usize,
    depth: usize,
}

/// Reads the object that a message is. What follows it is not looked at.
pub(super) fn read_object<'a>(
    message: &'a [u8],
    member: impl FnMut(&str, Value<'a>) -> Result<(), ProtocolError>,
) -> Result<(), ProtocolError> {
    let mut walk = Walk { message, at: 0 };
    walk.skip_space();
    walk.object(1, member)
}

impl<'a> Value<'a> {
    /// Where it stands in the message.
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub(super) fn text(self) -> Result<String, ProtocolError> {
        if self.first() != b'"' {
            return Err(self.is_not("text"));
        }
        unescape(self.bytes()).map(Cow::into_owned).ok_or_else(|| self.is_not("text"))
    }

    pub(super) fn bool(self) -> Result<bool, ProtocolError> {
        match self.bytes() {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(self.is_not("true or false")),
        }
    }

    /// Without fraction or exponent.
    pub(super) fn int<T: std::str::FromStr>(self) -> Result<T, ProtocolError> {
        let digits = std::str::from_utf8(self.bytes()).ok();
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| self.is_not("a whole number in range"))
    }

    /// Itself, if it is an array.
    pub(super) fn array(self) -> Result<Self, ProtocolError> {
        if self.first() == b'[' { Ok(self) } else { Err(self.is_not("an array")) }
    }

    pub(super) fn each_element(
        self,
        element: impl FnMut(Self) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.array()?.walk().array(self.depth, element)
    }

    pub(super) fn each_member(
        self,
        member: impl FnMut(&str, Self) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if self.first() != b'{' {
            return Err(self.is_not("an object"));
        }
        self.walk().object(self.depth, member)
    }

    fn walk(self) -> Walk<'a> {
        Walk { message: self.message, at: self.start }
    }

    fn bytes(self) -> &'a [u8] {
        &self.message[self.start..self.end]
    }

    fn first(self) -> u8 {
        self.message[self.start]
    }

    fn is_not(self, what: &str) -> ProtocolError {
        ProtocolError { reason: format!("expected {what}"), offset: self.start }
    }
}

struct Walk<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&str, Value<'a>) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.expect(b'{', "an object")?;
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let start = self.at;
            self.string()?;
            let name = unescape(&self.message[start..self.at]);
            self.skip_space();
            self.expect(b':', "':'")?;
            let value = self.nested(depth)?;
            // A name that is not UTF-8 is none that is known.
            member(name.as_deref().unwrap_or_default(), value)?;
            if !self.comma_before(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(
        &mut self,
        depth: usize,
        mut element: impl FnMut(Value<'a>) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.expect(b'[', "an array")?;
        self.skip_space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            let value = self.nested(depth)?;
            element(value)?;
            if !self.comma_before(b']')? {
                return Ok(());
            }
        }
    }

    /// A value inside what is `depth` deep.
    fn nested(&mut self, depth: usize) -> Result<Value<'a>, ProtocolError> {
        self.skip_space();
        let start = self.at;
        let depth = depth + 1;
        match self.peek() {
            Some(b'{' | b'[') if depth > MAX_DEPTH => return Err(self.error("nesting deeper than 64")),
            Some(b'{') => self.object(depth, |_, _| Ok(()))?,
            Some(b'[') => self.array(depth, |_| Ok(()))?,
            Some(b'"') => self.string()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            _ => self.number()?,
        }
        Ok(Value { message: self.message, start, end: self.at, depth })
    }

    fn string(&mut self) -> Result<(), ProtocolError> {
        self.expect(b'"', "text")?;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.error("text without an end, or with a control character")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), ProtocolError> {
        self.at += 1;
        let length = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => 5,
            _ => return Err(self.error("an unknown escape")),
        };
        let escape = self.message.get(self.at..self.at + length);
        if !escape.is_some_and(|escape| escape[1..].iter().all(u8::is_ascii_hexdigit)) {
            return Err(self.error("expected four hexadecimal digits"));
        }
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), ProtocolError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.error("a number with a leading zero"));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ProtocolError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a value")) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), ProtocolError> {
        if !self.message[self.at..].starts_with(literal) {
            return Err(self.error("expected a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    /// Whether another member or element follows; otherwise the end is taken.
    fn comma_before(&mut self, end: u8) -> Result<bool, ProtocolError> {
        self.skip_space();
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(end) { Ok(false) } else { Err(self.error("expected ',' or the end")) }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.message.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), ProtocolError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(&format!("expected {what}"))) }
    }

    fn error(&self, reason: &str) -> ProtocolError {
        ProtocolError { reason: reason.to_owned(), offset: self.at }
    }
}

/// `quoted` is what [`Walk::string`] has walked over.
fn unescape(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inner = &quoted[1..quoted.len() - 1];
    if inner.contains(&b'\\') {
        serde_json::from_slice(quoted).ok().map(Cow::Owned)
    } else {
        std::str::from_utf8(inner).ok().map(Cow::Borrowed)
    }
}
