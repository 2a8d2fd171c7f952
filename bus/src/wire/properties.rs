//! What stands beside a message's body, with the types that AMQP has.

use serde::{Deserialize, Serialize};

/// The properties of an AMQP message. A text of more than 255 bytes has no place in AMQP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Properties {
    /// What the body is, as a media type.
    pub content_type: Option<String>,
    /// How it is packed.
    pub content_encoding: Option<String>,
    /// Headers, in their order.
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

/// Named values in their order: a message's headers, or the arguments of a declaration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table(Vec<(String, Value)>);

/// One value of a [`Table`], with the type that it has on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Text.
    Text(String),
    /// Where text is expected, bytes that are no UTF-8.
    Octets(Vec<u8>),
    /// Yes or no.
    Boolean(bool),
    /// An integer of 8 bits.
    I8(i8),
    /// One without a sign.
    U8(u8),
    /// An integer of 16 bits.
    I16(i16),
    /// One without a sign.
    U16(u16),
    /// An integer of 32 bits.
    I32(i32),
    /// One without a sign.
    U32(u32),
    /// An integer of 64 bits.
    Integer(i64),
    /// A number of 32 bits.
    F32(f32),
    /// A number of 64 bits.
    F64(f64),
    /// A decimal number.
    Decimal {
        /// How many digits stand behind the point.
        scale: u8,
        /// The digits.
        digits: u32,
    },
    /// Seconds since the UNIX epoch.
    Timestamp(u64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<Self>),
    /// Named values.
    Table(Table),
    /// Nothing.
    Void,
}

impl Table {
    /// The value of this name, in this case.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The value of this name as MassTransit's readers take it: text, or bytes that are text; blank as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = match self.get(name)? {
            Value::Text(text) => text.as_str(),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?,
            _ => return None,
        };
        Some(text.trim()).filter(|text| !text.is_empty())
    }

    /// The whole number of this name.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.integer()
    }

    /// Sets a value, in the place of one of this name.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The same with one more value, or with another of this name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Keeps only the values whose names this says.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| is_kept(name));
    }

    /// Each name with its value, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it takes on the wire.
    pub fn wire_bytes(&self) -> usize {
        4 + self.0.iter().map(|(name, value)| 1 + name.len() + value.wire_bytes()).sum::<usize>()
    }
}

impl FromIterator<(String, Value)> for Table {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Value {
    /// It as a whole number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match *self {
            Self::I8(value) => Some(value.into()),
            Self::U8(value) => Some(value.into()),
            Self::I16(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::I32(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// How many bytes it takes on the wire, its type's letter included.
    pub fn wire_bytes(&self) -> usize {
        1 + match self {
            Self::Void => 0,
            Self::Boolean(_) | Self::I8(_) | Self::U8(_) => 1,
            Self::I16(_) | Self::U16(_) => 2,
            Self::I32(_) | Self::U32(_) | Self::F32(_) => 4,
            Self::Decimal { .. } => 5,
            Self::Integer(_) | Self::F64(_) | Self::Timestamp(_) => 8,
            Self::Text(text) => 4 + text.len(),
            Self::Octets(bytes) | Self::Bytes(bytes) => 4 + bytes.len(),
            Self::List(values) => 4 + values.iter().map(Self::wire_bytes).sum::<usize>(),
            Self::Table(table) => table.wire_bytes(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_masstransit_reads_them() {
        let mut table = Table::default()
            .with("MessageId", Value::Bytes(b" x ".to_vec()))
            .with("blank", " ")
            .with("number", Value::I32(5));
        assert_eq!(table.text("MessageId"), Some("x"));
        assert_eq!(table.text("messageid"), None);
        assert_eq!(table.text("blank"), None);
        assert_eq!(table.integer("number"), Some(5));
        table.set("number", 6_i64);
        table.retain(|name| name != "blank");
        let names: Vec<_> = table.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["MessageId", "number"]);
        assert_eq!(table.integer("number"), Some(6));
    }

    #[test]
    fn the_size_on_the_wire_is_known() {
        let inner = Table::default().with("a", Value::Void);
        let table = Table::default().with("t", "Zoë").with("n", Value::List(vec![Value::Table(inner)]));
        // 4 | 1 't' S 4 + 4 | 1 'n' A 4 (F 4 (1 'a' V))
        assert_eq!(table.wire_bytes(), 4 + (2 + 5 + 4) + (2 + 5 + (5 + 3)));
    }
}
