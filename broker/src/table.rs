//! Named values of every type that AMQP has: a message's headers, or the arguments of a declaration.

use lapin::types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString};

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
    /// The same with one more value, or with another of this name. A name of more than 255 bytes has no place in
    /// AMQP and is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Ok(name) = lapin::types::ShortString::try_new(name) {
            self.0.insert(name, value.into().into_amqp());
        }
        self
    }

    /// The same without the values whose names this says.
    #[must_use]
    pub fn without(self, is_dropped: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.inner().iter().filter(|(name, _)| !is_dropped(name.as_str()));
        let mut table = FieldTable::default();
        for (name, value) in kept {
            table.insert(name.clone(), value.clone());
        }
        Self(table)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.inner().is_empty()
    }

    /// Each name with its value, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.0.inner().iter().map(|(name, value)| (name.as_str(), Value::of_amqp(value)))
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.0.inner().get(name).map(Value::of_amqp)
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
        match self.get(name)? {
            Value::I8(value) => Some(value.into()),
            Value::U8(value) => Some(value.into()),
            Value::I16(value) => Some(value.into()),
            Value::U16(value) => Some(value.into()),
            Value::I32(value) => Some(value.into()),
            Value::U32(value) => Some(value.into()),
            Value::Integer(value) => Some(value),
            Value::Timestamp(value) => i64::try_from(value).ok(),
            _ => None,
        }
    }
}

/// One value of a [`Table`], with the type that it has on the wire.
#[derive(Clone, Debug, PartialEq)]
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

impl Value {
    pub(crate) fn into_amqp(self) -> AMQPValue {
        match self {
            Self::Text(text) => AMQPValue::LongString(text.into()),
            Self::Octets(bytes) => AMQPValue::LongString(LongString::from(bytes)),
            Self::Boolean(value) => AMQPValue::Boolean(value),
            Self::I8(value) => AMQPValue::ShortShortInt(value),
            Self::U8(value) => AMQPValue::ShortShortUInt(value),
            Self::I16(value) => AMQPValue::ShortInt(value),
            Self::U16(value) => AMQPValue::ShortUInt(value),
            Self::I32(value) => AMQPValue::LongInt(value),
            Self::U32(value) => AMQPValue::LongUInt(value),
            Self::Integer(value) => AMQPValue::LongLongInt(value),
            Self::F32(value) => AMQPValue::Float(value),
            Self::F64(value) => AMQPValue::Double(value),
            Self::Decimal { scale, digits } => AMQPValue::DecimalValue(DecimalValue { scale, value: digits }),
            Self::Timestamp(seconds) => AMQPValue::Timestamp(seconds),
            Self::Bytes(bytes) => AMQPValue::ByteArray(ByteArray::from(bytes)),
            Self::List(values) => {
                let mut list = FieldArray::default();
                values.into_iter().for_each(|value| list.push(value.into_amqp()));
                AMQPValue::FieldArray(list)
            }
            Self::Table(table) => AMQPValue::FieldTable(table.0),
            Self::Void => AMQPValue::Void,
        }
    }

    pub(crate) fn of_amqp(value: &AMQPValue) -> Self {
        match value {
            AMQPValue::Boolean(value) => Self::Boolean(*value),
            AMQPValue::ShortShortInt(value) => Self::I8(*value),
            AMQPValue::ShortShortUInt(value) => Self::U8(*value),
            AMQPValue::ShortInt(value) => Self::I16(*value),
            AMQPValue::ShortUInt(value) => Self::U16(*value),
            AMQPValue::LongInt(value) => Self::I32(*value),
            AMQPValue::LongUInt(value) => Self::U32(*value),
            AMQPValue::LongLongInt(value) => Self::Integer(*value),
            AMQPValue::Float(value) => Self::F32(*value),
            AMQPValue::Double(value) => Self::F64(*value),
            AMQPValue::DecimalValue(decimal) => Self::Decimal { scale: decimal.scale, digits: decimal.value },
            AMQPValue::ShortString(text) => Self::Text(text.to_string()),
            AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Octets(text.as_bytes().to_vec()),
            },
            AMQPValue::FieldArray(list) => Self::List(list.as_slice().iter().map(Self::of_amqp).collect()),
            AMQPValue::Timestamp(seconds) => Self::Timestamp(*seconds),
            AMQPValue::FieldTable(table) => Self::Table(Table(table.clone())),
            AMQPValue::ByteArray(bytes) => Self::Bytes(bytes.as_slice().to_vec()),
            AMQPValue::Void => Self::Void,
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

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_each_type_stays_what_it_is() {
        let inner = Table::default().with("a", true);
        let values = [
            Value::Text("Zoë".to_owned()),
            Value::Octets(vec![0xff, 0]),
            Value::Boolean(false),
            Value::I8(-1),
            Value::U8(1),
            Value::I16(-2),
            Value::U16(2),
            Value::I32(-3),
            Value::U32(3),
            Value::Integer(i64::MIN),
            Value::F32(0.5),
            Value::F64(-0.25),
            Value::Decimal { scale: 2, digits: 125 },
            Value::Timestamp(1_767_225_600),
            Value::Bytes(vec![1, 2]),
            Value::List(vec![Value::I32(1), Value::Void]),
            Value::Table(inner),
            Value::Void,
        ];
        for value in values {
            let table = Table::default().with("x", value.clone());
            assert_eq!(table.get("x"), Some(value));
        }
    }

    #[test]
    fn names_are_taken_away_and_too_long_ones_left_out() {
        let table = Table::default().with("MT-A", "1").with("b", "2").with(&"n".repeat(256), "3");
        let left = table.without(|name| name.starts_with("MT-"));
        assert_eq!(left.iter().collect::<Vec<_>>(), [("b", Value::from("2"))]);
    }
}
