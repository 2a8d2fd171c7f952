//! Values as .NET sends them: numbers and times that JSON and MessagePack spell differently.

mod any;
mod calendar;
mod extension;
mod order;
mod times;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

pub(super) use any::Any;
pub(super) use order::{Order, Side};
pub(super) use times::{DateTime, DateTimeOffset, TimeSpan};

/// A decimal number: in MessagePack its text, with all its digits; in JSON a number.
#[derive(Clone, Debug, TS)]
#[ts(type = "number | string")]
pub(super) struct Decimal(pub(super) String);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.0);
        }
        let number: f64 = self.0.parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return f64::deserialize(deserializer).map(|number| Self(number.to_string()));
        }
        let text = String::deserialize(deserializer)?;
        let is_decimal = text.parse::<f64>().is_ok_and(f64::is_finite);
        is_decimal.then_some(Self(text)).ok_or_else(|| D::Error::custom("not a decimal"))
    }
}

/// A UUID: text in both protocols.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(type = "string")]
pub(super) struct Guid(pub(super) String);

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        uuid::Uuid::try_parse(&text).map(|_| Self(text)).map_err(D::Error::custom)
    }
}

/// Bytes: Base64 in JSON.
#[derive(Clone, Debug, TS)]
#[ts(type = "string | Uint8Array")]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return BASE64_STANDARD.decode(text).map(Self).map_err(D::Error::custom);
        }
        deserializer.deserialize_byte_buf(BytesVisitor).map(Self)
    }
}

/// Bytes of MessagePack; .NET takes a text and a list of numbers for bytes, too.
struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.as_bytes().to_vec())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
