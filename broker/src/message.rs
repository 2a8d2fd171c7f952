//! What is published and what is received, and the tables of named values that go with both.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct Message<'a> {
    /// The payload.
    pub body: &'a [u8],
    /// Whether it survives a restart of the broker, in a queue that does.
    pub is_persistent: bool,
    /// Its headers.
    pub headers: Table,
}

impl<'a> Message<'a> {
    /// A message without headers that a restart of the broker loses.
    pub fn transient(body: &'a [u8]) -> Self {
        Self { body, is_persistent: false, headers: Table::default() }
    }

    /// A message without headers that survives a restart of the broker.
    pub fn persistent(body: &'a [u8]) -> Self {
        Self { body, is_persistent: true, headers: Table::default() }
    }

    pub(crate) fn properties(&self) -> BasicProperties {
        let mode = if self.is_persistent { 2 } else { 1 };
        let properties = BasicProperties::default().with_delivery_mode(mode);
        if self.headers.0.inner().is_empty() {
            return properties;
        }
        properties.with_headers(self.headers.0.clone())
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
    /// Its headers.
    pub headers: Table,
    /// The payload.
    pub body: Vec<u8>,
}

impl Delivery {
    pub(crate) fn of(delivery: lapin::message::Delivery) -> Self {
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        Self { tag: delivery.delivery_tag, headers: Table(headers), body: delivery.data }
    }
}

/// Named values: a message's headers, or the arguments of a declaration.
///
/// ```
/// let headers = broker::Table::default().with("x-reason", "too late").with("x-attempt", 3);
/// assert_eq!(headers.text("x-reason").as_deref(), Some("too late"));
/// assert_eq!(headers.integer("x-attempt"), Some(3));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub(crate) FieldTable);

impl Table {
    /// The same with one more value, or with another of this name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into().into_amqp());
        self
    }

    /// The text of this name; what is not UTF-8 in it is replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.0.inner().get(name)? {
            AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
            AMQPValue::ShortString(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// The integer or timestamp of this name.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.0.inner().get(name)? {
            AMQPValue::ShortShortInt(value) => Some((*value).into()),
            AMQPValue::ShortShortUInt(value) => Some((*value).into()),
            AMQPValue::ShortInt(value) => Some((*value).into()),
            AMQPValue::ShortUInt(value) => Some((*value).into()),
            AMQPValue::LongInt(value) => Some((*value).into()),
            AMQPValue::LongUInt(value) => Some((*value).into()),
            AMQPValue::LongLongInt(value) => Some(*value),
            AMQPValue::Timestamp(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }
}

/// One value of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
}

impl Value {
    fn into_amqp(self) -> AMQPValue {
        match self {
            Self::Text(text) => AMQPValue::LongString(text.into()),
            Self::Integer(value) => AMQPValue::LongLongInt(value),
            Self::Boolean(value) => AMQPValue::Boolean(value),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}
