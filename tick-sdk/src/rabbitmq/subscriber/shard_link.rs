//! One shard's channel: deliveries in, acknowledgements out, and made anew when it is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;

use super::connection::{Open, Opened, opened};
use super::hub::Context;
use super::messages::{Delivered, FromBroker};
use super::prefetch::Prefetch;
use super::unacked::Ack;
use crate::rabbitmq::BrokerError;
use crate::rabbitmq::backoff::Backoff;

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

/// Why a channel is no longer of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The shard is given back.
    Released,
    /// More frames may be under way, which holds for a new channel.
    Widened,
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
                Ok(Ended::Released) => return,
                Ok(Ended::Widened) => continue,
                Err(error) => self.context.shared.lost(error.to_string()),
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            tokio::select! {
                () = wait => {}
                () = closed(&mut self.inbox) => return,
            }
        }
    }

    /// Consumes by one channel until that ends.
    async fn consume(&mut self, open: &Open, backoff: &mut Backoff) -> Result<Ended, BrokerError> {
        let url = &open.url;
        let channel = url.answer(open.connection.create_channel()).await?;
        let mut consumer = self.begin(open, &channel).await?;
        let ended = self.pass_on(open, &channel, &mut consumer, backoff).await;
        // What is not acknowledged goes back in order, before anybody else consumes. The consumer is
        // never cancelled before that: a classic queue that is not empty then gives the turn to one
        // that waits, gives that nothing, and crashes at the next message (rabbitmq-server issue 5460,
        // seen with 3.10).
        let closing = url.answer(channel.close(200, "released".into())).await;
        drop(consumer);
        let ended = ended?;
        closing.map(|()| ended)
    }

    async fn begin(&self, open: &Open, channel: &Channel) -> Result<Consumer, BrokerError> {
        let url = &open.url;
        url.answer(channel.basic_qos(self.prefetch.count(), BasicQosOptions::default())).await?;
        let (queue, options) = (self.queue.as_str().into(), BasicConsumeOptions::default());
        url.answer(channel.basic_consume(queue, "".into(), options, FieldTable::default())).await
    }

    /// Passes deliveries on, and acknowledgements back.
    async fn pass_on(
        &mut self,
        open: &Open,
        channel: &Channel,
        consumer: &mut Consumer,
        backoff: &mut Backoff,
    ) -> Result<Ended, BrokerError> {
        let url = &open.url;
        let link = self.context.links.fetch_add(1, Ordering::Relaxed);
        self.context.forward(FromBroker::Opened { shard: self.shard, link }).await;
        loop {
            tokio::select! {
                biased;
                command = self.inbox.recv() => match command {
                    Some(ShardCommand::Ack { link: by, ack }) if by == link => {
                        url.answer(acknowledge(channel, ack)).await?;
                    }
                    Some(ShardCommand::Ack { .. }) => {}
                    Some(ShardCommand::Widen) => {
                        self.prefetch.widen();
                        return Ok(Ended::Widened);
                    }
                    None => return Ok(Ended::Released),
                },
                delivery = consumer.next() => match delivery {
                    Some(Ok(delivery)) => {
                        backoff.reset();
                        self.deliver(link, delivery).await;
                    }
                    Some(Err(error)) => return Err(url.failed(&error)),
                    None => return Err(self.cancelled(open)),
                },
            }
        }
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
