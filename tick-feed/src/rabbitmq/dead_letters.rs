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

use thiserror::Error;

use crate::rabbitmq::topology;
use broker::{BrokerError, BrokerUrl, Channel, Connection, Delivery, Message, Outcome, QueueOptions, Table};
use tick_sdk::names::FeedName;

/// So many dead letters are taken at once, at most.
pub const MAX_TAKEN: usize = 10_000;

/// The bodies of the dead letters that are taken at once are no larger than this, but for the last.
pub const MAX_TAKEN_BYTES: usize = 256 << 20;

const REASON: &str = "x-orchard-reason";
const QUEUE: &str = "x-orchard-queue";
const EXCHANGE: &str = "x-orchard-exchange";
const ROUTING_KEY: &str = "x-orchard-routing-key";
const AT: &str = "x-orchard-at";

/// One message that is not a frame of its feed.
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
    /// As it came.
    pub body: Vec<u8>,
}

/// What stands between a dead letter and its queue.
#[derive(Clone, Debug, Error)]
pub enum DeadLetterError {
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// No broker has the queue of dead letters.
    #[error(
        "no broker has a feed {feed}: there is no queue {queue}\n  see whether --feed and --broker are right"
    )]
    NoFeed {
        /// The feed.
        feed: FeedName,
        /// The queue that is not there.
        queue: String,
    },
    /// There are not so many.
    #[error("there is no dead letter {number}: there are {count}")]
    NoLetter {
        /// The requested one, counted from 1.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// It is unknown where it came from.
    #[error("dead letter {number} does not say which queue it was in\n  drop it, or publish it by hand")]
    NoQueue {
        /// Counted from 1.
        number: usize,
    },
    /// Its queue does not take it.
    #[error(
        "dead letter {number} stays: its queue {queue} {reason}\n  drop it, or see whether its strategy still runs on this feed"
    )]
    Refused {
        /// Counted from 1.
        number: usize,
        /// The queue.
        queue: String,
        /// What the broker did.
        reason: &'static str,
    },
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
) -> Result<(), BrokerError> {
    declare(channel, feed).await?;
    let headers = Table::default()
        .with(REASON, letter.reason.as_str())
        .with(QUEUE, letter.queue.as_str())
        .with(EXCHANGE, letter.exchange.as_str())
        .with(ROUTING_KEY, letter.routing_key.as_str())
        .with(AT, i64::try_from(letter.at).unwrap_or(i64::MAX));
    let message = Message { headers, ..Message::persistent(&letter.body) };
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

/// A feed's dead letters, taken off their queues, so that nobody else has them. What is neither
/// requeued nor removed goes back to its place when this ends, however it ends.
pub struct DeadLetters {
    brokers: Vec<Broker>,
    letters: Vec<Taken>,
}

struct Broker {
    url: BrokerUrl,
    connection: Connection,
    channel: Channel,
}

struct Taken {
    /// A place in `brokers`.
    broker: usize,
    tag: u64,
    letter: DeadLetter,
}

impl DeadLetters {
    /// Takes the first `limit` ones, the oldest first, and at most [`MAX_TAKEN`], of one node after
    /// the other. Nodes of a cluster share their letters, which are then the first node's.
    ///
    /// # Errors
    /// A broker cannot be reached, or none has the feed.
    pub async fn take(urls: &[BrokerUrl], feed: &FeedName, limit: usize) -> Result<Self, DeadLetterError> {
        let no_feed = || DeadLetterError::NoFeed { feed: feed.clone(), queue: topology::dead_queue(feed) };
        let mut taken = Self { brokers: Vec::new(), letters: Vec::new() };
        for url in urls {
            taken.take_from(url, feed, limit.min(MAX_TAKEN)).await?;
        }
        if taken.brokers.is_empty() {
            return Err(no_feed());
        }
        Ok(taken)
    }

    async fn take_from(&mut self, url: &BrokerUrl, feed: &FeedName, limit: usize) -> Result<(), BrokerError> {
        let Self { brokers, letters } = self;
        let connection = Connection::open(url, "orchard deadletters").await?;
        let channel = connection.open_channel().await?;
        let mut bytes: usize = letters.iter().map(|taken| taken.letter.body.len()).sum();
        while letters.len() < limit && bytes < MAX_TAKEN_BYTES {
            let message = match channel.get(&topology::dead_queue(feed)).await {
                // A node on which the feed never was.
                Err(BrokerError::NotFound { .. }) => return Ok(()),
                message => message?,
            };
            let Some(message) = message else { break };
            let tag = message.tag;
            let letter = DeadLetter::of(message);
            bytes += letter.body.len();
            letters.push(Taken { broker: brokers.len(), tag, letter });
        }
        brokers.push(Broker { url: url.clone(), connection, channel });
        Ok(())
    }

    /// How many were taken.
    pub fn len(&self) -> usize {
        self.letters.len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Each with the broker it is on.
    pub fn iter(&self) -> impl Iterator<Item = (&BrokerUrl, &DeadLetter)> {
        self.letters.iter().map(|taken| (&self.brokers[taken.broker].url, &taken.letter))
    }

    /// One of them, counted from 1.
    ///
    /// # Errors
    /// There are not so many.
    pub fn get(&self, number: usize) -> Result<&DeadLetter, DeadLetterError> {
        self.taken(number).map(|taken| &taken.letter)
    }

    fn taken(&self, number: usize) -> Result<&Taken, DeadLetterError> {
        let place = number.checked_sub(1).and_then(|place| self.letters.get(place));
        place.ok_or(DeadLetterError::NoLetter { number, count: self.letters.len() })
    }

    /// Publishes one, counted from 1, to the queue that it was in. Should the connection be lost
    /// right then, it may be both there and here; to a cursor a frame that comes twice is nothing.
    ///
    /// # Errors
    /// Its queue is gone or full; it stays a dead letter.
    pub async fn requeue(&self, number: usize) -> Result<(), DeadLetterError> {
        let Taken { broker, tag, letter } = self.taken(number)?;
        if letter.queue.is_empty() {
            return Err(DeadLetterError::NoQueue { number });
        }
        let channel = &self.brokers[*broker].channel;
        let message = Message::persistent(&letter.body);
        let outcome = channel.publish_confirmed("", &letter.queue, &message).await?;
        if let Some(reason) = refusal(outcome) {
            return Err(DeadLetterError::Refused { number, queue: letter.queue.clone(), reason });
        }
        Ok(channel.ack(*tag).await?)
    }

    /// Removes one, counted from 1, for ever.
    ///
    /// # Errors
    /// There are not so many, or the connection is lost; it stays a dead letter.
    pub async fn remove(&self, number: usize) -> Result<(), DeadLetterError> {
        let taken = self.taken(number)?;
        let channel = &self.brokers[taken.broker].channel;
        Ok(channel.ack(taken.tag).await?)
    }

    /// Puts back what is left, and waits until every broker has confirmed that.
    ///
    /// # Errors
    /// A connection is lost: what was removed may still be there.
    pub async fn close(self) -> Result<(), BrokerError> {
        for Broker { connection, channel, .. } in &self.brokers {
            channel.close().await?;
            connection.close().await?;
        }
        Ok(())
    }
}

impl DeadLetter {
    fn of(delivery: Delivery) -> Self {
        let Delivery { headers, body, .. } = delivery;
        let text = |name| headers.text(name).unwrap_or_default();
        let at = headers.integer(AT).and_then(|at| u64::try_from(at).ok()).unwrap_or(0);
        Self {
            reason: text(REASON),
            queue: text(QUEUE),
            exchange: text(EXCHANGE),
            routing_key: text(ROUTING_KEY),
            at,
            body,
        }
    }
}

#[cfg(test)]
mod tests;
