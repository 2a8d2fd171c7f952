//! The connection to the broker, made again whenever it is lost.

use std::time::Duration;

use broker::backoff::Backoff;
use broker::{
    Acknowledgement, BrokerError, Channel, Connection, Consumer, Delivery, ExchangeKind, ExchangeOptions,
    Publisher, QueueOptions, Table,
};
use bytes::Bytes;

use super::{Instance, Link, Receive, wire};

/// What waits at the broker for an instance that does not keep up: beyond it the oldest is dropped.
const MAX_QUEUE_BYTES: i64 = 64 * 1024 * 1024;
/// Delivered and not acknowledged.
const PREFETCH: u16 = 256;
/// So long it waits for a message before it looks whether it can still publish.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn stay_connected(instance: &Instance, receive: &Receive) {
    let mut backoff = Backoff::default();
    loop {
        let error = match Session::open(instance).await {
            Ok(session) => {
                backoff.reset();
                instance.link.send_replace(Link::Up(Box::new(session.publisher.clone())));
                session.run(instance, receive).await
            }
            Err(error) => error,
        };
        let error = instance.failed(error);
        tracing::warn!(%error, "clients of other instances are not reached; the connection is made again");
        instance.link.send_replace(Link::Down(error));
        tokio::time::sleep(backoff.next_wait()).await;
    }
}

struct Session {
    /// Its end ends the queue.
    _connection: Connection,
    channel: Channel,
    consumer: Consumer,
    publisher: Publisher,
}

impl Session {
    async fn open(instance: &Instance) -> Result<Self, BrokerError> {
        let name = format!("hub {}", instance.exchange);
        let connection = Connection::open(&instance.url, &name).await?;
        let channel = connection.open_channel().await?;
        channel
            .declare_exchange(&instance.exchange, ExchangeKind::Fanout, ExchangeOptions::default())
            .await?;
        let bound = Table::default().with("x-max-length-bytes", MAX_QUEUE_BYTES);
        let queue = channel.declare_queue("", &QueueOptions::exclusive().with_arguments(bound)).await?.name;
        channel.bind_queue(&queue, &instance.exchange, "").await?;
        channel.set_prefetch(PREFETCH).await?;
        let consumer = channel.consume(&queue, Acknowledgement::Explicit).await?;
        let publisher = Publisher::open(&instance.url, &name, 1).await?;
        Ok(Self { _connection: connection, channel, consumer, publisher })
    }

    /// Until one of its two connections is lost.
    async fn run(mut self, instance: &Instance, receive: &Receive) -> BrokerError {
        let mut unacknowledged = None;
        loop {
            // What has come is acknowledged together, when nothing more has come.
            let wait = if unacknowledged.is_some() { Duration::ZERO } else { LONGEST_WAIT };
            match self.consumer.next(wait).await {
                Ok(Some(delivery)) => {
                    unacknowledged = Some(delivery.tag);
                    pass_on(instance, receive, delivery);
                }
                Ok(None) => {
                    if let Some(tag) = unacknowledged.take()
                        && let Err(error) = self.channel.ack_up_to(tag).await
                    {
                        return error;
                    }
                    if !self.publisher.is_connected() {
                        return BrokerError::Lost {
                            url: instance.url.to_string(),
                            reason: "the connection that publishes is lost".to_owned(),
                        };
                    }
                }
                Err(error) => return error,
            }
        }
    }
}

fn pass_on(instance: &Instance, receive: &Receive, delivery: Delivery) {
    if delivery.properties.app_id.as_deref() == Some(&instance.id) {
        return;
    }
    match wire::decode(Bytes::from(delivery.body)) {
        Ok(envelope) => receive(envelope),
        Err(error) => {
            tracing::warn!(exchange = instance.exchange, %error, "a message of another instance is dropped")
        }
    }
}
