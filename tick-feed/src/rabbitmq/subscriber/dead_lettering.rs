//! Poison messages on their way to the dead letters: one task a node, which stores one after the other. A
//! shard is released after its own are stored and acknowledged: otherwise its next owner would get them
//! again, and store them a second time.

use crate::rabbitmq::topology;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::Subscription;
use super::connection::{Opened, opened};
use super::context::Context;
use super::messages::Poison;
use crate::rabbitmq::{BrokerError, DeadLetter, dead_letters};
use broker::Connection;
use broker::backoff::Backoff;

/// A shard that is to be released waits for its dead letters so long at most: a broker that stores none
/// must not keep it from its next owner.
const RELEASE_WAITS: Duration = Duration::from_secs(2);

/// Which delivery a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeliveryId {
    pub(super) shard: u16,
    pub(super) link: u32,
    pub(super) tag: u64,
}

/// The poison messages of one subscriber that are not stored yet.
///
/// The queues have no limit in their type: the strategy's thread hands over no more than
/// [`MAX_DEAD_LETTERING`](super::intake::MAX_DEAD_LETTERING) a shard.
pub(super) struct DeadLettering {
    context: Arc<Context>,
    /// To each node's task.
    writers: Vec<mpsc::UnboundedSender<Waiting>>,
    to_stored: mpsc::UnboundedSender<DeliveryId>,
    stored: mpsc::UnboundedReceiver<DeliveryId>,
    under_way: BTreeMap<u16, UnderWay>,
    /// The shards that wait to be released, and when they no longer do.
    releases: BTreeMap<u16, Instant>,
}

/// The poison messages of one shard that came by one link.
struct UnderWay {
    link: u32,
    count: usize,
    /// They are the broker's again, and come again: whatever is not stored yet must not be.
    is_cancelled: Arc<AtomicBool>,
}

/// One message that waits for a node's task.
struct Waiting {
    id: DeliveryId,
    letter: DeadLetter,
    body: Vec<u8>,
    is_cancelled: Arc<AtomicBool>,
}

/// What happened.
pub(super) enum Event {
    /// This one is stored, and may be acknowledged.
    Stored(DeliveryId),
    /// This shard has waited for [`RELEASE_WAITS`].
    Overdue { shard: u16 },
}

impl DeadLettering {
    pub(super) fn new(context: Arc<Context>) -> Self {
        let (to_stored, stored) = mpsc::unbounded_channel();
        Self {
            context,
            writers: Vec::new(),
            to_stored,
            stored,
            under_way: BTreeMap::new(),
            releases: BTreeMap::new(),
        }
    }

    /// Starts the task of the next node; it ends with this.
    pub(super) fn add_node(&mut self, connections: Opened) {
        let (writer, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(self.context.clone(), connections, queue, self.to_stored.clone()));
        self.writers.push(writer);
    }

    /// Has a node's task store a message.
    pub(super) fn begin(&mut self, node: usize, poison: Poison) {
        let Poison { reason, delivered } = poison;
        let id = DeliveryId { shard: delivered.shard, link: delivered.link, tag: delivered.tag };
        if self.under_way.get(&id.shard).is_some_and(|before| before.link != id.link) {
            self.cancel_messages(id.shard);
        }
        let of_shard = self.under_way.entry(id.shard).or_insert_with(|| UnderWay {
            link: id.link,
            count: 0,
            is_cancelled: Arc::default(),
        });
        of_shard.count += 1;
        let Subscription { feed, strategy, .. } = &self.context.subscription;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let letter = DeadLetter {
            reason,
            queue: topology::frames_queue(feed, strategy, id.shard),
            exchange: delivered.exchange.to_string(),
            routing_key: delivered.routing_key.to_string(),
            at: now.as_nanos() as u64,
        };
        let waiting =
            Waiting { id, letter, body: delivered.body, is_cancelled: of_shard.is_cancelled.clone() };
        // Its task ends after this.
        let _ = self.writers[node].send(waiting);
    }

    /// Whether a message of this shard is not stored yet.
    pub(super) fn is_under_way(&self, shard: u16) -> bool {
        self.under_way.contains_key(&shard)
    }

    /// Has a shard wait until [`next`](Self::next) or [`finish`](Self::finish) reports that it is free.
    pub(super) fn hold(&mut self, shard: u16) {
        self.releases.entry(shard).or_insert_with(|| Instant::now() + RELEASE_WAITS);
    }

    /// The shard is the broker's again: whoever has it next stores its messages.
    pub(super) fn cancel(&mut self, shard: u16) {
        self.releases.remove(&shard);
        self.cancel_messages(shard);
    }

    fn cancel_messages(&mut self, shard: u16) {
        if let Some(cancelled) = self.under_way.remove(&shard) {
            cancelled.is_cancelled.store(true, Ordering::Release);
        }
    }

    /// Waits for what happens next; for ever where nothing is under way.
    pub(super) async fn next(&mut self) -> Event {
        let first = self.releases.iter().min_by_key(|(_, deadline)| **deadline);
        let Some((&shard, &deadline)) = first else { return Event::Stored(self.next_stored().await) };
        match tokio::time::timeout_at(deadline.into(), self.next_stored()).await {
            Ok(stored) => Event::Stored(stored),
            Err(_) => {
                self.cancel(shard);
                Event::Overdue { shard }
            }
        }
    }

    async fn next_stored(&mut self) -> DeliveryId {
        match self.stored.recv().await {
            Some(stored) => stored,
            // This end keeps a sender.
            None => std::future::pending().await,
        }
    }

    /// A message is stored; true if its shard has waited for that to be released.
    pub(super) fn finish(&mut self, id: DeliveryId) -> bool {
        let Some(of_shard) = self.under_way.get_mut(&id.shard).filter(|of_shard| of_shard.link == id.link)
        else {
            return false;
        };
        of_shard.count -= 1;
        if of_shard.count > 0 {
            return false;
        }
        self.under_way.remove(&id.shard);
        self.releases.remove(&id.shard).is_some()
    }
}

/// Stores what comes, one after the other, each however long that takes, and reports it.
async fn write(
    context: Arc<Context>,
    mut connections: Opened,
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    stored: mpsc::UnboundedSender<DeliveryId>,
) {
    let mut waiting = VecDeque::new();
    let mut backoff = Backoff::default();
    loop {
        if waiting.is_empty() {
            let Some(next) = queue.recv().await else { return };
            waiting.push_back(next);
        }
        let Some(open) = opened(&mut connections).await else { return };
        while let Ok(next) = queue.try_recv() {
            waiting.push_back(next);
        }
        waiting.retain(|one| !one.is_cancelled.load(Ordering::Acquire));
        let Some(first) = waiting.front() else { continue };
        match store(&context, &open, first).await {
            Ok(()) => {
                tracing::warn!(
                    feed = %context.subscription.feed,
                    strategy = %context.subscription.strategy,
                    shard = first.id.shard,
                    reason = %first.letter.reason,
                    "message dead-lettered"
                );
                backoff.reset();
                // Nobody waits for it any more where this has ended, and the message is redelivered.
                let _ = stored.send(first.id);
                waiting.pop_front();
            }
            Err(error) => {
                context.shared.on_lost(error.to_string());
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
    }
}

async fn store(context: &Context, open: &Connection, waiting: &Waiting) -> Result<(), BrokerError> {
    let channel = open.open_channel().await?;
    dead_letters::store(&channel, &context.subscription.feed, &waiting.letter, &waiting.body).await?;
    // The letter is stored, whatever becomes of the channel.
    let _ = channel.close().await;
    Ok(())
}
