//! What is remembered between two looks at a feed: how far behind strategies were, and who had which shard. Pure: no
//! I/O, no clock.

use std::collections::{BTreeMap, VecDeque};

use gateway::hubs::payloads::{
    FeedState, LaneState, LatencyState, ShardState, StrategyState, Takeover, feed_phase,
};
use strategy_host::status::{FeedStatus, LaneStatus, Phase, ShardStatus, StrategyStatus};

/// Lags are remembered for so long, …
const TREND_MS: u64 = 120_000;
/// … and so many of them.
const MOST_LAGS: usize = 240;
/// So many takeovers are remembered.
const MOST_TAKEOVERS: usize = 50;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    feeds: BTreeMap<String, OfFeed>,
    /// The newest first.
    takeovers: VecDeque<Takeover>,
}

/// Of the run that a feed had when it was last looked at.
#[derive(Debug, Default)]
struct OfFeed {
    run: String,
    strategies: BTreeMap<String, OfStrategy>,
}

#[derive(Debug, Default)]
struct OfStrategy {
    /// When, in ms, and how many seconds it was behind; the oldest first.
    lags: VecDeque<(u64, f64)>,
    /// Who was last seen to have a shard.
    owners: BTreeMap<u16, String>,
}

impl Memory {
    /// What was seen of a feed at this time, with what was seen before; the feed is shown under this name.
    pub(super) fn note(&mut self, name: &str, status: &FeedStatus, at_ms: u64) -> FeedState {
        let run = status.run.to_string();
        let feed = self.feeds.entry(name.to_owned()).or_default();
        if feed.run != run {
            // Another run is another matter: nobody has taken anything over.
            *feed = OfFeed { run: run.clone(), ..OfFeed::default() };
        }
        let shown: Vec<_> = status.strategies.iter().filter(|strategy| is_shown(strategy)).collect();
        feed.strategies.retain(|name, _| shown.iter().any(|strategy| strategy.name == *name));
        let mut strategies = Vec::new();
        for strategy in shown {
            let known = feed.strategies.entry(strategy.name.clone()).or_default();
            for taken in known.taken_over(strategy) {
                let (feed, strategy) = (name.to_owned(), strategy.name.clone());
                self.takeovers.push_front(Takeover { at_ms, feed, strategy, ..taken });
            }
            known.add_lag(strategy.lag_seconds, at_ms);
            strategies.push(state_of(strategy, known));
        }
        self.takeovers.truncate(MOST_TAKEOVERS);
        FeedState {
            feed: name.to_owned(),
            run,
            phase: phase(status.phase).to_owned(),
            ticks_per_second: status.shards.iter().filter_map(|shard| shard.ticks_per_second).sum(),
            shards: status.shards.iter().map(shard).collect(),
            strategies,
            dead_letters: status.dead_letters,
        }
    }

    /// The newest first.
    pub(super) fn takeovers(&self) -> Vec<Takeover> {
        self.takeovers.iter().cloned().collect()
    }

    /// Forgets the other feeds; what was taken over in them stays.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.feeds.retain(|name, _| is_wanted(name));
    }
}

/// One that has left the feed is shown no more, unless hosts of it live still.
fn is_shown(strategy: &StrategyStatus) -> bool {
    strategy.active || !strategy.instances.is_empty()
}

impl OfStrategy {
    /// The shards that another instance has than the one that was last seen there. Between two of them nobody may have
    /// been seen, as while a host that was killed is still waited for.
    fn taken_over(&mut self, strategy: &StrategyStatus) -> Vec<Takeover> {
        let mut taken = Vec::new();
        for lane in strategy.lanes.iter().filter(|lane| !lane.ended) {
            let Some(to) = &lane.instance else { continue };
            let from = self.owners.insert(lane.shard, to.clone());
            if let Some(from) = from.filter(|from| from != to) {
                let (from, to) = (Some(from), Some(to.clone()));
                taken.push(Takeover { shard: lane.shard, from, to, ..Takeover::default() });
            }
        }
        taken
    }

    fn add_lag(&mut self, seconds: Option<f64>, at_ms: u64) {
        self.lags.extend(seconds.map(|seconds| (at_ms, seconds)));
        let is_old = |(at, _): &(u64, f64)| at.saturating_add(TREND_MS) < at_ms;
        while self.lags.len() > MOST_LAGS || self.lags.front().is_some_and(is_old) {
            self.lags.pop_front();
        }
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Publishing => feed_phase::PUBLISHING,
        Phase::Published => feed_phase::PUBLISHED,
        Phase::Closed => feed_phase::CLOSED,
        Phase::NoIngester => feed_phase::NO_INGESTER,
    }
}

fn shard(shard: &ShardStatus) -> ShardState {
    ShardState {
        shard: shard.shard,
        node: shard.node,
        published: shard.published,
        ticks_per_second: shard.ticks_per_second,
        stalled: shard.stalled.clone(),
    }
}

fn state_of(strategy: &StrategyStatus, known: &OfStrategy) -> StrategyState {
    StrategyState {
        name: strategy.name.clone(),
        instances: strategy.instances.clone(),
        lag_ticks: strategy.lag,
        lag_seconds: strategy.lag_seconds,
        trend: known.lags.iter().map(|(_, seconds)| *seconds).collect(),
        latency_ms: strategy.delay.map(|delay| LatencyState {
            p50: delay.p50_us as f64 / 1e3,
            p99: delay.p99_us as f64 / 1e3,
            max: delay.max_us as f64 / 1e3,
        }),
        lanes: strategy.lanes.iter().map(lane).collect(),
    }
}

fn lane(lane: &LaneStatus) -> LaneState {
    LaneState {
        shard: lane.shard,
        instance: lane.instance.clone(),
        epoch: lane.epoch,
        lag_ticks: lane.lag,
        lag_seconds: lane.lag_seconds,
        has_ended: lane.ended,
    }
}

#[cfg(test)]
mod tests;
