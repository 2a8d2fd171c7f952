//! What a simulation came to.

use serde::Serialize;

use super::costs::TICK_BYTES;
use super::latency::Quantiles;
use super::need::Resource;
use super::scenario::Scenario;
use crate::units::{bytes, percent, rate, time};

/// Rates are per second of the market's time, times are ns, parts are of 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    /// What was simulated.
    pub(crate) scenario: Scenario,
    /// The highest rate of the market, ticks/s.
    pub(crate) peak_rate: f64,
    /// Ticks that were due.
    pub(crate) ticks_in: u64,
    /// Ticks that each strategy, the latest one, has processed.
    pub(crate) ticks_out: u64,
    /// Ticks that were due at the end and not processed.
    pub(crate) backlog_end: u64,
    /// The most of them at any time; of several feeds, the sum of each one's most.
    pub(crate) backlog_max: u64,
    /// Ticks/s through each strategy.
    pub(crate) ticks_out_per_s: f64,
    /// Messages/s to all nodes, one for each strategy that a frame reaches.
    pub(crate) messages_per_s: f64,
    /// Mean.
    pub(crate) ticks_per_frame: f64,
    /// Mean, with what a frame has beside its ticks.
    pub(crate) frame_bytes: f64,
    /// Bytes/s that all nodes take.
    pub(crate) bytes_in_per_s: f64,
    /// Bytes/s that all nodes deliver.
    pub(crate) bytes_out_per_s: f64,
    /// Of all ledgers.
    pub(crate) commits_per_s: f64,
    /// From due to processed.
    pub(crate) to_strategy: Quantiles,
    /// From due to committed.
    pub(crate) to_commit: Quantiles,
    /// How many ingesters are busy, on average.
    pub(crate) busy_ingesters: f64,
    /// How many nodes.
    pub(crate) busy_nodes: f64,
    /// How many hosts' threads.
    pub(crate) busy_hosts: f64,
    /// The busiest instrument's part of all ticks.
    pub(crate) first_share: f64,
    /// What the peak needs most of.
    pub(crate) binding: Resource,
    /// Each resource.
    pub(crate) uses: Vec<Use>,
}

/// The one of a kind that is used most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Use {
    /// Which.
    pub(crate) resource: Resource,
    /// How many there are.
    pub(crate) count: usize,
    /// Busy, simulated.
    pub(crate) mean: f64,
    /// Busy in its busiest 10 ms; `None` where it is a right and not a time.
    pub(crate) peak: Option<f64>,
    /// What the mean rate needs at the least, computed.
    pub(crate) needed_mean: f64,
    /// What the highest rate needs at the least; above 1 ticks wait until the burst is over.
    pub(crate) needed_peak: f64,
}

impl Report {
    /// Of the resource that binds.
    pub(crate) fn binding_use(&self) -> f64 {
        self.uses.iter().map(|used| used.needed_peak).fold(0.0, f64::max)
    }

    /// Whether what is there can follow the mean rate.
    pub(crate) fn follows(&self) -> bool {
        self.uses.iter().all(|used| used.needed_mean <= 1.0)
    }

    /// The binding resource's name, where anything is used noticeably.
    pub(super) fn binds(&self) -> &'static str {
        if self.binding_use() < 0.05 { "nothing" } else { self.binding.name() }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Scenario { feeds, shards, nodes, strategies, instances, seconds, .. } = self.scenario;
        let mut text = format!(
            "Market    {} ticks/s, {} at the peak; {} instruments, the busiest has {}\n",
            rate(self.scenario.rate),
            rate(self.peak_rate),
            self.scenario.instruments,
            percent(self.first_share),
        );
        text.push_str(&format!(
            "Machines  {feeds} x ({shards} shards, {nodes} nodes with budget {}, {strategies} strategies with \
             {instances} hosts each), {seconds} s\n\n",
            self.scenario.budget
        ));
        text.push_str(&self.resources());
        let Quantiles { p50, p99, p999, max } = self.to_strategy;
        text.push_str(&format!(
            "\nThrough   {} ticks/s to each strategy, {} messages/s, {} ticks a frame ({})\n",
            rate(self.ticks_out_per_s),
            rate(self.messages_per_s),
            rate(self.ticks_per_frame),
            bytes(self.frame_bytes),
        ));
        text.push_str(&format!(
            "Backlog   at most {} ticks ({}), {} at the end\n",
            rate(self.backlog_max as f64),
            bytes(self.backlog_max as f64 * TICK_BYTES),
            rate(self.backlog_end as f64),
        ));
        text.push_str(&format!(
            "Latency   to a strategy p50 {}, p99 {}, p99.9 {}, max {}; to the ledger p50 {}, p99 {}\n",
            time(p50),
            time(p99),
            time(p999),
            time(max),
            time(self.to_commit.p50),
            time(self.to_commit.p99),
        ));
        let verdict = match (self.follows(), self.binding_use() <= 1.0) {
            (false, _) => "cannot follow: what waits grows as long as this goes on",
            (true, false) => "follows the mean; in a burst ticks wait until it is over",
            (true, true) => "follows, bursts included",
        };
        text.push_str(&format!(
            "Binding   {}: the peak needs {} of what it needs most of; {verdict}\n",
            self.binds(),
            percent(self.binding_use()),
        ));
        text
    }

    fn resources(&self) -> String {
        let mut text = format!(
            "{:<16} {:>6} {:>10} {:>10} {:>12} {:>12}\n",
            "", "count", "busy", "in 10 ms", "mean needs", "peak needs"
        );
        for one in &self.uses {
            text.push_str(&format!(
                "{:<16} {:>6} {:>10} {:>10} {:>12} {:>12}\n",
                one.resource.name(),
                one.count,
                percent(one.mean),
                one.peak.map_or("-".to_owned(), percent),
                percent(one.needed_mean),
                percent(one.needed_peak),
            ));
        }
        text
    }
}
