//! JSON that is kept as the text it came in.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::check::check;
use super::finite::check_finite;
use super::reading::text_of;
use super::{EnvelopeError, JsonKind, MAX_LEVELS, any_case};

/// JSON as text, known to be valid. Kept as text, a number keeps every digit and an object its order, so
/// that what is passed on is what came.
///
/// Two are equal when they are the same but for blanks and line breaks between the values.
#[derive(Clone, Eq)]
pub struct JsonText(String);

/// Of the levels that a body may have, the envelope takes one.
pub(super) const MESSAGE_LEVELS: usize = MAX_LEVELS - 1;
/// And the object of headers another.
pub(super) const HEADER_LEVELS: usize = MAX_LEVELS - 2;

impl JsonText {
    /// The JSON of a value that stands in the field `field`.
    pub(super) fn of(
        value: &(impl Serialize + ?Sized),
        levels: usize,
        field: &'static str,
    ) -> Result<Self, EnvelopeError> {
        let unwritable = |source| EnvelopeError::Unwritable { field, source };
        check_finite(value).map_err(unwritable)?;
        let text = serde_json::to_string(value).map_err(unwritable)?;
        check(&text, levels)?;
        Ok(Self(text))
    }

    /// A contract as the message of an envelope. Where `id` is given, a property of this name and text stands
    /// before its own, unless it has one of that name.
    pub fn message(
        contract: &(impl Serialize + ?Sized),
        id: Option<(&str, Uuid)>,
    ) -> Result<Self, EnvelopeError> {
        let Self(text) = Self::of(contract, MESSAGE_LEVELS, "message")?;
        let Some(properties) = text.strip_prefix('{') else {
            let found = JsonKind::of_text(&text);
            return Err(EnvelopeError::WrongKind { field: "message", expected: "an object", found });
        };
        let Some((name, id)) = id else { return Ok(Self(text)) };
        let comma = if properties == "}" { "" } else { "," };
        let with_id = format!("{{\"{name}\":\"{id}\"{comma}{properties}");
        // Where the contract has the property itself, it would stand twice.
        match check(&with_id, MESSAGE_LEVELS) {
            Ok(()) => Ok(Self(with_id)),
            Err(EnvelopeError::NameTwice { .. }) => Ok(Self(text)),
            Err(error) => Err(error),
        }
    }

    /// Reads a body that is a message without an envelope: an object, with the bounds of
    /// [`Envelope::decode`](super::Envelope::decode).
    pub fn of_body(body: &[u8]) -> Result<Self, EnvelopeError> {
        let text = text_of(body)?;
        check(text, MESSAGE_LEVELS)?;
        match JsonKind::of_text(text) {
            JsonKind::Object => Ok(Self(text.trim().to_owned())),
            found => Err(EnvelopeError::WrongKind { field: "body", expected: "an object", found }),
        }
    }

    /// A part of a body that was checked.
    pub(super) fn checked(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Reads JSON, checked as a message is: at most [`MAX_LEVELS`] less one deep, no name twice.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        check(text, MESSAGE_LEVELS)?;
        Ok(Self(text.trim().to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It as a type, with names in any case, and null where something may be absent.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        any_case::read(&self.0)
    }

    /// What kind of value it is.
    pub fn kind(&self) -> JsonKind {
        JsonKind::of_text(&self.0)
    }
}

/// An empty object.
impl Default for JsonText {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || significant(&self.0).eq(significant(&other.0))
    }
}

/// The characters of valid JSON without the blanks between its values.
fn significant(text: &str) -> impl Iterator<Item = u8> {
    let mut is_in_text = false;
    let mut is_escaped = false;
    text.bytes().filter(move |&byte| {
        if !is_in_text {
            is_in_text = byte == b'"';
            return !byte.is_ascii_whitespace();
        }
        is_in_text = is_escaped || byte != b'"';
        is_escaped = byte == b'\\' && !is_escaped;
        true
    })
}

/// As it is.
impl Serialize for JsonText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_between_values_do_not_matter() {
        let spaced = JsonText::parse("{ \"a b\" : [1,\n 2], \"c\\\" \": \"\\\\\" }").unwrap();
        assert_eq!(spaced, JsonText::parse(r#"{"a b":[1,2],"c\" ":"\\"}"#).unwrap());
        assert_ne!(spaced, JsonText::parse(r#"{"ab":[1,2],"c\" ":"\\"}"#).unwrap());
        assert_ne!(spaced, JsonText::parse(r#"{"a b":[1,2],"c\"":"\\"}"#).unwrap());
    }

    #[test]
    fn an_id_that_the_contract_has_itself_is_not_written_twice() {
        const ID: &str = "00000000-0000-0000-0000-000000000000";
        let with = |contract: serde_json::Value| {
            JsonText::message(&contract, Some(("commandId", Uuid::nil()))).unwrap().as_str().to_owned()
        };
        assert_eq!(with(serde_json::json!({"a": 1})), format!(r#"{{"commandId":"{ID}","a":1}}"#));
        assert_eq!(with(serde_json::json!({})), format!(r#"{{"commandId":"{ID}"}}"#));
        assert_eq!(with(serde_json::json!({"commandId": "y"})), r#"{"commandId":"y"}"#);
        assert!(JsonText::message(&[1], None).is_err());
    }

    #[test]
    fn a_body_without_an_envelope_is_an_object_within_bounds() {
        assert_eq!(JsonText::of_body(b" {\"a\": 1}\n").unwrap().as_str(), "{\"a\": 1}");
        for body in [&b"[1]"[..], b"{\"a\":1,\"a\":2}", b"\xff", b"\xef\xbb\xbf{}", b""] {
            assert!(JsonText::of_body(body).is_err(), "{body:?}");
        }
    }
}
