//! Watching the strategies' queues: which one is full and holds a shard up, and which is gone.

use crate::rabbitmq::topology;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::Shared;
use super::strategies::Binding;
use super::stream::lock;
use broker::{BrokerError, Channel, Connection, QueueStatus};
use tick_sdk::names::StrategyName;
use tracing::warn;

/// A shard that is refused for so long is shown as stalled, with the strategies whose queues are full.
const STALLED_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether every queue is there; a frame that another queue takes does not
/// come back.
const LOOK_AT_ALL: Duration = Duration::from_secs(5);

/// What is known of a node's queues.
#[derive(Default)]
pub(super) struct QueueWatch {
    channel: Option<Channel>,
    /// How many messages each full queue held, and since when it has not had fewer.
    full: HashMap<(StrategyName, u16), (u32, Duration)>,
    last_all: Duration,
}

impl QueueWatch {
    /// Looks at the queues of shards that are held up, now and then at all.
    pub(super) async fn look(
        &mut self,
        shared: &Shared,
        node: usize,
        connection: &Connection,
    ) -> Result<(), BrokerError> {
        // Only once they are declared can one be missing.
        if !shared.nodes[node].ready.load(Ordering::Acquire) {
            self.last_all = shared.now();
            return Ok(());
        }
        let all = shared.now() >= self.last_all + LOOK_AT_ALL;
        if all {
            self.last_all = shared.now();
        }
        for stream in shared.shards.iter().filter(|stream| stream.node == node) {
            let refused_since = lock(&stream.sending).refused_since;
            let is_stalled = refused_since.is_some_and(|since| shared.now() > since + STALLED_AFTER);
            if is_stalled || all {
                self.look_at(shared, stream.shard, is_stalled, connection).await?;
            }
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        shared: &Shared,
        shard: u16,
        is_stalled: bool,
        connection: &Connection,
    ) -> Result<(), BrokerError> {
        let mut reasons = Vec::new();
        let bindings = shared.strategies().bindings(shard);
        for (strategy, _) in bindings.into_iter().filter(|(_, binding)| *binding == Binding::Bound) {
            let name = topology::frames_queue(&shared.plan.feed, &strategy, shard);
            let Some(queue) = self.inspect(&name, connection).await? else {
                warn!(%strategy, shard, "queue is missing: it is declared again");
                lock(&shared.nodes[shared.shards[usize::from(shard)].node].missing).insert((strategy, shard));
                shared.change_strategies(|strategies| strategies.redeclare());
                continue;
            };
            let key = (strategy, shard);
            if !is_stalled {
                self.full.remove(&key);
                continue;
            }
            let now = shared.now();
            let (messages, since) = self.full.entry(key.clone()).or_insert((queue.messages, now));
            if queue.messages < *messages {
                *since = now;
            }
            *messages = queue.messages;
            let waited = now.saturating_sub(*since);
            let strategy = key.0;
            let is_required = shared.strategies().is_required(&strategy);
            if !is_required && queue.messages > 0 && waited >= shared.plan.abandon_after {
                // What its other shards still miss is not read for it any more.
                shared.end_catch_up(&strategy);
                if shared.change_strategies(|strategies| strategies.abandon(&strategy)) {
                    warn!(%strategy, shard, messages = queue.messages, "strategy abandoned: its queue stays full");
                }
            } else if queue.messages > 0 {
                reasons.push(stall_reason(&strategy, &queue));
            }
        }
        if is_stalled && !reasons.is_empty() {
            let reason = reasons.join("; ");
            let stalled = &mut lock(&shared.shards[usize::from(shard)].sending).stalled;
            if stalled.is_none() {
                warn!(shard, reason, "queue full: shard stalled");
            }
            *stalled = Some(reason);
        }
        Ok(())
    }

    /// How a queue is, `None` if it is not there.
    async fn inspect(
        &mut self,
        name: &str,
        connection: &Connection,
    ) -> Result<Option<QueueStatus>, BrokerError> {
        let channel = match self.channel.take().filter(Channel::is_open) {
            Some(channel) => channel,
            None => connection.open_channel().await?,
        };
        match channel.inspect_queue(name).await {
            Ok(queue) => {
                self.channel = Some(channel);
                Ok(Some(queue))
            }
            // The broker has closed the channel with that.
            Err(BrokerError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn stall_reason(strategy: &StrategyName, queue: &QueueStatus) -> String {
    let QueueStatus { messages, consumers, .. } = queue;
    match consumers {
        0 => format!("nobody runs strategy {strategy}, whose queue holds {messages} frames"),
        _ => format!("strategy {strategy} is slow: its queue holds {messages} frames"),
    }
}
