//! What is known of a feed and its brokers, for whoever watches.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

use super::Subscription;
use super::hub::{self, Context};
use super::messages::{Command, Commands, FromBroker, commands};
use crate::rabbitmq::event_loop::event_loop;
use crate::rabbitmq::{BrokerError, Control, FeedState};
use broker::amqp::Buffers;
use tick_sdk::RunId;

/// So many deliveries wait between the broker's thread and the strategy's; beyond, reading stops.
/// Their bytes have the bound of what is not acknowledged.
const WAITING_DELIVERIES: usize = 16_384;

/// What both threads and the handle share.
pub(super) struct Shared {
    heard: Mutex<Heard>,
    news: Condvar,
    pub(super) counts: Counts,
}

struct Heard {
    state: Option<Arc<FeedState>>,
    /// When the ingester itself said something last.
    at: Option<Instant>,
    /// What went wrong last, and when.
    trouble: Option<(Instant, String)>,
    /// The run that the strategy cannot be caught up in, and why.
    not_caught_up: Option<(RunId, String)>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) redelivered: AtomicU64,
    pub(super) of_other_runs: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) asked: AtomicU64,
    pub(super) lost: AtomicU64,
}

/// What a subscriber has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriberCounts {
    /// Messages delivered.
    pub frames: u64,
    /// Their bodies' bytes.
    pub bytes: u64,
    /// Messages that were delivered before, to this process or another.
    pub redelivered: u64,
    /// Frames of other runs, which were acknowledged and left out.
    pub of_other_runs: u64,
    /// Messages that were no frames, and are kept as dead letters.
    pub dead_lettered: u64,
    /// Requests for ticks that were missing.
    pub asked: u64,
    /// Connections, channels and consumers that were lost, and attempts that failed.
    pub lost: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn state(&self) -> Option<Arc<FeedState>> {
        self.lock().state.clone()
    }

    /// Keeps what the ingester said, unless something later is known; `live` if it says so just now.
    pub(super) fn hear(&self, state: FeedState, live: bool) -> Option<Arc<FeedState>> {
        let mut heard = self.lock();
        if live {
            heard.at = Some(Instant::now());
        }
        if heard.state.as_ref().is_some_and(|known| known.at > state.at) {
            return None;
        }
        let state = Arc::new(state);
        heard.state = Some(state.clone());
        self.news.notify_all();
        Some(state)
    }

    /// The ingester has let the strategy go.
    pub(super) fn refuse(&self, run: RunId, reason: String) {
        self.lock().not_caught_up = Some((run, reason));
    }

    /// Something was lost, and will be tried again.
    pub(super) fn lost(&self, trouble: String) {
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
        self.lock().trouble = Some((Instant::now(), trouble));
    }
}

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
            // It has nothing to tell that is not known by now.
            let _ = thread.join();
        }
    }
}

/// Starts the broker's thread, and waits until it has connected.
pub(super) fn start(
    subscription: Subscription,
    buffers: Buffers,
) -> Result<(Receiver<FromBroker>, SubscriberHandle), BrokerError> {
    let heard = Heard { state: None, at: None, trouble: None, not_caught_up: None };
    let shared =
        Arc::new(Shared { heard: Mutex::new(heard), news: Condvar::new(), counts: Counts::default() });
    let (to_worker, from_broker) = bounded(WAITING_DELIVERIES);
    let (commands, commanded) = commands();
    let (made, connected) = bounded(1);
    if subscription.brokers.is_empty() {
        let reason = "no broker is named".to_owned();
        return Err(BrokerError::Url { url: String::new(), reason });
    }
    let runtime = event_loop()?;
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

    /// The ingester's last word, if there is any.
    pub fn state(&self) -> Option<Arc<FeedState>> {
        self.shared.state()
    }

    /// Waits for an ingester's word that `fits`, for so long.
    pub fn wait_for_state(
        &self,
        timeout: Duration,
        fits: impl Fn(&FeedState) -> bool,
    ) -> Option<Arc<FeedState>> {
        let waits = |heard: &mut Heard| !heard.state.as_ref().is_some_and(|state| fits(state));
        let waiting = self.shared.news.wait_timeout_while(self.shared.lock(), timeout, waits);
        let (heard, _) = waiting.unwrap_or_else(|poisoned| poisoned.into_inner());
        heard.state.clone().filter(|state| fits(state))
    }

    /// When the ingester itself said something last.
    pub fn heard_at(&self) -> Option<Instant> {
        self.shared.lock().at
    }

    /// What went wrong with a broker last, and when.
    pub fn trouble(&self) -> Option<(Instant, String)> {
        self.shared.lock().trouble.clone()
    }

    /// Why the ingester has let the strategy go, if it has: its sources cannot be read for it.
    pub fn not_caught_up(&self, run: RunId) -> Option<String> {
        let heard = self.shared.lock();
        heard.not_caught_up.as_ref().filter(|(of, _)| *of == run).map(|(_, reason)| reason.clone())
    }

    /// These shards are this end's from now on; what it had beside them it gives back.
    pub fn assign(&self, shards: BTreeSet<u16>) {
        self.thread.commands.send(Command::Assign(shards));
    }

    /// Closes the channel of every shard at once, without waiting for the strategy's thread, which may
    /// wait for a ledger that cannot be reached: what is not acknowledged goes to whoever has the shard
    /// next. Until the next [`assign`](Self::assign) this end has no shards.
    pub fn release_all(&self) {
        self.thread.commands.send(Command::ReleaseAll);
    }

    /// Tells the ingester, and all who listen.
    pub fn say(&self, control: Control) {
        self.thread.commands.send(Command::Say(control, None));
    }

    /// Gives every shard back; when that is done, the subscriber is at its end.
    pub fn stop(&self) {
        self.thread.commands.send(Command::Stop);
    }

    /// What was counted so far.
    pub fn counts(&self) -> SubscriberCounts {
        let counts = &self.shared.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SubscriberCounts {
            frames: get(&counts.frames),
            bytes: get(&counts.bytes),
            redelivered: get(&counts.redelivered),
            of_other_runs: get(&counts.of_other_runs),
            dead_lettered: get(&counts.dead_lettered),
            asked: get(&counts.asked),
            lost: get(&counts.lost),
        }
    }
}
