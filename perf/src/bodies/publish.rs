//! The publishing end.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use broker::amqp::protocol::{AMQPClass, BasicProperties, confirm};
use broker::amqp::{AmqpConnection, Buffers, Envelope};
use broker::{BrokerError, BrokerUrl};
use tokio::time::sleep_until;

use super::body::Body;
use super::confirms::Confirms;
use super::transfer::{BodyLoad, BodyObserver, CHANNEL, LOOK, open_channel};

/// So much may wait for the socket.
const MAX_UNWRITTEN_BYTES: usize = 1 << 20;
/// So much is written at once.
const WRITE_AT_ONCE: usize = 128 << 10;

/// Gives how many were published.
pub(super) async fn publish(
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
            let is_due = sent < load.messages && !stop.load(Ordering::Acquire);
            is_due && sent - confirmed < load.window as u64
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
                let more = confirms.on_received(&connection, received?)?;
                confirmed += more;
                observer.confirmed(more);
            },
            () = sleep_until(wake.into()) => connection.beat()?,
        }
    }
    connection.close().await;
    Ok(sent)
}
