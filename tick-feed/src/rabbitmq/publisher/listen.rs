//! What hosts and the ingester say to each other: one connection a node, beside the one for frames.

use crate::rabbitmq::topology;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::queues::QueueWatch;
use super::shared::{Shared, lock};
use super::strategies::{Heard, Joined};
use super::{FIRST_CONNECTION, PublishError, declare};
use crate::rabbitmq::control::{Control, FeedState, JoinFrom};
use broker::backoff::Backoff;
use broker::{
    Acknowledgement, BrokerError, BrokerUrl, Channel, Connection, Consumer, Delivery, Message, QueueOptions,
};
use tick_sdk::names::StrategyName;

/// How often the state is told without a change.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Changes are told together, at most so often.
const TELL_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// A killed ingester's connection is gone after two of its heartbeats, and some.
const PREDECESSOR: Duration = Duration::from_secs(15);
/// Who had the feed waits longer for its own connection that was lost: a busy broker takes its time.
const OWN_PREDECESSOR: Duration = Duration::from_secs(60);
/// A feed has at most so many strategies: each is a queue a shard.
const MAX_STRATEGIES: usize = 256;
/// How long a clean end may take.
const CLOSING: Duration = Duration::from_secs(2);

/// Listens on a node until the publisher stops.
pub(super) async fn serve(shared: Arc<Shared>, index: usize) {
    let mut backoff = Backoff::default();
    let mut stopping = shared.stopping.subscribe();
    let mut was_ready = false;
    let mut turn = index;
    while !shared.is_stopping() {
        let url = shared.plan.broker(index, turn);
        let session = Session::open(&shared, index, url).await;
        let ended = match session {
            Ok(session) => {
                was_ready = true;
                backoff.reset();
                *lock(&shared.nodes[index].control_problem) = None;
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
        *lock(&shared.nodes[index].control_problem) = Some(error.to_string());
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
    heard: Consumer,
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
        declare::feed(&channel, feed).await?;
        if index == 0 && !*shared.owned.borrow() {
            refuse_another_run(shared, &channel).await?;
        }
        let queue = channel.declare_queue("", &QueueOptions::exclusive()).await?.name;
        channel.bind_queue(&queue, &topology::control_exchange(feed), "").await?;
        let heard = channel.consume(&queue, Acknowledgement::Automatic).await?;
        if index == 0 {
            shared.owned.send_replace(true);
        }
        let changes = shared.changes.subscribe();
        let queues = QueueWatch::default();
        let announcements = shared.announcements.subscribe();
        Ok(Self { shared, index, url, connection, channel, heard, changes, queues, announcements })
    }

    async fn run(mut self) -> Result<(), BrokerError> {
        let mut every = interval(TELL_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            tokio::select! {
                delivery = self.heard.next(TELL_EVERY) => if let Some(delivery) = delivery? {
                    self.hear(&delivery);
                },
                _ = every.tick() => {
                    self.tell().await?;
                    if !self.connection.is_blocked() {
                        self.queues.look(self.shared, self.index, &self.connection).await?;
                    }
                }
                _ = self.changes.changed() => {
                    self.tell().await?;
                    sleep(TELL_AT_MOST_EVERY).await;
                    self.changes.mark_unchanged();
                    if !self.shared.is_stopping() {
                        self.tell().await?;
                    }
                }
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        self.tell().await?;
        let _ = tokio::time::timeout(CLOSING, self.connection.close()).await;
        Ok(())
    }

    fn lost(&self, reason: &str) -> BrokerError {
        BrokerError::Lost { url: self.url.to_string(), reason: reason.to_owned() }
    }

    /// What a host says; what is of another run, or of another version, is not for us.
    fn hear(&self, delivery: &Delivery) {
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
                let heard = shared.strategies().heard(&strategy, &ledger, &cursors);
                match heard {
                    Heard::Nothing => {}
                    // Nothing more is sent there.
                    Heard::End => shared.change_strategies(|_| {}),
                    Heard::Back(from) => self.join(&strategy, &JoinFrom::At(from)),
                }
            }
            Control::Join { run, strategy, from } if run == ours => self.join(&strategy, &from),
            Control::Leave { run, strategy } if run == ours => {
                shared.end_catch_up(&strategy);
                shared.change_strategies(|strategies| strategies.leave(&strategy));
            }
            // Every node hears it, and the shard's own answers.
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

    /// A strategy wants to take part; a second word while it is on its way changes nothing.
    fn join(&self, strategy: &str, from: &JoinFrom) {
        let shared = self.shared;
        if strategy.parse::<StrategyName>().is_err() || shared.strategies().states().len() >= MAX_STRATEGIES {
            return;
        }
        let joined = shared.strategies().join(strategy, from);
        if let Joined::CatchUp(begins) = joined {
            shared.begin_catch_up(strategy, &begins);
        }
        shared.change_strategies(|_| {});
    }

    /// Tells the state to all who listen, and keeps it for those who come.
    async fn tell(&mut self) -> Result<(), BrokerError> {
        if !self.connection.is_connected() || !self.channel.is_open() {
            return Err(self.lost("the broker closed it"));
        }
        if self.connection.is_blocked() {
            return Ok(());
        }
        let state = Control::State(Box::new(self.shared.feed_state())).encode();
        let feed = &self.shared.plan.feed;
        let (exchange, queue) = (topology::control_exchange(feed), topology::run_queue(feed));
        let news = std::iter::from_fn(|| self.announcements.try_recv().ok()).map(|news| news.encode());
        let news: Vec<_> = news.chain([state.clone()]).collect();
        let told = async {
            for body in &news {
                self.channel.publish(&exchange, "", &Message::transient(body)).await?;
            }
            self.channel.publish("", &queue, &Message::persistent(&state)).await
        };
        // A broker that blocks takes it when it is through; a dead one shows by its heartbeat.
        if let Ok(told) = tokio::time::timeout(TELL_EVERY, told).await {
            told?;
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
    let patience = if *shared.owned.borrow() { OWN_PREDECESSOR } else { PREDECESSOR };
    let until = shared.now() + patience;
    loop {
        let channel = connection.open_channel().await?;
        let name = topology::ingester_queue(feed);
        match channel.declare_queue(&name, &QueueOptions::exclusive()).await {
            Ok(_) => return Ok(channel),
            Err(BrokerError::Locked { .. }) if shared.now() < until => {
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

/// Looks at the last state that the broker keeps: a run that has not ended is not pushed aside.
async fn refuse_another_run(shared: &Shared, channel: &Channel) -> Result<(), PublishError> {
    let queue = topology::run_queue(&shared.plan.feed);
    let Some(last) = channel.get(&queue).await? else { return Ok(()) };
    channel.requeue(last.tag).await?;
    match Control::decode(&last.body) {
        Ok(Control::State(state)) if stands_in_the_way(&state, shared) => {
            Err(PublishError::AnotherRun { feed: shared.plan.feed.clone(), run: state.run })
        }
        _ => Ok(()),
    }
}

fn stands_in_the_way(state: &FeedState, shared: &Shared) -> bool {
    state.run != shared.plan.run && !state.closed && !shared.plan.replace
}
