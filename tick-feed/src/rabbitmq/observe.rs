//! A feed seen from outside: nothing is changed, and nobody has to answer.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{select_all, unfold};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::control::{CommitDelay, Control, FeedState, ShardCursor};
use super::topology;
use broker::{
    Acknowledgement, BrokerError, BrokerUrl, Channel, Connection, Consumer, QueueOptions, QueueStatus,
};
use tick_sdk::names::{FeedName, RunId, StrategyName};

/// Everyone who has part in a feed announces how far it is once a second; this is a little longer.
pub const LISTEN: Duration = Duration::from_millis(1_300);

/// So many control messages are taken from each broker, at most.
const MAX_MESSAGES: u16 = 1_000;

/// Somebody else may hold the feed's last state right now, and put it back.
const STATE_WITHIN: Duration = Duration::from_secs(2);

/// What was seen of a feed.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What its ingester announced of its newest run, the oldest first; at least one.
    pub states: Vec<FeedState>,
    /// Whether an ingester is there now.
    pub has_ingester: bool,
    /// What the hosts of that run reported, in the order in which it came.
    pub hosts: Vec<HostReported>,
    /// The queues of its strategies, by strategy and shard.
    pub queues: Vec<QueueSeen>,
    /// How many dead letters the feed has.
    pub dead_letters: u64,
}

/// What one host reported of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReported {
    /// The strategy's instance name.
    pub strategy: StrategyName,
    /// The host's own id.
    pub member: String,
    /// Which ledger it commits to.
    pub ledger: String,
    /// The shards it has.
    pub cursors: Vec<ShardCursor>,
    /// How long its commits took lately.
    pub delay: Option<CommitDelay>,
}

/// A queue as its broker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSeen {
    /// The strategy's instance name.
    pub strategy: StrategyName,
    /// The shard.
    pub shard: u16,
    /// Messages that wait in it, those that were delivered and not acknowledged left out; `None` if
    /// it is not there.
    pub waiting: Option<u32>,
    /// Who consumes it; one of them is active.
    pub consumers: u32,
}

/// Why a feed cannot be looked at.
#[derive(Clone, Debug, Error)]
pub enum ObserveError {
    /// A broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The feed is not there.
    #[error(
        "no broker has a feed {feed}: there is no queue {queue}\n  see whether --feed and --broker are right, and whether `orchard ingest` was ever run"
    )]
    NoFeed {
        /// The feed.
        feed: FeedName,
        /// The queue that is not there.
        queue: String,
    },
    /// It was declared, and no state was announced.
    #[error(
        "nothing is known of feed {feed}: its ingester has not announced its state yet, or in another version"
    )]
    NoState {
        /// The feed.
        feed: FeedName,
    },
}

/// A feed that is looked at: what was announced is known, what is in its queues not yet.
pub struct Listening {
    brokers: Vec<Broker>,
    feed: FeedName,
    states: Vec<FeedState>,
    hosts: Vec<HostReported>,
}

impl Listening {
    /// Takes what is announced for [`LISTEN`] by those who have part in a feed, and on to its ingester's
    /// next state, so that this is fresh when it returns. The brokers are in the order in which the
    /// ingester has them.
    ///
    /// # Errors
    /// A broker cannot be reached, or none has the feed.
    pub async fn listen(urls: &[BrokerUrl], feed: &FeedName) -> Result<Self, ObserveError> {
        let mut brokers = Vec::new();
        for url in urls {
            let broker = Broker::open(url, feed).await?;
            let known = is_known(&broker, &brokers).await?;
            brokers.push(Broker { known, ..broker });
        }
        if brokers.iter().all(|broker| broker.listening.is_none()) {
            return Err(ObserveError::NoFeed { feed: feed.clone(), queue: topology::run_queue(feed) });
        }
        let (mut states, hosts) = announcements(&mut brokers, feed).await;
        for broker in distinct(&brokers) {
            states.extend(broker.kept_state(feed, states.is_empty()).await?);
        }
        let states = of_the_newest_run(states);
        let newest = states.last().ok_or_else(|| ObserveError::NoState { feed: feed.clone() })?.run;
        let hosts = hosts.into_iter().filter(|(run, _)| *run == newest).map(|(_, host)| host).collect();
        Ok(Self { brokers, feed: feed.clone(), states, hosts })
    }

    /// The state that its ingester announced last.
    pub fn state(&self) -> &FeedState {
        &self.states[self.states.len() - 1]
    }

    /// Looks at its queues, and is done.
    ///
    /// # Errors
    /// A connection is lost.
    pub async fn finish(self) -> Result<Observation, ObserveError> {
        let queues = queues(&self.brokers, self.state()).await?;
        let has_ingester = self.brokers[0].has_ingester(&self.feed).await?;
        let mut dead_letters = 0;
        for broker in distinct(&self.brokers) {
            let dead = broker.queue(&topology::dead_queue(&self.feed)).await?;
            dead_letters += dead.map_or(0, |queue| u64::from(queue.messages));
        }
        for broker in &self.brokers {
            broker.connection.close().await?;
        }
        Ok(Observation { states: self.states, has_ingester, hosts: self.hosts, queues, dead_letters })
    }
}

/// Those that do not lead to a cluster that one before them leads to.
fn distinct(brokers: &[Broker]) -> impl Iterator<Item = &Broker> {
    brokers.iter().filter(|broker| !broker.known)
}

/// What comes on the control exchange: for [`LISTEN`], then up to the next state.
async fn announcements(
    brokers: &mut [Broker],
    feed: &FeedName,
) -> (Vec<FeedState>, Vec<(RunId, HostReported)>) {
    let (mut states, mut hosts) = (Vec::new(), Vec::new());
    let listening = brokers.iter_mut().filter(|broker| !broker.known);
    let consumers = listening.filter_map(|broker| broker.listening.as_mut().map(|(_, consumer)| consumer));
    let mut messages = select_all(consumers.map(|consumer| {
        Box::pin(unfold(consumer, |consumer| async {
            let delivery = consumer.next(2 * LISTEN).await.ok()??;
            Some((delivery, consumer))
        }))
    }));
    let listened = Instant::now() + LISTEN;
    loop {
        // Where no ingester has announced anything by then, none will.
        let deadline = if states.is_empty() { listened } else { listened + LISTEN };
        let Ok(Some(delivery)) = timeout_at(deadline, messages.next()).await else { break };
        match Control::decode(&delivery.body) {
            Ok(Control::State(state)) if state.feed == *feed => {
                states.push(*state);
                if Instant::now() >= listened {
                    break;
                }
            }
            Ok(Control::Cursors { run, strategy, member, ledger, cursors, delay }) => {
                hosts.push((run, HostReported { strategy, member, ledger, cursors, delay }));
            }
            _ => {}
        }
    }
    (states, hosts)
}

/// The states of the run that was announced last, each once and in order.
fn of_the_newest_run(mut states: Vec<FeedState>) -> Vec<FeedState> {
    states.sort_by_key(|state| state.version);
    states.dedup_by_key(|state| state.version);
    let newest = states.last().map(|state| state.run);
    states.retain(|state| Some(state.run) == newest);
    states
}

async fn queues(brokers: &[Broker], state: &FeedState) -> Result<Vec<QueueSeen>, BrokerError> {
    let mut queues = Vec::new();
    for strategy in &state.strategies {
        for (shard, place) in state.shards.iter().enumerate() {
            let shard = shard as u16;
            let broker = brokers.get(usize::from(place.node)).unwrap_or(&brokers[0]);
            let seen = broker.queue(&topology::frames_queue(&state.feed, &strategy.name, shard)).await?;
            queues.push(QueueSeen {
                strategy: strategy.name.clone(),
                shard,
                waiting: seen.as_ref().map(|queue| queue.messages),
                consumers: seen.map_or(0, |queue| queue.consumers),
            });
        }
    }
    Ok(queues)
}

struct Broker {
    connection: Connection,
    /// Of control messages; `None` where the feed never was.
    listening: Option<(Channel, Consumer)>,
    /// Whether it belongs to the cluster of one before it, and has the same.
    known: bool,
}

impl Broker {
    async fn open(url: &BrokerUrl, feed: &FeedName) -> Result<Self, BrokerError> {
        let connection = Connection::open(url, "orchard status").await?;
        let listening = match listen(&connection, feed).await {
            Err(BrokerError::NotFound { .. }) => None,
            listening => Some(listening?),
        };
        Ok(Self { connection, listening, known: false })
    }

    /// The state that the broker keeps. Somebody may hold it right now; `patient` waits for it.
    async fn kept_state(&self, feed: &FeedName, patient: bool) -> Result<Option<FeedState>, BrokerError> {
        let deadline = Instant::now() + STATE_WITHIN;
        loop {
            // What is taken goes back with the channel, should this end here.
            let channel = self.connection.open_channel().await?;
            let message = match channel.get(&topology::run_queue(feed)).await {
                Err(BrokerError::NotFound { .. }) => return Ok(None),
                message => message?,
            };
            if let Some(message) = &message {
                channel.requeue(message.tag).await?;
            }
            channel.close().await?;
            match message.map(|message| Control::decode(&message.body)) {
                Some(Ok(Control::State(state))) => return Ok(Some(*state)),
                None if patient && Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
                _ => return Ok(None),
            }
        }
    }

    async fn has_ingester(&self, feed: &FeedName) -> Result<bool, BrokerError> {
        match self.inspect(&topology::ingester_queue(feed)).await {
            Err(BrokerError::Locked { .. }) => Ok(true),
            Err(error) if !matches!(error, BrokerError::NotFound { .. }) => Err(error),
            _ => Ok(false),
        }
    }

    /// How a queue is; `None` if it is not there.
    async fn queue(&self, name: &str) -> Result<Option<QueueStatus>, BrokerError> {
        match self.inspect(name).await {
            Err(BrokerError::NotFound { .. }) => Ok(None),
            seen => seen.map(Some),
        }
    }

    async fn inspect(&self, name: &str) -> Result<QueueStatus, BrokerError> {
        // A channel that asks for what is not there is closed by the broker.
        let channel = self.connection.open_channel().await?;
        let queue = channel.inspect_queue(name).await?;
        channel.close().await?;
        Ok(queue)
    }
}

async fn listen(connection: &Connection, feed: &FeedName) -> Result<(Channel, Consumer), BrokerError> {
    let channel = connection.open_channel().await?;
    let queue = channel.declare_queue("", &QueueOptions::exclusive()).await?.name;
    channel.bind_queue(&queue, &topology::control_exchange(feed), "").await?;
    // They are not acknowledged, so no more will come than are allowed.
    channel.set_prefetch(MAX_MESSAGES).await?;
    let consumer = channel.consume(&queue, Acknowledgement::Explicit).await?;
    Ok((channel, consumer))
}

/// Whether a broker is a node of the same cluster as one of these: there, its own exclusive queue is
/// not unknown but locked.
async fn is_known(broker: &Broker, others: &[Broker]) -> Result<bool, BrokerError> {
    for other in others.iter().filter(|other| !other.known) {
        let Some((_, consumer)) = &other.listening else { continue };
        if let Err(BrokerError::Locked { .. }) = broker.inspect(consumer.queue()).await {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
