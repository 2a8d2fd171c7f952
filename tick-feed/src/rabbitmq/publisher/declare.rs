//! What the ingester declares on a broker: exchanges, queues and bindings.

use super::PublisherPlan;
use crate::rabbitmq::topology::Durability;
use crate::rabbitmq::{dead_letters, topology};
use broker::{BrokerError, Channel, ExchangeKind, ExchangeOptions, QueueOptions, Table};
use tick_sdk::names::{FeedName, StrategyName};

/// Everything of a feed that is not one strategy's.
pub(super) async fn feed(channel: &Channel, feed: &FeedName) -> Result<(), BrokerError> {
    frames_exchange(channel, feed).await?;
    let control = topology::control_exchange(feed);
    channel.declare_exchange(&control, ExchangeKind::Fanout, ExchangeOptions::durable()).await?;
    let only_the_last = Table::default().with("x-max-length", 1).with("x-overflow", "drop-head");
    let options = QueueOptions::durable().with_arguments(only_the_last);
    channel.declare_queue(&topology::run_queue(feed), &options).await?;
    dead_letters::declare(channel, feed).await
}

/// The exchange that frames are published to.
pub(super) async fn frames_exchange(channel: &Channel, feed: &FeedName) -> Result<(), BrokerError> {
    let frames = topology::frames_exchange(feed);
    channel.declare_exchange(&frames, ExchangeKind::Direct, ExchangeOptions::durable()).await
}

/// A strategy's queue of one shard.
pub(super) async fn queue(
    channel: &Channel,
    plan: &PublisherPlan,
    strategy: &StrategyName,
    shard: u16,
) -> Result<(), BrokerError> {
    let arguments = queue_arguments(plan.durability, plan.queue_bytes);
    let name = topology::frames_queue(&plan.feed, strategy, shard);
    channel.declare_queue(&name, &QueueOptions::durable().with_arguments(arguments)).await.map(drop)
}

/// The arguments of every strategy's queues.
fn queue_arguments(durability: Durability, bytes: u64) -> Table {
    let kind = match durability {
        Durability::Memory => "classic",
        Durability::Replicated => "quorum",
    };
    let arguments = Table::default()
        .with("x-queue-type", kind)
        .with("x-single-active-consumer", true)
        .with("x-max-length-bytes", i64::try_from(bytes).unwrap_or(i64::MAX))
        .with("x-overflow", "reject-publish");
    match durability {
        Durability::Memory => arguments,
        // A frame may be delivered often because its hosts were restarted: it is not poison for that.
        Durability::Replicated => arguments.with("x-delivery-limit", NO_DELIVERY_LIMIT),
    }
}

/// As good as none: some versions have a low limit unless one is given, and others refuse -1.
const NO_DELIVERY_LIMIT: i64 = 1_000_000_000;

/// Gives a strategy's queue every frame of the shard from now on.
pub(super) async fn bind(
    channel: &Channel,
    feed: &FeedName,
    strategy: &StrategyName,
    shard: u16,
) -> Result<(), BrokerError> {
    let queue = topology::frames_queue(feed, strategy, shard);
    channel.bind_queue(&queue, &topology::frames_exchange(feed), &shard.to_string()).await
}

/// Gives a strategy's queue nothing more; what it holds stays.
pub(super) async fn unbind(
    channel: &Channel,
    feed: &FeedName,
    strategy: &StrategyName,
    shard: u16,
) -> Result<(), BrokerError> {
    let queue = topology::frames_queue(feed, strategy, shard);
    channel.unbind_queue(&queue, &topology::frames_exchange(feed), &shard.to_string()).await
}

/// Deletes a strategy's queue, with what it holds.
pub(super) async fn delete(
    channel: &Channel,
    feed: &FeedName,
    strategy: &StrategyName,
    shard: u16,
) -> Result<(), BrokerError> {
    channel.delete_queue(&topology::frames_queue(feed, strategy, shard)).await
}
