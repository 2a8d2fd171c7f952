//! What the broker's thread and the strategy's tell each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::unacked::Ack;
use crate::rabbitmq::{Control, FeedState};
use broker::amqp::ShortString;
use tick_sdk::RunId;

/// So many commands wait for the broker's thread; beyond, whoever commands waits.
const WAITING_COMMANDS: usize = 1024;
/// Between looks for room.
const ROOM_COMES: Duration = Duration::from_micros(200);

/// From the broker's thread.
pub(super) enum FromBroker {
    /// A message of a shard's queue.
    Delivery(Delivered),
    /// What comes of a shard from here on comes by this link.
    Opened { shard: u16, link: u32 },
    /// A released shard was given back.
    Closed { shard: u16 },
    /// A poison message is kept elsewhere, and acknowledged here.
    Buried { shard: u16, link: u32, tag: u64 },
    /// The shard is somebody else's from now on.
    Revoked { shard: u16 },
    /// The ingester's word.
    State(Arc<FeedState>),
    /// The ingester cannot give these ticks again.
    Gone { run: RunId, shard: u16, from_seq: u64, reason: String },
}

/// A message as it came.
pub(super) struct Delivered {
    pub(super) shard: u16,
    pub(super) link: u32,
    pub(super) tag: u64,
    /// How many the broker sends of this shard before one is acknowledged.
    pub(super) prefetch: u16,
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) body: Vec<u8>,
}

/// A message that is no frame of its queue.
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
    /// More frames of a shard than bytes allow.
    Widen { shard: u16 },
    /// To the queue of dead letters.
    Bury(Box<Poison>),
    /// To all who listen: on the node of a shard, or on the first node that is there.
    Say(Control, Option<u16>),
    /// No more shards; it ends when those there are were released.
    Stop,
    /// It ends now.
    Abort,
}

/// The way to the broker's thread.
#[derive(Clone)]
pub(super) struct Commands(mpsc::Sender<Command>);

pub(super) fn commands() -> (Commands, mpsc::Receiver<Command>) {
    let (sender, receiver) = mpsc::channel(WAITING_COMMANDS);
    (Commands(sender), receiver)
}

impl Commands {
    /// Waits for room. That the thread has ended is seen where its messages come.
    pub(super) fn send(&self, command: Command) {
        let mut command = command;
        while let Err(TrySendError::Full(back)) = self.0.try_send(command) {
            command = back;
            std::thread::sleep(ROOM_COMES);
        }
    }
}
