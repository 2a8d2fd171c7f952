//! The handle: what is known of a feed and its brokers, for whoever watches and steers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::context::Context;
use super::hub;
use super::messages::{Command, Commands, FromBroker, WAITING_COMMANDS, commands};
use super::shared::{NodeConnection, Shared, SubscriberCounts};
use super::subscription::Subscription;
use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::{BrokerError, Control, FeedState};
use broker::amqp::Buffers;
use tick_sdk::names::RunId;

/// So many deliveries wait between the broker's thread and the strategy's; beyond, reading stops.
/// Their bytes have the limit of what is not acknowledged.
const WAITING_DELIVERIES: usize = 16_384;

/// Watches and steers a [`Subscriber`](super::Subscriber) from other threads. When the last one is
/// dropped, the broker's thread ends.
#[derive(Clone)]
pub struct SubscriberHandle {
    shared: Arc<Shared>,
    thread: Arc<BrokerThread>,
}

struct BrokerThread {
    commands: Commands,
    thread: Option<JoinHandle<()>>,
}

impl Drop for BrokerThread {
    fn drop(&mut self) {
        self.commands.send(Command::Abort);
        if let Some(thread) = self.thread.take() {
            // It has nothing to report that is not known by now.
            let _ = thread.join();
        }
    }
}

/// Starts the broker's thread, and waits until it has connected.
pub(super) fn start(
    subscription: Subscription,
    buffers: Buffers,
) -> Result<(Receiver<FromBroker>, SubscriberHandle), BrokerError> {
    if subscription.brokers.is_empty() {
        let reason = "no broker is named".to_owned();
        return Err(BrokerError::Url { url: String::new(), reason });
    }
    let runtime = event_loop()?;
    let shared = Arc::new(Shared::new(&subscription));
    let (to_worker, from_broker) = bounded(WAITING_DELIVERIES);
    let (commands, commanded) = commands(WAITING_COMMANDS);
    let (made, connected) = bounded(1);
    let context = Arc::new(Context::new(subscription, shared.clone(), buffers, to_worker));
    let thread = std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
        runtime.block_on(async {
            match hub::connect(&context).await {
                Ok(connections) => {
                    // Who does not wait any more has dropped the commands, which ends this.
                    let _ = made.send(Ok(()));
                    hub::run(context, connections, commanded).await;
                }
                Err(error) => {
                    let _ = made.send(Err(error));
                }
            }
        });
        // A thread that hangs in a name look-up is not waited for.
        runtime.shutdown_background();
    });
    let thread = Some(thread.expect("the system starts a thread"));
    let handle = SubscriberHandle { shared, thread: Arc::new(BrokerThread { commands, thread }) };
    match connected.recv() {
        Ok(Ok(())) => Ok((from_broker, handle)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(BrokerError::Other {
            url: "of this feed".to_owned(),
            reason: "the thread that talks with it has failed".to_owned(),
        }),
    }
}

impl SubscriberHandle {
    pub(super) fn commands(&self) -> Commands {
        self.thread.commands.clone()
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// The feed's state as its ingester announced it last, if it has.
    pub fn state(&self) -> Option<Arc<FeedState>> {
        self.shared.state()
    }

    /// Waits for a state that `fits`, for so long.
    pub fn wait_for_state(
        &self,
        timeout: Duration,
        fits: impl Fn(&FeedState) -> bool,
    ) -> Option<Arc<FeedState>> {
        self.shared.wait_for_state(timeout, fits)
    }

    /// When the ingester itself announced a state last. Its silence says nothing about it while a broker
    /// is not [connected](Self::connections).
    pub fn announced_at(&self) -> Option<Instant> {
        self.shared.announced_at()
    }

    /// Whether this end has listened since before the run began: its ingester has announced that meanwhile. Who
    /// comes later, or is not connected just then, does not see it.
    pub fn saw_begin(&self, run: RunId) -> bool {
        self.shared.saw_begin(run)
    }

    /// Whether each of the feed's broker nodes is connected, in the order of the subscription.
    pub fn connections(&self) -> Vec<NodeConnection> {
        self.shared.connections()
    }

    /// What failed with a broker last, and when. It may be repaired: see
    /// [`connections`](Self::connections).
    pub fn last_error(&self) -> Option<(Instant, String)> {
        self.shared.last_error()
    }

    /// Why the ingester does not let the strategy take part in the run, if it does not. A request to join is
    /// answered by this or by a state in which the strategy takes part.
    pub fn join_refused(&self, run: RunId) -> Option<String> {
        self.shared.join_refused(run)
    }

    /// These shards are this end's from now on; what it had beside them it releases.
    pub fn assign(&self, shards: BTreeSet<u16>) {
        self.thread.commands.send(Command::Assign(shards));
    }

    /// Closes the channel of every shard at once, without waiting for the strategy's thread, which may
    /// wait for a ledger that cannot be reached: what is not acknowledged goes to whoever has the shard
    /// next. Until the next [`assign`](Self::assign) this end has no shards.
    pub fn release_all(&self) {
        self.thread.commands.send(Command::ReleaseAll);
    }

    /// Sends a control message to the ingester and the other hosts, over the first node that is connected.
    /// It may be lost: what has to arrive is sent until its effect is seen.
    pub fn send(&self, control: Control) {
        self.thread.commands.send(Command::Send(control, None));
    }

    /// Releases every shard; when that is done, the subscriber is at its end.
    pub fn stop(&self) {
        self.thread.commands.send(Command::Stop);
    }

    /// What was counted so far.
    pub fn counts(&self) -> SubscriberCounts {
        self.shared.counts.get()
    }
}
