//! Publishing with confirms, many messages at once.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::amqp::{AmqpConnection, Buffers};
use crate::{BrokerError, BrokerUrl, Outcome, Properties, TIMEOUT};

mod channels;
mod link;

/// So many messages wait to be written; whoever publishes then waits as well.
const WAITING: usize = 1024;

/// A message that is to be published and confirmed.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// The exchange; empty for the default one.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// Whether it comes back where no queue is there for it. It needs a message id then, by which it is known.
    pub is_mandatory: bool,
    /// What stands beside the payload.
    pub properties: Properties,
    /// The payload.
    pub body: Bytes,
}

/// How a [`Publisher`]'s connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublisherState {
    /// The broker takes messages.
    Open,
    /// The broker takes nothing at the moment, as it lacks memory or room on its disk.
    Blocked,
    /// The connection is lost.
    Lost,
}

/// Publishes over a connection of its own, which carries nothing else: a broker that takes no messages for a while
/// reads nothing from a connection that publishes, so acknowledgements must not stand behind them.
///
/// Any number of messages may wait for their confirms at once. They leave in the order in which they are given to
/// each channel, and each has its own answer, whatever the order in which the broker confirms. A broker closes a
/// channel by which something is published to an exchange that is not there: that message fails with
/// [`BrokerError::NotFound`], and the others are published again by the channel that is opened in its place, so
/// that the broker may have some of them twice.
///
/// The connection ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Publisher {
    url: BrokerUrl,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<PublisherState>,
}

/// A message on its way, and who waits for what becomes of it.
#[derive(Debug)]
struct Request {
    channel: u16,
    publication: Publication,
    answer: oneshot::Sender<Result<Outcome, BrokerError>>,
}

/// What becomes of a message: to be awaited, after others have been published.
#[derive(Debug)]
pub struct Confirm {
    url: BrokerUrl,
    answer: oneshot::Receiver<Result<Outcome, BrokerError>>,
}

impl Publisher {
    /// Connects under this name, which the broker's own tools show, with so many channels, counted from 0. To be
    /// called within tokio's runtime, on which the connection then lives.
    ///
    /// # Errors
    /// See [`BrokerError`]; it is [`BrokerError::Unreachable`] after [`TIMEOUT`].
    pub async fn open(url: &BrokerUrl, name: &str, channels: u16) -> Result<Self, BrokerError> {
        let connection = AmqpConnection::open(url, name, Buffers::none()).await?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let (to_state, state) = watch::channel(PublisherState::Open);
        tokio::spawn(link::Link::new(connection, channels, waiting, to_state).run());
        Ok(Self { url: url.clone(), requests, state })
    }

    /// The broker.
    pub fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// How the connection is, and whenever that changes.
    pub fn state(&self) -> watch::Receiver<PublisherState> {
        self.state.clone()
    }

    /// Whether the broker takes nothing at the moment.
    pub fn is_blocked(&self) -> bool {
        *self.state.borrow() == PublisherState::Blocked
    }

    /// Whether the connection is there, as far as is known.
    pub fn is_connected(&self) -> bool {
        *self.state.borrow() != PublisherState::Lost && !self.requests.is_closed()
    }

    /// Waits until the connection is lost.
    pub async fn lost(&self) {
        let mut state = self.state.clone();
        // An error says that nobody watches it any more, as its runtime ends.
        let _ = state.wait_for(|state| *state == PublisherState::Lost).await;
    }

    /// Puts a message behind those that were published by this channel before; waits only while too many wait to
    /// be written.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn publish(&self, channel: u16, publication: Publication) -> Result<Confirm, BrokerError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { channel, publication, answer };
        match tokio::time::timeout(TIMEOUT, self.requests.send(request)).await {
            Ok(Ok(())) => Ok(Confirm { url: self.url.clone(), answer: answered }),
            Ok(Err(_)) => Err(lost(&self.url, "it was closed")),
            Err(_) => Err(lost(&self.url, &format!("nothing could be written for {} s", TIMEOUT.as_secs()))),
        }
    }

    /// Publishes a message and waits for what becomes of it, up to [`TIMEOUT`].
    ///
    /// # Errors
    /// As [`Confirm::outcome`].
    pub async fn publish_confirmed(
        &self,
        channel: u16,
        publication: Publication,
    ) -> Result<Outcome, BrokerError> {
        self.publish(channel, publication).await?.outcome(TIMEOUT).await
    }
}

impl Confirm {
    /// Waits for what becomes of the message.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`]: its exchange is not there. [`BrokerError::Lost`]: the connection is lost, or the
    /// broker has not answered in this time; it may have the message or not. Else its headers are larger than the
    /// broker takes, or the broker refused it with a reason, and it was not published.
    pub async fn outcome(mut self, timeout: Duration) -> Result<Outcome, BrokerError> {
        self.wait(timeout).await
    }

    /// As [`Confirm::outcome`]; it may be dropped before it is done, and asked again. Once it is done it is not to
    /// be asked any more.
    ///
    /// # Errors
    /// As there.
    pub async fn wait(&mut self, timeout: Duration) -> Result<Outcome, BrokerError> {
        match tokio::time::timeout(timeout, &mut self.answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(lost(&self.url, "it was closed")),
            Err(_) => {
                Err(lost(&self.url, &format!("a message was not confirmed for {} s", timeout.as_secs())))
            }
        }
    }
}

fn lost(url: &BrokerUrl, reason: &str) -> BrokerError {
    BrokerError::Lost { url: url.to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
