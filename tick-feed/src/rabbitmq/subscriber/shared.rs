//! What both threads and the handle share: the feed's state, the connections' states, and counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::notices::Notices;
use super::subscription::Subscription;
use crate::rabbitmq::{BrokerUrl, FeedState};
use tick_sdk::names::RunId;

pub(super) struct Shared {
    known: Mutex<Known>,
    /// A feed state came.
    state_changed: Condvar,
    pub(super) notices: Notices,
    pub(super) counts: Counts,
}

struct Known {
    state: Option<Arc<FeedState>>,
    /// When the ingester itself announced a state last.
    announced_at: Option<Instant>,
    /// The last run whose begin its ingester announced while this end listened.
    begun: Option<RunId>,
    last_error: Option<(Instant, String)>,
    /// The run that the strategy may not take part in, and why.
    join_refused: Option<(RunId, String)>,
    nodes: Vec<Node>,
}

/// One node's connections.
struct Node {
    broker: String,
    control: ConnectionState,
    frames: ConnectionState,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Control,
    Frames,
}

/// Whether a broker is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It is.
    Connected {
        /// Since when.
        since: Instant,
    },
    /// It is not, and is tried again all the time.
    Lost {
        /// Since when.
        since: Instant,
        /// Why the last attempt failed, or the connection was lost.
        error: String,
    },
}

/// One of a feed's broker nodes, as this process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConnection {
    /// Its place in the list of brokers, from 0.
    pub node: usize,
    /// Its URL, without a password.
    pub broker: String,
    /// Lost if one of its two connections is: that for frames, or that for control messages.
    pub state: ConnectionState,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) frames: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) redelivered: AtomicU64,
    pub(super) of_other_runs: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) resend_requests: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) unsent: AtomicU64,
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
    /// Messages that are not frames, and are stored as dead letters.
    pub dead_lettered: u64,
    /// Requests for ticks that were missing.
    pub resend_requests: u64,
    /// Connections, channels and consumers that were lost, and attempts that failed.
    pub lost: u64,
    /// Control messages that were dropped, as too many waited for a broker. Whoever sends one sends it
    /// again.
    pub unsent: u64,
}

impl Counts {
    pub(super) fn get(&self) -> SubscriberCounts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SubscriberCounts {
            frames: get(&self.frames),
            bytes: get(&self.bytes),
            redelivered: get(&self.redelivered),
            of_other_runs: get(&self.of_other_runs),
            dead_lettered: get(&self.dead_lettered),
            resend_requests: get(&self.resend_requests),
            lost: get(&self.lost),
            unsent: get(&self.unsent),
        }
    }
}

impl Shared {
    pub(super) fn new(subscription: &Subscription) -> Self {
        let node = |url: &BrokerUrl| {
            let error = format!("broker {url} has not been connected yet");
            let state = ConnectionState::Lost { since: Instant::now(), error };
            Node { broker: url.to_string(), control: state.clone(), frames: state }
        };
        let nodes = subscription.brokers.iter().map(node).collect();
        let known = Known {
            state: None,
            announced_at: None,
            begun: None,
            last_error: None,
            join_refused: None,
            nodes,
        };
        Self {
            known: Mutex::new(known),
            state_changed: Condvar::new(),
            notices: Notices::default(),
            counts: Counts::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn state(&self) -> Option<Arc<FeedState>> {
        self.lock().state.clone()
    }

    pub(super) fn announced_at(&self) -> Option<Instant> {
        self.lock().announced_at
    }

    pub(super) fn saw_begin(&self, run: RunId) -> bool {
        self.lock().begun == Some(run)
    }

    pub(super) fn last_error(&self) -> Option<(Instant, String)> {
        self.lock().last_error.clone()
    }

    pub(super) fn join_refused(&self, run: RunId) -> Option<String> {
        let known = self.lock();
        known.join_refused.as_ref().filter(|(of, _)| *of == run).map(|(_, reason)| reason.clone())
    }

    pub(super) fn connections(&self) -> Vec<NodeConnection> {
        let known = self.lock();
        let nodes = known.nodes.iter().enumerate();
        nodes
            .map(|(number, node)| NodeConnection {
                node: number,
                broker: node.broker.clone(),
                state: node.control.clone().and(node.frames.clone()),
            })
            .collect()
    }

    pub(super) fn wait_for_state(
        &self,
        timeout: Duration,
        fits: impl Fn(&FeedState) -> bool,
    ) -> Option<Arc<FeedState>> {
        let waits = |known: &mut Known| !known.state.as_ref().is_some_and(|state| fits(state));
        let waiting = self.state_changed.wait_timeout_while(self.lock(), timeout, waits);
        let (known, _) = waiting.unwrap_or_else(|poisoned| poisoned.into_inner());
        known.state.clone().filter(|state| fits(state))
    }

    /// Keeps a feed state, unless a later one is known; `live` if the ingester announces it just now.
    pub(super) fn on_feed_state(&self, state: FeedState, live: bool) -> Option<Arc<FeedState>> {
        let mut known = self.lock();
        if live {
            known.announced_at = Some(Instant::now());
        }
        if known.state.as_ref().is_some_and(|known| known.version > state.version) {
            return None;
        }
        let is_new_run = known.state.as_ref().is_none_or(|known| known.run != state.run);
        if is_new_run {
            tracing::info!(feed = %state.feed, run = %state.run, live, "feed state of another run");
        }
        if live && is_of_begin(&state) {
            known.begun = Some(state.run);
        }
        let state = Arc::new(state);
        known.state = Some(state.clone());
        self.state_changed.notify_all();
        Some(state)
    }

    /// The ingester does not let the strategy take part in the run.
    pub(super) fn on_join_refused(&self, run: RunId, reason: String) {
        self.lock().join_refused = Some((run, reason));
    }

    /// A channel or a consumer was lost, or a request failed; it will be tried again.
    pub(super) fn on_lost(&self, error: String) {
        tracing::warn!(error, "channel, consumer or request lost");
        self.keep_error(error);
    }

    /// A node is connected.
    pub(super) fn on_connected(&self, node: usize, purpose: Purpose) {
        tracing::info!(node, ?purpose, "connected to broker");
        let mut known = self.lock();
        if let Some(node) = known.nodes.get_mut(node) {
            *node.state_mut(purpose) = ConnectionState::Connected { since: Instant::now() };
        }
    }

    /// A node's connection was lost, or could not be made; it will be tried again.
    pub(super) fn on_connection_lost(&self, node: usize, purpose: Purpose, error: String) {
        {
            let mut known = self.lock();
            let Some(node_known) = known.nodes.get_mut(node) else { return };
            match node_known.state_mut(purpose) {
                ConnectionState::Lost { error: before, .. } => before.clone_from(&error),
                connected => {
                    tracing::warn!(node, ?purpose, error = %error, "connection to broker lost");
                    *connected = ConnectionState::Lost { since: Instant::now(), error: error.clone() };
                }
            }
        }
        self.keep_error(error);
    }

    fn keep_error(&self, error: String) {
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
        self.lock().last_error = Some((Instant::now(), error));
    }
}

/// Whether whoever receives this as it is announced has listened since before the run's first tick, or before
/// anybody was told of the run.
fn is_of_begin(state: &FeedState) -> bool {
    let mut shards = state.shards.iter();
    // Its first ticks may overtake it. The attempts of a run that is resumed go on above those before.
    let is_first = state.version.counter == 1 && shards.clone().all(|shard| shard.attempt == 0);
    is_first || shards.all(|shard| shard.published == 0)
}

impl Node {
    fn state_mut(&mut self, purpose: Purpose) -> &mut ConnectionState {
        match purpose {
            Purpose::Control => &mut self.control,
            Purpose::Frames => &mut self.frames,
        }
    }
}

impl ConnectionState {
    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    fn since(&self) -> Instant {
        match self {
            Self::Connected { since } | Self::Lost { since, .. } => *since,
        }
    }

    /// Of two connections together: lost since the first of them was, connected since the last of them is.
    fn and(self, other: Self) -> Self {
        let is_own = match (self.is_connected(), other.is_connected()) {
            (true, true) => self.since() >= other.since(),
            (false, false) => self.since() <= other.since(),
            (own, _) => !own,
        };
        if is_own { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rabbitmq::control::ShardState;
    use crate::rabbitmq::{Durability, StateVersion};

    #[test]
    fn a_node_is_lost_since_the_first_of_its_connections_was() {
        let shared = Shared::new(&Subscription {
            brokers: vec![
                "amqp://guest:guest@one".parse().unwrap(),
                "amqp://guest:guest@two".parse().unwrap(),
            ],
            feed: "btc".parse().unwrap(),
            strategy: "apple".parse().unwrap(),
            member: "test".to_owned(),
            prefetch_bytes: 1,
        });
        let state = |node: usize| shared.connections()[node].state.clone();
        assert!(matches!(state(0), ConnectionState::Lost { .. }));
        shared.on_connected(0, Purpose::Control);
        assert!(matches!(state(0), ConnectionState::Lost { .. }), "frames are not connected yet");
        shared.on_connected(0, Purpose::Frames);
        assert!(state(0).is_connected());
        assert!(matches!(state(1), ConnectionState::Lost { .. }));
        shared.on_connection_lost(0, Purpose::Frames, "cut".to_owned());
        let ConnectionState::Lost { since, error } = state(0) else { panic!("it is lost") };
        assert_eq!(error, "cut");
        shared.on_connection_lost(0, Purpose::Control, "refused".to_owned());
        shared.on_connection_lost(0, Purpose::Frames, "refused".to_owned());
        assert_eq!(state(0), ConnectionState::Lost { since, error: "refused".to_owned() });
        assert!(!shared.connections()[0].broker.contains("guest@"), "no password");
    }

    fn feed_state(run: u8, ingester_epoch: u64, counter: u64, at: u64) -> FeedState {
        FeedState {
            feed: "test".parse().expect("a name"),
            run: RunId([run; 16]),
            manifest: String::new(),
            groups: String::new(),
            durability: Durability::Memory,
            max_frame_bytes: 1,
            shards: Vec::new(),
            strategies: Vec::new(),
            published: false,
            closed: false,
            version: StateVersion { ingester_epoch, counter },
            at,
        }
    }

    #[test]
    fn a_later_ingester_is_followed_whatever_its_clock_says() {
        let shared = Shared::new(&Subscription {
            brokers: Vec::new(),
            feed: "test".parse().expect("a name"),
            strategy: "apple".parse().unwrap(),
            member: "m".to_owned(),
            prefetch_bytes: 1,
        });
        let run = || shared.state().map(|state| state.run.0[0]);
        assert!(shared.on_feed_state(feed_state(1, 1, 7, 900), true).is_some());
        assert!(shared.on_feed_state(feed_state(1, 1, 6, 950), true).is_none(), "one that was overtaken");
        assert!(shared.on_feed_state(feed_state(2, 2, 1, 600), true).is_some(), "five minutes behind");
        assert!(shared.on_feed_state(feed_state(1, 1, 8, 990), true).is_none(), "of the ingester before");
        assert_eq!(run(), Some(2));
    }

    #[test]
    fn the_begin_of_a_run_is_seen_by_who_listens_then_and_by_nobody_else() {
        let subscription = Subscription {
            brokers: Vec::new(),
            feed: "test".parse().expect("a name"),
            strategy: "apple".parse().unwrap(),
            member: "m".to_owned(),
            prefetch_bytes: 1,
        };
        let state = |run, counter, published, attempt| FeedState {
            shards: vec![ShardState { published, attempt, ..ShardState::default() }, ShardState::default()],
            ..feed_state(run, u64::from(run), counter, 0)
        };
        let sees = |states: &[(FeedState, bool)]| {
            let shared = Shared::new(&subscription);
            states.iter().for_each(|(state, live)| drop(shared.on_feed_state(state.clone(), *live)));
            shared.saw_begin(RunId([2; 16]))
        };
        assert!(!sees(&[(state(1, 3, 0, 0), true)]), "it is another run's");
        assert!(sees(&[(state(2, 3, 0, 0), true), (state(2, 4, 9, 0), true)]));
        assert!(sees(&[(state(2, 1, 9, 0), true)]), "its first ticks have overtaken the state");
        assert!(!sees(&[(state(2, 2, 9, 0), true)]), "it goes on already");
        assert!(!sees(&[(state(2, 3, 0, 0), false), (state(2, 4, 9, 0), true)]), "a state that was kept");
        assert!(!sees(&[(state(2, 1, 9, 1 << 16), true)]), "it is resumed");
    }
}
