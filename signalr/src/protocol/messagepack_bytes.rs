//! Reads and writes the elements of messages in MessagePack.

use std::ops::Range;

use bytes::Bytes;
use rmp::Marker;
use rmp::encode::buffer::ByteBuf;

use super::{MAX_DEPTH, ProtocolError};

/// The elements of an array, to be read one after the other.
pub(super) struct Elements<'a> {
    message: &'a [u8],
    at: usize,
    left: u32,
    depth: usize,
}

/// Why a value of an application cannot be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Absent, cut off, or with a byte that MessagePack does not use.
    NotMessagePack,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl<'a> Elements<'a> {
    /// Of the array that a message is.
    pub(super) fn of_message(message: &'a [u8]) -> Result<Self, ProtocolError> {
        Self { message, at: 0, left: 1, depth: 0 }.array()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left == 0
    }

    pub(super) fn int(&mut self) -> Result<i64, ProtocolError> {
        self.element("a whole number", |rest| rmp::decode::read_int(rest).ok())
    }

    pub(super) fn bool(&mut self) -> Result<bool, ProtocolError> {
        self.element("true or false", |rest| rmp::decode::read_bool(rest).ok())
    }

    pub(super) fn text(&mut self) -> Result<String, ProtocolError> {
        self.element("text", text)
    }

    pub(super) fn text_or_nil(&mut self) -> Result<Option<String>, ProtocolError> {
        self.element("text or nil", |rest| match rest.first() {
            Some(0xc0) => {
                *rest = &rest[1..];
                Some(None)
            }
            _ => text(rest).map(Some),
        })
    }

    /// Nobody reads them, but they have to be texts with names.
    pub(super) fn headers(&mut self) -> Result<(), ProtocolError> {
        self.element("a map of texts", |rest| {
            for _ in 0..rmp::decode::read_map_len(rest).ok()? {
                text(rest)?;
                text(rest)?;
            }
            Some(())
        })
    }

    /// The elements of an array that is an element; [`resume_after`](Self::resume_after) goes on behind it.
    pub(super) fn array(&mut self) -> Result<Self, ProtocolError> {
        let left = self.element("an array", |rest| rmp::decode::read_array_len(rest).ok())?;
        Ok(Self { message: self.message, at: self.at, left, depth: self.depth + 1 })
    }

    pub(super) fn resume_after(&mut self, inner: &Self) {
        self.at = inner.at;
    }

    /// Where a value of the application stands in the message.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, Malformed> {
        self.left = self.left.checked_sub(1).ok_or(Malformed::NotMessagePack)?;
        let start = self.at;
        let mut rest = &self.message[start..];
        skip(&mut rest, self.depth)?;
        self.at = self.message.len() - rest.len();
        Ok(start..self.at)
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> ProtocolError {
        ProtocolError { reason: reason.into(), offset: self.at }
    }

    pub(super) fn cannot_read(&self, malformed: Malformed) -> ProtocolError {
        self.error(match malformed {
            Malformed::NotMessagePack => "a value is absent or not MessagePack",
            Malformed::TooDeep => "nesting deeper than 64",
        })
    }

    fn element<T>(
        &mut self,
        expected: &str,
        read: impl FnOnce(&mut &'a [u8]) -> Option<T>,
    ) -> Result<T, ProtocolError> {
        let mut rest = &self.message[self.at..];
        let value = if self.left == 0 { None } else { read(&mut rest) };
        let value = value.ok_or_else(|| self.error(format!("expected {expected}")))?;
        self.left -= 1;
        self.at = self.message.len() - rest.len();
        Ok(value)
    }
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let (text, behind) = rmp::decode::read_str_from_slice(*rest).ok()?;
    *rest = behind;
    Some(text.to_owned())
}

/// Goes over one value that stands `depth` deep.
fn skip(rest: &mut &[u8], depth: usize) -> Result<(), Malformed> {
    let marker = Marker::from_u8(number(rest, 1)? as u8);
    let inside = match marker {
        Marker::FixArray(length) => u64::from(length),
        Marker::Array16 => number(rest, 2)?,
        Marker::Array32 => number(rest, 4)?,
        Marker::FixMap(length) => 2 * u64::from(length),
        Marker::Map16 => 2 * number(rest, 2)?,
        Marker::Map32 => 2 * number(rest, 4)?,
        _ => return skip_bytes(rest, marker),
    };
    if depth == MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    // Each takes a byte at least: what is announced and not there ends the loop.
    for _ in 0..inside {
        skip(rest, depth + 1)?;
    }
    Ok(())
}

/// The bytes behind the marker of a value without others inside.
fn skip_bytes(rest: &mut &[u8], marker: Marker) -> Result<(), Malformed> {
    let length = match marker {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
        Marker::U8 | Marker::I8 => 1,
        Marker::U16 | Marker::I16 => 2,
        Marker::U32 | Marker::I32 | Marker::F32 => 4,
        Marker::U64 | Marker::I64 | Marker::F64 => 8,
        Marker::FixStr(length) => u64::from(length),
        Marker::Str8 | Marker::Bin8 => number(rest, 1)?,
        Marker::Str16 | Marker::Bin16 => number(rest, 2)?,
        Marker::Str32 | Marker::Bin32 => number(rest, 4)?,
        // An extension has its type in front.
        Marker::FixExt1 => 2,
        Marker::FixExt2 => 3,
        Marker::FixExt4 => 5,
        Marker::FixExt8 => 9,
        Marker::FixExt16 => 17,
        Marker::Ext8 => number(rest, 1)? + 1,
        Marker::Ext16 => number(rest, 2)? + 1,
        Marker::Ext32 => number(rest, 4)? + 1,
        _ => return Err(Malformed::NotMessagePack),
    };
    let length = usize::try_from(length).map_err(|_| Malformed::NotMessagePack)?;
    *rest = rest.get(length..).ok_or(Malformed::NotMessagePack)?;
    Ok(())
}

/// Of so many bytes, the highest first.
fn number(rest: &mut &[u8], bytes: usize) -> Result<u64, Malformed> {
    let (number, behind) = rest.split_at_checked(bytes).ok_or(Malformed::NotMessagePack)?;
    *rest = behind;
    Ok(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Writes one message, with room for its length in front.
pub(super) struct Writer {
    bytes: ByteBuf,
}

/// What the length takes at most.
const LENGTH_BYTES: usize = 5;

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut writer = Self { bytes: ByteBuf::with_capacity(bytes + LENGTH_BYTES) };
        writer.raw(&[0; LENGTH_BYTES]);
        writer
    }

    pub(super) fn array(&mut self, length: u32) {
        let Ok(_) = rmp::encode::write_array_len(&mut self.bytes, length);
    }

    pub(super) fn empty_map(&mut self) {
        let Ok(_) = rmp::encode::write_map_len(&mut self.bytes, 0);
    }

    pub(super) fn uint(&mut self, number: u64) {
        let Ok(_) = rmp::encode::write_uint(&mut self.bytes, number);
    }

    pub(super) fn bool(&mut self, value: bool) {
        let Ok(()) = rmp::encode::write_bool(&mut self.bytes, value);
    }

    pub(super) fn nil(&mut self) {
        let Ok(()) = rmp::encode::write_nil(&mut self.bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        let Ok(()) = rmp::encode::write_str(&mut self.bytes, text);
    }

    pub(super) fn text_or_nil(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.nil(),
        }
    }

    /// A value that is encoded already.
    pub(super) fn raw(&mut self, value: &[u8]) {
        self.bytes.as_mut_vec().extend_from_slice(value);
    }

    /// With its length in front: seven bits each, the lowest first.
    pub(super) fn into_message(self) -> Bytes {
        let mut bytes = self.bytes.into_vec();
        let mut length = bytes.len() - LENGTH_BYTES;
        let mut prefix = [0; LENGTH_BYTES];
        let mut used = 0;
        while used == 0 || length > 0 {
            let follows = if length > 0x7f { 0x80 } else { 0 };
            prefix[used] = (length & 0x7f) as u8 | follows;
            length >>= 7;
            used += 1;
        }
        let start = LENGTH_BYTES - used;
        bytes[start..LENGTH_BYTES].copy_from_slice(&prefix[..used]);
        Bytes::from(bytes).slice(start..)
    }
}
