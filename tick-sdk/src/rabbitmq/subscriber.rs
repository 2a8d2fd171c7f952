//! The receiving end of a feed: one strategy's frames of the shards that it is told to take.
//!
//! All talk with brokers is on a thread of its own, with one channel a shard, so that each shard is
//! acknowledged, lost and given back by itself. The thread that runs the strategy has the
//! [`Subscriber`]: it checks each body, keeps what is not yet acknowledged, and says when that is.
//! Whoever watches has the [`SubscriberHandle`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::connect::{BrokerError, BrokerUrl};
use super::control::{Control, FeedState};
use super::topology::FeedName;
use crate::transport::{Arrival, FrameReceiver, Receipt, TransportError};
use crate::{Frame, FrameFlags, RunId};

mod connection;
mod control_link;
mod handle;
mod hub;
mod messages;
mod prefetch;
mod shard_link;
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
    run: RunId,
    begins_at: Vec<u64>,
    shards: Vec<Intake>,
    /// What was told at once, and is handed on one by one: at most one a shard.
    waiting: VecDeque<Arrival>,
    /// Frames that nobody needs, since any were acknowledged.
    unneeded: u32,
    is_pressed: bool,
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
        let feed_exchange = subscription.feed.exchange();
        let strategy = subscription.strategy.clone();
        let prefetch_bytes = subscription.prefetch_bytes;
        let (from_broker, handle) = handle::start(subscription)?;
        let subscriber = Self {
            from_broker,
            commands: handle.commands(),
            shared: handle.shared(),
            feed_exchange,
            strategy,
            prefetch_bytes,
            run: RunId([0; 16]),
            begins_at: Vec::new(),
            shards: Vec::new(),
            waiting: VecDeque::new(),
            unneeded: 0,
            is_pressed: false,
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
                self.discard(Receipt { shard, link, tag });
                self.flush();
            }
            FromBroker::Revoked { shard } => return Some(Arrival::Revoked { shard }),
            FromBroker::State(state) => self.heed(&state),
            FromBroker::Gone { run, shard, from_seq, reason } => {
                return (run == self.run).then_some(Arrival::Gone { shard, from_seq, reason });
            }
        }
        None
    }

    /// What the ingester's word means for frames: those of an unknown run were of an old one if
    /// this one is still the feed's, and a lost end of the run shows.
    fn heed(&mut self, state: &FeedState) {
        if state.run != self.run {
            return;
        }
        for intake in &mut self.shards {
            intake.unacked.give_up_unknown();
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
    fn check(&self, mut delivered: Delivered) -> Result<Frame, Box<Poison>> {
        let body = std::mem::take(&mut delivered.body);
        let poison = |reason: String, body| Box::new(Poison { reason, delivered: Delivered { body, ..delivered } });
        let exchange = delivered.exchange.as_str();
        if !exchange.is_empty() && exchange != self.feed_exchange {
            let reason = format!("it came by exchange {exchange}, and this feed's is {}", self.feed_exchange);
            return Err(poison(reason, body));
        }
        let here = (delivered.shard, self.shards.len());
        let claimed = body.clone_prefix();
        todo!()
    }
}
