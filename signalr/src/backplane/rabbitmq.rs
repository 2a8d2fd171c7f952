//! Over RabbitMQ: a fanout exchange for a hub, and for each instance an exclusive queue that is bound to it.

mod session;

use std::fmt;
use std::sync::{Arc, OnceLock};

use broker::{BrokerUrl, Outcome, Properties, Publication, Publisher, TIMEOUT};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::{Backplane, BackplaneError, Envelope, Publishing, Receive, wire};

/// Publishes are confirmed by the broker. While it is away clients of this instance are reached, each
/// [`send`](crate::Target::send) returns an error that says so, and the connection is made again; what others publish in the
/// meantime does not reach this instance.
pub struct RabbitMq {
    instance: Arc<Instance>,
    task: OnceLock<AbortHandle>,
}

struct Instance {
    url: BrokerUrl,
    exchange: String,
    /// By which it knows what it has published itself.
    id: String,
    link: watch::Sender<Link>,
}

#[derive(Clone)]
enum Link {
    Connecting,
    Up(Box<Publisher>),
    Down(BackplaneError),
}

impl RabbitMq {
    /// `exchange` names the hub, and is the same on all its instances.
    pub fn new(url: BrokerUrl, exchange: impl Into<String>) -> Arc<Self> {
        let instance = Instance {
            url,
            exchange: exchange.into(),
            id: Uuid::new_v4().simple().to_string(),
            link: watch::Sender::new(Link::Connecting),
        };
        Arc::new(Self { instance: Arc::new(instance), task: OnceLock::new() })
    }

    /// Waits until this instance receives what others publish, once a hub uses it.
    ///
    /// # Errors
    /// The broker cannot be reached; it is tried again.
    pub async fn connected(&self) -> Result<(), BackplaneError> {
        self.instance.publisher().await.map(drop)
    }
}

impl Backplane for RabbitMq {
    fn start(&self, receive: Receive) {
        if self.task.get().is_some() {
            let exchange = &self.instance.exchange;
            tracing::error!(
                exchange,
                "a backplane is used by two hubs, the second receives nothing: give each its own"
            );
            return;
        }
        let instance = self.instance.clone();
        let task = tokio::spawn(async move { session::stay_connected(&instance, &receive).await });
        let _ = self.task.set(task.abort_handle());
    }

    fn publish(&self, envelope: Envelope) -> Publishing<'_> {
        Box::pin(self.instance.publish(envelope))
    }
}

impl Instance {
    async fn publish(&self, envelope: Envelope) -> Result<(), BackplaneError> {
        let publisher = self.publisher().await?;
        if publisher.is_blocked() {
            return Err(self.failed("the broker takes no messages, as it lacks memory or room on its disk"));
        }
        let publication = Publication {
            exchange: self.exchange.clone(),
            routing_key: String::new(),
            is_mandatory: false,
            properties: Properties { app_id: Some(self.id.clone()), ..Properties::default() },
            body: wire::encode(envelope).map_err(|error| self.failed(error))?,
        };
        match publisher.publish_confirmed(0, publication).await {
            Ok(Outcome::Confirmed) => Ok(()),
            Ok(outcome) => Err(self.failed(format!("a message was not taken: {outcome:?}"))),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn publisher(&self) -> Result<Publisher, BackplaneError> {
        let mut link = self.link.subscribe();
        let known = link.wait_for(|link| !matches!(link, Link::Connecting));
        match tokio::time::timeout(TIMEOUT, known).await.map(|known| known.map(|link| link.clone())) {
            Ok(Ok(Link::Up(publisher))) => Ok(*publisher),
            Ok(Ok(Link::Down(error))) => Err(error),
            _ => Err(self.failed("the broker does not answer")),
        }
    }

    fn failed(&self, reason: impl fmt::Display) -> BackplaneError {
        BackplaneError { reason: format!("{}, exchange {}: {reason}", self.url, self.exchange) }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RabbitMq({}, {})", self.instance.url, self.instance.exchange)
    }
}
