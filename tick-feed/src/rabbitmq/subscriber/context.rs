//! What every task of the broker's thread needs.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crossbeam_channel::{Sender, TrySendError};

use super::Subscription;
use super::messages::FromBroker;
use super::notices::Notice;
use super::shared::Shared;
use broker::amqp::Buffers;

pub(super) struct Context {
    pub(super) subscription: Subscription,
    pub(super) shared: Arc<Shared>,
    /// The number of the next link.
    pub(super) links: AtomicU32,
    /// Where bodies arrive.
    pub(super) buffers: Buffers,
    to_worker: Sender<FromBroker>,
}

impl Context {
    pub(super) fn new(
        subscription: Subscription,
        shared: Arc<Shared>,
        buffers: Buffers,
        to_worker: Sender<FromBroker>,
    ) -> Self {
        Self { subscription, shared, links: AtomicU32::new(1), buffers, to_worker }
    }

    /// Notifies the strategy's thread, and never waits for it.
    pub(super) fn notify(&self, notice: Notice) {
        self.shared.notices.add(notice);
        // Where the queue is full, the thread looks for notices at the next message.
        let _ = self.to_worker.try_send(FromBroker::Noticed);
    }

    /// Hands a message to the strategy's thread, or back where that is behind.
    pub(super) fn try_forward(&self, message: FromBroker) -> Result<(), FromBroker> {
        match self.to_worker.try_send(message) {
            Err(TrySendError::Full(back)) => Err(back),
            // Where the thread has gone, commands end, too, and then this one.
            _ => Ok(()),
        }
    }

    /// The node that a shard is on, as far as the ingester has announced it.
    pub(super) fn node_of(&self, shard: u16) -> usize {
        let state = self.shared.state();
        let node = state.and_then(|state| state.shards.get(usize::from(shard)).map(|shard| shard.node));
        usize::from(node.unwrap_or(0)).min(self.subscription.brokers.len() - 1)
    }
}
