//! The receiving end of a feed: one strategy's frames of the shards that it is told to take.
//!
//! All talk with brokers is on a thread of its own, with one channel a shard, so that each shard is
//! acknowledged, lost and given back by itself. The thread that runs the strategy has the
//! [`Subscriber`]: it checks each body, keeps what is not yet acknowledged, and says when that is.
//! Whoever watches has the [`SubscriberHandle`].

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
use broker::amqp::Buffers;
use broker::{BrokerError, BrokerUrl};
use tick_sdk::FeedName;
use tick_sdk::RunId;

mod burials;
mod connection;
mod control_link;
mod frames_link;
mod handle;
mod hub;
mod messages;
mod prefetch;
mod unacked;

pub use handle::{SubscriberCounts, SubscriberHandle};
pub use prefetch::{FEWEST_FRAMES, MOST_FRAMES, PREFETCH_BYTES};

use handle::Shared;
use messages::{Command, Commands, Delivered, FromBroker, Poison};
use unacked::{Ack, NOT_NEEDED, UNTIL_BURIED, UNTIL_END, UNTIL_KNOWN, Unacked};

/// So many frames that nobody needs any more wait to be acknowledged together.
const ACK_TOGETHER: u32 = 64;

/// What to receive, and from where.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The brokers' nodes, in the ingester's order.
    pub brokers: Vec<BrokerUrl>,
    /// The feed.
    pub feed: FeedName,
    /// The strategy's instance name, which its queues bear.
    pub strategy: String,
    /// This process's own id, by which brokers show its connections.
    pub member: String,
    /// So many bytes of each shard are not acknowledged, at most; see [`PREFETCH_BYTES`].
    pub prefetch_bytes: usize,
}

/// The strategy's end; see [`FrameReceiver`].
pub struct Subscriber {
    from_broker: Receiver<FromBroker>,
    commands: Commands,
    shared: Arc<Shared>,
    feed_exchange: String,
    strategy: String,
    prefetch_bytes: usize,
    /// Where bodies go when nobody needs them any more.
    home: Arc<dyn BufferHome>,
    run: RunId,
    begins_at: Vec<u64>,
    shards: Vec<Intake>,
    /// What was told at once, and is handed on one by one: at most one a shard.
    waiting: VecDeque<Arrival>,
    /// Frames that nobody needs, since any were acknowledged.
    unneeded: u32,
    is_prefetch_half_full: bool,
}

/// One shard as this end has it.
#[derive(Default)]
struct Intake {
    /// The subscription by which frames come; what came by another goes back to the broker.
    link: Option<u32>,
    /// It was given back, and that has not been done yet.
    is_leaving: bool,
    unacked: Unacked,
    /// How many frames the broker sends before one is acknowledged.
    prefetch: u16,
}

impl Subscriber {
    /// Connects to every broker, and listens to what the ingester says.
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
    /// be said before any shard is assigned.
    pub fn follow(&mut self, run: RunId, begins_at: Vec<u64>) {
        self.run = run;
        self.shards = begins_at.iter().map(|_| Intake::default()).collect();
        self.begins_at = begins_at;
    }

    fn accept(&mut self, message: FromBroker) -> Option<Arrival> {
        match message {
            FromBroker::Delivery(delivered) => return self.accept_delivery(delivered),
            FromBroker::Opened { shard, link } => {
                if let Some(intake) = self.shards.get_mut(usize::from(shard))
                    && !intake.is_leaving
                {
                    // What came by the link before comes again, to whoever has the shard.
                    intake.link = Some(link);
                    intake.unacked.forget();
                }
            }
            FromBroker::Closed { shard } => {
                if let Some(intake) = self.shards.get_mut(usize::from(shard)) {
                    intake.is_leaving = false;
                }
            }
            FromBroker::Buried { shard, link, tag } => {
                self.shared.counts.dead_lettered.fetch_add(1, Ordering::Relaxed);
                if let Some(intake) = self.shards.get_mut(usize::from(shard))
                    && intake.link == Some(link)
                {
                    intake.unacked.acknowledged(tag);
                    self.flush();
                }
            }
            FromBroker::Revoked { shard } => return Some(Arrival::Revoked { shard }),
            FromBroker::State(state) => self.heed(&state),
            FromBroker::Gone { run, shard, from_seq, reason } => {
                return (run == self.run).then_some(Arrival::Gone { shard, from_seq, reason });
            }
        }
        None
    }

    /// What the ingester's state means for frames: a lost end of the run shows, and frames of other runs
    /// that leave no room for this one's are those of an old one as long as this one is the feed's.
    /// Should the state have been overtaken by the frames, the next run's hosts request them again.
    fn heed(&mut self, state: &FeedState) {
        if state.run != self.run {
            return;
        }
        let prefetch_bytes = self.prefetch_bytes;
        for intake in self.shards.iter_mut().filter(|intake| intake.is_prefetch_half_full(prefetch_bytes)) {
            intake.unacked.release_unknown();
        }
        self.flush();
        if state.published {
            let ours = |shard: u16| self.shards.get(usize::from(shard)).is_some_and(|i| i.link.is_some());
            let ends = (0..).zip(&state.shards).filter(|(shard, _)| ours(*shard));
            let ends = ends.map(|(shard, state)| Arrival::Published {
                shard,
                end_seq: state.published,
                attempt: state.attempt,
            });
            self.waiting = ends.collect();
        }
    }

    #[inline]
    fn accept_delivery(&mut self, delivered: Delivered) -> Option<Arrival> {
        let Delivered { shard, link, tag, prefetch, .. } = delivered;
        let intake = self.shards.get_mut(usize::from(shard))?;
        if intake.link != Some(link) {
            return None;
        }
        intake.prefetch = prefetch;
        let bytes = delivered.body.len();
        match self.check(delivered) {
            Ok(frame) => {
                if frame.header.run == self.run {
                    // A feed has one run at a time, so that frames of others before it are of earlier ones.
                    let is_any = self.shards[usize::from(shard)].unacked.release_unknown();
                    self.unneeded += u32::from(is_any);
                }
                let until = self.needed_until(&frame);
                self.note(shard, tag, bytes, until);
                let receipt = Receipt { shard, link, tag };
                (frame.header.run == self.run).then(|| Arrival::Frame(Arc::new(frame), receipt))
            }
            Err(poison) => {
                self.note(shard, tag, bytes, UNTIL_BURIED);
                self.commands.send(Command::Bury(poison));
                None
            }
        }
    }

    /// Checks a body once; what is no frame of this queue comes back with the reason.
    #[inline]
    fn check(&self, mut delivered: Delivered) -> Result<Frame, Box<Poison>> {
        let body = std::mem::take(&mut delivered.body);
        let (reason, body) = match self.misplaced(&delivered, &body) {
            Some(reason) => (reason, body),
            None => match Frame::decode_or_give_back(body, Some(&self.home)) {
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

    /// Until when the broker is to keep a frame.
    #[inline]
    fn needed_until(&self, frame: &Frame) -> u64 {
        let FrameHeader { run, flags, .. } = frame.header;
        if run != self.run {
            self.shared.counts.of_other_runs.fetch_add(1, Ordering::Relaxed);
            // It may be the feed's next one, whose ingester has not been heard yet.
            return UNTIL_KNOWN;
        }
        if flags.contains(FrameFlags::END_OF_RUN) {
            UNTIL_END
        } else if flags.contains(FrameFlags::DICTIONARY) {
            NOT_NEEDED
        } else {
            frame.end_seq()
        }
    }

    /// Keeps what was delivered until it is acknowledged.
    #[inline]
    fn note(&mut self, shard: u16, tag: u64, bytes: usize, until: u64) {
        let intake = &mut self.shards[usize::from(shard)];
        intake.unacked.push(tag, bytes, until);
        if intake.unacked.is_needed(until) {
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
        if let (Some(ack), Some(link)) = (ack, self.shards[usize::from(shard)].link) {
            self.commands.send(Command::Ack { shard, link, ack });
        }
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<FromBroker>, TransportError> {
        match self.from_broker.try_recv() {
            Ok(message) => return Ok(Some(message)),
            Err(TryRecvError::Disconnected) => return Err(TransportError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        // Nothing comes at the moment, so that it is no loss to acknowledge few together.
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

impl Intake {
    /// Whether half of what may wait does.
    #[inline]
    fn is_prefetch_half_full(&self, prefetch_bytes: usize) -> bool {
        self.unacked.bytes() * 2 > prefetch_bytes || self.unacked.len() * 2 > usize::from(self.prefetch)
    }
}

impl FrameReceiver for Subscriber {
    fn receive(&mut self, timeout: Duration) -> Result<Option<Arrival>, TransportError> {
        if let Some(arrival) = self.waiting.pop_front() {
            return Ok(Some(arrival));
        }
        let deadline = Instant::now() + timeout;
        let mut left = timeout;
        while let Some(message) = self.next(left)? {
            if let Some(arrival) = self.accept(message).or_else(|| self.waiting.pop_front()) {
                return Ok(Some(arrival));
            }
            left = deadline.saturating_duration_since(Instant::now());
        }
        Ok(None)
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
        if intake.link == Some(receipt.link) {
            let ack = intake.unacked.discard(receipt.tag);
            self.unneeded += 1;
            self.send_ack(receipt.shard, ack);
        }
    }

    fn request_resend(&mut self, shard: u16, from_seq: u64, attempt: u32) {
        self.shared.counts.asked.fetch_add(1, Ordering::Relaxed);
        let strategy = self.strategy.clone();
        let resend = Control::Resend { run: self.run, strategy, shard, from_seq, attempt };
        self.commands.send(Command::Say(resend, Some(shard)));
    }

    fn request_dictionary(&mut self, shard: u16) {
        let dictionary = Control::Dictionary { run: self.run, strategy: self.strategy.clone(), shard };
        self.commands.send(Command::Say(dictionary, Some(shard)));
    }

    fn release(&mut self, shard: u16) {
        let intake = &mut self.shards[usize::from(shard)];
        *intake = Intake { is_leaving: true, ..Intake::default() };
        self.commands.send(Command::Release { shard });
    }

    #[inline]
    fn is_prefetch_half_full(&self) -> bool {
        self.is_prefetch_half_full
    }

    fn grow_prefetch(&mut self, shard: u16) {
        if self.shards[usize::from(shard)].is_prefetch_half_full(self.prefetch_bytes) {
            self.commands.send(Command::Widen { shard });
        }
    }
}

#[cfg(test)]
mod tests;
