//! From bytes to an [`Envelope`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::check::{Name, check};
use super::error::beginning;
use super::{
    Address, Envelope, EnvelopeError, Headers, Host, JsonKind, JsonText, MAX_BODY_BYTES, MAX_LEVELS, UtcTime,
};
use crate::contracts::{InvalidId, MessageId};

/// A body as text: UTF-8 without a byte order mark, and not longer than a body may be.
pub(super) fn text_of(body: &[u8]) -> Result<&str, EnvelopeError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(EnvelopeError::TooLong { bytes: body.len() });
    }
    if body.starts_with("\u{feff}".as_bytes()) {
        return Err(EnvelopeError::ByteOrderMark);
    }
    std::str::from_utf8(body).map_err(|error| EnvelopeError::NotUtf8 { at: error.valid_up_to() })
}

pub(super) fn decode(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    let text = text_of(body)?;
    check(text, MAX_LEVELS)?;
    let fields = Object::of("body", text)?;
    Ok(Envelope {
        message_id: fields.id("messageId")?,
        request_id: fields.id::<MessageId>("requestId")?.map(|id| id.0),
        correlation_id: fields.id("correlationId")?,
        conversation_id: fields.id("conversationId")?,
        initiator_id: fields.id("initiatorId")?,
        source_address: fields.address("sourceAddress")?,
        destination_address: fields.address("destinationAddress")?,
        response_address: fields.address("responseAddress")?,
        fault_address: fields.address("faultAddress")?,
        message_type: fields.value("messageType", "a list of text")?.unwrap_or_default(),
        message: message(&fields)?,
        expiration_time: fields.time("expirationTime")?,
        sent_time: fields.time("sentTime")?,
        headers: headers(&fields)?,
        host: host(&fields)?,
    })
}

fn message(fields: &Object<'_>) -> Result<JsonText, EnvelopeError> {
    const FIELD: &str = "message";
    let text = fields.get(FIELD)?.ok_or(EnvelopeError::Missing { field: FIELD })?;
    match JsonKind::of_text(text) {
        JsonKind::Object => Ok(JsonText::checked(text)),
        found => Err(EnvelopeError::WrongKind { field: FIELD, expected: "an object", found }),
    }
}

fn headers(fields: &Object<'_>) -> Result<Headers, EnvelopeError> {
    let Some(text) = fields.get("headers")? else { return Ok(Headers::default()) };
    let mut headers = Headers::default();
    for (name, value) in Object::of("headers", text)?.0 {
        if headers.get(&name).is_some() {
            return Err(EnvelopeError::NameTwice { name: beginning(&name) });
        }
        headers.0.push((name.into_owned(), JsonText::checked(value.get())));
    }
    Ok(headers)
}

fn host(fields: &Object<'_>) -> Result<Host, EnvelopeError> {
    let Some(text) = fields.get("host")? else { return Ok(Host::default()) };
    let host = Object::of("host", text)?;
    Ok(Host {
        machine_name: host.value("machineName", "a text")?,
        process_name: host.value("processName", "a text")?,
        process_id: host.value("processId", "a whole number")?.unwrap_or_default(),
        assembly: host.value("assembly", "a text")?,
        assembly_version: host.value("assemblyVersion", "a text")?,
        framework_version: host.value("frameworkVersion", "a text")?,
        mass_transit_version: host.value("massTransitVersion", "a text")?,
        operating_system_version: host.value("operatingSystemVersion", "a text")?,
    })
}

/// A JSON object as its names and the text of its values, in their order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The object in `text`, which was checked.
    fn of(field: &'static str, text: &'a str) -> Result<Self, EnvelopeError> {
        match JsonKind::of_text(text) {
            JsonKind::Object => serde_json::from_str(text).map_err(EnvelopeError::Json),
            found => Err(EnvelopeError::WrongKind { field, expected: "an object", found }),
        }
    }

    /// The text of a field, its name in any case. Null is as good as absent.
    fn get(&self, field: &'static str) -> Result<Option<&'a str>, EnvelopeError> {
        let mut found = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(field));
        let first = found.next();
        match found.next() {
            Some(_) => Err(EnvelopeError::NameTwice { name: field.to_owned() }),
            None => Ok(first.map(|(_, value)| value.get()).filter(|text| *text != "null")),
        }
    }

    fn value<T: DeserializeOwned>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, EnvelopeError> {
        let Some(text) = self.get(field)? else { return Ok(None) };
        let wrong = |_| EnvelopeError::WrongKind { field, expected, found: JsonKind::of_text(text) };
        serde_json::from_str(text).map(Some).map_err(wrong)
    }

    /// A text, or none where it is absent, null or blank.
    fn text(&self, field: &'static str) -> Result<Option<String>, EnvelopeError> {
        let text: Option<String> = self.value(field, "a text")?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn id<T: FromStr<Err = InvalidId>>(&self, field: &'static str) -> Result<Option<T>, EnvelopeError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        // No id is as long as the beginning, so none becomes one by it.
        beginning(&text).parse().map(Some).map_err(|source| EnvelopeError::Id { field, source })
    }

    fn address(&self, field: &'static str) -> Result<Option<Address>, EnvelopeError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        text.parse().map(Some).map_err(|source| EnvelopeError::Address { field, source })
    }

    fn time(&self, field: &'static str) -> Result<Option<UtcTime>, EnvelopeError> {
        let Some(text) = self.value::<String>(field, "a text")? else { return Ok(None) };
        text.parse().map(Some).map_err(|source| EnvelopeError::Time { field, source })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((Name(name), value)) = object.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Object(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
