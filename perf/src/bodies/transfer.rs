//! Opaque bodies through one broker, over the connections that carry frames: how much the transport
//! moves by itself, without ticks, checks, strategies or a ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::amqp::AmqpConnection;
use broker::amqp::protocol::{AMQPClass, channel};
use broker::{BrokerError, BrokerUrl, Channel, Connection, ExchangeKind, ExchangeOptions, QueueOptions};
use tick_feed::rabbitmq::event_loop;
use tick_sdk::names::RunId;

use super::consume::consume;
use super::publish::publish;

/// What to move.
#[derive(Clone, Debug)]
pub(crate) struct BodyLoad {
    /// Bytes of one body; at least [`FEWEST_BYTES`](super::body::FEWEST_BYTES).
    pub(crate) body_bytes: usize,
    /// How many bodies are published, unless `stop` is set before.
    pub(crate) messages: u64,
    /// At most so many without a confirm. A quarter of it is acknowledged together.
    pub(crate) window: usize,
    /// How many queues get each body; a consumer each.
    pub(crate) queues: u16,
    /// Bodies/s that are due; `None` for as fast as it goes.
    pub(crate) rate: Option<f64>,
}

/// Between looks at what nobody wakes a task for.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// The one channel of each connection.
pub(super) const CHANNEL: u16 = 1;

/// Follows every body.
pub(crate) trait BodyObserver: Sync {
    /// The first one is due now.
    fn began(&self, at: Instant);
    /// One was written to the broker, or is about to be.
    fn sent(&self);
    /// So many more are confirmed.
    fn confirmed(&self, messages: u64);
    /// One came out of a queue that was due so long after the first.
    fn delivered(&self, due: Duration);
}

/// Moves the load; ends when everything is confirmed and has come out of each queue.
///
/// # Errors
/// The broker is not there, refuses, or is lost.
pub(crate) fn move_bodies(
    broker: &BrokerUrl,
    load: &BodyLoad,
    stop: &AtomicBool,
    observer: &dyn BodyObserver,
) -> Result<(), BrokerError> {
    let runtime = event_loop()?;
    let name = format!("orchard.bodies.{}.{}", std::process::id(), RunId::random());
    let connection = runtime.block_on(Connection::open(broker, "perf, declarations"))?;
    let declarations = runtime.block_on(connection.open_channel())?;
    runtime.block_on(declare(&declarations, &name, load.queues))?;
    let published = AtomicU64::new(load.messages);
    let moved = std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..load.queues)
            .map(|queue| {
                let (name, published) = (format!("{name}.{queue}"), &published);
                scope.spawn(move || event_loop()?.block_on(consume(broker, &name, load, published, observer)))
            })
            .collect();
        let sent = runtime.block_on(publish(broker, &name, load, stop, observer));
        // Without that the consumers would wait for what never comes.
        published.store(*sent.as_ref().unwrap_or(&0), Ordering::Release);
        let ended = consumers.into_iter().map(|consumer| consumer.join().expect("a consumer does not panic"));
        ended.fold(sent.map(drop), Result::and)
    });
    runtime.block_on(remove(&declarations, &name, load.queues))?;
    moved
}

async fn declare(channel: &Channel, name: &str, queues: u16) -> Result<(), BrokerError> {
    channel.declare_exchange(name, ExchangeKind::Fanout, ExchangeOptions::auto_delete()).await?;
    for queue in 0..queues {
        let queue = format!("{name}.{queue}");
        channel.declare_queue(&queue, &QueueOptions::default()).await?;
        channel.bind_queue(&queue, name, "").await?;
    }
    Ok(())
}

async fn remove(channel: &Channel, name: &str, queues: u16) -> Result<(), BrokerError> {
    for queue in 0..queues {
        channel.delete_queue(&format!("{name}.{queue}")).await?;
    }
    channel.delete_exchange(name).await
}

pub(super) fn open_channel(connection: &mut AmqpConnection) {
    connection.send(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
}
