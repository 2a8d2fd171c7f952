//! How a feed stands: what was heard, seen and committed, put together.

use std::collections::BTreeSet;

use serde::Serialize;
use strategy_host::ledger::LaneRow;
use tick_feed::rabbitmq::Durability;
use tick_feed::rabbitmq::control::{FeedState, ShardCursor, StrategyState};
use tick_feed::rabbitmq::observe::Observation;
use tick_sdk::names::{FeedName, RunId};

use super::LedgerSeen;

/// How a feed stands. Ticks are counted within a shard; times are in seconds.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    pub(super) feed: FeedName,
    pub(super) run: RunId,
    pub(super) phase: Phase,
    pub(super) durability: Durability,
    pub(super) max_frame_bytes: usize,
    /// One `name=value` a line.
    pub(super) manifest: String,
    /// How long ago the ingester said this.
    pub(super) said_seconds_ago: f64,
    pub(super) shards: Vec<Shard>,
    pub(super) strategies: Vec<Strategy>,
    pub(super) dead_letters: u64,
    /// Of the feed, the newest first; `None` without a ledger.
    pub(super) runs_in_ledger: Option<Vec<RunId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Its ingester publishes.
    Publishing,
    /// All is published, and strategies are on their way to the end.
    Published,
    /// It ended, or was given up.
    Closed,
    /// Its ingester is gone, and did not close it.
    NoIngester,
}

#[derive(Debug, Serialize)]
pub(super) struct Shard {
    pub(super) shard: u16,
    /// A place in the ingester's list of brokers.
    pub(super) node: u16,
    pub(super) published: u64,
    pub(super) confirmed: u64,
    pub(super) set_back: u32,
    /// While this was looked at; `None` if nothing was heard twice.
    pub(super) ticks_per_second: Option<f64>,
    /// Receive time of the last tick published, in ns since the UNIX epoch.
    pub(super) ts_recv: u64,
    pub(super) stalled: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Strategy {
    pub(super) name: String,
    pub(super) required: bool,
    /// Whether its queues are bound.
    pub(super) active: bool,
    pub(super) ledger: Option<String>,
    /// Whether the ledger that was given is the one that its hosts commit to.
    pub(super) is_of_ledger: Option<bool>,
    /// Instances that live.
    pub(super) instances: Vec<String>,
    /// Of the shard that is farthest behind; `None` if not every cursor is known.
    pub(super) lag: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    pub(super) ended_shards: usize,
    pub(super) lanes: Vec<Lane>,
}

/// One strategy on one shard.
#[derive(Debug, Serialize)]
pub(super) struct Lane {
    pub(super) shard: u16,
    /// Signals of ticks before this are committed.
    pub(super) cursor: Option<u64>,
    /// Ticks before this are in a stored state.
    pub(super) stored: Option<u64>,
    pub(super) ended: bool,
    /// Ticks of accepted gaps.
    pub(super) skipped: Option<u64>,
    /// How many times it was claimed.
    pub(super) epoch: Option<u64>,
    pub(super) lag: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    /// Messages in its queue that nobody was given; `None` if the queue is not there.
    pub(super) waiting: Option<u32>,
    pub(super) consumers: u32,
    /// The instance that has it.
    pub(super) instance: Option<String>,
}

impl Standing {
    /// Puts together what was seen until `now`, in ns since the UNIX epoch.
    pub(super) fn new(seen: &Observation, ledger: Option<&LedgerSeen>, now: u64) -> Self {
        let state = seen.states.last().expect("an observation has a state");
        let shards: Vec<Shard> = (0..state.shards.len()).map(|shard| Shard::new(seen, shard)).collect();
        let strategies =
            state.strategies.iter().map(|strategy| Strategy::new(seen, ledger, strategy, &shards)).collect();
        Self {
            feed: state.feed.clone(),
            run: state.run,
            phase: phase(state, seen.has_ingester),
            durability: state.durability,
            max_frame_bytes: state.max_frame_bytes,
            manifest: state.manifest.clone(),
            said_seconds_ago: now.saturating_sub(state.at) as f64 * 1e-9,
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

impl Shard {
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
            set_back: now.attempt,
            ticks_per_second: ticks.and_then(rate),
            ts_recv: now.ts_recv,
            stalled: now.stalled.clone(),
        }
    }
}

impl Strategy {
    fn new(seen: &Observation, ledger: Option<&LedgerSeen>, state: &StrategyState, shards: &[Shard]) -> Self {
        let is_of_ledger = ledger.zip(state.ledger.as_ref()).map(|(ledger, id)| ledger.id == *id);
        // Another ledger knows nothing of this strategy.
        let ledger = ledger.filter(|_| is_of_ledger != Some(false));
        let lanes: Vec<Lane> = shards.iter().map(|shard| Lane::new(seen, ledger, state, shard)).collect();
        let heard = || seen.hosts.iter().filter(|host| host.strategy == state.name);
        let instances: BTreeSet<String> = match ledger {
            None => heard().map(|host| host.member.clone()).collect(),
            Some(ledger) => {
                let own = ledger.members.iter().filter(|row| row.strategy == state.name);
                own.map(|row| row.member.clone()).collect()
            }
        };
        let behind = lanes.iter().map(|lane| lane.lag_seconds);
        Self {
            name: state.name.clone(),
            required: state.required,
            active: state.active,
            ledger: state.ledger.clone(),
            is_of_ledger,
            instances: instances.into_iter().collect(),
            lag: lanes
                .iter()
                .map(|lane| lane.lag)
                .collect::<Option<Vec<_>>>()
                .and_then(|lags| lags.into_iter().max()),
            lag_seconds: behind.collect::<Option<Vec<_>>>().map(|all| all.into_iter().fold(0.0, f64::max)),
            ended_shards: lanes.iter().filter(|lane| lane.ended).count(),
            lanes,
        }
    }
}

impl Lane {
    fn new(seen: &Observation, ledger: Option<&LedgerSeen>, state: &StrategyState, shard: &Shard) -> Self {
        let row = ledger.and_then(|ledger| {
            let is_it = |row: &&LaneRow| row.lane.strategy == state.name && row.lane.shard == shard.shard;
            ledger.lanes.iter().find(is_it)
        });
        let said = last_said(seen, &state.name, shard.shard);
        let queue =
            seen.queues.iter().find(|queue| queue.strategy == state.name && queue.shard == shard.shard);
        // A ledger knows more than its hosts say, and what nobody claimed has committed nothing.
        let begins_at = state.begins_at.get(usize::from(shard.shard)).copied().unwrap_or(0);
        let cursor = match (ledger, row) {
            (_, Some(row)) => Some(row.cursor),
            (Some(_), None) => Some(begins_at),
            (None, None) => said.map(|(_, cursor)| cursor.cursor),
        };
        let lag = cursor.map(|cursor| shard.published.saturating_sub(cursor));
        let stored = row.map(|row| row.state_seq).or(said.map(|(_, cursor)| cursor.stored));
        Self {
            shard: shard.shard,
            cursor,
            stored,
            ended: row.map_or(said.is_some_and(|(_, cursor)| cursor.ended), |row| row.ended),
            skipped: row.map(|row| row.skipped),
            epoch: row.map(|row| row.epoch),
            lag,
            lag_seconds: lag.and_then(|lag| seconds(lag, shard.ticks_per_second)),
            waiting: queue.and_then(|queue| queue.waiting),
            consumers: queue.map_or(0, |queue| queue.consumers),
            instance: said.map(|(member, _)| member.to_owned()),
        }
    }
}

/// The host that said last how far a shard is, and what it said.
fn last_said<'a>(seen: &'a Observation, strategy: &str, shard: u16) -> Option<(&'a str, ShardCursor)> {
    seen.hosts.iter().rev().filter(|host| host.strategy == strategy).find_map(|host| {
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

#[cfg(test)]
mod tests;
