//! What the broker's thread and the strategy's thread send each other.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::unacked::Ack;
use crate::rabbitmq::Control;
use broker::amqp::ShortString;

/// So many commands wait for the broker's thread; beyond, whoever commands waits. That thread never
/// waits for whoever commands, so that it always comes to them.
pub(super) const WAITING_COMMANDS: usize = 1024;
/// Between attempts where the queue is full.
const RETRY_WHEN_FULL: Duration = Duration::from_micros(200);

/// From a node's connection to the strategy's thread.
pub(super) enum FromBroker {
    /// A message of a shard's queue.
    Delivery(Delivered),
    /// What comes of a shard from here on comes by this link, and so many are sent before one is
    /// acknowledged.
    Opened { shard: u16, link: u32, prefetch: u16 },
    /// There are [`Notices`](super::notices::Notices).
    Noticed,
}

/// A message as it came.
pub(super) struct Delivered {
    pub(super) shard: u16,
    pub(super) link: u32,
    pub(super) tag: u64,
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) body: Vec<u8>,
}

/// A message that is not a frame of its queue.
pub(super) struct Poison {
    pub(super) reason: String,
    pub(super) delivered: Delivered,
}

/// To the broker's thread.
pub(super) enum Command {
    /// These shards are this end's.
    Assign(BTreeSet<u16>),
    /// Every shard's channel is closed at once, whatever the strategy's thread still does with it.
    ReleaseAll,
    /// A shard that this end has done with.
    Release { shard: u16 },
    /// To the link that a delivery came by, if it is still there.
    Ack { shard: u16, link: u32, ack: Ack },
    /// A shard's channel is opened again with this prefetch, if it is still this link and smaller.
    GrowPrefetch { shard: u16, link: u32, prefetch: u16 },
    /// A shard's channel is opened again, if it is still this link: what is not acknowledged comes again.
    Reopen { shard: u16, link: u32 },
    /// To the queue of dead letters.
    DeadLetter(Box<Poison>),
    /// To the ingester and the other hosts: on the node of a shard, or on the first node that is connected.
    Send(Control, Option<u16>),
    /// No more shards; it ends when those there are were released.
    Stop,
    /// It ends now.
    Abort,
}

/// The sending half for the broker's thread.
#[derive(Clone)]
pub(super) struct Commands(mpsc::Sender<Command>);

/// A queue of at most `capacity` commands.
pub(super) fn commands(capacity: usize) -> (Commands, mpsc::Receiver<Command>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Commands(sender), receiver)
}

impl Commands {
    /// Waits for room. That the thread has ended is seen where its messages come.
    pub(super) fn send(&self, command: Command) {
        let mut command = command;
        while let Err(TrySendError::Full(back)) = self.0.try_send(command) {
            command = back;
            std::thread::sleep(RETRY_WHEN_FULL);
        }
    }
}
