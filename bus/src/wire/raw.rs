//! Raw JSON: the body is the message, and AMQP headers say what an envelope would.

use std::str::FromStr;

use tick_sdk::contracts::envelope::{Envelope, Headers, JsonText};
use uuid::Uuid;

use super::delivery::{Delivery, Unreadable};
use super::{Properties, Value};

const RAW_JSON: &str = "application/json";

/// The headers that stand for fields of an envelope.
const FIELDS: [&str; 10] = [
    "MessageId",
    "CorrelationId",
    "ConversationId",
    "RequestId",
    "MT-InitiatorId",
    "MT-MessageType",
    "MT-Source-Address",
    "MT-Response-Address",
    "MT-Fault-Address",
    "MT-Host-Info",
];

/// Whether a message says that its body is raw JSON.
pub(super) fn is_raw(properties: &Properties) -> bool {
    let content_type = properties.content_type.as_deref().unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(RAW_JSON)
}

/// The envelope that the headers make. What is no id or address is as good as absent, as .NET has it.
pub(super) fn envelope(delivery: &Delivery) -> Result<Envelope, Unreadable> {
    let Delivery { properties, body, .. } = delivery;
    let message = JsonText::of_body(body)?;
    if is_envelope(&message) {
        return Err(Unreadable::EnvelopeAsRaw);
    }
    let urns = properties.headers.text("MT-MessageType").unwrap_or_default().split(';');
    let urns = urns.map(str::trim).filter(|urn| !urn.is_empty());
    Ok(Envelope {
        message_id: field(properties, "MessageId").or_else(|| property(&properties.message_id)),
        request_id: field::<Uuid>(properties, "RequestId"),
        correlation_id: field(properties, "CorrelationId").or_else(|| property(&properties.correlation_id)),
        conversation_id: field(properties, "ConversationId"),
        initiator_id: field(properties, "MT-InitiatorId"),
        source_address: field(properties, "MT-Source-Address"),
        response_address: field(properties, "MT-Response-Address"),
        fault_address: field(properties, "MT-Fault-Address"),
        message_type: urns.map(str::to_owned).collect(),
        message,
        headers: other_headers(properties)?,
        ..Envelope::default()
    })
}

fn field<T: FromStr>(properties: &Properties, name: &str) -> Option<T> {
    properties.headers.text(name)?.parse().ok()
}

fn property<T: FromStr>(text: &Option<String>) -> Option<T> {
    text.as_deref()?.trim().parse().ok()
}

/// What consumers see as headers: text, whole numbers and yes or no.
fn other_headers(properties: &Properties) -> Result<Headers, Unreadable> {
    let mut headers = Headers::default();
    for (name, value) in properties.headers.iter() {
        if FIELDS.contains(&name) || name.starts_with("x-dotnet-") {
            continue;
        }
        match value {
            Value::Text(text) => headers.set(name, text)?,
            Value::Boolean(is_so) => headers.set(name, is_so)?,
            number => {
                if let Some(number) = number.integer() {
                    headers.set(name, &number)?;
                }
            }
        }
    }
    Ok(headers)
}

/// Whether a message is an envelope itself.
fn is_envelope(message: &JsonText) -> bool {
    #[derive(serde::Deserialize)]
    struct Fields {
        #[serde(rename = "messageType")]
        message_type: Option<serde::de::IgnoredAny>,
        message: Option<serde::de::IgnoredAny>,
    }

    let fields = message.read::<Fields>();
    fields.is_ok_and(|fields| fields.message_type.is_some() && fields.message.is_some())
}
