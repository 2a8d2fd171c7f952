//! What `/hubs/system` shows beside the gateway's own: feeds with their hosts, and broker nodes against the budget.
//!
//! A look at a feed takes a second or two, so a thread looks, as long as somebody asks, and whoever asks has what it
//! saw last. When nobody has asked for some seconds it ends, and what it remembers of lags stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use broker::BrokerUrl;
use futures_util::future::{join, join_all};
use gateway::hubs::SystemSource;
use gateway::hubs::payloads::{FeedState, NodeState, SystemState, feed_phase};
use strategy_host::publishing::feed_of_replay;
use strategy_host::status::{FeedStatus, StatusError, StatusPlan, feed_status};
use tick_feed::rabbitmq::event_loop;
use tick_feed::rabbitmq::observe::ObserveError;
use tick_sdk::contracts::CommandId;
use tick_sdk::names::FeedName;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Play, ServePlan};

mod memory;
mod nodes;

use memory::Memory;
use nodes::Nodes;

/// The thread ends when nobody has asked for so long.
const IDLE: Duration = Duration::from_secs(5);
/// Two looks begin so long after each other, or as long as one takes.
const EVERY: Duration = Duration::from_secs(1);
/// A look at a feed that takes longer has failed.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// A feed that no broker has is looked for again after this time, then after twice as long, and so on, …
const ABSENT: Duration = Duration::from_secs(1);
/// … up to this time, …
const LONGEST_ABSENT: Duration = Duration::from_secs(8);
/// … and that of a replay, which most replays do not have, up to this one.
const LONGEST_ABSENT_REPLAY: Duration = Duration::from_secs(64);
/// So many feeds are looked at, and so many of replays.
const MOST_FEEDS: usize = 16;
const MOST_REPLAYS: usize = 4;

/// What is looked at.
pub(super) struct SystemView {
    roles: Vec<String>,
    /// `None` without a broker.
    place: Option<Arc<Place>>,
    seen: Arc<Mutex<Seen>>,
}

/// Where feeds are.
struct Place {
    brokers: Vec<BrokerUrl>,
    ledger: Option<String>,
    /// Those that this process hosts.
    hosted: Vec<FeedName>,
    /// Whether replays may have feeds.
    has_replays: bool,
    nodes: Nodes,
}

/// What the thread was asked for, and what it saw.
#[derive(Default)]
struct Seen {
    asked_at: Option<Instant>,
    is_looking: bool,
    wanted: BTreeMap<String, FeedName>,
    feeds: BTreeMap<String, FeedState>,
    /// When those that no broker has were last looked for, and after how long they are again.
    absent: BTreeMap<String, (Instant, Duration)>,
    nodes: Vec<NodeState>,
    memory: Memory,
}

impl SystemView {
    pub(super) fn new(plan: &ServePlan) -> Self {
        let place = plan.broker.as_ref().map(|broker| {
            let brokers: Vec<_> =
                std::iter::once(&broker.url).chain(&broker.options.other_nodes).cloned().collect();
            Arc::new(Place {
                nodes: Nodes::new(&brokers, broker.management.as_deref()),
                brokers,
                ledger: plan.hosts.as_ref().map(|hosts| hosts.hosts.state.clone()),
                hosted: plan.hosts.as_ref().map_or_else(Vec::new, |hosts| hosts.feeds.clone()),
                has_replays: !plan.roles.ingester || matches!(plan.play, Play::Feed(_)),
            })
        });
        let roles = plan.roles.to_string().split(", ").map(str::to_owned).collect();
        Self { roles, place, seen: Arc::default() }
    }
}

impl SystemView {
    /// Whether a thread looks now.
    fn begin_to_look(&self, place: Arc<Place>) -> bool {
        let seen = self.seen.clone();
        let thread = std::thread::Builder::new().name("system".to_owned());
        let started = thread.spawn(move || place.keep_looking(&seen));
        if let Err(error) = &started {
            tracing::warn!(%error, "how feeds stand is not looked at");
        }
        started.is_ok()
    }
}

impl fmt::Debug for SystemView {
    /// Without the URLs, which may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemView").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl SystemSource for SystemView {
    fn look(&self, state: &mut SystemState) {
        state.roles.clone_from(&self.roles);
        let Some(place) = &self.place else {
            // Without a broker there are no feeds, though something may be deployed to some.
            state.feeds.clear();
            return;
        };
        let wanted = place.wanted(state);
        let mut seen = lock(&self.seen);
        seen.asked_at = Some(Instant::now());
        state.feeds = wanted.keys().filter_map(|name| seen.shown(name)).collect();
        state.nodes.clone_from(&seen.nodes);
        state.takeovers = seen.memory.takeovers();
        seen.wanted = wanted;
        if !seen.is_looking {
            seen.is_looking = self.begin_to_look(place.clone());
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// A replay is shown as soon as it has a feed.
    fn shown(&self, name: &str) -> Option<FeedState> {
        let unknown = || FeedState {
            feed: name.to_owned(),
            phase: feed_phase::UNKNOWN.to_owned(),
            ..FeedState::default()
        };
        match self.feeds.get(name) {
            None if is_replay(name) => None,
            Some(feed) if is_replay(name) && feed.phase == feed_phase::ABSENT => None,
            found => Some(found.cloned().unwrap_or_else(unknown)),
        }
    }

    /// The feeds that are to be looked at now.
    fn due(&self, now: Instant) -> Vec<(String, FeedName)> {
        let is_due =
            |name: &str| self.absent.get(name).is_none_or(|(at, rest)| now.duration_since(*at) >= *rest);
        let due = self.wanted.iter().filter(|(name, _)| is_due(name));
        due.map(|(name, feed)| (name.clone(), feed.clone())).collect()
    }

    fn note(&mut self, name: String, looked: Result<FeedStatus, Unseen>, at_ms: u64) {
        let absent = self.absent.remove(&name);
        let state = match looked {
            Ok(status) => self.memory.note(&name, &status, at_ms),
            Err(Unseen::Absent) => {
                let longest = if is_replay(&name) { LONGEST_ABSENT_REPLAY } else { LONGEST_ABSENT };
                let rest = absent.map_or(ABSENT, |(_, rest)| longest.min(2 * rest));
                self.absent.insert(name.clone(), (Instant::now(), rest));
                let phase = feed_phase::ABSENT.to_owned();
                FeedState { feed: name.clone(), phase, ..FeedState::default() }
            }
            Err(Unseen::Failed(reason)) => {
                tracing::debug!(feed = name, reason, "how a feed stands is not known now");
                let earlier = self.feeds.remove(&name).unwrap_or_default();
                FeedState { feed: name.clone(), phase: feed_phase::UNKNOWN.to_owned(), ..earlier }
            }
        };
        self.feeds.insert(name, state);
    }

    /// Nothing is kept of what nobody asks for.
    fn forget_others(&mut self) {
        let wanted: BTreeSet<&String> = self.wanted.keys().collect();
        self.feeds.retain(|name, _| wanted.contains(name));
        self.absent.retain(|name, _| wanted.contains(name));
        self.memory.retain(|name| self.wanted.contains_key(name));
    }
}

fn is_replay(name: &str) -> bool {
    name.starts_with("replay/")
}

/// Why a feed was not seen.
enum Unseen {
    /// No broker has it.
    Absent,
    Failed(String),
}

impl Place {
    /// By the name under which they are shown.
    fn wanted(&self, state: &SystemState) -> BTreeMap<String, FeedName> {
        let deployed = state.feeds.iter().filter_map(|feed| feed.feed.parse().ok());
        let feeds: BTreeMap<_, _> = self
            .hosted
            .iter()
            .cloned()
            .chain(deployed)
            .map(|feed: FeedName| (feed.to_string(), feed))
            .collect();
        let replays = state.replays.iter().filter(|_| self.has_replays).filter_map(|replay| {
            let id = replay.replay_id.parse().ok()?;
            Some((format!("replay/{id}"), feed_of_replay(CommandId(id))))
        });
        feeds.into_iter().take(MOST_FEEDS).chain(replays.take(MOST_REPLAYS)).collect()
    }

    /// Looks as long as somebody asks.
    fn keep_looking(&self, seen: &Mutex<Seen>) {
        let runtime = match event_loop() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::warn!(%error, "how feeds stand is not looked at");
                lock(seen).is_looking = false;
                return;
            }
        };
        runtime.block_on(async {
            loop {
                let begun = Instant::now();
                let due = {
                    let mut seen = lock(seen);
                    if seen.asked_at.is_none_or(|at| at.elapsed() >= IDLE) {
                        seen.is_looking = false;
                        return;
                    }
                    seen.forget_others();
                    seen.due(begun)
                };
                let feeds = join_all(due.into_iter().map(|(name, feed)| self.look_at(name, feed, seen)));
                let look_at_nodes = async {
                    if let Some(nodes) = self.nodes.look().await {
                        lock(seen).nodes = nodes;
                    }
                };
                join(feeds, look_at_nodes).await;
                sleep_until(begun + EVERY).await;
            }
        });
        // A ledger that does not answer is not waited for.
        runtime.shutdown_background();
    }

    async fn look_at(&self, name: String, feed: FeedName, seen: &Mutex<Seen>) {
        let plan = StatusPlan { feed, brokers: self.brokers.clone(), ledger: self.ledger.clone() };
        let looked = match timeout(LONGEST_LOOK, feed_status(&plan)).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(StatusError::Observe(ObserveError::NoFeed { .. } | ObserveError::NoState { .. }))) => {
                Err(Unseen::Absent)
            }
            Ok(Err(error)) => Err(Unseen::Failed(error.to_string())),
            Err(_) => Err(Unseen::Failed(format!("no answer within {} s", LONGEST_LOOK.as_secs()))),
        };
        lock(seen).note(name, looked, now_ms());
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
