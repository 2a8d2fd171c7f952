//! The receiving end of a feed: one strategy's frames of the shards that are assigned to it.
//!
//! Everything that concerns brokers is on a thread of its own, with one channel a shard, so that each
//! shard is acknowledged, lost and released by itself. The thread that runs the strategy has the
//! [`Subscriber`]: it checks each body, keeps what is not yet acknowledged, and decides when that is.
//! Whoever watches has the [`SubscriberHandle`].
//!
//! The strategy's thread may wait for the broker's thread, and never the other way round: frames stay
//! with the broker while the strategy is behind, and everything else is a notice, which needs no room.

use crate::rabbitmq::topology;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::control::{Control, FeedState};
use crate::frame::wire::BufferHome;
use crate::transport::{Arrival, FrameReceiver, Receipt, TransportError};
use crate::{Frame, FrameFlags, FrameHeader};
use broker::BrokerError;
use broker::amqp::Buffers;
use tick_sdk::names::{RunId, StrategyName};

mod connection;
mod context;
mod control_link;
mod dead_lettering;
mod frames_link;
mod handle;
mod hub;
mod intake;
mod messages;
mod notices;
mod prefetch;
mod shared;
mod subscription;
mod unacked;

pub use handle::SubscriberHandle;
pub use prefetch::{FEWEST_FRAMES, MAX_GROWN_BYTES, MOST_FRAMES, PREFETCH_BYTES};
pub use shared::{ConnectionState, NodeConnection, SubscriberCounts};
pub use subscription::Subscription;

use intake::Intake;
use messages::{Command, Commands, Delivered, FromBroker, Poison};
use notices::Notice;
use shared::Shared;
use unacked::{Ack, NEEDED_UNTIL_END_COMMITTED, NEEDED_UNTIL_RUN_KNOWN, NOT_NEEDED};

/// So many frames that nobody needs any more wait to be acknowledged together.
const ACK_TOGETHER: u32 = 64;

/// The strategy's end; see [`FrameReceiver`].
pub struct Subscriber {
    from_broker: Receiver<FromBroker>,
    commands: Commands,
    shared: Arc<Shared>,
    feed_exchange: String,
    strategy: StrategyName,
    prefetch_bytes: usize,
    /// How many bytes of a shard may be unacknowledged where its prefetch has to grow.
    max_grown_bytes: usize,
    /// Where bodies go when nobody needs them any more.
    home: Arc<dyn BufferHome>,
    run: RunId,
    begins_at: Vec<u64>,
    shards: Vec<Intake>,
    /// What came at once, and is handed on one by one: at most three a shard.
    waiting: VecDeque<Arrival>,
    /// Frames that nobody needs, since any were acknowledged.
    unneeded: u32,
    is_prefetch_half_full: bool,
}

impl Subscriber {
    /// Connects to every broker, and takes what the ingester announces.
    ///
    /// # Errors
    /// No broker can be reached, or one refuses the login or has no such vhost.
    pub fn connect(subscription: Subscription) -> Result<(Self, SubscriberHandle), BrokerError> {
        let feed_exchange = topology::frames_exchange(&subscription.feed);
        let strategy = subscription.strategy.clone();
        let prefetch_bytes = subscription.prefetch_bytes;
        let buffers = Buffers::new();
        let (from_broker, handle) = handle::start(subscription, buffers.clone())?;
        let subscriber = Self {
            from_broker,
            commands: handle.commands(),
            shared: handle.shared(),
            feed_exchange,
            strategy,
            prefetch_bytes,
            max_grown_bytes: MAX_GROWN_BYTES.max(prefetch_bytes),
            home: Arc::new(buffers),
            run: RunId([0; 16]),
            begins_at: Vec::new(),
            shards: Vec::new(),
            waiting: VecDeque::new(),
            unneeded: 0,
            is_prefetch_half_full: false,
        };
        Ok((subscriber, handle))
    }

    /// Takes frames of this run only, of which the strategy is given `begins_at` of each shard. To
    /// be called before any shard is assigned.
    pub fn follow(&mut self, run: RunId, begins_at: Vec<u64>) {
        self.run = run;
        self.shards = begins_at.iter().map(|_| Intake::default()).collect();
        self.begins_at = begins_at;
    }

    fn accept(&mut self, message: FromBroker) -> Option<Arrival> {
        match message {
            FromBroker::Delivery(delivered) => return self.accept_delivery(delivered),
            FromBroker::Opened { shard, link, prefetch } => {
                if let Some(intake) = self.shards.get_mut(usize::from(shard)) {
                    intake.on_opened(link, prefetch);
                }
            }
            FromBroker::Noticed => {}
        }
        None
    }

    /// Takes what the broker's thread has notified; what of it concerns the strategy waits to be received.
    #[inline]
    fn take_notices(&mut self) {
        while let Some(notice) = self.shared.notices.next() {
            self.on_notice(notice);
        }
    }

    fn on_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Closed { shard } => {
                if let Some(intake) = self.shards.get_mut(usize::from(shard)) {
                    intake.on_closed();
                }
            }
            Notice::DeadLettered { shard, link, tag } => self.on_dead_lettered(shard, link, tag),
            Notice::Revoked { shard } => self.waiting.push_back(Arrival::Revoked { shard }),
            Notice::State(state) => self.on_feed_state(&state),
            Notice::Gone { run, shard, from_seq, reason } if run == self.run => {
                self.waiting.push_back(Arrival::Gone { shard, from_seq, reason });
            }
            Notice::Gone { .. } => {}
        }
    }

    fn on_dead_lettered(&mut self, shard: u16, link: u32, tag: u64) {
        let intake = self.shards.get_mut(usize::from(shard)).filter(|intake| intake.link() == Some(link));
        let Some(intake) = intake else { return };
        if intake.on_dead_lettered(tag) {
            self.commands.send(Command::Reopen { shard, link });
        }
        self.flush();
    }

    /// What the ingester's announcement means for frames: a lost end of the run shows, and frames of other
    /// runs that leave no room for this one's are those of an old one as long as this one is the feed's.
    /// Should frames of the next run have overtaken the announcement, its hosts request them again.
    fn on_feed_state(&mut self, state: &FeedState) {
        if state.run != self.run {
            return;
        }
        let prefetch_bytes = self.prefetch_bytes;
        for intake in self.shards.iter_mut().filter(|intake| intake.is_prefetch_half_full(prefetch_bytes)) {
            intake.unacked.release_unknown_runs();
        }
        self.flush();
        if state.published {
            self.waiting.retain(|arrival| !matches!(arrival, Arrival::Published { .. }));
            let ours = |shard: u16| self.shards.get(usize::from(shard)).is_some_and(|i| i.link().is_some());
            let ends = (0..).zip(&state.shards).filter(|(shard, _)| ours(*shard));
            self.waiting.extend(ends.map(|(shard, state)| Arrival::Published {
                shard,
                end_seq: state.published,
                attempt: state.attempt,
            }));
        }
    }

    #[inline]
    fn accept_delivery(&mut self, delivered: Delivered) -> Option<Arrival> {
        let Delivered { shard, link, tag, .. } = delivered;
        if !self.shards.get(usize::from(shard))?.takes(link) {
            return None;
        }
        let bytes = delivered.body.len();
        match self.check(delivered) {
            Ok(frame) => {
                if frame.header.run == self.run {
                    // A feed has one run at a time, so that frames of others before it are of earlier ones.
                    let are_any = self.shards[usize::from(shard)].unacked.release_unknown_runs();
                    self.unneeded += u32::from(are_any);
                }
                let needed_below = self.needed_below(&frame);
                self.keep(shard, tag, bytes, needed_below);
                let receipt = Receipt { shard, link, tag };
                (frame.header.run == self.run).then(|| Arrival::Frame(Arc::new(frame), receipt))
            }
            Err(poison) => {
                if self.shards[usize::from(shard)].begin_dead_lettering(tag, bytes) {
                    self.commands.send(Command::DeadLetter(poison));
                }
                None
            }
        }
    }

    /// Checks a body once; what is not a frame of this queue comes back with the reason.
    #[inline]
    fn check(&self, mut delivered: Delivered) -> Result<Frame, Box<Poison>> {
        let body = std::mem::take(&mut delivered.body);
        let (reason, body) = match self.misplaced(&delivered, &body) {
            Some(reason) => (reason, body),
            None => match Frame::decode_or_return(body, Some(&self.home)) {
                Ok(frame) => return Ok(frame),
                Err((error, body)) => (error.to_string(), body),
            },
        };
        delivered.body = body;
        Err(Box::new(Poison { reason, delivered }))
    }

    /// Why a body does not belong into its queue, by its envelope and prefix.
    #[inline]
    fn misplaced(&self, delivered: &Delivered, body: &[u8]) -> Option<String> {
        let exchange = delivered.exchange.as_str();
        if !exchange.is_empty() && exchange != self.feed_exchange {
            return Some(format!(
                "it came by exchange {exchange}, and this feed's is {}",
                self.feed_exchange
            ));
        }
        let (header, _) = FrameHeader::claimed(body).ok()?;
        let here = (delivered.shard, self.shards.len());
        if header.run != self.run || (header.shard, usize::from(header.shards)) == here {
            return None;
        }
        let (shard, shards) = here;
        Some(format!(
            "it is a frame of shard {} of {}, and this is the queue of shard {shard} of {shards}",
            header.shard, header.shards
        ))
    }

    /// The broker is to keep a frame while not everything below this sequence number is stored.
    #[inline]
    fn needed_below(&self, frame: &Frame) -> u64 {
        let FrameHeader { run, flags, .. } = frame.header;
        if run != self.run {
            self.shared.counts.of_other_runs.fetch_add(1, Ordering::Relaxed);
            // It may be the feed's next one, whose ingester has not announced it yet.
            return NEEDED_UNTIL_RUN_KNOWN;
        }
        if flags.contains(FrameFlags::END_OF_RUN) {
            NEEDED_UNTIL_END_COMMITTED
        } else if flags.contains(FrameFlags::DICTIONARY) {
            NOT_NEEDED
        } else {
            frame.end_seq()
        }
    }

    /// Keeps what was delivered until it is acknowledged.
    #[inline]
    fn keep(&mut self, shard: u16, tag: u64, bytes: usize, needed_below: u64) {
        let intake = &mut self.shards[usize::from(shard)];
        intake.unacked.push(tag, bytes, needed_below);
        if intake.unacked.is_needed(needed_below) {
            self.is_prefetch_half_full |= intake.is_prefetch_half_full(self.prefetch_bytes);
            return;
        }
        self.unneeded += 1;
        if self.unneeded >= ACK_TOGETHER || intake.is_prefetch_half_full(self.prefetch_bytes) {
            self.flush();
        }
    }

    /// Acknowledges all that nobody needs.
    fn flush(&mut self) {
        self.unneeded = 0;
        for shard in 0..self.shards.len() as u16 {
            let ack = self.shards[usize::from(shard)].unacked.due();
            self.send_ack(shard, ack);
        }
        self.is_prefetch_half_full =
            self.shards.iter().any(|intake| intake.is_prefetch_half_full(self.prefetch_bytes));
    }

    fn send_ack(&self, shard: u16, ack: Option<Ack>) {
        if let (Some(ack), Some(link)) = (ack, self.shards[usize::from(shard)].link()) {
            self.commands.send(Command::Ack { shard, link, ack });
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<FromBroker>, TransportError> {
        match self.from_broker.try_recv() {
            Ok(message) => return Ok(Some(message)),
            Err(TryRecvError::Disconnected) => return Err(TransportError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        // Nothing comes at the moment, so that few are acknowledged together.
        if self.unneeded > 0 {
            self.flush();
        }
        match self.from_broker.recv_timeout(timeout) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TransportError::Closed),
        }
    }
}

impl FrameReceiver for Subscriber {
    fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>, TransportError> {
        if let Some(arrival) = self.waiting.pop_front() {
            return Ok(Some(arrival));
        }
        let deadline = Instant::now() + timeout;
        let mut left = timeout;
        loop {
            let message = self.next(left);
            // Before the message: a shard that it opens was closed before, which is a notice.
            self.take_notices();
            let arrival = match message {
                Ok(Some(message)) => self.accept(message).or_else(|| self.waiting.pop_front()),
                Ok(None) => return Ok(self.waiting.pop_front()),
                Err(closed) => return self.waiting.pop_front().map(Some).ok_or(closed),
            };
            if arrival.is_some() {
                return Ok(arrival);
            }
            left = deadline.saturating_duration_since(Instant::now());
        }
    }

    fn repairs(&self) -> bool {
        true
    }

    fn begins_at(&self, shard: u16) -> u64 {
        self.begins_at.get(usize::from(shard)).copied().unwrap_or_default()
    }

    fn acknowledge(&mut self, shard: u16, stored_seq: u64) {
        let ack = self.shards[usize::from(shard)].unacked.store(stored_seq);
        self.send_ack(shard, ack);
        self.flush();
    }

    fn discard(&mut self, receipt: Receipt) {
        let intake = &mut self.shards[usize::from(receipt.shard)];
        if intake.link() == Some(receipt.link) {
            let ack = intake.unacked.discard(receipt.tag);
            self.unneeded += 1;
            self.send_ack(receipt.shard, ack);
        }
    }

    fn request_resend(&mut self, shard: u16, from_seq: u64, attempt: u32) {
        self.shared.counts.resend_requests.fetch_add(1, Ordering::Relaxed);
        let strategy = self.strategy.clone();
        tracing::info!(run = %self.run, strategy = %strategy, shard, from_seq, attempt, "gap: resend requested");
        let resend = Control::Resend { run: self.run, strategy, shard, from_seq, attempt };
        self.commands.send(Command::Send(resend, Some(shard)));
    }

    fn request_dictionary(&mut self, shard: u16) {
        let dictionary = Control::Dictionary { run: self.run, strategy: self.strategy.clone(), shard };
        self.commands.send(Command::Send(dictionary, Some(shard)));
    }

    fn release(&mut self, shard: u16) {
        let intake = &mut self.shards[usize::from(shard)];
        *intake = Intake::leaving();
        self.commands.send(Command::Release { shard });
    }

    #[inline]
    fn is_prefetch_half_full(&self) -> bool {
        self.is_prefetch_half_full
    }

    fn grow_prefetch(&mut self, shard: u16) -> Result<(), TransportError> {
        let intake = &mut self.shards[usize::from(shard)];
        if let Some(prefetch) = intake.growth(shard, self.max_grown_bytes, Instant::now())?
            && let Some(link) = intake.link()
        {
            self.commands.send(Command::GrowPrefetch { shard, link, prefetch });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
