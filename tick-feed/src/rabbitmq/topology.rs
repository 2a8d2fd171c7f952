//! What is declared on the broker, and under which names.
//!
//! | name | is | carries |
//! |---|---|---|
//! | `orchard.{feed}` | direct exchange, durable | frames, by shard |
//! | `orchard.{feed}.{strategy}.{shard}` | queue, single active consumer | one strategy's frames of one shard |
//! | `orchard.{feed}.control` | fanout exchange, durable | [`Control`](super::Control) messages |
//! | `orchard.{feed}.run` | durable queue of at most one message | the last [`FeedState`](super::FeedState) |
//! | `orchard.{feed}.ingester` | exclusive queue | nothing: whoever has it is the feed's only ingester |
//! | `orchard.{feed}.dead` | durable queue | what is not a frame of this feed, with the reason |

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tick_sdk::names::{FeedName, StrategyName};

/// The exchange that frames are published to, with the shard as routing key.
pub fn frames_exchange(feed: &FeedName) -> String {
    format!("orchard.{feed}")
}

/// The queue of one strategy's frames of one shard.
pub fn frames_queue(feed: &FeedName, strategy: &StrategyName, shard: u16) -> String {
    format!("orchard.{feed}.{strategy}.{shard}")
}

/// The exchange of control messages.
pub fn control_exchange(feed: &FeedName) -> String {
    format!("orchard.{feed}.control")
}

/// The queue that keeps the feed's last state.
pub fn run_queue(feed: &FeedName) -> String {
    format!("orchard.{feed}.run")
}

/// The exclusive queue that only one ingester can have.
pub fn ingester_queue(feed: &FeedName) -> String {
    format!("orchard.{feed}.ingester")
}

/// The queue of dead letters.
pub fn dead_queue(feed: &FeedName) -> String {
    format!("orchard.{feed}.dead")
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
