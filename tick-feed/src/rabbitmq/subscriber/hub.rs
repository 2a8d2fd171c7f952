//! The broker's thread: which shards are open, and who is told what.

use crate::rabbitmq::topology;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Subscription;
use super::burials::{self, Burials, Buried};
use super::connection::{Opened, keep};
use super::control_link::{self, WAITING_CONTROLS};
use super::frames_link::{FramesLink, ShardCommand};
use super::handle::Shared;
use super::messages::{Command, FromBroker};
use super::prefetch::Prefetch;
use super::unacked::Ack;
use crate::rabbitmq::{BrokerError, Control};
use broker::Connection;
use broker::amqp::Buffers;

/// What every task of the thread needs.
pub(super) struct Context {
    pub(super) subscription: Subscription,
    pub(super) shared: Arc<Shared>,
    /// The number of the next link.
    pub(super) links: AtomicU32,
    /// Where bodies arrive.
    pub(super) buffers: Buffers,
    to_worker: Sender<FromBroker>,
}

/// Between looks for room on the way to the strategy's thread.
const ROOM_COMES: Duration = Duration::from_millis(1);
/// So many commands wait for a node's connection; beyond, whoever commands waits.
const WAITING_COMMANDS: usize = 1024;
/// No feed has more shards, so that each can say that it has ended.
const MAX_SHARDS: usize = 1024;
/// For so long the last words are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A frame is no larger than this where the ingester has not said so.
const USUAL_FRAME: usize = 512 << 10;

impl Context {
    pub(super) fn new(
        subscription: Subscription,
        shared: Arc<Shared>,
        buffers: Buffers,
        to_worker: Sender<FromBroker>,
    ) -> Self {
        Self { subscription, shared, links: AtomicU32::new(1), buffers, to_worker }
    }

    /// Hands a message to the strategy's thread, and waits while that is behind.
    pub(super) async fn forward(&self, message: FromBroker) {
        let mut message = message;
        // Where the thread has gone, commands end, too, and then this one.
        while let Err(back) = self.try_forward(message) {
            message = back;
            tokio::time::sleep(ROOM_COMES).await;
        }
    }

    /// As [`forward`](Self::forward), without waiting: gives the message back where that is behind.
    pub(super) fn try_forward(&self, message: FromBroker) -> Result<(), FromBroker> {
        match self.to_worker.try_send(message) {
            Err(TrySendError::Full(back)) => Err(back),
            _ => Ok(()),
        }
    }

    fn node_of(&self, shard: u16) -> usize {
        let state = self.shared.state();
        let node = state.and_then(|state| state.shards.get(usize::from(shard)).map(|shard| shard.node));
        usize::from(node.unwrap_or(0)).min(self.subscription.brokers.len() - 1)
    }
}

struct Node {
    frames: mpsc::Sender<(u16, ShardCommand)>,
    control: Opened,
    outbox: mpsc::Sender<Control>,
}

struct Hub {
    context: Arc<Context>,
    nodes: Vec<Node>,
    speaking: Vec<JoinHandle<()>>,
    /// The library does not like to be left alone with a connection that it makes or ends.
    connecting: Vec<JoinHandle<()>>,
    wanted: BTreeSet<u16>,
    /// The shards that are open, or not yet given back, and the node of each.
    open: BTreeMap<u16, usize>,
    /// Says that a shard was given back.
    ended: mpsc::Sender<u16>,
    burials: Burials,
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
    let mut hub = Hub {
        context,
        nodes: Vec::new(),
        speaking: Vec::new(),
        connecting: Vec::new(),
        wanted: BTreeSet::new(),
        open: BTreeMap::new(),
        ended,
        burials: Burials::new(),
        is_stopping: false,
    };
    for (node, first) in connections.into_iter().enumerate() {
        hub.add_node(node, first);
    }
    loop {
        let more = tokio::select! {
            command = commands.recv() => match command {
                None | Some(Command::Abort) => false,
                Some(command) => hub.obey(command).await,
            },
            Some(shard) = endings.recv() => hub.shard_ended(shard).await,
            next = hub.burials.next() => hub.bury_on(next).await,
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
        self.connecting.extend([tokio::spawn(link.run()), tokio::spawn(for_control)]);
        let (outbox, said) = mpsc::channel(WAITING_CONTROLS);
        self.speaking.push(tokio::spawn(control_link::run(self.context.clone(), control.clone(), said)));
        self.nodes.push(Node { frames, control, outbox });
    }

    /// Does what is commanded; says whether there is more to do.
    async fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Assign(_) if self.is_stopping => {}
            Command::Assign(shards) => self.assign(shards).await,
            Command::ReleaseAll => self.release_all().await,
            Command::Release { shard } => self.release(shard).await,
            Command::Ack { shard, link, ack } => self.tell(shard, ShardCommand::Ack { link, ack }).await,
            // It gives back what is not acknowledged, and is commanded again if it is still needed.
            Command::Widen { shard } if self.burials.are_under_way(shard) => {}
            Command::Widen { shard } => self.tell(shard, ShardCommand::Widen).await,
            Command::Bury(poison) => {
                let control = self.nodes[self.context.node_of(poison.delivered.shard)].control.clone();
                self.burials.begin(self.context.clone(), control, *poison);
            }
            Command::Say(control, shard) => self.say(control, shard),
            Command::Stop => {
                self.is_stopping = true;
                self.assign(BTreeSet::new()).await;
            }
            Command::Abort => return false,
        }
        !(self.is_stopping && self.open.is_empty())
    }

    async fn assign(&mut self, shards: BTreeSet<u16>) {
        let before = std::mem::replace(&mut self.wanted, shards);
        for &shard in before.difference(&self.wanted) {
            self.context.forward(FromBroker::Revoked { shard }).await;
        }
        let missing: Vec<u16> =
            self.wanted.iter().copied().filter(|shard| !self.open.contains_key(shard)).collect();
        for shard in missing {
            self.open_shard(shard).await;
        }
    }

    async fn open_shard(&mut self, shard: u16) {
        let Subscription { feed, strategy, prefetch_bytes, .. } = &self.context.subscription;
        let largest = self.context.shared.state().map_or(USUAL_FRAME, |state| state.max_frame_bytes);
        let (queue, prefetch) =
            (topology::frames_queue(feed, strategy, shard), Prefetch::new(*prefetch_bytes, largest));
        self.open.insert(shard, self.context.node_of(shard));
        self.tell(shard, ShardCommand::Open { queue, prefetch }).await;
    }

    /// A shard was given back; it is opened again if it is this end's after all.
    async fn shard_ended(&mut self, shard: u16) -> bool {
        self.open.remove(&shard);
        self.context.forward(FromBroker::Closed { shard }).await;
        if self.wanted.contains(&shard) {
            self.open_shard(shard).await;
        }
        !(self.is_stopping && self.open.is_empty())
    }

    /// Every channel is closed at once. A message that is on its way to the dead letters stays, and
    /// comes to whoever has the shard next.
    async fn release_all(&mut self) {
        self.wanted.clear();
        for shard in self.open.keys().copied().collect::<Vec<_>>() {
            self.tell(shard, ShardCommand::Release).await;
        }
    }

    async fn release(&mut self, shard: u16) {
        if !self.open.contains_key(&shard) {
            self.context.forward(FromBroker::Closed { shard }).await;
        } else if self.burials.are_under_way(shard) {
            self.burials.hold(shard);
        } else {
            self.tell(shard, ShardCommand::Release).await;
        }
    }

    /// Acknowledges what is buried, and gives back what has waited for it. There is always more to do.
    async fn bury_on(&mut self, next: burials::Next) -> bool {
        match next {
            burials::Next::Overdue { shard } => self.tell(shard, ShardCommand::Release).await,
            burials::Next::Buried(Buried { shard, link, tag }) => {
                self.tell(shard, ShardCommand::Ack { link, ack: Ack::One(tag) }).await;
                // The strategy's thread may command what only this task hears, so it is not waited for.
                let context = self.context.clone();
                tokio::spawn(async move { context.forward(FromBroker::Buried { shard, link, tag }).await });
                if self.burials.is_free(shard) {
                    self.tell(shard, ShardCommand::Release).await;
                }
            }
        }
        true
    }

    async fn tell(&self, shard: u16, command: ShardCommand) {
        if let Some(node) = self.open.get(&shard) {
            // A connection's task ends after this one.
            let _ = self.nodes[*node].frames.send((shard, command)).await;
        }
    }

    fn say(&self, control: Control, shard: Option<u16>) {
        let is_open = |node: &&Node| node.control.borrow().is_some();
        let node = match shard {
            Some(shard) => Some(&self.nodes[self.context.node_of(shard)]),
            None => self.nodes.iter().find(is_open),
        };
        if let Some(node) = node {
            // One that does not fit is said again later.
            let _ = node.outbox.try_send(control);
        }
    }

    async fn end(self) {
        let Self { nodes, speaking, connecting, .. } = self;
        drop(nodes);
        let all = futures_util::future::join_all(speaking.into_iter().chain(connecting));
        let _ = tokio::time::timeout(LAST_WORDS, all).await;
    }
}
