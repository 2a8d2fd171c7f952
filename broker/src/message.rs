//! What is published and what is received.

use lapin::BasicProperties;
use lapin::types::ShortString;

use crate::Table;

/// What stands beside a message's payload. Text of more than 255 bytes has no place in AMQP and is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// What the payload is, as a media type.
    pub content_type: Option<String>,
    /// How it is packed.
    pub content_encoding: Option<String>,
    /// Headers.
    pub headers: Table,
    /// Whether it survives a restart of the broker, in a queue that does.
    pub is_persistent: bool,
    /// Its priority, in a queue that has any.
    pub priority: Option<u8>,
    /// What it belongs to.
    pub correlation_id: Option<String>,
    /// The queue that an answer is to go to.
    pub reply_to: Option<String>,
    /// After so many ms, as text, it is dropped.
    pub expiration: Option<String>,
    /// Its own id.
    pub message_id: Option<String>,
    /// Seconds since the UNIX epoch.
    pub timestamp: Option<u64>,
    /// What kind of message it is.
    pub kind: Option<String>,
    /// Who published it: a broker refuses any other name than that of the login.
    pub user_id: Option<String>,
    /// The program that published it.
    pub app_id: Option<String>,
}

impl Properties {
    /// As AMQP has them.
    pub(crate) fn to_amqp(&self) -> BasicProperties {
        let mode = if self.is_persistent { 2 } else { 1 };
        let mut properties = BasicProperties::default().with_delivery_mode(mode);
        if !self.headers.is_empty() {
            properties = properties.with_headers(self.headers.0.clone());
        }
        if let Some(priority) = self.priority {
            properties = properties.with_priority(priority);
        }
        if let Some(timestamp) = self.timestamp {
            properties = properties.with_timestamp(timestamp);
        }
        type Set = fn(BasicProperties, ShortString) -> BasicProperties;
        let texts: [(&Option<String>, Set); 9] = [
            (&self.content_type, BasicProperties::with_content_type),
            (&self.content_encoding, BasicProperties::with_content_encoding),
            (&self.correlation_id, BasicProperties::with_correlation_id),
            (&self.reply_to, BasicProperties::with_reply_to),
            (&self.expiration, BasicProperties::with_expiration),
            (&self.message_id, BasicProperties::with_message_id),
            (&self.kind, BasicProperties::with_type),
            (&self.user_id, BasicProperties::with_user_id),
            (&self.app_id, BasicProperties::with_app_id),
        ];
        for (text, set) in texts {
            let short = text.as_deref().and_then(|text| ShortString::try_new(text).ok());
            if let Some(short) = short {
                properties = set(properties, short);
            }
        }
        properties
    }

    pub(crate) fn of_amqp(properties: &BasicProperties) -> Self {
        let text = |text: &Option<ShortString>| text.as_ref().map(ToString::to_string);
        Self {
            content_type: text(properties.content_type()),
            content_encoding: text(properties.content_encoding()),
            headers: Table(properties.headers().clone().unwrap_or_default()),
            is_persistent: *properties.delivery_mode() == Some(2),
            priority: *properties.priority(),
            correlation_id: text(properties.correlation_id()),
            reply_to: text(properties.reply_to()),
            expiration: text(properties.expiration()),
            message_id: text(properties.message_id()),
            timestamp: *properties.timestamp(),
            kind: text(properties.kind()),
            user_id: text(properties.user_id()),
            app_id: text(properties.app_id()),
        }
    }
}

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// The payload.
    pub body: &'a [u8],
    /// What stands beside it.
    pub properties: Properties,
}

impl<'a> Message<'a> {
    /// A message without headers that a restart of the broker loses.
    pub fn transient(body: &'a [u8]) -> Self {
        Self { body, properties: Properties::default() }
    }

    /// A message without headers that survives a restart of the broker.
    pub fn persistent(body: &'a [u8]) -> Self {
        Self { body, properties: Properties { is_persistent: true, ..Properties::default() } }
    }

    /// The same with these headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Table) -> Self {
        self.properties.headers = headers;
        self
    }
}

/// What became of a message that was published with a confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it.
    Confirmed,
    /// It came back, as no queue was there for it.
    Returned,
    /// A queue is full, or failed.
    Refused,
}

/// A message as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The number by which its channel acknowledges it.
    pub tag: u64,
    /// The exchange that it was published to; empty for the default one.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// It may have been delivered before.
    pub is_redelivered: bool,
    /// What stands beside the payload.
    pub properties: Properties,
    /// The payload.
    pub body: Vec<u8>,
}

impl Delivery {
    pub(crate) fn of(delivery: lapin::message::Delivery) -> Self {
        Self {
            tag: delivery.delivery_tag,
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            is_redelivered: delivery.redelivered,
            properties: Properties::of_amqp(&delivery.properties),
            body: delivery.data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_stay_what_they_are_and_what_has_no_place_is_left_out() {
        let text = |text: &str| Some(text.to_owned());
        let properties = Properties {
            content_type: text("application/json"),
            content_encoding: text("gzip"),
            headers: Table::default().with("a", 1),
            is_persistent: true,
            priority: Some(3),
            correlation_id: text("c"),
            reply_to: text("r"),
            expiration: text("1000"),
            message_id: text("m"),
            timestamp: Some(5),
            kind: text("k"),
            user_id: text("guest"),
            app_id: text("app"),
        };
        assert_eq!(Properties::of_amqp(&properties.to_amqp()), properties);
        let long = Properties { message_id: Some("m".repeat(256)), ..Properties::default() };
        assert_eq!(Properties::of_amqp(&long.to_amqp()), Properties::default());
    }
}
