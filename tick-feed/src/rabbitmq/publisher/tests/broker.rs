//! The other end of the tests: a client that takes frames, talks to ingesters and breaks things.

use crate::rabbitmq::topology;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::rabbitmq::control::{Control, FeedState};
use crate::{Cursor, Frame, FrameFlags, Verdict};
use broker::{BrokerUrl, Channel, Connection, Message, QueueOptions};
use tick_sdk::names::{FeedName, RunId};

/// What is waited for in a test comes within this time.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// Looks until it holds.
pub(super) fn wait_for(timeout: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > timeout {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// A feed of its own on the broker of the tests; what it declared is removed in the end.
pub(super) struct Broker {
    pub(super) url: BrokerUrl,
    pub(super) feed: FeedName,
}

/// What one queue gave up to the end of the run.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) next_seq: u64,
    pub(super) gaps: usize,
    pub(super) last_attempt: u32,
}

/// One channel, for one question.
struct Client {
    runtime: Runtime,
    channel: Channel,
    _connection: Connection,
}

impl Client {
    fn new(url: &BrokerUrl) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (connection, channel) = runtime.block_on(async {
            let connection = Connection::open(url, "a test").await.unwrap();
            let channel = connection.open_channel().await.unwrap();
            (connection, channel)
        });
        Self { runtime, channel, _connection: connection }
    }

    fn get(&self, queue: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let message = self.channel.get(queue).await.expect("the queue is there")?;
            self.channel.ack(message.tag).await.unwrap();
            Some(message.body)
        })
    }
}

impl Broker {
    pub(super) fn new() -> Self {
        let url = std::env::var("ORCHARD_TEST_AMQP").expect("scripts/test sets it");
        let feed = format!("test-{}", RunId::random()).parse().unwrap();
        Self { url: url.parse().unwrap(), feed }
    }

    /// Takes frames up to the end of the run.
    pub(super) fn take_run(&self, strategy: &str, shard: u16) -> Taken {
        let client = Client::new(&self.url);
        let queue = topology::frames_queue(&self.feed, &strategy.parse().unwrap(), shard);
        let (mut cursor, mut taken) = (Cursor::default(), Taken::default());
        let mut ended = false;
        let all = wait_for(SOON, || {
            while let Some(body) = client.get(&queue) {
                let frame = Frame::decode(body).expect("it is a frame");
                match cursor.judge(frame.header.first_seq, frame.ticks().len()) {
                    Verdict::Gap { .. } => taken.gaps += 1,
                    Verdict::Duplicate => {}
                    Verdict::All | Verdict::Suffix { .. } => {
                        cursor.advance_to(frame.end_seq());
                        taken.last_attempt = frame.header.attempt;
                        ended |= frame.header.flags.contains(FrameFlags::END_OF_RUN);
                    }
                }
                if ended {
                    return true;
                }
            }
            false
        });
        taken.next_seq = cursor.next_seq();
        assert!(all, "{queue} did not come to the end: {taken:?}");
        taken
    }

    /// The next frame of a queue.
    pub(super) fn take_frame(&self, strategy: &str, shard: u16) -> Frame {
        let queue = topology::frames_queue(&self.feed, &strategy.parse().unwrap(), shard);
        let mut body = None;
        assert!(wait_for(SOON, || {
            // Each time anew: a queue that is not there closes the channel.
            body = self.has_queue(strategy, shard).then(|| Client::new(&self.url).get(&queue)).flatten();
            body.is_some()
        }));
        Frame::decode(body.expect("it came")).expect("it is a frame")
    }

    pub(super) fn has_queue(&self, strategy: &str, shard: u16) -> bool {
        let client = Client::new(&self.url);
        let name = topology::frames_queue(&self.feed, &strategy.parse().unwrap(), shard);
        client.runtime.block_on(client.channel.inspect_queue(&name)).is_ok()
    }

    pub(super) fn send(&self, control: &Control) {
        let client = Client::new(&self.url);
        let (exchange, body) = (topology::control_exchange(&self.feed), control.encode());
        client.runtime.block_on(async {
            client.channel.publish(&exchange, "", &Message::transient(&body)).await.unwrap();
            client._connection.close().await.unwrap();
        });
    }

    /// Receives what ingester and hosts send, from now on.
    pub(super) fn listen(&self) -> Announcements {
        let client = Client::new(&self.url);
        let channel = &client.channel;
        let queue = client.runtime.block_on(async {
            let queue = channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
            channel.bind_queue(&queue, &topology::control_exchange(&self.feed), "").await.unwrap();
            queue
        });
        Announcements { client, queue }
    }

    /// The state that the broker keeps; it stays there.
    pub(super) fn kept_state(&self) -> Option<FeedState> {
        let client = Client::new(&self.url);
        let queue = topology::run_queue(&self.feed);
        let message = client.runtime.block_on(async {
            let message = client.channel.get(&queue).await.unwrap()?;
            client.channel.requeue(message.tag).await.unwrap();
            Some(message)
        })?;
        match Control::decode(&message.body) {
            Ok(Control::State(state)) => Some(*state),
            _ => None,
        }
    }

    pub(super) fn delete_queue(&self, strategy: &str, shard: u16) {
        let client = Client::new(&self.url);
        let name = topology::frames_queue(&self.feed, &strategy.parse().unwrap(), shard);
        client.runtime.block_on(client.channel.delete_queue(&name)).unwrap();
    }

    pub(super) fn delete_exchange(&self) {
        let client = Client::new(&self.url);
        let name = topology::frames_exchange(&self.feed);
        client.runtime.block_on(client.channel.delete_exchange(&name)).unwrap();
    }
}

/// What comes on the control exchange.
pub(super) struct Announcements {
    client: Client,
    queue: String,
}

impl Announcements {
    /// The first message of this kind.
    pub(super) fn wait_for(&self, is_it: impl Fn(&Control) -> bool) -> Control {
        let mut found = None;
        assert!(wait_for(SOON, || {
            while let Some(body) = self.client.get(&self.queue) {
                found = Control::decode(&body).ok().filter(&is_it);
                if found.is_some() {
                    return true;
                }
            }
            false
        }));
        found.expect("it was sent")
    }
}

impl Drop for Broker {
    /// A test that failed may leave what it made.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let client = Client::new(&self.url);
        let strategies = ["apple", "pear", "plum"];
        let queues = strategies.iter().flat_map(|name| {
            (0..super::SHARDS).map(|shard| topology::frames_queue(&self.feed, &name.parse().unwrap(), shard))
        });
        for queue in queues.chain([topology::run_queue(&self.feed), topology::dead_queue(&self.feed)]) {
            let _ = client.runtime.block_on(client.channel.delete_queue(&queue));
        }
        for exchange in [topology::frames_exchange(&self.feed), topology::control_exchange(&self.feed)] {
            let _ = client.runtime.block_on(client.channel.delete_exchange(&exchange));
        }
    }
}
