//! What is declared on the broker, and under which names.
//!
//! | name | is | carries |
//! |---|---|---|
//! | `orchard.{feed}` | direct exchange, durable | frames, by shard |
//! | `orchard.{feed}.{strategy}.{shard}` | queue, single active consumer | one strategy's frames of one shard |
//! | `orchard.{feed}.control` | fanout exchange, durable | [`Control`](super::Control) messages |
//! | `orchard.{feed}.run` | durable queue of at most one message | the last [`FeedState`](super::FeedState) |
//! | `orchard.{feed}.ingester` | exclusive queue | nothing: whoever has it is the feed's only ingester |
//! | `orchard.{feed}.dead` | durable queue | what is no frame of this feed, with the reason |

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a feed: letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeedName(String);

impl FromStr for FeedName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !is_name(text) {
            return Err(format!("'{text}' is no name of a feed: use up to 64 letters, digits, '-' and '_'"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether this may name a feed or a strategy, and so be part of a queue's name.
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(fits)
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FeedName {
    /// The exchange that frames are published to, with the shard as routing key.
    pub fn exchange(&self) -> String {
        format!("orchard.{self}")
    }

    /// The queue of one strategy's frames of one shard.
    pub fn queue(&self, strategy: &str, shard: u16) -> String {
        format!("orchard.{self}.{strategy}.{shard}")
    }

    /// The exchange of control messages.
    pub fn control_exchange(&self) -> String {
        format!("orchard.{self}.control")
    }

    /// The queue that keeps the feed's last state.
    pub fn run_queue(&self) -> String {
        format!("orchard.{self}.run")
    }

    /// The exclusive queue that only one ingester can have.
    pub fn ingester_queue(&self) -> String {
        format!("orchard.{self}.ingester")
    }

    /// The queue of dead letters.
    pub fn dead_queue(&self) -> String {
        format!("orchard.{self}.dead")
    }
}

/// What the broker does with frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Classic queues, transient messages: what the broker loses is sent again from the source.
    #[default]
    Memory,
    /// Quorum queues: what is confirmed is on most nodes' disks.
    Replicated,
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "memory" => Ok(Self::Memory),
            "replicated" => Ok(Self::Replicated),
            _ => Err("write memory or replicated".to_owned()),
        }
    }
}
