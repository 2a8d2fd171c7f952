//! MessagePack as a readable value, the way `data/README.md` shows it.

use serde_json::{Map, Number, Value as Json, json};

use crate::data::to_hex;

/// One value and the bytes after it; `None` where it is cut off.
pub(crate) fn value(bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (&marker, rest) = bytes.split_first()?;
    match marker {
        0x00..=0x7f => Some((json!(marker), rest)),
        0x80..=0x8f => map(usize::from(marker & 0x0f), rest),
        0x90..=0x9f => array(usize::from(marker & 0x0f), rest),
        0xa0..=0xbf => string(usize::from(marker & 0x1f), rest),
        0xc0 => Some((Json::Null, rest)),
        0xc2 => Some((json!(false), rest)),
        0xc3 => Some((json!(true), rest)),
        0xc4..=0xc6 => sized(marker - 0xc4, rest, binary),
        0xc7..=0xc9 => sized(marker - 0xc7, rest, extension),
        0xca => number(rest, |bytes: [u8; 4]| json!({"f32": float(f32::from_be_bytes(bytes).into())})),
        0xcb => number(rest, |bytes: [u8; 8]| json!({"f64": float(f64::from_be_bytes(bytes))})),
        0xcc => number(rest, |bytes: [u8; 1]| integer(bytes[0].into())),
        0xcd => number(rest, |bytes: [u8; 2]| integer(u16::from_be_bytes(bytes).into())),
        0xce => number(rest, |bytes: [u8; 4]| integer(u32::from_be_bytes(bytes).into())),
        0xcf => number(rest, |bytes: [u8; 8]| integer(u64::from_be_bytes(bytes).into())),
        0xd0 => number(rest, |bytes: [u8; 1]| integer(i8::from_be_bytes(bytes).into())),
        0xd1 => number(rest, |bytes: [u8; 2]| integer(i16::from_be_bytes(bytes).into())),
        0xd2 => number(rest, |bytes: [u8; 4]| integer(i32::from_be_bytes(bytes).into())),
        0xd3 => number(rest, |bytes: [u8; 8]| integer(i64::from_be_bytes(bytes).into())),
        0xd4..=0xd8 => extension(1 << (marker - 0xd4), rest),
        0xd9..=0xdb => sized(marker - 0xd9, rest, string),
        0xdc | 0xdd => sized(marker - 0xdc + 1, rest, array),
        0xde | 0xdf => sized(marker - 0xde + 1, rest, map),
        0xe0..=0xff => Some((json!(i8::from_be_bytes([marker])), rest)),
        0xc1 => None,
    }
}

type Read = fn(usize, &[u8]) -> Option<(Json, &[u8])>;

/// Reads a length of 1, 2 or 4 bytes, and what has it.
fn sized(width: u8, bytes: &[u8], read: Read) -> Option<(Json, &[u8])> {
    let width = 1 << width;
    let (length, rest) = bytes.split_at_checked(width)?;
    read(length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
}

fn number<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> Json) -> Option<(Json, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<N>()?;
    Some((read(*number), rest))
}

fn integer(number: i128) -> Json {
    let exact = i64::try_from(number).ok().filter(|number| number.unsigned_abs() < 1 << 53);
    exact.map_or_else(|| json!({"int": number.to_string()}), |number| json!(number))
}

fn float(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) if number.as_f64() != Some(0.0) => Json::Number(number),
        _ => json!(number.to_string()),
    }
}

fn string(length: usize, bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((json!(String::from_utf8_lossy(text)), rest))
}

fn binary(length: usize, bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (bytes, rest) = bytes.split_at_checked(length)?;
    Some((json!({"bin": to_hex(bytes)}), rest))
}

fn extension(length: usize, bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (&kind, rest) = bytes.split_first()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((json!({"ext": i8::from_be_bytes([kind]), "hex": to_hex(bytes)}), rest))
}

fn array(length: usize, bytes: &[u8]) -> Option<(Json, &[u8])> {
    let mut items = Vec::new();
    let mut rest = bytes;
    for _ in 0..length {
        let (item, after) = value(rest)?;
        items.push(item);
        rest = after;
    }
    Some((Json::Array(items), rest))
}

fn map(length: usize, bytes: &[u8]) -> Option<(Json, &[u8])> {
    let (Json::Array(flat), rest) = array(2 * length, bytes)? else { return None };
    let pairs = flat.chunks(2);
    if flat.iter().step_by(2).all(Json::is_string) {
        let named = pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].clone()));
        return Some((Json::Object(named.collect::<Map<_, _>>()), rest));
    }
    Some((json!({"map": pairs.collect::<Vec<_>>()}), rest))
}
