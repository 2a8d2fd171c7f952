//! A feed whose frames are published by hand, one by one.

use crate::rabbitmq::topology;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use broker::{
    Acknowledgement, Channel, Connection, Consumer, ExchangeKind, ExchangeOptions, Message, QueueOptions,
    Table,
};
use rkyv::util::AlignedVec;
use tokio::runtime::Runtime;

use super::SOON;
use crate::Frame;
use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::{BrokerUrl, Control, FeedState};
use tick_sdk::names::{FeedName, RunId};

/// A feed of two shards and the strategy apple.
pub(super) struct HandFeed {
    pub(super) name: FeedName,
    pub(super) url: BrokerUrl,
    runtime: Runtime,
    channel: Channel,
    _connection: Connection,
}

/// Between a client and a broker: connections can be cut, and stalled.
pub(super) struct Proxy {
    pub(super) url: BrokerUrl,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    stall: Arc<Stall>,
}

#[derive(Default)]
struct Stall {
    is_stalled: Mutex<bool>,
    changed: Condvar,
}

impl Stall {
    /// Passes bytes on while nothing is stalled, until one end has gone.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            drop(self.changed.wait_while(self.is_stalled.lock().unwrap(), |is_stalled| *is_stalled));
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

impl Proxy {
    /// Between a client and the broker of `ORCHARD_TEST_AMQP`.
    pub(super) fn new() -> Self {
        let broker = std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is set: run scripts/test");
        let (login, rest) = broker.split_once('@').expect("the URL has a login");
        let (address, vhost) = rest.split_once('/').expect("the URL has a vhost");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{login}@{}/{vhost}", listener.local_addr().unwrap()).parse().unwrap();
        let connections = Arc::<Mutex<Vec<TcpStream>>>::default();
        let stall = Arc::<Stall>::default();
        let (kept, address, stalled) = (connections.clone(), address.to_owned(), stall.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(broker) = TcpStream::connect(&address) else { continue };
                for (from, to) in [(&client, &broker), (&broker, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let stall = stalled.clone();
                    std::thread::spawn(move || stall.copy(from, to));
                }
                kept.lock().unwrap().extend([client, broker]);
            }
        });
        Self { url, connections, stall }
    }

    /// Passes nothing on, and ends nothing either.
    pub(super) fn stall(&self, is_stalled: bool) {
        *self.stall.is_stalled.lock().unwrap() = is_stalled;
        self.stall.changed.notify_all();
    }

    /// Ends every connection there is; new ones are let through.
    pub(super) fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            // One that has ended is cut already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// What comes over the control exchange.
pub(super) struct Listening<'a> {
    feed: &'a HandFeed,
    messages: RefCell<Consumer>,
}

pub(super) fn encode(frame: &Frame) -> AlignedVec {
    let mut body = AlignedVec::new();
    frame.encode(&mut body).unwrap();
    body
}

impl HandFeed {
    pub(super) fn new(name: &str) -> Self {
        let url_text =
            std::env::var("ORCHARD_TEST_AMQP").expect("ORCHARD_TEST_AMQP is set: run scripts/test");
        let url: BrokerUrl = url_text.parse().unwrap();
        let name: FeedName = format!("{name}-{}", &RunId::random().to_string()[..8]).parse().unwrap();
        let runtime = event_loop().unwrap();
        let (connection, channel) = runtime.block_on(async {
            // Nobody runs its event loop between two calls, so that it could not send heartbeats.
            let without_heartbeats: BrokerUrl = format!("{url_text}?heartbeat=0").parse().unwrap();
            let connection = Connection::open(&without_heartbeats, "hand").await.unwrap();
            let channel = connection.open_channel().await.unwrap();
            let durable = ExchangeOptions::durable();
            let (frames, control) = (topology::frames_exchange(&name), topology::control_exchange(&name));
            channel.declare_exchange(&frames, ExchangeKind::Direct, durable).await.unwrap();
            channel.declare_exchange(&control, ExchangeKind::Fanout, durable).await.unwrap();
            (connection, channel)
        });
        let feed = Self { name, url, runtime, channel, _connection: connection };
        feed.declare_queue(0);
        feed.declare_queue(1);
        feed
    }

    pub(super) fn declare_queue(&self, shard: u16) {
        let queue = topology::frames_queue(&self.name, &"apple".parse().unwrap(), shard);
        let arguments = Table::default().with("x-single-active-consumer", true);
        let options = QueueOptions::durable().with_arguments(arguments);
        let key = shard.to_string();
        self.runtime.block_on(async {
            self.channel.declare_queue(&queue, &options).await.unwrap();
            let exchange = topology::frames_exchange(&self.name);
            self.channel.bind_queue(&queue, &exchange, &key).await.unwrap();
        });
    }

    pub(super) fn delete_queue(&self, shard: u16) {
        let queue = topology::frames_queue(&self.name, &"apple".parse().unwrap(), shard);
        self.runtime.block_on(self.channel.delete_queue(&queue)).unwrap();
    }

    pub(super) fn publish_all(&self, frames: impl Iterator<Item = Frame>) {
        frames.for_each(|frame| self.publish(&frame));
    }

    pub(super) fn publish(&self, frame: &Frame) {
        self.publish_body(
            &topology::frames_exchange(&self.name),
            &frame.header.shard.to_string(),
            &encode(frame),
        );
    }

    pub(super) fn publish_body(&self, exchange: &str, key: &str, body: &[u8]) {
        self.publish_message(exchange, key, &Message::transient(body));
    }

    pub(super) fn publish_message(&self, exchange: &str, key: &str, message: &Message<'_>) {
        self.runtime.block_on(self.channel.publish_confirmed(exchange, key, message)).unwrap();
    }

    pub(super) fn publish_by_foreign_exchange(&self, frame: &Frame) {
        let foreign = format!("foreign-{}", self.name);
        let queue = topology::frames_queue(&self.name, &"apple".parse().unwrap(), frame.header.shard);
        self.runtime.block_on(async {
            let (kind, options) = (ExchangeKind::Fanout, ExchangeOptions::durable());
            self.channel.declare_exchange(&foreign, kind, options).await.unwrap();
            self.channel.bind_queue(&queue, &foreign, "").await.unwrap();
        });
        self.publish_body(&foreign, "", &encode(frame));
    }

    pub(super) fn send(&self, control: &Control) {
        self.publish_body(&topology::control_exchange(&self.name), "", &control.encode());
    }

    pub(super) fn announce(&self, state: &FeedState) {
        self.send(&Control::State(Box::new(state.clone())));
    }

    /// Keeps a state as an ingester does that has gone since.
    pub(super) fn keep_state(&self, state: &FeedState) {
        let queue = topology::run_queue(&self.name);
        self.runtime.block_on(self.channel.declare_queue(&queue, &QueueOptions::durable())).unwrap();
        self.publish_body("", &queue, &Control::State(Box::new(state.clone())).encode());
    }

    /// The queue of dead letters is there, and is none that a subscriber would declare.
    pub(super) fn refuse_dead_letters(&self) {
        let queue = topology::dead_queue(&self.name);
        self.runtime.block_on(self.channel.declare_queue(&queue, &QueueOptions::exclusive())).unwrap();
    }

    pub(super) fn listen(&self) -> Listening<'_> {
        let messages = self.runtime.block_on(async {
            let queue = self.channel.declare_queue("", &QueueOptions::exclusive()).await.unwrap().name;
            self.channel.bind_queue(&queue, &topology::control_exchange(&self.name), "").await.unwrap();
            self.channel.consume(&queue, Acknowledgement::Automatic).await.unwrap()
        });
        Listening { feed: self, messages: RefCell::new(messages) }
    }

    /// Waits until a queue that nobody consumes has so many messages.
    pub(super) fn wait_for_messages(&self, shard: u16, count: u32) {
        let queue = topology::frames_queue(&self.name, &"apple".parse().unwrap(), shard);
        let deadline = Instant::now() + SOON;
        loop {
            let found = self.runtime.block_on(self.channel.inspect_queue(&queue)).unwrap();
            let is_free = found.consumers == 0;
            if is_free && found.messages == count {
                return;
            }
            assert!(Instant::now() < deadline, "{} messages and not {count}", found.messages);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for HandFeed {
    fn drop(&mut self) {
        for shard in [0, 1] {
            let queue = topology::frames_queue(&self.name, &"apple".parse().unwrap(), shard);
            // Left behind, it goes with the broker.
            let _ = self.runtime.block_on(self.channel.delete_queue(&queue));
        }
    }
}

impl Listening<'_> {
    pub(super) fn next(&self) -> Control {
        let mut messages = self.messages.borrow_mut();
        let message = self.feed.runtime.block_on(messages.next(SOON)).unwrap().expect("a message comes");
        Control::decode(&message.body).unwrap()
    }
}
