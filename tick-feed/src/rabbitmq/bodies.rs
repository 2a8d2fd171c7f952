//! Opaque bodies through one broker, over the connections that carry frames: how much the transport
//! moves by itself, without ticks, checks, strategies or a ledger.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use broker::amqp::protocol::{AMQPClass, BasicProperties, basic, channel, confirm};
use bytes::Bytes;
use tokio::time::{sleep_until, timeout};

use super::event_loop::event_loop;
use broker::amqp::Buffers;
use broker::amqp::{AmqpConnection, Envelope, Parts, Received};
use broker::{BrokerError, BrokerUrl, Channel, Connection, ExchangeKind, ExchangeOptions, QueueOptions};
use tick_sdk::Tick;
use tick_sdk::names::RunId;

/// What to move.
#[derive(Clone, Debug)]
pub struct BodyLoad {
    /// Bytes of one body; at least [`FEWEST_BYTES`].
    pub body_bytes: usize,
    /// How many bodies are published, unless `stop` is set before.
    pub messages: u64,
    /// At most so many without a confirm. A quarter of it is acknowledged together.
    pub window: usize,
    /// How many queues get each body; a consumer each.
    pub queues: u16,
    /// Bodies/s that are due; `None` for as fast as it goes.
    pub rate: Option<f64>,
}

/// A body begins with the time when it was due.
pub const FEWEST_BYTES: usize = 16;
/// So much may wait for the socket.
const MAX_UNWRITTEN_BYTES: usize = 1 << 20;
/// So much is written at once.
const WRITE_AT_ONCE: usize = 128 << 10;
/// Between looks at what nobody wakes a task for.
const LOOK: Duration = Duration::from_millis(50);
/// A broker that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const CHANNEL: u16 = 1;

/// Is told of every body.
pub trait BodyObserver: Sync {
    /// The first one is due now.
    fn began(&self, at: Instant);
    /// One was written to the broker, or is about to be.
    fn sent(&self);
    /// So many more are confirmed.
    fn confirmed(&self, messages: u64);
    /// One came out of a queue that was due so long after the first.
    fn delivered(&self, due: Duration);
}

/// Moves the load, and gives how long that took: from the first publish until everything is confirmed
/// and has come out of each queue.
///
/// # Errors
/// The broker is not there, refuses, or is lost.
pub fn move_bodies(
    broker: &BrokerUrl,
    load: &BodyLoad,
    stop: &AtomicBool,
    observer: &dyn BodyObserver,
) -> Result<Duration, BrokerError> {
    let runtime = event_loop()?;
    let name = format!("orchard.bodies.{}.{}", std::process::id(), RunId::random());
    let connection = runtime.block_on(Connection::open(broker, "perf, declarations"))?;
    let declarations = runtime.block_on(connection.open_channel())?;
    runtime.block_on(declare(&declarations, &name, load.queues))?;
    let published = AtomicU64::new(load.messages);
    let started = Instant::now();
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
    let took = started.elapsed();
    runtime.block_on(remove(&declarations, &name, load.queues))?;
    moved.map(|()| took)
}

/// What a broker calls itself, with its version: `RabbitMQ 3.10.8`.
///
/// # Errors
/// The broker is not there, or refuses.
pub fn product(broker: &BrokerUrl) -> Result<String, BrokerError> {
    event_loop()?.block_on(async {
        let connection = AmqpConnection::open(broker, "perf, version", Buffers::none()).await?;
        let product = connection.peer().to_owned();
        connection.close().await;
        Ok(product)
    })
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

/// Gives how many were published.
async fn publish(
    broker: &BrokerUrl,
    exchange: &str,
    load: &BodyLoad,
    stop: &AtomicBool,
    observer: &dyn BodyObserver,
) -> Result<u64, BrokerError> {
    let mut connection = AmqpConnection::open(broker, "perf, bodies", Buffers::none()).await?;
    open_channel(&mut connection);
    let select = confirm::AMQPMethod::Select(confirm::Select { nowait: true });
    connection.send(CHANNEL, AMQPClass::Confirm(select));
    let properties = BasicProperties::default().with_delivery_mode(1);
    let envelope = Envelope::new(CHANNEL, exchange, "", true, properties);
    let mut body = Body::new(load.body_bytes);
    let began = Instant::now();
    observer.began(began);
    let (mut sent, mut confirmed) = (0, 0);
    let mut confirms = Confirms::default();
    while confirmed < sent || (sent < load.messages && !stop.load(Ordering::Acquire)) {
        let may_send = |sent: u64, confirmed: u64| {
            let is_wanted = sent < load.messages && !stop.load(Ordering::Acquire);
            is_wanted && sent - confirmed < load.window as u64
        };
        let due = |sent: u64| load.rate.map(|rate| Duration::from_secs_f64(sent as f64 / rate));
        while may_send(sent, confirmed)
            && connection.unwritten_bytes() < MAX_UNWRITTEN_BYTES
            && due(sent).is_none_or(|due| due <= began.elapsed())
        {
            body.stamp(due(sent).unwrap_or_else(|| began.elapsed()));
            body.publish(&mut connection, &envelope);
            sent += 1;
            observer.sent();
            if connection.unwritten_bytes() >= WRITE_AT_ONCE {
                connection.flush()?;
            }
        }
        let is_full = connection.unwritten_bytes() >= MAX_UNWRITTEN_BYTES;
        let next = due(sent).filter(|_| may_send(sent, confirmed));
        let wake = next.map_or_else(|| Instant::now() + LOOK, |due| began + due);
        let received = poll_fn(|cx| match connection.poll_next(cx) {
            Poll::Ready(received) => Poll::Ready(Some(received)),
            Poll::Pending if is_full && connection.unwritten_bytes() < MAX_UNWRITTEN_BYTES => {
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        });
        tokio::select! {
            received = received => if let Some(received) = received {
                let more = confirms.heed(&connection, received?)?;
                confirmed += more;
                observer.confirmed(more);
            },
            () = sleep_until(wake.into()) => connection.beat()?,
        }
    }
    connection.close().await;
    Ok(sent)
}

/// Which bodies are confirmed: a broker answers in any order.
#[derive(Default)]
struct Confirms {
    /// All up to this one are.
    up_to: u64,
    /// Those behind it that are.
    beyond: BTreeSet<u64>,
}

impl Confirms {
    /// How many more the broker has confirmed by this.
    fn heed(&mut self, connection: &AmqpConnection, received: Received) -> Result<u64, BrokerError> {
        use basic::AMQPMethod::{Ack, Nack};
        use channel::AMQPMethod::Close;
        match received {
            Received::Method { method: AMQPClass::Basic(Ack(ack)), .. } => {
                Ok(self.confirm(ack.delivery_tag, ack.multiple))
            }
            Received::Method { method: AMQPClass::Basic(Nack(_)), .. } | Received::Returned { .. } => {
                let reason = "it refuses a body: a queue is full or gone".to_owned();
                Err(BrokerError::Other { url: connection.url().to_string(), reason })
            }
            Received::Method { method: AMQPClass::Channel(Close(close)), .. } => {
                Err(connection.channel_closed(&close))
            }
            _ => Ok(0),
        }
    }

    fn confirm(&mut self, tag: u64, multiple: bool) -> u64 {
        let before = self.up_to + self.beyond.len() as u64;
        if multiple && tag > self.up_to {
            self.up_to = tag;
            self.beyond = self.beyond.split_off(&(tag + 1));
        } else if tag > self.up_to {
            self.beyond.insert(tag);
        }
        while self.beyond.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
        self.up_to + self.beyond.len() as u64 - before
    }
}

async fn consume(
    broker: &BrokerUrl,
    queue: &str,
    load: &BodyLoad,
    published: &AtomicU64,
    observer: &dyn BodyObserver,
) -> Result<(), BrokerError> {
    let buffers = Buffers::new();
    let mut connection = AmqpConnection::open(broker, "perf, bodies", buffers.clone()).await?;
    open_channel(&mut connection);
    let prefetch_count = (load.window * 2).min(5_000) as u16;
    let qos = basic::Qos { prefetch_count, global: false };
    connection.send(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)));
    let consume = basic::Consume {
        queue: queue.into(),
        consumer_tag: "".into(),
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: Default::default(),
    };
    connection.send(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Consume(consume)));
    let together = (load.window as u64 / 4).max(1);
    let (mut count, mut heard) = (0, Instant::now());
    while count < published.load(Ordering::Acquire) {
        let Ok(received) = timeout(LOOK, poll_fn(|cx| connection.poll_next(cx))).await else {
            connection.beat()?;
            if heard.elapsed() > PATIENCE {
                let reason = format!("queue {queue} gave nothing for {} s", PATIENCE.as_secs());
                return Err(BrokerError::Lost { url: broker.to_string(), reason });
            }
            continue;
        };
        heard = Instant::now();
        match received? {
            Received::Delivery { deliver, body, .. } => {
                count += 1;
                observer.delivered(Body::stamp_of(&body));
                buffers.give(body);
                if count % together == 0 || count == published.load(Ordering::Acquire) {
                    let ack = basic::Ack { delivery_tag: deliver.delivery_tag, multiple: true };
                    connection.send(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)));
                }
            }
            Received::Method { method: AMQPClass::Channel(channel::AMQPMethod::Close(close)), .. } => {
                return Err(connection.channel_closed(&close));
            }
            _ => {}
        }
    }
    connection.close().await;
    Ok(())
}

fn open_channel(connection: &mut AmqpConnection) {
    connection.send(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
}

/// The same bytes again and again, but for the time at their beginning.
struct Body {
    head: Vec<u8>,
    /// Most of it: it leaves from where it is, as a frame's ticks do.
    middle: Bytes,
    tail: Vec<u8>,
}

impl Body {
    fn new(bytes: usize) -> Self {
        let head = vec![0; FEWEST_BYTES];
        let rest = bytes.saturating_sub(FEWEST_BYTES);
        let tail = rest % size_of::<Tick>();
        Self { head, middle: vec![0; rest - tail].into(), tail: vec![0; tail] }
    }

    fn stamp(&mut self, due: Duration) {
        self.head[..8].copy_from_slice(&(due.as_nanos() as u64).to_le_bytes());
    }

    fn stamp_of(body: &[u8]) -> Duration {
        let stamp = body.first_chunk().copied().map_or(0, u64::from_le_bytes);
        Duration::from_nanos(stamp)
    }

    fn publish(&self, connection: &mut AmqpConnection, envelope: &Envelope) {
        let share_middle = || self.middle.clone();
        let Self { head, middle, tail } = self;
        connection.publish(envelope, &Parts { head, middle, share_middle: &share_middle, tail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirms_are_counted_once_in_whatever_order_they_come() {
        let mut confirms = Confirms::default();
        let counted = [(2, false), (1, false), (5, false), (4, true), (5, true), (7, true), (3, false)]
            .map(|(tag, multiple)| confirms.confirm(tag, multiple));
        assert_eq!(counted, [1, 1, 1, 2, 0, 2, 0]);
    }

    #[test]
    fn a_body_has_the_wanted_size_and_tells_when_it_was_due() {
        for bytes in [FEWEST_BYTES, 55, 56, 57, 4096] {
            let mut body = Body::new(bytes);
            body.stamp(Duration::from_nanos(77));
            let all = [&body.head, &body.middle[..], &body.tail].concat();
            assert_eq!((all.len(), Body::stamp_of(&all)), (bytes, Duration::from_nanos(77)));
        }
    }
}
