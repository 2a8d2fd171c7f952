//! What hubs take and send, as JSON in camelCase. Prices and sizes are decimal text, as in every read; times in `…Ms` are
//! ms since the UNIX epoch, which JavaScript's numbers hold exactly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Which instruments a client watches, and how often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct MarketWatch {
    /// Only of this source, `feed/NAME` or `replay/ID`; of all where absent.
    pub source: Option<String>,
    /// Symbols, or patterns with `*` for any characters; empty for all.
    pub symbols: Vec<String>,
    /// Updates a second, 1 to 20; 4 where absent.
    pub per_second: Option<u32>,
}

/// What a watch begins with. Its updates come as `Quotes` with the same group; of an instrument the greater version counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MarketSnapshot {
    /// Names the watch, for `Unwatch`, and in its updates.
    pub group: String,
    /// What is played, or was lately.
    pub sources: Vec<SourceState>,
    /// Every instrument of the watch.
    pub quotes: Vec<QuoteState>,
}

/// A source that is played, or was a while ago.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// `feed/NAME` or `replay/ID`.
    pub source: String,
    /// The run, in hexadecimal.
    pub run: String,
    /// Instruments so far.
    pub instruments: u64,
    /// Ticks so far.
    pub ticks: u64,
    /// Receive time of the last tick.
    pub last_at_ms: u64,
    /// Whether nothing more comes.
    pub has_ended: bool,
}

/// The latest of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct QuoteState {
    /// The source.
    pub source: String,
    /// The instrument.
    pub symbol: String,
    /// Grows with each change.
    pub version: u64,
    /// Best bid.
    pub bid: Option<String>,
    /// What is bid for there.
    pub bid_size: Option<String>,
    /// Best ask.
    pub ask: Option<String>,
    /// What is asked for there.
    pub ask_size: Option<String>,
    /// The last trade's price.
    pub last: Option<String>,
    /// The last trade's size.
    pub last_size: Option<String>,
    /// The first price since the source began.
    pub first: Option<String>,
    /// Ticks so far.
    pub ticks: u64,
    /// Receive time of the last tick.
    pub at_ms: u64,
    /// When the gateway learnt of it, by the clock on the wall.
    pub seen_ms: u64,
}

/// Candles of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CandleWatch {
    /// The source.
    pub source: String,
    /// The instrument.
    pub symbol: String,
    /// 1, 10, 60, 300 or 3,600 s.
    pub interval_s: u32,
    /// At most so many of the past, up to 2,000; 500 where absent.
    pub limit: Option<u32>,
}

/// The trades of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CandleState {
    /// Receive time at which it begins.
    pub start_ms: u64,
    /// Of the first trade.
    pub open: String,
    /// The highest.
    pub high: String,
    /// The lowest.
    pub low: String,
    /// Of the last trade.
    pub close: String,
    /// What was traded.
    pub volume: String,
    /// How many trades.
    pub trades: u64,
}

/// Which signals, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct SignalWatch {
    /// `position` of the last update that was seen; without it the stream begins with the latest signals.
    pub after: Option<u64>,
    /// Only of these runs; of all where empty.
    pub runs: Vec<String>,
    /// Only of these strategies; of all where empty.
    pub strategies: Vec<String>,
    /// Without `after`: about so many of these signals of the past, up to 10,000 and within the last 50,000 events of the log; 100
    /// where absent; and all that cannot be read yet. Older ones are read: `/api/signals`.
    pub latest: Option<u32>,
}

/// Signals in the order in which they were published, and accounts as they were marked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignalsUpdate {
    /// Give it as `after` to go on from here, at any gateway.
    pub position: u64,
    /// Whether this was all that there was.
    pub is_latest: bool,
    /// The signals.
    pub signals: Vec<SignalState>,
    /// Runs and strategies whose accounts were marked: read `/api/positions`.
    pub marked: Vec<MarkedAccount>,
}

/// A signal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignalState {
    /// The run.
    pub run: String,
    /// The instance's name.
    pub strategy: String,
    /// The instrument.
    pub symbol: String,
    /// The shard.
    pub shard: u16,
    /// The tick's place in its shard.
    pub seq: u64,
    /// Counts the signals of one tick and strategy.
    pub n: u32,
    /// The tick's event time, in ns since the UNIX epoch, as text: it has more digits than a number of JavaScript.
    pub ts_event: String,
    /// The tick's receive time.
    pub at_ms: u64,
    /// `buy`, `sell` or `flat`.
    pub side: String,
    /// In decimal; absent where it is undefined.
    pub price: Option<String>,
    /// When it was published.
    pub published_ms: u64,
}

/// An account that was marked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MarkedAccount {
    /// The run.
    pub run: String,
    /// The instance's name.
    pub strategy: String,
    /// Realised and open profit less fees.
    pub equity: String,
}

/// Which commands, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct CommandWatch {
    /// `cursor` of the last update that was seen; without it the stream begins with the latest commands.
    pub after: Option<BTreeMap<String, u64>>,
    /// Only these commands; all that the caller may see where empty.
    pub ids: Vec<String>,
    /// Without `after`: so many commands of the past, up to 1,000; 100 where absent.
    pub latest: Option<u32>,
}

/// Commands as they are now, those that have changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CommandsUpdate {
    /// Give it as `after` to go on from here, at any gateway: a position for each context.
    pub cursor: BTreeMap<String, u64>,
    /// Whether this was all that there was.
    pub is_latest: bool,
    /// What `/api/commands/{id}` answers of each.
    pub commands: Vec<serde_json::Value>,
}

/// How everything stands, about once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SystemState {
    /// When, by the gateway's clock.
    pub at_ms: u64,
    /// Of this program.
    pub version: String,
    /// What the gateway's process does: `gateway`, `services`, …
    pub roles: Vec<String>,
    /// `ready`, or what is not.
    pub parts: Vec<PartState>,
    /// Feeds that this gateway's processes host.
    pub feeds: Vec<FeedState>,
    /// Replays that run now.
    pub replays: Vec<RunningReplay>,
    /// Messages on broker nodes against the budget.
    pub nodes: Vec<NodeState>,
    /// Commands by state, of those that are remembered; at most 100,000 are counted of each.
    pub commands: BTreeMap<String, u64>,
    /// What took a shard over, the newest first, at most 50.
    pub takeovers: Vec<Takeover>,
    /// What needs somebody, the most urgent first.
    pub attention: Vec<Attention>,
}

/// A part of the gateway, as `/health/ready` has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PartState {
    /// `broker`, `store`, `projections`, …
    pub name: String,
    /// Whether it can be used.
    pub is_ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// The phases of a feed, as [`FeedState::phase`] has them.
pub mod feed_phase {
    /// Its ingester publishes.
    pub const PUBLISHING: &str = "publishing";
    /// All is published, and some strategies have not committed to the end.
    pub const PUBLISHED: &str = "published";
    /// It ended.
    pub const CLOSED: &str = "closed";
    /// Its ingester is gone, and did not close it.
    pub const NO_INGESTER: &str = "noIngester";
    /// No broker has it.
    pub const ABSENT: &str = "absent";
    /// It was not found out yet.
    pub const UNKNOWN: &str = "unknown";
}

/// How a feed stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FeedState {
    /// The feed.
    pub feed: String,
    /// Its newest run.
    pub run: String,
    /// `publishing`, `published`, `closed`, `noIngester`, `absent` (on no broker), or `unknown` as yet.
    pub phase: String,
    /// Over all shards.
    pub ticks_per_second: f64,
    /// One a shard.
    pub shards: Vec<ShardState>,
    /// Its strategies.
    pub strategies: Vec<StrategyState>,
    /// Messages that are no frames.
    pub dead_letters: u64,
}

/// A shard of a feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ShardState {
    /// The shard.
    pub shard: u16,
    /// The broker node's place in the list.
    pub node: u16,
    /// Ticks published.
    pub published: u64,
    /// Ticks published a second; absent until that was seen.
    pub ticks_per_second: Option<f64>,
    /// Why nothing is published.
    pub stalled: Option<String>,
}

/// A strategy of a feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StrategyState {
    /// Its lane's name, as `trend@2`.
    pub name: String,
    /// Hosts that live.
    pub instances: Vec<String>,
    /// Of the shard that is farthest behind.
    pub lag_ticks: Option<u64>,
    /// The same in seconds of publishing.
    pub lag_seconds: Option<f64>,
    /// The last two minutes of `lagSeconds`, the oldest first.
    pub trend: Vec<f64>,
    /// From a tick's receipt to its commit, where it is measured.
    pub latency_ms: Option<LatencyState>,
    /// One a shard.
    pub lanes: Vec<LaneState>,
}

/// Percentiles of a time in ms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LatencyState {
    /// Half are faster.
    pub p50: f64,
    /// 99 of 100 are faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// A strategy on a shard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LaneState {
    /// The shard.
    pub shard: u16,
    /// Who has it.
    pub instance: Option<String>,
    /// How often it was claimed.
    pub epoch: Option<u64>,
    /// Ticks that are published and not committed.
    pub lag_ticks: Option<u64>,
    /// The same in seconds of publishing.
    pub lag_seconds: Option<f64>,
    /// The run's end is committed, too.
    pub has_ended: bool,
}

/// A replay that runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunningReplay {
    /// The replay.
    pub replay_id: String,
    /// Its run.
    pub run: Option<String>,
    /// The share that is done, 0 to 1.
    pub share: Option<f64>,
    /// Ticks so far.
    pub ticks: u64,
    /// Ticks a second.
    pub ticks_per_second: u64,
}

/// Messages of a broker node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct NodeState {
    /// The node's host and port.
    pub node: String,
    /// Messages a second now.
    pub messages_per_second: Option<f64>,
    /// What it may be given.
    pub budget: u64,
    /// Whether it takes none, and why.
    pub alarm: Option<String>,
}

/// A shard that another host has now, or, without a strategy, a replay that another worker has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Takeover {
    /// When it was seen.
    pub at_ms: u64,
    /// The feed, or the replay as `replay/ID`.
    pub feed: String,
    /// The strategy's lane.
    pub strategy: String,
    /// The shard.
    pub shard: u16,
    /// Who had it.
    pub from: Option<String>,
    /// Who has it.
    pub to: Option<String>,
}

/// Something that needs somebody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// `error` or `warning`.
    pub severity: String,
    /// In words.
    pub text: String,
    /// A page of the dashboard, as `#/commands/ID`.
    pub link: Option<String>,
}
