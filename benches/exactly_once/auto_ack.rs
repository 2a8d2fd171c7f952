//! What a consumer without guarantees does, to the letter: the broker forgets each frame as it sends it,
//! to a consumer made of the client library; the strategy runs, and nothing is stored.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tick_feed::{Frame, FrameFlags};
use tick_sdk::host::Registration;

/// A queue that is not there after this long does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs Apple over a queue from its first frame to the run's end; gives how long that took since the
/// first was published.
pub(crate) fn consume(broker: &str, queue: &str) -> Duration {
    let mut took = None;
    on_runtime(async {
        let connection = connect(broker).await;
        tokio::time::timeout(PATIENCE, wait_for_queue(&connection, queue)).await.expect("the queue comes");
        let channel = connection.create_channel().await.expect("a channel opens");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consume = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        took = Some(run_apple(consume.await.expect("the consumer begins")).await);
        let delete = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        delete.await.expect("the queue is deleted");
    });
    took.expect("the end came")
}

async fn run_apple(mut consumer: lapin::Consumer) -> Duration {
    let apple = Registration::find("apple").expect("it is registered").configure(&[]);
    let mut lane = apple.expect("it needs no parameters").lane(&Arc::default());
    let mut began = None;
    loop {
        let delivery = consumer.next().await.expect("more come").expect("a delivery");
        let frame = Frame::decode(delivery.data).expect("a frame");
        for new in &frame.new_instruments {
            lane.open(new.id, &new.symbol, &new.key).expect("it is new");
        }
        if !frame.ticks().is_empty() {
            began.get_or_insert(frame.header.published_at);
            lane.run(frame.header.first_seq, frame.ticks()).expect("Apple fails at nothing");
            lane.signals().clear();
        }
        if frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
            return now - Duration::from_nanos(began.expect("ticks came before"));
        }
    }
}

async fn wait_for_queue(connection: &Connection, queue: &str) {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    loop {
        // A queue that is not there closes the channel.
        let channel = connection.create_channel().await.expect("a channel opens");
        if channel.queue_declare(queue.into(), passive, FieldTable::default()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn connect(broker: &str) -> Connection {
    Connection::connect(broker, ConnectionProperties::default()).await.expect("the broker is there")
}

fn on_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system gives a runtime").block_on(work);
}
