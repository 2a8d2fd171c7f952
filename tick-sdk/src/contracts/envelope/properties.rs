//! What a broker's message carries beside its body.

use serde_json::Value;

use super::{Envelope, JsonText};

/// The content type of an envelope. Readers go by the body: what has another content type, or none, is read
/// as an envelope too.
pub const CONTENT_TYPE: &str = "application/vnd.masstransit+json";

/// How headers begin that describe one delivery.
const OF_DELIVERY: &str = "RabbitMQ-";

/// Properties of an AMQP message that repeat what the envelope says. They are for people and for routing:
/// a receiver uses only the envelope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// The property `message-id`.
    pub message_id: Option<String>,
    /// The property `correlation-id`.
    pub correlation_id: Option<String>,
    /// Headers of the envelope that AMQP can hold.
    pub headers: Vec<(String, HeaderValue)>,
}

/// A header of an AMQP message.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderValue {
    /// A long string.
    Text(String),
    /// A whole number: 32 bit where it fits, else 64.
    Integer(i64),
    /// A 64-bit floating-point number.
    Double(f64),
}

impl Envelope {
    /// The properties that go beside the body. As MassTransit does, `true` becomes the text `True`, and
    /// `false`, null, lists and objects are left out, and what a consumer of raw JSON copied from its delivery;
    /// they stand in the envelope.
    pub fn properties(&self) -> Properties {
        Properties {
            message_id: self.message_id.map(|id| id.to_string()),
            correlation_id: self.correlation_id.map(|id| id.to_string()),
            headers: self
                .headers
                .iter()
                .filter(|(name, _)| !name.starts_with(OF_DELIVERY))
                .filter_map(|(name, value)| Some((name.to_owned(), header_value(value)?)))
                .collect(),
        }
    }
}

fn header_value(value: &JsonText) -> Option<HeaderValue> {
    match serde_json::from_str(value.as_str()).ok()? {
        Value::String(text) => Some(HeaderValue::Text(text)),
        Value::Bool(true) => Some(HeaderValue::Text("True".to_owned())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Some(HeaderValue::Integer(number)),
            // AMQP has no unsigned 64-bit number that every broker takes.
            (None, _) if number.is_u64() => Some(HeaderValue::Text(number.to_string())),
            (None, number) => number.map(HeaderValue::Double),
        },
        Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
