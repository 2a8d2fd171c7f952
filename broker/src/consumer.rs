//! What a queue delivers, one message after the other.

use std::time::Duration;

use futures_util::StreamExt;

use crate::{BrokerError, BrokerUrl, Delivery};

/// When the broker may forget a message that it delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// At once.
    Automatic,
    /// When its channel acknowledges it.
    Explicit,
}

/// A subscription to a queue; dropping it ends the subscription.
#[derive(Debug)]
pub struct Consumer {
    url: BrokerUrl,
    queue: String,
    inner: lapin::Consumer,
}

impl Consumer {
    pub(crate) fn new(url: BrokerUrl, inner: lapin::Consumer) -> Self {
        Self { url, queue: inner.queue().to_string(), inner }
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The next message; `None` if none came within this time. It may be dropped before it is done
    /// without losing a message.
    ///
    /// # Errors
    /// The connection is lost, the channel was closed, or the queue was deleted: nothing more comes.
    pub async fn next(&mut self, timeout: Duration) -> Result<Option<Delivery>, BrokerError> {
        match tokio::time::timeout(timeout, self.inner.next()).await {
            Err(_) => Ok(None),
            Ok(Some(Ok(delivery))) => Ok(Some(Delivery::of(delivery))),
            Ok(Some(Err(error))) => Err(BrokerError::of_established(&self.url, &error)),
            Ok(None) => {
                let reason = format!("queue {} was deleted: its consumer was cancelled", self.queue);
                Err(BrokerError::Lost { url: self.url.to_string(), reason })
            }
        }
    }
}
