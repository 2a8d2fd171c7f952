//! The consuming end of one queue.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::amqp::protocol::{AMQPClass, basic, channel};
use broker::amqp::{AmqpConnection, Buffers, Received};
use broker::{BrokerError, BrokerUrl};
use tokio::time::timeout;

use super::body::Body;
use super::transfer::{BodyLoad, BodyObserver, CHANNEL, LOOK, open_channel};

/// A broker that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn consume(
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
    let mut count = 0;
    let mut last_received = Instant::now();
    while count < published.load(Ordering::Acquire) {
        let Ok(received) = timeout(LOOK, poll_fn(|cx| connection.poll_next(cx))).await else {
            connection.beat()?;
            if last_received.elapsed() > PATIENCE {
                let reason = format!("queue {queue} gave nothing for {} s", PATIENCE.as_secs());
                return Err(BrokerError::Lost { url: broker.to_string(), reason });
            }
            continue;
        };
        last_received = Instant::now();
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
