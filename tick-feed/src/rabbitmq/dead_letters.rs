//! Dead letters: what came to a feed's queues and is not a frame of it, stored with the reason until
//! somebody looks.
//!
//! They are in the queue `orchard.{feed}.dead` of the node where they came up, with the body as it
//! came and these headers:
//!
//! | header | is |
//! |---|---|
//! | `x-orchard-reason` | why it is not one, as text |
//! | `x-orchard-queue` | the queue it was in |
//! | `x-orchard-exchange`, `x-orchard-routing-key` | how it had come there |
//! | `x-orchard-at` | when it was stored here, in ns since the UNIX epoch |

use crate::rabbitmq::topology;
use broker::{BrokerError, Channel, Message, Outcome, QueueOptions, Table};
use tick_sdk::names::FeedName;

const REASON: &str = "x-orchard-reason";
const QUEUE: &str = "x-orchard-queue";
const EXCHANGE: &str = "x-orchard-exchange";
const ROUTING_KEY: &str = "x-orchard-routing-key";
const AT: &str = "x-orchard-at";

/// Why a message is not a frame of its feed, and where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why it is not one.
    pub reason: String,
    /// The queue it was in; empty if unknown.
    pub queue: String,
    /// The exchange that it had come by; empty for the default exchange.
    pub exchange: String,
    /// With which routing key.
    pub routing_key: String,
    /// When it was stored here, in ns since the UNIX epoch; 0 if unknown.
    pub at: u64,
}

impl DeadLetter {
    /// What the headers of a dead letter say; of any other message, nothing.
    pub fn of(headers: &Table) -> Self {
        let text = |name| headers.text(name).unwrap_or_default();
        let at = headers.integer(AT).and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
        Self {
            reason: text(REASON),
            queue: text(QUEUE),
            exchange: text(EXCHANGE),
            routing_key: text(ROUTING_KEY),
            at,
        }
    }

    /// Whether these are the headers of a dead letter.
    pub fn is_in(headers: &Table) -> bool {
        headers.get(REASON).is_some()
    }
}

/// Stores a message as a dead letter; the caller then acknowledges the original. The channel may be one that
/// consumes; it is put into confirm mode.
///
/// # Errors
/// The broker did not confirm that it keeps the message, so the original must stay.
pub(super) async fn store(
    channel: &Channel,
    feed: &FeedName,
    letter: &DeadLetter,
    body: &[u8],
) -> Result<(), BrokerError> {
    declare(channel, feed).await?;
    let headers = Table::default()
        .with(REASON, letter.reason.as_str())
        .with(QUEUE, letter.queue.as_str())
        .with(EXCHANGE, letter.exchange.as_str())
        .with(ROUTING_KEY, letter.routing_key.as_str())
        .with(AT, i64::try_from(letter.at).unwrap_or(i64::MAX));
    let message = Message::persistent(body).with_headers(headers);
    let outcome = channel.publish_confirmed("", &topology::dead_queue(feed), &message).await?;
    match refusal(outcome) {
        None => Ok(()),
        Some(reason) => Err(BrokerError::Other {
            url: channel.url().to_string(),
            reason: format!(
                "queue {} {reason}, so a message that is not a frame stays",
                topology::dead_queue(feed)
            ),
        }),
    }
}

/// Declares the queue of dead letters.
///
/// # Errors
/// It exists with other arguments, or the connection is lost.
pub(super) async fn declare(channel: &Channel, feed: &FeedName) -> Result<(), BrokerError> {
    channel.declare_queue(&topology::dead_queue(feed), &QueueOptions::durable()).await.map(drop)
}

/// Why a queue has not taken a message, if it has not.
fn refusal(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Confirmed => None,
        Outcome::Returned => Some("is not there"),
        Outcome::Refused => Some("is full"),
    }
}
