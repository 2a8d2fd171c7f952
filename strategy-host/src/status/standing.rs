//! How a feed stands: what was announced, seen and committed, put together. Pure: no I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tick_feed::rabbitmq::Durability;
use tick_feed::rabbitmq::control::{CommitDelay, FeedState, ShardCursor, StrategyState};
use tick_feed::rabbitmq::observe::Observation;
use tick_sdk::names::{FeedName, RunId, StrategyName};

use crate::ledger::{LaneRow, MemberRow};

/// How a feed stands. Ticks are counted within a shard; times are in seconds.
#[derive(Debug, Serialize)]
pub struct FeedStatus {
    /// The feed.
    pub feed: FeedName,
    /// Its newest run.
    pub run: RunId,
    /// What becomes of the run.
    pub phase: Phase,
    /// What the broker does with frames.
    pub durability: Durability,
    /// Frames are at most so many bytes.
    pub max_frame_bytes: usize,
    /// One `name=value` a line.
    pub manifest: String,
    /// How long ago the ingester announced this.
    pub announced_seconds_ago: f64,
    /// One a shard.
    pub shards: Vec<ShardStatus>,
    /// The feed's strategies.
    pub strategies: Vec<StrategyStatus>,
    /// Messages that are not frames of the feed, and wait for somebody to look.
    pub dead_letters: u64,
    /// Of the feed, the newest first; `None` without a ledger.
    pub runs_in_ledger: Option<Vec<RunId>>,
}

/// What becomes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its ingester publishes.
    Publishing,
    /// All is published, and some strategies have not committed to the end.
    Published,
    /// It ended, or was abandoned.
    Closed,
    /// Its ingester is gone, and did not close it.
    NoIngester,
}

/// How publishing one shard stands.
#[derive(Debug, Serialize)]
pub struct ShardStatus {
    /// The shard.
    pub shard: u16,
    /// A place in the ingester's list of brokers.
    pub node: u16,
    /// Ticks before this were published.
    pub published: u64,
    /// Ticks before this were confirmed by the broker.
    pub confirmed: u64,
    /// How often its publish position was rewound.
    pub rewinds: u32,
    /// While this was looked at; `None` if only one state was seen.
    pub ticks_per_second: Option<f64>,
    /// Receive time of the last tick published, in ns since the UNIX epoch.
    pub ts_recv: u64,
    /// Why nothing is published at the moment, where that is so.
    pub stalled: Option<String>,
}

/// How one strategy of a feed stands.
#[derive(Debug, Serialize)]
pub struct StrategyStatus {
    /// Its instance name.
    pub name: String,
    /// Whether the run waits for it.
    pub required: bool,
    /// Whether its queues are bound.
    pub active: bool,
    /// The ledger that its hosts commit to.
    pub ledger: Option<String>,
    /// Whether the ledger that was given is the one that its hosts commit to.
    pub is_of_ledger: Option<bool>,
    /// Instances that live.
    pub instances: Vec<String>,
    /// Of the shard that is farthest behind; `None` if not every cursor is known.
    pub lag: Option<u64>,
    /// How long publishing so many ticks takes at the present rate.
    pub lag_seconds: Option<f64>,
    /// How long commits took lately, of the slowest of its instances; `None` where none has reported one.
    pub delay: Option<CommitDelay>,
    /// In how many shards the run's end is committed.
    pub ended_shards: usize,
    /// Whether it has not ended, and no instance runs that could bring it there.
    pub needs_instance: bool,
    /// One a shard.
    pub lanes: Vec<LaneStatus>,
}

/// One strategy on one shard.
#[derive(Debug, Serialize)]
pub struct LaneStatus {
    /// The shard.
    pub shard: u16,
    /// Signals of ticks before this are committed.
    pub cursor: Option<u64>,
    /// Ticks before this are in a stored state.
    pub stored: Option<u64>,
    /// The run's end is committed, too.
    pub ended: bool,
    /// Ticks of accepted gaps.
    pub skipped: Option<u64>,
    /// How many times it was claimed.
    pub epoch: Option<u64>,
    /// Ticks that are published and not committed.
    pub lag: Option<u64>,
    /// How long publishing them takes at the present rate.
    pub lag_seconds: Option<f64>,
    /// Messages in its queue that nobody was given; `None` if the queue is not there.
    pub waiting: Option<u32>,
    /// How many instances consume its queue, of which one is active.
    pub consumers: u32,
    /// The instance that has it.
    pub instance: Option<String>,
}

/// What a ledger has of a feed.
#[derive(Clone, Debug)]
pub struct LedgerSeen {
    /// Which ledger it is.
    pub id: String,
    /// The feed's runs, the newest first.
    pub runs: Vec<RunId>,
    /// Of the feed's newest run, as its ingester has it.
    pub lanes: Vec<LaneRow>,
    /// Those that live.
    pub members: Vec<MemberRow>,
}

impl FeedStatus {
    /// Puts together what was seen until `now`, in ns since the UNIX epoch.
    pub(super) fn new(seen: &Observation, ledger: Option<&LedgerSeen>, now: u64) -> Self {
        let state = seen.states.last().expect("an observation has a state");
        let shards: Vec<ShardStatus> =
            (0..state.shards.len()).map(|shard| ShardStatus::new(seen, shard)).collect();
        let strategies = state
            .strategies
            .iter()
            .map(|strategy| StrategyStatus::new(seen, ledger, strategy, &shards))
            .collect();
        Self {
            feed: state.feed.clone(),
            run: state.run,
            phase: phase(state, seen.has_ingester),
            durability: state.durability,
            max_frame_bytes: state.max_frame_bytes,
            manifest: state.manifest.clone(),
            announced_seconds_ago: now.saturating_sub(state.at) as f64 * 1e-9,
            shards,
            strategies,
            dead_letters: seen.dead_letters,
            runs_in_ledger: ledger.map(|ledger| ledger.runs.clone()),
        }
    }
}

fn phase(state: &FeedState, has_ingester: bool) -> Phase {
    match (state.closed, has_ingester, state.published) {
        (true, ..) => Phase::Closed,
        (false, false, _) => Phase::NoIngester,
        (false, true, true) => Phase::Published,
        (false, true, false) => Phase::Publishing,
    }
}

impl ShardStatus {
    fn new(seen: &Observation, shard: usize) -> Self {
        let (first, last) = (&seen.states[0], &seen.states[seen.states.len() - 1]);
        let now = &last.shards[shard];
        let seconds = last.at.saturating_sub(first.at) as f64 * 1e-9;
        let ticks = first.shards.get(shard).map(|first| now.published.saturating_sub(first.published));
        let rate = |ticks: u64| (seconds > 0.0).then(|| ticks as f64 / seconds);
        Self {
            shard: shard as u16,
            node: now.node,
            published: now.published,
            confirmed: now.confirmed,
            rewinds: now.attempt,
            ticks_per_second: ticks.and_then(rate),
            ts_recv: now.ts_recv,
            stalled: now.stalled.clone(),
        }
    }
}

impl StrategyStatus {
    fn new(
        seen: &Observation,
        ledger: Option<&LedgerSeen>,
        state: &StrategyState,
        shards: &[ShardStatus],
    ) -> Self {
        let is_of_ledger = ledger.zip(state.ledger.as_ref()).map(|(ledger, id)| ledger.id == *id);
        // Another ledger knows nothing of this strategy.
        let ledger = ledger.filter(|_| is_of_ledger != Some(false));
        let lanes: Vec<LaneStatus> =
            shards.iter().map(|shard| LaneStatus::new(seen, ledger, state, shard)).collect();
        let instances: BTreeSet<String> = match ledger {
            None => {
                let own = seen.hosts.iter().filter(|host| host.strategy == state.name);
                own.map(|host| host.member.clone()).collect()
            }
            Some(ledger) => {
                let own = ledger.members.iter().filter(|row| row.strategy == state.name);
                own.map(|row| row.member.clone()).collect()
            }
        };
        let ended_shards = lanes.iter().filter(|lane| lane.ended).count();
        let behind = lanes.iter().map(|lane| lane.lag_seconds);
        Self {
            name: state.name.to_string(),
            required: state.required,
            active: state.active,
            ledger: state.ledger.clone(),
            is_of_ledger,
            lag: lanes
                .iter()
                .map(|lane| lane.lag)
                .collect::<Option<Vec<_>>>()
                .and_then(|lags| lags.into_iter().max()),
            lag_seconds: behind.collect::<Option<Vec<_>>>().map(|all| all.into_iter().fold(0.0, f64::max)),
            delay: delay_of(seen, &state.name),
            ended_shards,
            needs_instance: state.active
                && !state.ended
                && instances.is_empty()
                && ended_shards < lanes.len(),
            instances: instances.into_iter().collect(),
            lanes,
        }
    }
}

impl LaneStatus {
    fn new(
        seen: &Observation,
        ledger: Option<&LedgerSeen>,
        state: &StrategyState,
        shard: &ShardStatus,
    ) -> Self {
        let row = ledger.and_then(|ledger| {
            let is_it = |row: &&LaneRow| row.lane.strategy == state.name && row.lane.shard == shard.shard;
            ledger.lanes.iter().find(is_it)
        });
        let reported = last_reported(seen, &state.name, shard.shard);
        let queue =
            seen.queues.iter().find(|queue| queue.strategy == state.name && queue.shard == shard.shard);
        // A ledger has more than its hosts report, and what nobody claimed has committed nothing.
        let begins_at = state.begins_at.get(usize::from(shard.shard)).copied().unwrap_or(0);
        let cursor = match (ledger, row) {
            (_, Some(row)) => Some(row.cursor),
            (Some(_), None) => Some(begins_at),
            (None, None) => reported.map(|(_, cursor)| cursor.cursor),
        };
        let lag = cursor.map(|cursor| shard.published.saturating_sub(cursor));
        let stored = row.map(|row| row.state_seq).or(reported.map(|(_, cursor)| cursor.stored));
        Self {
            shard: shard.shard,
            cursor,
            stored,
            ended: row.map_or(reported.is_some_and(|(_, cursor)| cursor.ended), |row| row.ended),
            skipped: row.map(|row| row.skipped),
            epoch: row.map(|row| row.epoch),
            lag,
            lag_seconds: lag.and_then(|lag| seconds(lag, shard.ticks_per_second)),
            waiting: queue.and_then(|queue| queue.waiting),
            consumers: queue.map_or(0, |queue| queue.consumers),
            instance: reported.map(|(member, _)| member.to_owned()),
        }
    }
}

/// The slowest of what the hosts of a strategy reported last.
fn delay_of(seen: &Observation, strategy: &StrategyName) -> Option<CommitDelay> {
    let hosts = seen.hosts.iter().filter(|host| host.strategy == *strategy);
    let last: BTreeMap<&str, CommitDelay> =
        hosts.filter_map(|host| Some((host.member.as_str(), host.delay?))).collect();
    last.into_values().reduce(|one, other| CommitDelay {
        p50_us: one.p50_us.max(other.p50_us),
        p99_us: one.p99_us.max(other.p99_us),
        max_us: one.max_us.max(other.max_us),
    })
}

/// The host that reported last how far a shard is, and what it reported.
fn last_reported<'a>(
    seen: &'a Observation,
    strategy: &StrategyName,
    shard: u16,
) -> Option<(&'a str, ShardCursor)> {
    seen.hosts.iter().rev().filter(|host| host.strategy == *strategy).find_map(|host| {
        let cursor = host.cursors.iter().find(|cursor| cursor.shard == shard)?;
        Some((host.member.as_str(), *cursor))
    })
}

/// How long publishing so many ticks took; unknown if nothing is published.
fn seconds(lag: u64, rate: Option<f64>) -> Option<f64> {
    match (lag, rate) {
        (0, _) => Some(0.0),
        (lag, Some(rate)) if rate > 0.0 => Some(lag as f64 / rate),
        _ => None,
    }
}
