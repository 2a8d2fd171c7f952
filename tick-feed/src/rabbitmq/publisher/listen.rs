//! Control messages of hosts and ingester: one connection a node, beside the one for frames.

use crate::rabbitmq::topology;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::queues::QueueWatch;
use super::shared::Shared;
use super::strategies::{JoinError, Joined, Reported};
use super::stream::lock;
use super::{FIRST_CONNECTION, PublishError, declare};
use crate::rabbitmq::control::{Control, FeedState, JoinFrom};
use broker::backoff::Backoff;
use broker::{
    Acknowledgement, BrokerError, BrokerUrl, Channel, Connection, Consumer, Delivery, Message, QueueOptions,
};
use tick_sdk::names::{FeedName, StrategyName};
use tracing::{info, warn};

/// How often the state is broadcast without a change.
const BROADCAST_EVERY: Duration = Duration::from_secs(1);
/// Changes are broadcast together, at most so often.
const BROADCAST_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// A killed ingester's connection is gone after two of its heartbeats, and some.
const PREDECESSOR: Duration = Duration::from_secs(15);
/// Who had the feed waits longer for its own connection that was lost: a busy broker takes its time.
const OWN_PREDECESSOR: Duration = Duration::from_secs(60);
/// For so long the kept state is looked for, as a host may have it in hand.
const KEPT_STATE: Duration = Duration::from_secs(1);
/// For so long that of the ingester before this one is: a host that has it may be stopped just then, and its
/// connection is gone after that. Without it this ingester's states would seem to be older ones.
const PREDECESSORS_STATE: Duration = Duration::from_secs(15);
/// Between these looks.
const STATE_RETRY: Duration = Duration::from_millis(50);
/// How long a clean end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Listens on a node until the publisher stops.
pub(super) async fn serve(shared: Arc<Shared>, index: usize) {
    let mut backoff = Backoff::default();
    let mut stopping = shared.stopping.subscribe();
    let mut was_ready = false;
    let mut turn = index;
    if index > 0 {
        // No state is broadcast before this ingester has its epoch, which the first node keeps.
        let mut owned = shared.owned.subscribe();
        tokio::select! {
            _ = owned.wait_for(|owned| *owned) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
    while !shared.is_stopping() {
        let url = shared.plan.broker(index, turn);
        let session = Session::open(&shared, index, url).await;
        let ended = match session {
            Ok(session) => {
                was_ready = true;
                backoff.reset();
                *lock(&shared.nodes[index].control_error) = None;
                info!(%url, "connected to broker for control messages");
                session.run().await.map_err(PublishError::from)
            }
            Err(error) => Err(error),
        };
        let Err(error) = ended else { break };
        let is_final = match &error {
            PublishError::Broker(BrokerError::Arguments { .. }) => true,
            PublishError::Broker(_) if was_ready => false,
            PublishError::Broker(error) => !error.is_temporary() || shared.now() > FIRST_CONNECTION,
            _ => true,
        };
        if is_final {
            return shared.fail(error);
        }
        let before = lock(&shared.nodes[index].control_error).replace(error.to_string());
        if before.is_none() {
            let owns_feed = index == 0;
            warn!(%url, %error, owns_feed, "connection to broker for control messages lost");
        }
        turn += 1;
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

struct Session<'a> {
    shared: &'a Shared,
    index: usize,
    url: &'a BrokerUrl,
    connection: Connection,
    channel: Channel,
    controls: Consumer,
    changes: watch::Receiver<u64>,
    queues: QueueWatch,
    announcements: broadcast::Receiver<Control>,
}

impl<'a> Session<'a> {
    async fn open(shared: &'a Shared, index: usize, url: &'a BrokerUrl) -> Result<Self, PublishError> {
        let feed = &shared.plan.feed;
        let connection = Connection::open(url, &format!("orchard ingest {feed}, control")).await?;
        let channel =
            if index == 0 { own(shared, url, &connection).await? } else { connection.open_channel().await? };
        let is_new = !has_kept_state(&connection, feed).await?;
        declare::feed(&channel, feed).await?;
        // It does not lose what it knows itself.
        let timeout = if index == 0 && !*shared.owned.borrow() { PREDECESSORS_STATE } else { KEPT_STATE };
        let kept = if is_new { None } else { kept_state(&channel, feed, timeout).await? };
        take_over(shared, index, kept.as_deref())?;
        let queue = channel.declare_queue("", &QueueOptions::exclusive()).await?.name;
        channel.bind_queue(&queue, &topology::control_exchange(feed), "").await?;
        let controls = channel.consume(&queue, Acknowledgement::Automatic).await?;
        if index == 0 {
            info!(ingester_epoch = shared.ingester_epoch(), "feed owned");
            shared.owned.send_replace(true);
        }
        let changes = shared.changes.subscribe();
        let queues = QueueWatch::default();
        let announcements = shared.announcements.subscribe();
        Ok(Self { shared, index, url, connection, channel, controls, changes, queues, announcements })
    }

    async fn run(mut self) -> Result<(), BrokerError> {
        let mut every = interval(BROADCAST_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            tokio::select! {
                delivery = self.controls.next(BROADCAST_EVERY) => if let Some(delivery) = delivery? {
                    self.on_control(&delivery);
                },
                _ = every.tick() => {
                    self.broadcast_state().await?;
                    if !self.connection.is_blocked() {
                        self.queues.look(self.shared, self.index, &self.connection).await?;
                    }
                }
                _ = self.changes.changed() => {
                    self.broadcast_state().await?;
                    sleep(BROADCAST_AT_MOST_EVERY).await;
                    self.changes.mark_unchanged();
                    if !self.shared.is_stopping() {
                        self.broadcast_state().await?;
                    }
                }
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        self.broadcast_state().await?;
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.connection.close()).await;
        Ok(())
    }

    fn lost(&self, reason: &str) -> BrokerError {
        BrokerError::Lost { url: self.url.to_string(), reason: reason.to_owned() }
    }

    /// Acts on a host's message. One of another run, or of another version, has no meaning here.
    fn on_control(&self, delivery: &Delivery) {
        let Ok(control) = Control::decode(&delivery.body) else { return };
        let shared = self.shared;
        let ours = shared.plan.run;
        match control {
            Control::Resend { run, strategy, shard, from_seq, attempt }
                if run == ours && usize::from(shard) < shared.shards.len() =>
            {
                shared.resend(&strategy, shard, from_seq, attempt);
            }
            Control::Cursors { run, strategy, ledger, cursors, .. } if run == ours => {
                let mut strategies = shared.strategies();
                strategies.see_instance(&strategy, shared.now());
                let reported = strategies.on_cursors(&strategy, &ledger, &cursors);
                drop(strategies);
                match reported {
                    Reported::Progress => {}
                    // Nothing more is sent there.
                    Reported::End => shared.change_strategies(|_| {}),
                    Reported::Returned(from) => self.join(&strategy, &JoinFrom::At(from)),
                }
            }
            Control::Join { run, strategy, from } if run == ours => self.on_join(&strategy, &from),
            Control::Leave { run, strategy } if run == ours => {
                shared.end_catch_up(&strategy);
                if shared.change_strategies(|strategies| strategies.leave(&strategy)) {
                    info!(%strategy, "strategy left: its queues are deleted");
                }
            }
            // Every node receives it, and the shard's own answers.
            Control::Dictionary { run, strategy, shard }
                if run == ours
                    && shared.shards.get(usize::from(shard)).is_some_and(|one| one.node == self.index)
                    && shared.strategies().has(&strategy) =>
            {
                lock(&shared.nodes[self.index].dictionaries).insert((strategy, shard));
            }
            _ => {}
        }
    }

    /// A request to join is answered, whatever name it has: its hosts would wait for ever.
    fn on_join(&self, strategy: &str, from: &JoinFrom) {
        match strategy.parse() {
            Ok(strategy) => self.join(&strategy, from),
            Err(error) => self.refuse_join(strategy, &JoinError::Name(error)),
        }
    }

    /// Adds a strategy, or answers why not.
    fn join(&self, strategy: &StrategyName, from: &JoinFrom) {
        let shared = self.shared;
        // The lock is not held while the answer is made.
        let joined = shared.strategies().join(strategy, from);
        shared.strategies().see_instance(strategy, shared.now());
        match joined {
            Ok(Joined::CatchUp(begins)) => {
                info!(%strategy, from = ?begins, "strategy joined: it is caught up by a pass of its own");
                shared.begin_catch_up(strategy, &begins);
            }
            Ok(Joined::Bound) => info!(%strategy, "strategy joined: from the next frame on"),
            Ok(Joined::Already) => {}
            Err(error) => return self.refuse_join(strategy.as_str(), &error),
        }
        shared.change_strategies(|_| {});
    }

    fn refuse_join(&self, strategy: &str, error: &JoinError) {
        info!(strategy, %error, "request to join refused");
        self.shared.refuse_join(strategy, &error.to_string());
    }

    /// Broadcasts the state and waiting announcements, and keeps the state for hosts that start later.
    async fn broadcast_state(&mut self) -> Result<(), BrokerError> {
        if !self.connection.is_connected() || !self.channel.is_open() {
            return Err(self.lost("the broker closed it"));
        }
        if self.connection.is_blocked() {
            return Ok(());
        }
        let Some(state) = self.shared.feed_state() else { return Ok(()) };
        let state = Control::State(Box::new(state)).encode();
        let feed = &self.shared.plan.feed;
        let (exchange, queue) = (topology::control_exchange(feed), topology::run_queue(feed));
        let waiting =
            std::iter::from_fn(|| self.announcements.try_recv().ok()).map(|control| control.encode());
        let bodies: Vec<_> = waiting.chain([state.clone()]).collect();
        let broadcast = async {
            for body in &bodies {
                self.channel.publish(&exchange, "", &Message::transient(body)).await?;
            }
            self.channel.publish("", &queue, &Message::persistent(&state)).await
        };
        // A broker that blocks takes it when it is through; a dead one shows by its heartbeat.
        if let Ok(broadcast) = tokio::time::timeout(BROADCAST_EVERY, broadcast).await {
            broadcast?;
        }
        let node = &self.shared.nodes[self.index];
        lock(&node.bucket).take(self.shared.now(), 2);
        Ok(())
    }
}

/// Makes sure that no other ingester has the feed. A channel that was refused is closed, so each try
/// has its own.
async fn own(shared: &Shared, url: &BrokerUrl, connection: &Connection) -> Result<Channel, PublishError> {
    let feed = &shared.plan.feed;
    let mut backoff = Backoff::default();
    let timeout = if *shared.owned.borrow() { OWN_PREDECESSOR } else { PREDECESSOR };
    let deadline = shared.now() + timeout;
    loop {
        let channel = connection.open_channel().await?;
        let name = topology::ingester_queue(feed);
        match channel.declare_queue(&name, &QueueOptions::exclusive()).await {
            Ok(_) => return Ok(channel),
            Err(BrokerError::Locked { .. }) if shared.now() < deadline => {
                sleep(backoff.next_wait()).await;
            }
            Err(BrokerError::Locked { .. }) => {
                return Err(PublishError::AnotherIngester { feed: feed.clone(), url: url.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
        if shared.is_stopping() {
            return Err(BrokerError::Lost { url: url.to_string(), reason: "it stops".to_owned() }.into());
        }
    }
}

/// Whether the feed was on this node before.
async fn has_kept_state(connection: &Connection, feed: &FeedName) -> Result<bool, BrokerError> {
    // A queue that is not there closes the channel.
    let channel = connection.open_channel().await?;
    match channel.inspect_queue(&topology::run_queue(feed)).await {
        Err(BrokerError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
        Ok(_) => channel.close().await.map(|()| true),
    }
}

/// The last state that the node keeps, encoded. A host that reads it may have it in hand, so that it is
/// looked for again for some time.
async fn kept_state(
    channel: &Channel,
    feed: &FeedName,
    timeout: Duration,
) -> Result<Option<Vec<u8>>, BrokerError> {
    let queue = topology::run_queue(feed);
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(kept) = channel.get(&queue).await? {
            channel.requeue(kept.tag).await?;
            return Ok(Some(kept.body));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        sleep(STATE_RETRY).await;
    }
}

/// Goes on from the last state that a node keeps: this ingester's states come after it, a run that has
/// not ended is not replaced, and a feed that another ingester has had since is left to that one.
fn take_over(shared: &Shared, index: usize, kept: Option<&[u8]>) -> Result<(), PublishError> {
    let feed = || shared.plan.feed.clone();
    let is_owner = *shared.owned.borrow();
    let epoch = match kept.map(Control::decode) {
        None => 0,
        Some(Ok(Control::State(state))) => {
            if index == 0 && !is_owner && stands_in_the_way(&state, shared) {
                return Err(PublishError::AnotherRun { feed: feed(), run: state.run });
            }
            state.version.ingester_epoch
        }
        Some(_) if index > 0 || shared.plan.replace => 0,
        Some(_) => return Err(PublishError::UnreadableState { feed: feed() }),
    };
    let own = shared.ingester_epoch();
    if index == 0 && is_owner && epoch > own {
        return Err(PublishError::TakenOver { feed: feed() });
    }
    if epoch >= own && !(index == 0 && is_owner) {
        shared.follow_epoch(epoch);
    }
    Ok(())
}

fn stands_in_the_way(state: &FeedState, shared: &Shared) -> bool {
    let has_ended = state.closed || shared.plan.ended == Some(state.run);
    state.run != shared.plan.run && !has_ended && !shared.plan.replace
}
