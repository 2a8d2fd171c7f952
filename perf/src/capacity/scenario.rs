//! What is simulated: a market, and what it is carried by.

use serde::Serialize;
use tick_feed::budget::Budget;

use super::costs::{Costs, MESSAGE_BYTES, TICK_BYTES};

/// A market and its machines. Shards, nodes and instances are those of each feed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Scenario {
    /// Mean ticks/s of the whole market.
    pub(crate) rate: f64,
    /// A burst's rate, of the mean.
    pub(crate) peak: f64,
    /// A burst's length, ns.
    pub(crate) burst: u64,
    /// The part of all ticks that come in bursts.
    pub(crate) burst_share: f64,
    /// Whether the time is a whole trading day in small, with its open and its close.
    pub(crate) day: bool,
    /// Instruments of the whole market.
    pub(crate) instruments: u32,
    /// Instrument i has a part proportional to 1/i^skew.
    pub(crate) skew: f64,
    /// Groups of channels, each with its own ingester, nodes, hosts and ledger.
    pub(crate) feeds: u16,
    /// Shards of a feed.
    pub(crate) shards: u16,
    /// Broker nodes of a feed.
    pub(crate) nodes: u16,
    /// Messages/s of each node.
    #[serde(serialize_with = "as_text")]
    pub(crate) budget: Budget,
    /// Each gets a copy of every frame.
    pub(crate) strategies: u16,
    /// Hosts of each strategy in a feed.
    pub(crate) instances: u16,
    /// A full frame.
    pub(crate) frame_bytes: f64,
    /// How long a tick waits for others while the budget allows no message, ns.
    pub(crate) linger: u64,
    /// How long is simulated.
    pub(crate) seconds: f64,
    /// Decides where bursts fall.
    pub(crate) seed: u64,
    /// What each part costs.
    pub(crate) costs: Costs,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            rate: 1e6,
            peak: 1.0,
            burst: 100_000_000,
            burst_share: 0.2,
            day: false,
            instruments: 1_000,
            skew: 0.8,
            feeds: 1,
            shards: 1,
            nodes: 1,
            budget: Budget::default(),
            strategies: 1,
            instances: 1,
            frame_bytes: 524_288.0,
            linger: 5_000_000,
            seconds: 5.0,
            seed: 1,
            costs: Costs::default(),
        }
    }
}

impl Scenario {
    /// Ticks of a full frame.
    pub(super) fn full(&self) -> u64 {
        ((self.frame_bytes - MESSAGE_BYTES) / TICK_BYTES).floor().max(1.0) as u64
    }

    /// What a frame of so many ticks is on the wire, in bytes.
    pub(super) fn bytes(ticks: u64) -> f64 {
        MESSAGE_BYTES + ticks as f64 * TICK_BYTES
    }
}

fn as_text<S: serde::Serializer>(budget: &Budget, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(budget)
}
