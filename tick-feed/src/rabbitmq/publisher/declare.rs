//! What the ingester declares on a broker: exchanges, queues and bindings.

use crate::rabbitmq::topology;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::PublisherPlan;
use crate::rabbitmq::dead_letters;
use crate::rabbitmq::topology::Durability;
use broker::{BrokerError, BrokerUrl};
use tick_sdk::names::FeedName;

/// Everything of a feed that is not one strategy's.
pub(super) async fn feed(url: &BrokerUrl, channel: &Channel, feed: &FeedName) -> Result<(), BrokerError> {
    frames_exchange(url, channel, feed).await?;
    let control = exchange(channel, topology::control_exchange(feed), ExchangeKind::Fanout);
    url.answer(control).await?;
    let mut only_the_last = FieldTable::default();
    only_the_last.insert("x-max-length".into(), AMQPValue::LongInt(1));
    only_the_last.insert("x-overflow".into(), text("drop-head"));
    url.answer(channel.queue_declare(topology::run_queue(feed).into(), DURABLE, only_the_last)).await?;
    dead_letters::declare(url, channel, feed).await
}

/// The exchange that frames are published to.
pub(super) async fn frames_exchange(
    url: &BrokerUrl,
    channel: &Channel,
    feed: &FeedName,
) -> Result<(), BrokerError> {
    url.answer(exchange(channel, topology::frames_exchange(feed), ExchangeKind::Direct)).await
}

const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

async fn exchange(channel: &Channel, name: String, kind: ExchangeKind) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

/// A strategy's queue of one shard.
pub(super) async fn queue(
    url: &BrokerUrl,
    channel: &Channel,
    plan: &PublisherPlan,
    strategy: &str,
    shard: u16,
) -> Result<(), BrokerError> {
    let arguments = queue_arguments(plan.durability, plan.queue_bytes);
    let name = topology::frames_queue(&plan.feed, strategy, shard);
    url.answer(channel.queue_declare(name.into(), DURABLE, arguments)).await.map(drop)
}

/// The arguments of every strategy's queues.
fn queue_arguments(durability: Durability, bytes: u64) -> FieldTable {
    let mut arguments = FieldTable::default();
    let kind = match durability {
        Durability::Memory => "classic",
        Durability::Replicated => "quorum",
    };
    arguments.insert("x-queue-type".into(), text(kind));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    if durability == Durability::Replicated {
        // A frame that is delivered often was not taken in often: that says nothing against it.
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_DELIVERY_LIMIT));
    }
    arguments
}

/// As good as none: some versions have a low limit unless one is given, and others refuse -1.
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// Gives a strategy's queue every frame of the shard from now on.
pub(super) async fn bind(
    url: &BrokerUrl,
    channel: &Channel,
    feed: &FeedName,
    strategy: &str,
    shard: u16,
) -> Result<(), BrokerError> {
    let (queue, exchange) = (topology::frames_queue(feed, strategy, shard), topology::frames_exchange(feed));
    let key = shard.to_string().into();
    let bind = channel.queue_bind(
        queue.into(),
        exchange.into(),
        key,
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    url.answer(bind).await
}

/// Gives a strategy's queue nothing more; what it holds stays.
pub(super) async fn unbind(
    url: &BrokerUrl,
    channel: &Channel,
    feed: &FeedName,
    strategy: &str,
    shard: u16,
) -> Result<(), BrokerError> {
    let (queue, exchange) = (topology::frames_queue(feed, strategy, shard), topology::frames_exchange(feed));
    let key = shard.to_string().into();
    url.answer(channel.queue_unbind(queue.into(), exchange.into(), key, FieldTable::default())).await
}

/// Deletes a strategy's queue, with what it holds.
pub(super) async fn delete(
    url: &BrokerUrl,
    channel: &Channel,
    feed: &FeedName,
    strategy: &str,
    shard: u16,
) -> Result<(), BrokerError> {
    let name = topology::frames_queue(feed, strategy, shard);
    url.answer(channel.queue_delete(name.into(), QueueDeleteOptions::default())).await.map(drop)
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}
