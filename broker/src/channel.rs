//! One channel of a connection, and everything that is asked of a broker over it.

use lapin::Confirmation;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicQosOptions, BasicRecoverOptions, ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use lapin::types::FieldTable;

use crate::connection::answer;
use crate::{
    Acknowledgement, BrokerError, BrokerUrl, Consumer, Delivery, ExchangeKind, ExchangeOptions, Message,
    Outcome, QueueOptions, QueueStatus,
};

/// A channel: its requests are answered in order, and a refused one closes it. It ends when the last
/// clone is dropped, and what it has not acknowledged then goes back to its queue.
///
/// Every method fails with the [`BrokerError`] that says what the broker refused, or with
/// [`BrokerError::Lost`] where it has not answered within [`TIMEOUT`](crate::TIMEOUT).
#[derive(Clone, Debug)]
pub struct Channel {
    url: BrokerUrl,
    inner: lapin::Channel,
}

impl Channel {
    pub(crate) fn new(url: BrokerUrl, inner: lapin::Channel) -> Self {
        Self { url, inner }
    }

    async fn answer<T>(&self, request: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
        answer(&self.url, request).await
    }

    /// The broker.
    pub fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// Whether requests may be made: it was not closed, and its connection is there.
    pub fn is_open(&self) -> bool {
        self.inner.status().connected()
    }

    /// Ends it, and waits until the broker has done so: what was not acknowledged is back in its queue.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(&self) -> Result<(), BrokerError> {
        self.answer(self.inner.close(200, "done".into())).await
    }

    /// Declares an exchange.
    ///
    /// # Errors
    /// [`BrokerError::Arguments`] if there is another of this name.
    pub async fn declare_exchange(
        &self,
        name: &str,
        kind: ExchangeKind,
        options: ExchangeOptions,
    ) -> Result<(), BrokerError> {
        let (kind, options) = (kind.of_lapin(), options.of_lapin());
        self.answer(self.inner.exchange_declare(name.into(), kind, options, FieldTable::default())).await
    }

    /// Looks at an exchange without declaring it.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if it is not there, which closes the channel.
    pub async fn inspect_exchange(&self, name: &str) -> Result<(), BrokerError> {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        // Of a passive declaration the broker looks at the name only.
        let kind = lapin::ExchangeKind::Fanout;
        self.answer(self.inner.exchange_declare(name.into(), kind, options, FieldTable::default())).await
    }

    /// Has one exchange pass on to another the messages with this routing key.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if one of them is not there.
    pub async fn bind_exchange(&self, to: &str, from: &str, key: &str) -> Result<(), BrokerError> {
        let (options, none) = (ExchangeBindOptions::default(), FieldTable::default());
        self.answer(self.inner.exchange_bind(to.into(), from.into(), key.into(), options, none)).await
    }

    /// Ends a binding of two exchanges.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn unbind_exchange(&self, to: &str, from: &str, key: &str) -> Result<(), BrokerError> {
        let (options, none) = (ExchangeUnbindOptions::default(), FieldTable::default());
        self.answer(self.inner.exchange_unbind(to.into(), from.into(), key.into(), options, none)).await
    }

    /// Deletes an exchange with its bindings; one that is not there is no error.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn delete_exchange(&self, name: &str) -> Result<(), BrokerError> {
        self.answer(self.inner.exchange_delete(name.into(), ExchangeDeleteOptions::default())).await
    }

    /// Declares a queue; without a name the broker chooses one.
    ///
    /// # Errors
    /// [`BrokerError::Arguments`] if there is another of this name, [`BrokerError::Locked`] if it is
    /// another connection's.
    pub async fn declare_queue(
        &self,
        name: &str,
        options: &QueueOptions,
    ) -> Result<QueueStatus, BrokerError> {
        let arguments = options.arguments.0.clone();
        let declared = self.answer(self.inner.queue_declare(name.into(), options.of_lapin(), arguments));
        Ok(QueueStatus::of(&declared.await?))
    }

    /// Looks at a queue without declaring it.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if it is not there, [`BrokerError::Locked`] if it is another
    /// connection's; either closes the channel.
    pub async fn inspect_queue(&self, name: &str) -> Result<QueueStatus, BrokerError> {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = self.answer(self.inner.queue_declare(name.into(), options, FieldTable::default()));
        Ok(QueueStatus::of(&found.await?))
    }

    /// Has an exchange give a queue the messages with this routing key.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if one of them is not there.
    pub async fn bind_queue(&self, queue: &str, exchange: &str, key: &str) -> Result<(), BrokerError> {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        self.answer(self.inner.queue_bind(queue.into(), exchange.into(), key.into(), options, none)).await
    }

    /// Ends a binding; what the queue holds stays.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn unbind_queue(&self, queue: &str, exchange: &str, key: &str) -> Result<(), BrokerError> {
        let none = FieldTable::default();
        self.answer(self.inner.queue_unbind(queue.into(), exchange.into(), key.into(), none)).await
    }

    /// Drops the messages that wait in a queue; gives how many.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if it is not there.
    pub async fn purge_queue(&self, name: &str) -> Result<u32, BrokerError> {
        self.answer(self.inner.queue_purge(name.into(), QueuePurgeOptions::default())).await
    }

    /// Deletes a queue with what it holds; one that is not there is no error.
    ///
    /// # Errors
    /// [`BrokerError::Locked`] if it is another connection's.
    pub async fn delete_queue(&self, name: &str) -> Result<(), BrokerError> {
        self.answer(self.inner.queue_delete(name.into(), QueueDeleteOptions::default())).await.map(drop)
    }

    /// Takes the first message of a queue, to be acknowledged; `None` if it is empty.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if the queue is not there.
    pub async fn get(&self, queue: &str) -> Result<Option<Delivery>, BrokerError> {
        let got = self.answer(self.inner.basic_get(queue.into(), BasicGetOptions::default())).await?;
        Ok(got.map(|message| Delivery::of(message.delivery)))
    }

    /// The broker may forget the delivery with this tag.
    ///
    /// # Errors
    /// The channel is closed; the message is delivered again.
    pub async fn ack(&self, tag: u64) -> Result<(), BrokerError> {
        self.answer(self.inner.basic_ack(tag, BasicAckOptions::default())).await
    }

    /// The broker may forget the delivery with this tag and all that this channel got before it.
    ///
    /// # Errors
    /// The channel is closed; the messages are delivered again.
    pub async fn ack_up_to(&self, tag: u64) -> Result<(), BrokerError> {
        self.answer(self.inner.basic_ack(tag, BasicAckOptions { multiple: true })).await
    }

    /// Puts the delivery with this tag back into its queue.
    ///
    /// # Errors
    /// The channel is closed, which puts it back as well.
    pub async fn requeue(&self, tag: u64) -> Result<(), BrokerError> {
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        self.answer(self.inner.basic_nack(tag, options)).await
    }

    /// Puts back all that was delivered by this channel and is not acknowledged, each to its place where it can be.
    ///
    /// # Errors
    /// The channel is closed; they are delivered again.
    pub async fn return_all(&self) -> Result<(), BrokerError> {
        self.answer(self.inner.basic_recover(BasicRecoverOptions { requeue: true })).await
    }

    /// Publishes a message without asking what becomes of it. The default exchange, whose name is empty,
    /// gives it to the queue that the key names.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn publish(&self, exchange: &str, key: &str, message: &Message<'_>) -> Result<(), BrokerError> {
        let options = BasicPublishOptions::default();
        let (exchange, key, properties) = (exchange.into(), key.into(), message.properties.to_amqp());
        let publishing = self.inner.basic_publish(exchange, key, options, message.body, properties);
        self.answer(publishing).await.map(drop)
    }

    /// Puts the channel into confirm mode, which has to be done once before several messages are published at once.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn confirm_publishes(&self) -> Result<(), BrokerError> {
        if self.inner.status().confirm() {
            return Ok(());
        }
        self.answer(self.inner.confirm_select(ConfirmSelectOptions::default())).await
    }

    /// Publishes a message and waits until the broker has said what becomes of it. It puts the channel into
    /// confirm mode.
    ///
    /// # Errors
    /// The connection is lost, and the broker may have the message or not.
    pub async fn publish_confirmed(
        &self,
        exchange: &str,
        key: &str,
        message: &Message<'_>,
    ) -> Result<Outcome, BrokerError> {
        self.confirm_publishes().await?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key, properties) = (exchange.into(), key.into(), message.properties.to_amqp());
        let publishing =
            async { self.inner.basic_publish(exchange, key, options, message.body, properties).await?.await };
        match self.answer(publishing).await? {
            Confirmation::Ack(None) => Ok(Outcome::Confirmed),
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Ok(Outcome::Returned),
            Confirmation::Nack(None) => Ok(Outcome::Refused),
            Confirmation::NotRequested => Err(BrokerError::Other {
                url: self.url.to_string(),
                reason: "the channel does not confirm what is published".to_owned(),
            }),
        }
    }

    /// At most so many messages are delivered to a consumer of this channel and not acknowledged; for
    /// consumers that are made from now on.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn set_prefetch(&self, count: u16) -> Result<(), BrokerError> {
        self.answer(self.inner.basic_qos(count, BasicQosOptions::default())).await
    }

    /// Subscribes to a queue.
    ///
    /// # Errors
    /// [`BrokerError::NotFound`] if it is not there.
    pub async fn consume(
        &self,
        queue: &str,
        acknowledgement: Acknowledgement,
    ) -> Result<Consumer, BrokerError> {
        let no_ack = acknowledgement == Acknowledgement::Automatic;
        let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
        let consuming = self.inner.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        Ok(Consumer::new(self.url.clone(), self.answer(consuming).await?))
    }
}
