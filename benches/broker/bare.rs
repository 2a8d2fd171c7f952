//! The client library alone: one publisher and one consumer of opaque bodies, as fast as it goes.
//!
//! The one place beside `tick-sdk/src/rabbitmq` that names it, as the figure to compare with must
//! not come from our own code.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

/// What to move.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) body_bytes: usize,
    pub(crate) messages: u64,
    /// Publishes without a confirm; a quarter of it is acknowledged together.
    pub(crate) window: usize,
}

/// Moves the load over one queue; gives how long that took.
pub(crate) fn run(broker: &str, load: Load) -> Duration {
    let queue = format!("bare-{}", std::process::id());
    let (ready, is_ready) = std::sync::mpsc::channel();
    let consuming = {
        let (broker, queue) = (broker.to_owned(), queue.clone());
        std::thread::spawn(move || {
            on_runtime(async {
                let connection = connect(&broker).await;
                let channel = connection.create_channel().await.expect("a channel opens");
                let declare = channel.queue_declare(
                    queue.as_str().into(),
                    QueueDeclareOptions::default(),
                    FieldTable::default(),
                );
                declare.await.expect("the queue is declared");
                let prefetch = (load.window * 2).min(5000) as u16;
                channel.basic_qos(prefetch, BasicQosOptions::default()).await.expect("the prefetch holds");
                let consume = channel.basic_consume(
                    queue.as_str().into(),
                    "".into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                );
                let mut consumer = consume.await.expect("the consumer begins");
                ready.send(()).expect("the publisher waits");
                let together = (load.window as u64 / 4).max(1);
                for number in 1..=load.messages {
                    let delivery = consumer.next().await.expect("more come").expect("a delivery");
                    if number % together == 0 || number == load.messages {
                        let multiple = BasicAckOptions { multiple: true };
                        channel.basic_ack(delivery.delivery_tag, multiple).await.expect("it is acknowledged");
                    }
                }
                let delete = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
                delete.await.expect("the queue is deleted");
            });
        })
    };
    is_ready.recv_timeout(Duration::from_secs(30)).expect("the consumer begins");
    let started = Instant::now();
    on_runtime(publish(broker, &queue, load));
    consuming.join().expect("everything was consumed");
    started.elapsed()
}

async fn publish(broker: &str, queue: &str, load: Load) {
    let connection = connect(broker).await;
    let channel = connection.create_channel().await.expect("a channel opens");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms are on");
    let body = vec![7; load.body_bytes];
    let mut unconfirmed = FuturesOrdered::new();
    for _ in 0..load.messages {
        while unconfirmed.len() >= load.window {
            confirmed(unconfirmed.next().await);
        }
        let publish = channel.basic_publish(
            "".into(),
            queue.into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        );
        let mut publish = Box::pin(async { publish.await?.await });
        // The first poll hands it over; waiting for that to be written would halve the speed.
        let _ = publish.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        unconfirmed.push_back(publish);
    }
    while let Some(confirmation) = unconfirmed.next().await {
        confirmed(Some(confirmation));
    }
}

fn confirmed(confirmation: Option<lapin::Result<lapin::Confirmation>>) {
    assert!(confirmation.expect("one is on its way").expect("the broker answers").is_ack());
}

pub(crate) async fn connect(broker: &str) -> Connection {
    Connection::connect(broker, ConnectionProperties::default()).await.expect("the broker is there")
}

pub(crate) fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system gives a runtime").block_on(work);
}
