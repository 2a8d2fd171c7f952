//! One shard's channel: deliveries in, acknowledgements out, and made anew when it is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;

use super::connection::{Open, Opened, opened};
use super::hub::Context;
use super::messages::{Delivered, FromBroker};
use super::prefetch::Prefetch;
use super::unacked::Ack;
use crate::rabbitmq::backoff::Backoff;
use crate::rabbitmq::{BrokerError, Durability};

/// To one shard's link.
pub(super) enum ShardCommand {
    Ack { link: u32, ack: Ack },
    Widen,
}

/// One shard's link; it ends when its inbox is closed.
pub(super) struct ShardLink {
    pub(super) context: Arc<Context>,
    pub(super) shard: u16,
    pub(super) queue: String,
    pub(super) connections: Opened,
    pub(super) inbox: mpsc::Receiver<ShardCommand>,
    pub(super) prefetch: Prefetch,
}

/// A channel that consumes.
struct Consuming {
    channel: Channel,
    consumer: Consumer,
    link: u32,
}

impl ShardLink {
    /// Consumes until it is told to end, over as many channels as that takes.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let open = tokio::select! {
                open = opened(&mut self.connections) => open,
                () = closed(&mut self.inbox) => None,
            };
            let Some(open) = open else { return };
            match self.consume(&open, &mut backoff).await {
                Ok(()) => return,
                Err(error) => self.context.shared.lost(error.to_string()),
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            tokio::select! {
                () = wait => {}
                () = closed(&mut self.inbox) => return,
            }
        }
    }

    /// Consumes by one channel until it is told to end.
    async fn consume(&mut self, open: &Open, backoff: &mut Backoff) -> Result<(), BrokerError> {
        let url = &open.url;
        let channel = url.answer(open.connection.create_channel()).await?;
        let consumer = self.begin(open, &channel).await?;
        let link = self.context.links.fetch_add(1, Ordering::Relaxed);
        let mut consuming = Consuming { channel, consumer, link };
        self.context.forward(FromBroker::Opened { shard: self.shard, link }).await;
        loop {
            tokio::select! {
                biased;
                command = self.inbox.recv() => match command {
                    Some(ShardCommand::Ack { link, ack }) if link == consuming.link => {
                        url.answer(acknowledge(&consuming.channel, ack)).await?;
                    }
                    Some(ShardCommand::Ack { .. }) => {}
                    Some(ShardCommand::Widen) => {
                        self.prefetch.widen();
                        self.change_limit(open, &mut consuming).await?;
                    }
                    None => {
                        // What is not acknowledged goes back in order, before anybody else consumes.
                        return url.answer(consuming.channel.close(200, "released".into())).await;
                    }
                },
                delivery = consuming.consumer.next() => match delivery {
                    Some(Ok(delivery)) => {
                        backoff.reset();
                        let changed = self.prefetch.note(delivery.data.len());
                        self.deliver(link, delivery).await;
                        if changed {
                            self.change_limit(open, &mut consuming).await?;
                        }
                    }
                    Some(Err(error)) => return Err(url.failed(&error)),
                    None => return Err(self.cancelled(open)),
                },
            }
        }
    }

    async fn begin(&self, open: &Open, channel: &Channel) -> Result<Consumer, BrokerError> {
        let url = &open.url;
        self.limit(open, channel).await?;
        let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
        url.answer(channel.basic_consume(queue, "".into(), options, FieldTable::default())).await
    }

    /// Sets the prefetch count. Of a channel as a whole it holds at once, and classic queues know that.
    async fn limit(&self, open: &Open, channel: &Channel) -> Result<(), BrokerError> {
        let options = BasicQosOptions { global: self.is_classic() };
        open.url.answer(channel.basic_qos(self.prefetch.count(), options)).await
    }

    fn is_classic(&self) -> bool {
        self.context.shared.state().is_none_or(|state| state.durability == Durability::Memory)
    }

    /// Makes another prefetch count hold.
    async fn change_limit(&mut self, open: &Open, consuming: &mut Consuming) -> Result<(), BrokerError> {
        if self.is_classic() {
            // Its consumer is never cancelled: a classic queue that is not empty then gives the turn
            // to the next one and gives it nothing, and crashes at the next message (seen with 3.10).
            return self.limit(open, &consuming.channel).await;
        }
        // A quorum queue's count holds for the channel's next consumer only.
        let tag = consuming.consumer.tag();
        open.url.answer(consuming.channel.basic_cancel(tag, BasicCancelOptions::default())).await?;
        // What was on its way when it was cancelled comes before what the next one is given.
        while let Some(delivery) = consuming.consumer.next().await {
            let delivery = delivery.map_err(|error| open.url.failed(&error))?;
            self.deliver(consuming.link, delivery).await;
        }
        consuming.consumer = self.begin(open, &consuming.channel).await?;
        Ok(())
    }

    async fn deliver(&self, link: u32, delivery: Delivery) {
        let Delivery { delivery_tag, exchange, routing_key, redelivered, data, .. } = delivery;
        let counts = &self.context.shared.counts;
        counts.frames.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        counts.redelivered.fetch_add(redelivered.into(), Ordering::Relaxed);
        let delivered = Delivered {
            shard: self.shard,
            link,
            tag: delivery_tag,
            prefetch: self.prefetch.count(),
            exchange,
            routing_key,
            body: data,
        };
        self.context.forward(FromBroker::Delivery(delivered)).await;
    }

    fn cancelled(&self, open: &Open) -> BrokerError {
        let problem = format!("queue {} was deleted or has moved: its consumer was cancelled", self.queue);
        BrokerError::Other { url: open.url.to_string(), problem }
    }
}

async fn acknowledge(channel: &Channel, ack: Ack) -> lapin::Result<()> {
    match ack {
        Ack::UpTo(tag) => channel.basic_ack(tag, BasicAckOptions { multiple: true }).await,
        Ack::One(tag) => channel.basic_ack(tag, BasicAckOptions { multiple: false }).await,
    }
}

/// Waits until nobody can command any more; what is commanded before has lost its meaning.
async fn closed(inbox: &mut mpsc::Receiver<ShardCommand>) {
    while inbox.recv().await.is_some() {}
}
