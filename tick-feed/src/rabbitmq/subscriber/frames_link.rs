//! One node's connection for frames: a channel a shard, deliveries in, acknowledgements out, and all
//! made anew when they are lost.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use broker::amqp::protocol::{AMQPClass, basic, channel};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::connection::{name_of, url_of};
use super::context::Context;
use super::messages::{Delivered, FromBroker};
use super::shared::Purpose;
use super::unacked::Ack;
use crate::rabbitmq::{BrokerError, BrokerUrl};
use broker::amqp::{AmqpConnection, Received};
use broker::backoff::Backoff;

/// To one shard's channel.
pub(super) enum ShardCommand {
    /// The shard is this end's.
    Open { queue: String, prefetch: u16 },
    /// To the broker, if what is acknowledged came by the link that there is.
    Ack { link: u32, ack: Ack },
    /// The channel is opened again with this prefetch, if it is this link's and has a smaller one.
    GrowPrefetch { link: u32, prefetch: u16 },
    /// The channel is opened again, if it is this link's.
    Reopen { link: u32 },
    /// The shard is released.
    Release,
}

/// Between looks at what nothing wakes the task for: heartbeats, and shards whose pause is over.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// So many messages are taken before the next look for commands.
const TOGETHER: usize = 32;
/// Between attempts where the strategy's queue is full.
const RETRY_WHEN_FULL: Duration = Duration::from_millis(1);

/// Ends when nobody can command it any more.
pub(super) struct FramesLink {
    pub(super) context: Arc<Context>,
    pub(super) node: usize,
    pub(super) inbox: mpsc::Receiver<(u16, ShardCommand)>,
    /// Gets every shard that was released.
    pub(super) ended: mpsc::Sender<u16>,
    pub(super) shards: BTreeMap<u16, Shard>,
}

/// A shard that is this end's, or was just now.
pub(super) struct Shard {
    queue: String,
    prefetch: u16,
    backoff: Backoff,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has no channel, and gets one from then on.
    Waiting { opens_at: Instant },
    /// Frames come by it.
    Open { channel: u16, link: u32 },
    /// The broker has not yet confirmed that it is closed.
    Closing { channel: u16, then: Then },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It is somebody else's.
    Released,
    /// A new channel takes its place, after a pause or at once.
    Again { at: Instant },
}

/// Nobody commands any more.
struct Over;

impl FramesLink {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut tried = 0;
        loop {
            let url = url_of(&self.context, self.node, tried);
            let Ok(opened) = self.connect(&url).await else { return };
            let ended = match opened {
                Ok(mut connection) => {
                    tried = 0;
                    backoff = Backoff::default();
                    self.context.shared.on_connected(self.node, Purpose::Frames);
                    let served = self.serve(&mut connection).await;
                    match served {
                        Ok(Over) => return connection.close().await,
                        Err(error) => error,
                    }
                }
                Err(error) => {
                    tried += 1;
                    error
                }
            };
            self.context.shared.on_connection_lost(self.node, Purpose::Frames, ended.to_string());
            self.lose_channels().await;
            let pause = sleep(backoff.next_wait());
            if self.meanwhile(pause).await.is_err() {
                return;
            }
        }
    }

    async fn connect(&mut self, url: &BrokerUrl) -> Result<Result<AmqpConnection, BrokerError>, Over> {
        let name = name_of(&self.context, "frames");
        let (url, buffers) = (url.clone(), self.context.buffers.clone());
        self.meanwhile(async move { AmqpConnection::open(&url, &name, buffers).await }).await
    }

    /// Does something while there is no connection, and takes commands.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Over> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                command = self.inbox.recv() => match command {
                    Some((shard, command)) => self.on_command(None, shard, command).await,
                    None => return Err(Over),
                },
            }
        }
    }

    /// What channels had goes back to the broker with the connection.
    async fn lose_channels(&mut self) {
        let opens_at = Instant::now();
        let mut released = Vec::new();
        self.shards.retain(|number, shard| {
            let is_released = matches!(shard.state, State::Closing { then: Then::Released, .. });
            released.extend(is_released.then_some(*number));
            !is_released
        });
        self.shards.values_mut().for_each(|shard| shard.state = State::Waiting { opens_at });
        for number in released {
            self.released(number).await;
        }
    }

    /// Reports that a shard was released. The hub ends after its links.
    async fn released(&self, shard: u16) {
        let _ = self.ended.send(shard).await;
    }

    /// Passes on what comes until the connection is lost or nobody commands any more.
    async fn serve(&mut self, connection: &mut AmqpConnection) -> Result<Over, BrokerError> {
        let mut checked = Instant::now();
        self.open_channels(connection);
        loop {
            if checked.elapsed() >= CHECK_EVERY {
                checked = Instant::now();
                connection.beat()?;
                self.open_channels(connection);
            }
            // What has come already is taken without a look at the clock for each.
            for _ in 0..TOGETHER {
                let Some(received) = connection.try_next()? else { break };
                self.on_received(connection, received).await?;
            }
            tokio::select! {
                biased;
                command = self.inbox.recv() => match command {
                    Some((shard, command)) => self.on_command(Some(&mut *connection), shard, command).await,
                    None => return Ok(Over),
                },
                received = timeout(CHECK_EVERY, poll_fn(|cx| connection.poll_next(cx))) => {
                    if let Ok(received) = received {
                        self.on_received(connection, received?).await?;
                    }
                }
            }
        }
    }

    /// Gives a channel to every shard that waits for one. The broker answers all requests together, and
    /// closes the channel where it refuses one.
    fn open_channels(&mut self, connection: &mut AmqpConnection) {
        let now = Instant::now();
        let mut used: Vec<u16> = self.shards.values().filter_map(|shard| shard.state.channel()).collect();
        for shard in self.shards.values_mut() {
            if !matches!(shard.state, State::Waiting { opens_at } if opens_at <= now) {
                continue;
            }
            let Some(channel) = (1..=u16::MAX).find(|channel| !used.contains(channel)) else { return };
            used.push(channel);
            let link = self.context.links.fetch_add(1, Ordering::Relaxed);
            let qos = basic::Qos { prefetch_count: shard.prefetch, global: false };
            let consume = basic::Consume {
                queue: shard.queue.as_str().into(),
                consumer_tag: "".into(),
                no_local: false,
                no_ack: false,
                exclusive: false,
                nowait: false,
                arguments: Default::default(),
            };
            connection.send(channel, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
            connection.send(channel, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)));
            connection.send(channel, AMQPClass::Basic(basic::AMQPMethod::Consume(consume)));
            shard.state = State::Open { channel, link };
        }
    }

    async fn on_command(
        &mut self,
        connection: Option<&mut AmqpConnection>,
        number: u16,
        command: ShardCommand,
    ) {
        if let ShardCommand::Open { queue, prefetch } = command {
            let state = State::Waiting { opens_at: Instant::now() };
            self.shards.insert(number, Shard { queue, prefetch, backoff: Backoff::default(), state });
            if let Some(connection) = connection {
                self.open_channels(connection);
            }
            return;
        }
        let Some(shard) = self.shards.get_mut(&number) else { return };
        match (command, shard.state) {
            (ShardCommand::Ack { link: by, ack }, State::Open { channel, link }) if by == link => {
                if let Some(connection) = connection {
                    connection.send(channel, acknowledge(ack));
                }
            }
            (ShardCommand::GrowPrefetch { link: by, prefetch }, State::Open { channel, link })
                if by == link && shard.prefetch < prefetch =>
            {
                tracing::info!(shard = number, from = shard.prefetch, to = prefetch, "prefetch grows");
                shard.prefetch = prefetch;
                shard.close(connection, channel, Then::Again { at: Instant::now() });
            }
            (ShardCommand::Reopen { link: by }, State::Open { channel, link }) if by == link => {
                shard.close(connection, channel, Then::Again { at: Instant::now() });
            }
            (ShardCommand::Release, State::Open { channel, .. } | State::Closing { channel, .. }) => {
                shard.close(connection, channel, Then::Released);
            }
            (ShardCommand::Release, State::Waiting { .. }) => {
                self.shards.remove(&number);
                self.released(number).await;
            }
            _ => {}
        }
    }

    async fn on_received(
        &mut self,
        connection: &mut AmqpConnection,
        received: Received,
    ) -> Result<(), BrokerError> {
        use basic::AMQPMethod::{Cancel, ConsumeOk};
        use channel::AMQPMethod::{Close, CloseOk};
        let (Received::Method { channel, .. }
        | Received::Delivery { channel, .. }
        | Received::Returned { channel, .. }) = &received;
        let shards = self.shards.iter_mut();
        let Some((&number, shard)) = { shards }.find(|(_, shard)| shard.state.channel() == Some(*channel))
        else {
            return Ok(());
        };
        match (received, shard.state) {
            (Received::Delivery { deliver, body, .. }, State::Open { link, .. }) => {
                shard.backoff.reset();
                let delivered = self.delivered(number, link, deliver, body);
                self.forward(connection, FromBroker::Delivery(delivered)).await?;
            }
            (Received::Method { method: AMQPClass::Basic(ConsumeOk(_)), .. }, State::Open { link, .. }) => {
                let prefetch = shard.prefetch;
                self.forward(connection, FromBroker::Opened { shard: number, link, prefetch }).await?;
            }
            (Received::Method { method: AMQPClass::Basic(Cancel(_)), .. }, State::Open { channel, .. }) => {
                let reason =
                    format!("queue {} was deleted or has moved: its consumer was cancelled", shard.queue);
                let at = Instant::now() + shard.backoff.next_wait();
                shard.close(Some(&mut *connection), channel, Then::Again { at });
                self.context.shared.on_lost(reason);
            }
            (Received::Method { method: AMQPClass::Channel(Close(close)), .. }, State::Open { .. }) => {
                shard.state = State::Waiting { opens_at: Instant::now() + shard.backoff.next_wait() };
                self.context.shared.on_lost(connection.channel_closed(&close).to_string());
            }
            (
                Received::Method { method: AMQPClass::Channel(Close(_) | CloseOk(_)), .. },
                State::Closing { then, .. },
            ) => match then {
                Then::Again { at } => {
                    shard.state = State::Waiting { opens_at: at };
                    self.open_channels(connection);
                }
                Then::Released => {
                    self.shards.remove(&number);
                    self.released(number).await;
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn delivered(&self, shard: u16, link: u32, deliver: basic::Deliver, body: Vec<u8>) -> Delivered {
        let basic::Deliver { delivery_tag, exchange, routing_key, redelivered, .. } = deliver;
        let counts = &self.context.shared.counts;
        counts.frames.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        counts.redelivered.fetch_add(redelivered.into(), Ordering::Relaxed);
        Delivered { shard, link, tag: delivery_tag, exchange, routing_key, body }
    }

    /// Hands a message to the strategy's thread. While that is behind nothing is read, but the broker
    /// gets heartbeats, and what is stored is acknowledged.
    async fn forward(
        &mut self,
        connection: &mut AmqpConnection,
        message: FromBroker,
    ) -> Result<(), BrokerError> {
        let mut message = message;
        while let Err(back) = self.context.try_forward(message) {
            message = back;
            while let Ok((shard, command)) = self.inbox.try_recv() {
                self.on_command(Some(&mut *connection), shard, command).await;
            }
            connection.beat()?;
            sleep(RETRY_WHEN_FULL).await;
        }
        Ok(())
    }
}

impl Shard {
    /// What is not acknowledged goes back in order with the channel, before anybody else consumes. The
    /// consumer is never cancelled before that: a classic queue that is not empty then gives the turn to
    /// one that waits, gives that nothing, and crashes at the next message (rabbitmq-server issue 5460,
    /// seen with 3.10).
    fn close(&mut self, connection: Option<&mut AmqpConnection>, channel: u16, then: Then) {
        let is_closing = matches!(self.state, State::Closing { .. });
        if let Some(connection) = connection.filter(|_| !is_closing) {
            let (reply_code, reply_text) = (200, "released".into());
            let close = channel::Close { reply_code, reply_text, class_id: 0, method_id: 0 };
            connection.send(channel, AMQPClass::Channel(channel::AMQPMethod::Close(close)));
        }
        self.state = State::Closing { channel, then };
    }
}

impl State {
    fn channel(self) -> Option<u16> {
        match self {
            Self::Waiting { .. } => None,
            Self::Open { channel, .. } | Self::Closing { channel, .. } => Some(channel),
        }
    }
}

fn acknowledge(ack: Ack) -> AMQPClass {
    let (delivery_tag, multiple) = match ack {
        Ack::UpTo(tag) => (tag, true),
        Ack::One(tag) => (tag, false),
    };
    AMQPClass::Basic(basic::AMQPMethod::Ack(basic::Ack { delivery_tag, multiple }))
}
