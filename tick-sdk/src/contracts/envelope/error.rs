//! Why a body is refused.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use super::{InvalidAddress, InvalidTime, MAX_BODY_BYTES, MAX_LEVELS};
use crate::contracts::InvalidId;

/// Why a body is no envelope, or no envelope can be made. It names the field and what to do.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// Longer than [`MAX_BODY_BYTES`].
    #[error("the body has {bytes} bytes, and {MAX_BODY_BYTES} are the most: send it in parts")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("byte {at} of the body is not UTF-8: send JSON as UTF-8")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        at: usize,
    },
    /// A byte order mark before the JSON.
    #[error("the body begins with a byte order mark: leave it out")]
    ByteOrderMark,
    /// Not JSON, or a number or text in it that cannot be.
    #[error("the body cannot be read as JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// Objects and lists within each other beyond [`MAX_LEVELS`].
    #[error(
        "objects and lists stand more than {MAX_LEVELS} deep within each other: make the message flatter"
    )]
    TooDeep,
    /// A name stands twice in one object, so that its value is anybody's guess.
    #[error("the name '{name}' stands twice in one object: leave one of them out")]
    NameTwice {
        /// The name, or its beginning.
        name: String,
    },
    /// What must be there is absent or null.
    #[error("the field '{field}' is missing: an envelope needs `messageType` and `message`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field of another kind.
    #[error("the field '{field}' is {found}, but must be {expected}")]
    WrongKind {
        /// The field; `body` for all of it.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: JsonKind,
    },
    /// A field that should hold an id.
    #[error("the field '{field}' holds no id: {source}")]
    Id {
        /// The field.
        field: &'static str,
        /// Its text.
        source: InvalidId,
    },
    /// A field that should hold an address.
    #[error("the field '{field}' holds no address: {source}")]
    Address {
        /// The field.
        field: &'static str,
        /// Its text, and why it is none.
        source: InvalidAddress,
    },
    /// A field that should hold a time.
    #[error("the field '{field}' holds no time: {source}")]
    Time {
        /// The field.
        field: &'static str,
        /// Its text.
        source: InvalidTime,
    },
    /// A contract or header that cannot be written as JSON.
    #[error("the field '{field}' cannot be written as JSON: {source}")]
    Unwritable {
        /// The field.
        field: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The message is of another contract.
    #[error("a message of type {expected} is expected, but this one is of {found:?}")]
    OtherType {
        /// The URN that was asked for.
        expected: String,
        /// Those that it carries.
        found: Vec<String>,
    },
    /// The message is not what its contract says.
    #[error("the message is no {contract}: {source}")]
    Message {
        /// The contract's name.
        contract: &'static str,
        /// The property, and why.
        source: serde_json::Error,
    },
}

/// What kind of JSON value stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list.
    List,
    /// An object.
    Object,
}

impl JsonKind {
    /// Of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    /// Of valid JSON, by its first character.
    pub(super) fn of_text(text: &str) -> Self {
        match text.trim_start().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b'"') => Self::Text,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// The beginning of a text that came from outside, for an error that quotes it.
pub(super) fn beginning(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
