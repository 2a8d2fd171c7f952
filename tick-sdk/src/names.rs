//! Names that travel between programs, each checked where text enters.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Names one run: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct RunId(pub [u8; 16]);

impl RunId {
    /// An id that no other run has.
    pub fn random() -> Self {
        let draw = || RandomState::new().hash_one(std::process::id()).to_le_bytes();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&draw());
        id[8..].copy_from_slice(&draw());
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

/// A text that is not a valid [`RunId`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not a valid run id: 32 hexadecimal digits are expected")]
pub struct InvalidRunId(String);

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let wrong = || InvalidRunId(text.to_owned());
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| wrong())?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// The most bytes that a [`FeedName`] or a [`StrategyName`] has.
const MAX_NAME_BYTES: usize = 64;

/// A text that cannot name a feed or a strategy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("'{text}' is not a valid {what} name: use 1 to {MAX_NAME_BYTES} letters, digits, '-' and '_'")]
pub struct InvalidName {
    what: &'static str,
    text: String,
}

/// Names become parts of queue names, file names and SQL rows: one rule holds for all of them.
fn checked(what: &'static str, text: &str) -> Result<String, InvalidName> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if text.is_empty() || text.len() > MAX_NAME_BYTES || !text.chars().all(is_allowed) {
        return Err(InvalidName { what, text: text.to_owned() });
    }
    Ok(text.to_owned())
}

/// The name of a feed: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeedName(String);

/// The name under which a strategy's signals stand: 1 to 64 letters, digits, `-` and `_`. A deployment whose
/// parameters were changed has `@` and its revision behind its name: `trend@2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StrategyName(String);

/// A strategy's name may end in the revision of a deployment.
fn checked_lane(what: &'static str, text: &str) -> Result<String, InvalidName> {
    let is_revision =
        |text: &str| text.len() <= 10 && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('@') {
        Some((name, revision)) if !revision.is_empty() && is_revision(revision) => {
            let invalid = || InvalidName { what, text: text.to_owned() };
            if text.len() > MAX_NAME_BYTES {
                return Err(invalid());
            }
            checked(what, name).map_err(|_| invalid())?;
            Ok(text.to_owned())
        }
        _ => checked(what, text),
    }
}

macro_rules! checked_name {
    ($name:ident, $what:literal, $check:path) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                $check($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

checked_name!(FeedName, "feed", checked);
checked_name!(StrategyName, "strategy", checked_lane);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_text_and_back() {
        let id = RunId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("xyz".parse::<RunId>().is_err());
        assert_ne!(RunId::random(), id);
    }

    #[test]
    fn feeds_and_strategies_have_one_rule_for_names() {
        let too_long = "x".repeat(MAX_NAME_BYTES + 1);
        for refused in ["", "v1.2", "a b", "a/b", "é", &too_long] {
            let [feed, strategy] = [
                refused.parse::<FeedName>().map(String::from),
                refused.parse::<StrategyName>().map(String::from),
            ];
            assert!(feed.is_err() && strategy.is_err(), "{refused}");
            assert!(strategy.unwrap_err().to_string().contains("not a valid strategy name"));
        }
        assert_eq!("fast-2_b".parse::<StrategyName>().unwrap(), "fast-2_b");
        assert!(serde_json::from_str::<FeedName>("\"a b\"").is_err());
    }

    #[test]
    fn a_strategy_may_have_the_revision_of_its_deployment() {
        assert_eq!("trend@2".parse::<StrategyName>().unwrap(), "trend@2");
        assert!("trend@2".parse::<FeedName>().is_err());
        let too_long = format!("{}@2", "x".repeat(MAX_NAME_BYTES - 1));
        for refused in
            ["trend@", "@2", "trend@02", "trend@x", "trend@2@3", "a b@2", "t@12345678901", &too_long]
        {
            assert!(refused.parse::<StrategyName>().is_err(), "{refused}");
        }
    }
}
