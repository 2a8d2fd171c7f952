//! One broker node's task: keeps a connection, declares what its shards need, and publishes what
//! their windows give.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use declarer::Declarer;
use rkyv::util::AlignedVec;
use tokio::time::{Instant, sleep};

use super::link::Link;
use super::shared::Shared;
use super::strategies::Binding;
use super::stream::{Node, Sending, lock};
use super::window::Outgoing;
use super::{FIRST_CONNECTION, PublishError, declare};
use broker::amqp::AmqpConnection;
use broker::amqp::Buffers;
use broker::backoff::Backoff;
use broker::{BrokerError, BrokerUrl, Channel, Connection};
use tick_sdk::names::StrategyName;
use tracing::{info, warn};

mod answers;
mod binding;
mod declarer;
mod frames;

/// At most so many messages of one shard are on the way.
const MAX_UNCONFIRMED_FRAMES: usize = 1024;
/// So much may wait for the socket: it keeps the socket busy, and is still in
/// the processor's caches when it is written.
const MAX_UNWRITTEN_BYTES: usize = 1 << 20;
/// So much is written at once, rather than behind more.
const WRITE_AT_ONCE: usize = 128 << 10;
/// How often the task checks what nothing wakes it for.
const CHECK_EVERY: Duration = Duration::from_millis(50);
/// How long a shard is silent before a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a clean end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Publishes a node's shards until the publisher stops.
pub(super) async fn serve(shared: Arc<Shared>, index: usize) {
    let mut backoff = Backoff::default();
    let mut owned = shared.owned.subscribe();
    let mut stopping = shared.stopping.subscribe();
    // Nothing is declared before it is sure that this is the only ingester.
    tokio::select! {
        _ = owned.wait_for(|owned| *owned) => {}
        _ = stopping.wait_for(|stopping| *stopping) => return,
    }
    let node = &shared.nodes[index];
    let mut turn = index;
    while !shared.is_stopping() {
        let url = shared.plan.broker(index, turn);
        let ended = Session::run(&shared, index, url, &mut backoff).await;
        // The session that just ended may have been the first, and long.
        let was_ready = node.ready.load(Ordering::Acquire);
        for stream in shared.streams_of(index) {
            lock(&stream.sending).window.on_connection_lost();
        }
        node.is_blocked.store(false, Ordering::Relaxed);
        node.unconfirmed_bytes.store(0, Ordering::Relaxed);
        node.in_flight.store(0, Ordering::Relaxed);
        let Err(error) = ended else { break };
        if is_final(&error, was_ready, &shared) {
            return shared.fail(error);
        }
        if lock(&node.frames_error).replace(error.to_string()).is_none() {
            warn!(%url, %error, "connection to broker for frames lost: what is not confirmed is sent again");
        }
        shared.notify_change();
        turn += 1;
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Whether an error is the end: one that trying again would not help, or that came before anything
/// went well.
fn is_final(error: &PublishError, was_ready: bool, shared: &Shared) -> bool {
    match error {
        PublishError::Broker(BrokerError::Arguments { .. }) => true,
        // A broker that begins anew refuses what it does not yet know.
        PublishError::Broker(_) if was_ready => false,
        PublishError::Broker(error) => !error.is_temporary() || shared.now() > FIRST_CONNECTION,
        _ => true,
    }
}

/// What a queue was last requested to be.
#[derive(Clone, Copy)]
struct Requested {
    binding: Binding,
    /// Which request that was: answers to earlier ones count for nothing.
    number: u64,
}

/// One pair of connections' life: one carries frames and their confirms, the other declares.
struct Session<'a> {
    shared: &'a Shared,
    index: usize,
    node: &'a Node,
    url: &'a BrokerUrl,
    connection: AmqpConnection,
    declaring: Connection,
    declarations: Channel,
    declarer: Declarer,
    /// What each strategy's queue of each shard was last requested to be.
    requested: HashMap<(StrategyName, u16), Requested>,
    /// How many requests were made.
    requests: u64,
    links: Vec<Link>,
    /// The number of the channel that was opened last.
    channels: u16,
    /// A body's beginning and end.
    head: AlignedVec,
    tail: Vec<u8>,
    /// The version of the bindings that hold on the broker.
    bindings: u64,
    /// When it was last checked whether the broker blocks.
    checked: Duration,
    /// The link that is first in turn next time.
    turn: usize,
}

impl<'a> Session<'a> {
    async fn run(
        shared: &'a Arc<Shared>,
        index: usize,
        url: &'a BrokerUrl,
        backoff: &mut Backoff,
    ) -> Result<(), PublishError> {
        let feed = &shared.plan.feed;
        let declaring = Connection::open(url, &format!("orchard ingest {feed}, declarations")).await?;
        let declarations = declaring.open_channel().await?;
        declare::frames_exchange(&declarations, feed).await?;
        let name = format!("orchard ingest {feed}, frames");
        let mut session = Self {
            shared,
            index,
            node: &shared.nodes[index],
            url,
            connection: AmqpConnection::open(url, &name, Buffers::none()).await?,
            declaring,
            declarer: Declarer::start(declarations.clone(), shared.clone()),
            declarations,
            requested: HashMap::new(),
            requests: 0,
            links: Vec::new(),
            channels: 0,
            head: AlignedVec::new(),
            tail: Vec::new(),
            bindings: 0,
            checked: shared.now(),
            turn: 0,
        };
        // What is published before every queue is bound is missing in some.
        session.bind()?;
        session.wait_until_declared().await?;
        backoff.reset();
        *lock(&session.node.frames_error) = None;
        info!(%url, "connected to broker for frames, and queues declared");
        session.node.ready.store(true, Ordering::Release);
        shared.notify_change();
        session.publish().await?;
        session.close().await;
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), PublishError> {
        let mut check = pin!(sleep(CHECK_EVERY));
        let mut stopped = None;
        loop {
            while let Some(received) = self.connection.try_next()? {
                self.on_received(received)?;
            }
            while let Some(step) = self.declarer.try_next()? {
                self.on_declared(step)?;
            }
            self.settle();
            let is_blocked = self.connection.is_blocked();
            if !is_blocked {
                if self.bindings != self.shared.bindings.load(Ordering::Acquire) {
                    self.bind()?;
                }
                self.bind_caught_up();
            }
            if self.shared.is_stopping() {
                // What is on its way may be confirmed; the rest is sent when the run is resumed.
                let since = *stopped.get_or_insert(self.shared.now());
                if self.in_flight() == 0 || is_blocked || self.shared.now() > since + CLOSE_TIMEOUT {
                    return Ok(());
                }
            }
            if !is_blocked && stopped.is_none() {
                self.send()?;
            }
            let is_full = self.connection.unwritten_bytes() >= MAX_UNWRITTEN_BYTES;
            let connection = &mut self.connection;
            let declarer = &mut self.declarer;
            let node = self.node;
            let received = poll_fn(|cx| match connection.poll_next(cx) {
                Poll::Ready(received) => Poll::Ready(Some(received)),
                Poll::Pending if is_full && connection.unwritten_bytes() < MAX_UNWRITTEN_BYTES => {
                    Poll::Ready(None)
                }
                Poll::Pending => Poll::Pending,
            });
            tokio::select! {
                received = received => if let Some(received) = received {
                    self.on_received(received?)?;
                },
                step = declarer.next() => self.on_declared(step?)?,
                () = node.wake.notified() => {}
                () = &mut check => {
                    check.as_mut().reset(Instant::now() + CHECK_EVERY);
                    self.check(is_blocked)?;
                }
            }
        }
    }

    /// Checks what nothing wakes the task for: a connection that ended, one that is blocked, silent shards.
    fn check(&mut self, is_blocked: bool) -> Result<(), PublishError> {
        let now = self.shared.now();
        let since = now.saturating_sub(std::mem::replace(&mut self.checked, now));
        let was_blocked = self.node.is_blocked.swap(is_blocked, Ordering::Relaxed);
        if is_blocked && !was_blocked {
            warn!(url = %self.url, "broker is short of memory or disk, and takes nothing");
        } else if was_blocked && !is_blocked {
            info!(url = %self.url, "broker takes messages again");
        }
        if is_blocked {
            self.node.blocked_ns.fetch_add(since.as_nanos() as u64, Ordering::Relaxed);
        }
        self.connection.beat()?;
        if !self.declarations.is_open() {
            let reason = "the broker closed it".to_owned();
            return Err(BrokerError::Lost { url: self.url.to_string(), reason }.into());
        }
        if is_blocked || self.shared.is_stopping() {
            return Ok(());
        }
        for place in 0..self.links.len() {
            let link = &mut self.links[place];
            if link.stream.to.is_none() && link.held == 0 && now.saturating_sub(link.last_sent) >= HEARTBEAT {
                link.last_sent = now;
                self.send_heartbeat(place)?;
            }
        }
        self.send_dictionaries()
    }

    /// Publishes a frame of each shard in turn, until none has one or too much is on the way.
    fn send(&mut self) -> Result<(), PublishError> {
        let now = self.shared.now();
        let mut idle = 0;
        while idle < self.links.len() && self.connection.unwritten_bytes() < MAX_UNWRITTEN_BYTES {
            let place = self.turn % self.links.len();
            self.turn = (place + 1) % self.links.len();
            idle += 1;
            let link = &self.links[place];
            if link.in_flight() >= MAX_UNCONFIRMED_FRAMES || link.held > 0 || link.stream.is_over() {
                continue;
            }
            if self.node.unconfirmed_bytes.load(Ordering::Relaxed) >= self.shared.plan.unconfirmed_bytes {
                break;
            }
            if self.send_next(place, now)? {
                idle = 0;
                if self.connection.unwritten_bytes() >= WRITE_AT_ONCE {
                    self.connection.flush()?;
                }
            }
        }
        self.node.in_flight.store(self.in_flight(), Ordering::Relaxed);
        Ok(())
    }

    fn send_next(&mut self, place: usize, now: Duration) -> Result<bool, PublishError> {
        let link = &mut self.links[place];
        let outgoing = {
            let mut sending = lock(&link.stream.sending);
            let Some(outgoing) = sending.window.take_next(now) else { return Ok(false) };
            sending.sent(&outgoing);
            outgoing
        };
        link.last_sent = now;
        let cost = link.stream.cost();
        let mut frame = (*outgoing.frame).clone();
        frame.header.attempt = outgoing.attempt;
        let (shard, end_seq) = (frame.header.shard, frame.end_seq());
        let ticks = frame.ticks().len() as u64;
        self.node.unconfirmed_bytes.fetch_add(outgoing.bytes, Ordering::Relaxed);
        self.node.ticks.fetch_add(ticks, Ordering::Relaxed);
        self.node.frames.fetch_add(1, Ordering::Relaxed);
        self.node.messages.fetch_add(u64::from(cost), Ordering::Relaxed);
        if outgoing.is_repeated {
            self.node.resent.fetch_add(ticks, Ordering::Relaxed);
            lock(&self.node.bucket).take(now, cost);
        }
        let to = link.stream.to.clone();
        self.publish_frame(place, Some(outgoing.ticket), frame, to.as_ref())?;
        if let Some(observer) = self.shared.plan.observer.as_ref().filter(|_| to.is_none()) {
            observer.sent(shard, end_seq);
        }
        Ok(true)
    }

    fn in_flight(&self) -> usize {
        self.links.iter().map(Link::in_flight).sum()
    }

    async fn close(self) {
        self.connection.close().await;
        // A broker that does not answer in time has lost nothing by it.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.declaring.close()).await;
    }
}

impl Sending {
    fn sent(&mut self, outgoing: &Outgoing) {
        if let Some(last) = outgoing.frame.ticks().last() {
            self.ts_recv = last.ts_recv;
        }
        self.last = Some(outgoing.frame.header);
    }
}
