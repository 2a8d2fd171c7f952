//! Poison messages on their way to the dead letters. A shard is given back after its own are buried
//! and acknowledged: otherwise its next owner would get them again, and bury them a second time.

use crate::rabbitmq::topology;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::Subscription;
use super::connection::{Opened, opened};
use super::hub::Context;
use super::messages::Poison;
use crate::rabbitmq::{BrokerError, DeadLetter, dead_letters};
use broker::backoff::Backoff;

/// A shard that is to be given back waits for its burials so long at most: a broker that takes no
/// messages must not keep it from its next owner.
const RELEASE_WAITS: Duration = Duration::from_secs(2);
/// So many burials are done and not yet looked at; beyond, they wait.
const WAITING_BURIALS: usize = 64;

/// The delivery of a message that is buried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buried {
    pub(super) shard: u16,
    pub(super) link: u32,
    pub(super) tag: u64,
}

/// The burials of one broker thread.
pub(super) struct Burials {
    to_done: mpsc::Sender<Buried>,
    done: mpsc::Receiver<Buried>,
    /// How many of each shard are under way; none is 0.
    under_way: BTreeMap<u16, usize>,
    /// The shards that wait to be given back, and until when.
    releases: BTreeMap<u16, Instant>,
}

/// What comes next of burials.
pub(super) enum Next {
    /// This one is done, and may be acknowledged.
    Buried(Buried),
    /// This shard has waited long enough.
    Overdue { shard: u16 },
}

impl Burials {
    pub(super) fn new() -> Self {
        let (to_done, done) = mpsc::channel(WAITING_BURIALS);
        Self { to_done, done, under_way: BTreeMap::new(), releases: BTreeMap::new() }
    }

    /// Buries a message by the connection that there is, or the next.
    pub(super) fn begin(&mut self, context: Arc<Context>, control: Opened, poison: Poison) {
        *self.under_way.entry(poison.delivered.shard).or_default() += 1;
        tokio::spawn(bury(context, control, poison, self.to_done.clone()));
    }

    /// Whether a message of this shard is not buried yet.
    pub(super) fn are_under_way(&self, shard: u16) -> bool {
        self.under_way.contains_key(&shard)
    }

    /// Has a shard wait until [`next`](Self::next) or [`is_free`](Self::is_free) says that it may go.
    pub(super) fn hold(&mut self, shard: u16) {
        self.releases.entry(shard).or_insert_with(|| Instant::now() + RELEASE_WAITS);
    }

    /// Waits for what comes next; for ever where nothing is under way.
    pub(super) async fn next(&mut self) -> Next {
        let first = self.releases.iter().min_by_key(|(_, until)| **until);
        let Some((&shard, &until)) = first else { return Next::Buried(self.next_buried().await) };
        match tokio::time::timeout_at(until.into(), self.next_buried()).await {
            Ok(buried) => Next::Buried(buried),
            Err(_) => {
                self.releases.remove(&shard);
                Next::Overdue { shard }
            }
        }
    }

    async fn next_buried(&mut self) -> Buried {
        match self.done.recv().await {
            Some(buried) => buried,
            // This end keeps a sender.
            None => std::future::pending().await,
        }
    }

    /// A burial is over; says whether its shard has waited for that to be given back.
    pub(super) fn is_free(&mut self, shard: u16) -> bool {
        if let Some(count) = self.under_way.get_mut(&shard) {
            *count -= 1;
            if *count > 0 {
                return false;
            }
            self.under_way.remove(&shard);
        }
        self.releases.remove(&shard).is_some()
    }
}

/// Keeps a poison message among the dead letters, however long that takes, and says so.
async fn bury(context: Arc<Context>, mut control: Opened, poison: Poison, done: mpsc::Sender<Buried>) {
    let Poison { reason, delivered } = poison;
    let Subscription { feed, strategy, .. } = &context.subscription;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let buried = Buried { shard: delivered.shard, link: delivered.link, tag: delivered.tag };
    let letter = DeadLetter {
        reason,
        queue: topology::frames_queue(feed, strategy, delivered.shard),
        exchange: delivered.exchange.to_string(),
        routing_key: delivered.routing_key.to_string(),
        at: now.as_nanos() as u64,
        body: delivered.body,
    };
    let mut backoff = Backoff::default();
    while let Some(open) = opened(&mut control).await {
        let burying = async {
            let channel = open.open_channel().await?;
            dead_letters::bury(&channel, feed, &letter).await?;
            // The letter is kept, whatever becomes of the channel.
            let _ = channel.close().await;
            Ok::<_, BrokerError>(())
        };
        match burying.await {
            Ok(()) => {
                // Who does not listen any more has ended, and the message goes back.
                let _ = done.send(buried).await;
                return;
            }
            Err(error) => context.shared.lost(error.to_string()),
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}
