//! The broker's thread: which shards are open, and which task gets which command. It waits for no other
//! thread, so that a thread that waits for it always gets on.

use crate::rabbitmq::topology;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::connection::{Opened, keep};
use super::context::Context;
use super::control_link::{self, WAITING_CONTROLS};
use super::dead_lettering::{DeadLettering, Event};
use super::frames_link::{FramesLink, ShardCommand};
use super::messages::Command;
use super::notices::Notice;
use super::prefetch::prefetch_of;
use super::subscription::Subscription;
use super::unacked::Ack;
use crate::rabbitmq::{BrokerError, Control};
use broker::Connection;
use tick_sdk::names::{FeedName, StrategyName};

/// So many commands wait for a node's connection; beyond, whoever commands waits.
const WAITING_COMMANDS: usize = 1024;
/// No feed has more shards, so that each can report that it was released.
const MAX_SHARDS: usize = 1024;
/// For so long tasks are waited for at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A frame is no larger than this where the ingester has not announced it.
const USUAL_FRAME: usize = 512 << 10;

struct Node {
    frames: mpsc::Sender<(u16, ShardCommand)>,
    control: Opened,
    outbox: mpsc::Sender<Control>,
}

struct Hub {
    context: Arc<Context>,
    nodes: Vec<Node>,
    /// The tasks for control messages, and those that make and end connections: they are waited for at the
    /// end, so that what was sent last arrives and connections are closed.
    tasks: Vec<JoinHandle<()>>,
    assigned: BTreeSet<u16>,
    /// The shards that are open, or not yet released, and the node of each.
    open: BTreeMap<u16, usize>,
    /// Reports a shard that was released.
    ended: mpsc::Sender<u16>,
    dead_lettering: DeadLettering,
    is_stopping: bool,
}

/// Connects once to every node.
///
/// # Errors
/// No node can be reached, or one refuses.
pub(super) async fn connect(context: &Context) -> Result<Vec<Option<Connection>>, BrokerError> {
    let brokers = &context.subscription.brokers;
    let connecting = brokers.iter().map(|url| super::connection::open(context, url));
    let mut open = Vec::new();
    let mut first_error = None;
    for made in futures_util::future::join_all(connecting).await {
        match made {
            Ok(made) => open.push(Some(made)),
            Err(error) if error.is_temporary() => {
                first_error.get_or_insert(error);
                open.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) if open.iter().all(Option::is_none) => Err(error),
        _ => Ok(open),
    }
}

/// Does what is commanded until the end.
pub(super) async fn run(
    context: Arc<Context>,
    connections: Vec<Option<Connection>>,
    mut commands: mpsc::Receiver<Command>,
) {
    let (ended, mut endings) = mpsc::channel(MAX_SHARDS);
    let dead_lettering = DeadLettering::new(context.clone());
    let mut hub = Hub {
        context,
        nodes: Vec::new(),
        tasks: Vec::new(),
        assigned: BTreeSet::new(),
        open: BTreeMap::new(),
        ended,
        dead_lettering,
        is_stopping: false,
    };
    for (node, first) in connections.into_iter().enumerate() {
        hub.add_node(node, first);
    }
    loop {
        let more = tokio::select! {
            command = commands.recv() => match command {
                None | Some(Command::Abort) => false,
                Some(command) => hub.on_command(command).await,
            },
            Some(shard) = endings.recv() => hub.on_released(shard).await,
            event = hub.dead_lettering.next() => hub.on_dead_lettering(event).await,
        };
        if !more {
            break;
        }
    }
    hub.end().await;
}

impl Hub {
    fn add_node(&mut self, node: usize, first: Option<Connection>) {
        let (control_to, control) = watch::channel(None);
        let (frames, inbox) = mpsc::channel(WAITING_COMMANDS);
        let (context, ended) = (self.context.clone(), self.ended.clone());
        let link = FramesLink { context, node, inbox, ended, shards: BTreeMap::new() };
        let for_control = keep(self.context.clone(), node, first, control_to);
        let (outbox, unsent) = mpsc::channel(WAITING_CONTROLS);
        let for_messages = control_link::run(self.context.clone(), control.clone(), unsent);
        let span = tracing::info_span!("node", feed = %self.feed(), strategy = %self.strategy(), node);
        self.tasks.extend([
            tokio::spawn(link.run().instrument(span.clone())),
            tokio::spawn(for_control.instrument(span.clone())),
            tokio::spawn(for_messages.instrument(span)),
        ]);
        self.dead_lettering.add_node(control.clone());
        self.nodes.push(Node { frames, control, outbox });
    }

    /// Does what is commanded; false if there is nothing more to do.
    async fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Assign(_) if self.is_stopping => {}
            Command::Assign(shards) => self.assign(shards).await,
            Command::ReleaseAll => self.release_all().await,
            Command::Release { shard } => self.release(shard).await,
            Command::Ack { shard, link, ack } => self.send(shard, ShardCommand::Ack { link, ack }).await,
            // Poison messages would come again with the rest, and be stored twice: it is requested again.
            Command::GrowPrefetch { shard, .. } if self.dead_lettering.is_under_way(shard) => {}
            Command::GrowPrefetch { shard, link, prefetch } => {
                self.send(shard, ShardCommand::GrowPrefetch { link, prefetch }).await;
            }
            Command::Reopen { shard, link } => self.send(shard, ShardCommand::Reopen { link }).await,
            Command::DeadLetter(poison) => {
                let node = self.context.node_of(poison.delivered.shard);
                self.dead_lettering.begin(node, *poison);
            }
            Command::Send(control, shard) => self.send_control(control, shard),
            Command::Stop => {
                self.is_stopping = true;
                self.assign(BTreeSet::new()).await;
            }
            Command::Abort => return false,
        }
        !(self.is_stopping && self.open.is_empty())
    }

    async fn assign(&mut self, shards: BTreeSet<u16>) {
        let before = std::mem::replace(&mut self.assigned, shards);
        for &shard in before.difference(&self.assigned) {
            tracing::info!(feed = %self.feed(), strategy = %self.strategy(), shard, "shard revoked");
            self.context.notify(Notice::Revoked { shard });
        }
        let missing: Vec<u16> =
            self.assigned.iter().copied().filter(|shard| !self.open.contains_key(shard)).collect();
        for shard in missing {
            self.open_shard(shard).await;
        }
    }

    fn feed(&self) -> &FeedName {
        &self.context.subscription.feed
    }

    fn strategy(&self) -> &StrategyName {
        &self.context.subscription.strategy
    }

    async fn open_shard(&mut self, shard: u16) {
        let Subscription { feed, strategy, prefetch_bytes, .. } = &self.context.subscription;
        let largest = self.context.shared.state().map_or(USUAL_FRAME, |state| state.max_frame_bytes);
        let queue = topology::frames_queue(feed, strategy, shard);
        let prefetch = prefetch_of(*prefetch_bytes, largest);
        let node = self.context.node_of(shard);
        tracing::info!(%feed, %strategy, shard, node, prefetch, "shard assigned");
        self.open.insert(shard, node);
        self.send(shard, ShardCommand::Open { queue, prefetch }).await;
    }

    /// A shard was released; it is opened again if it is this end's after all.
    async fn on_released(&mut self, shard: u16) -> bool {
        tracing::info!(feed = %self.feed(), strategy = %self.strategy(), shard, "shard released");
        self.open.remove(&shard);
        self.dead_lettering.cancel(shard);
        self.context.notify(Notice::Closed { shard });
        if self.assigned.contains(&shard) {
            self.open_shard(shard).await;
        }
        !(self.is_stopping && self.open.is_empty())
    }

    /// Every channel is closed at once. A message that is on its way to the dead letters comes to whoever
    /// has the shard next.
    async fn release_all(&mut self) {
        tracing::warn!(feed = %self.feed(), strategy = %self.strategy(), "every shard is released at once");
        self.assigned.clear();
        for shard in self.open.keys().copied().collect::<Vec<_>>() {
            self.dead_lettering.cancel(shard);
            self.send(shard, ShardCommand::Release).await;
        }
    }

    async fn release(&mut self, shard: u16) {
        if !self.open.contains_key(&shard) {
            self.context.notify(Notice::Closed { shard });
        } else if self.dead_lettering.is_under_way(shard) {
            self.dead_lettering.hold(shard);
        } else {
            self.send(shard, ShardCommand::Release).await;
        }
    }

    /// Acknowledges what is stored, and releases what has waited for it. There is always more to do.
    async fn on_dead_lettering(&mut self, event: Event) -> bool {
        match event {
            Event::Overdue { shard } => self.send(shard, ShardCommand::Release).await,
            Event::Stored(id) => {
                let (shard, link, tag) = (id.shard, id.link, id.tag);
                self.context.shared.counts.dead_lettered.fetch_add(1, Ordering::Relaxed);
                self.send(shard, ShardCommand::Ack { link, ack: Ack::One(tag) }).await;
                self.context.notify(Notice::DeadLettered { shard, link, tag });
                if self.dead_lettering.finish(id) {
                    self.send(shard, ShardCommand::Release).await;
                }
            }
        }
        true
    }

    /// Waits for room where many commands wait: a connection's task always takes them, as it waits for
    /// nothing without.
    async fn send(&self, shard: u16, command: ShardCommand) {
        if let Some(node) = self.open.get(&shard) {
            // A connection's task ends after this one.
            let _ = self.nodes[*node].frames.send((shard, command)).await;
        }
    }

    fn send_control(&self, control: Control, shard: Option<u16>) {
        let is_open = |node: &&Node| node.control.borrow().is_some();
        let node = match shard {
            Some(shard) => Some(&self.nodes[self.context.node_of(shard)]),
            None => self.nodes.iter().find(is_open),
        };
        // Whoever sends one sends it again.
        if node.is_none_or(|node| node.outbox.try_send(control).is_err()) {
            self.context.shared.counts.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn end(self) {
        let Self { nodes, tasks, dead_lettering, .. } = self;
        drop((nodes, dead_lettering));
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, futures_util::future::join_all(tasks)).await;
    }
}

#[cfg(test)]
mod tests;
