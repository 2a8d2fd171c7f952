//! Ids of messages, each a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text that is no id.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{text}' is no id: give 32 hexadecimal digits, as 0197f0aa-5c3e-7d20-8a1b-2f6e9c4d1a00")]
pub struct InvalidId {
    text: String,
}

macro_rules! id {
    ($(#[$meta:meta])* $Name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $Name(pub Uuid);

        impl $Name {
            /// A new one, a UUID v7: those made later sort later.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl crate::shape::Shaped for $Name {
            const TYPE: crate::shape::Type = crate::shape::Type::Guid;
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $Name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { text: text.to_owned() })
            }
        }
    };
}

id! {
    /// A command, from the wish to its end: the envelope's `correlationId`, also of every event that it causes.
    CommandId
}
id! {
    /// One message on its way; a retry and a redelivery may have others. It means nothing else.
    MessageId
}
id! {
    /// The first of a tree of causes: the envelope's `conversationId`, the same in every message of the tree.
    ConversationId
}

/// The namespace of ids that are made of a caller and an idempotency key.
const KEYS: Uuid = Uuid::from_u128(0x8f2d_1c3a_6b5e_4d70_9a41_7e0c_b3d2_f516);

impl CommandId {
    /// The id of the command that `caller` asked for under an idempotency key: a UUID v5, so that every
    /// gateway gives the same.
    pub fn of_key(caller: &str, key: &str) -> Self {
        // The caller's length keeps ("ab", "c") and ("a", "bc") apart.
        Self(Uuid::new_v5(&KEYS, format!("{}:{caller}:{key}", caller.len()).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_one_id_a_caller() {
        let id = CommandId::of_key("bob", "k1");
        assert_eq!(id, CommandId::of_key("bob", "k1"));
        assert_ne!(id, CommandId::of_key("bo", "bk1"));
        assert_ne!(id, CommandId::of_key("bob", "k2"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_text_that_is_no_id_is_refused() {
        assert!("12".parse::<MessageId>().unwrap_err().to_string().contains("'12' is no id"));
    }
}
