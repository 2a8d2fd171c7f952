//! The ladder of CAPACITY.md: from one node to the feed of all options exchanges.

use serde::Serialize;
use tick_feed::budget::Budget;

use super::costs::TICK_BYTES;
use super::{CapacityArgs, CapacityError, Report, Scenario, capacity};
use crate::units::{bytes, percent, rate, time};

/// OPRA: 200 billion messages a day in 6.5 hours, two ticks each. CAPACITY.md names the sources.
pub(super) const OPRA_RATE: f64 = 17.1e6;
/// 120 million messages/s are to be provided for, 14 times the mean.
pub(super) const OPRA_PEAK: f64 = 14.0;
pub(super) const OPRA_INSTRUMENTS: u32 = 1_400_000;

/// A trading day, in seconds.
const DAY: f64 = 23_400.0;
/// A process with hardly any instruments, in bytes: measured, the replay of 1M ticks.
const PROCESS_BYTES: f64 = 53e6;
/// An instrument of one strategy, in bytes, at the most: measured with both strategies and the
/// market's recorder.
const INSTRUMENT_BYTES: f64 = 16e3;
/// What one host may have unacknowledged, in bytes.
const UNACKNOWLEDGED_BYTES: f64 = 67.1e6;

/// One step.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Rung {
    name: &'static str,
    /// Machines of 2 cores.
    machines: u32,
    /// Of all hosts, at the most.
    host_memory_bytes: f64,
    /// Ticks alone, not compressed.
    stored_a_day_bytes: f64,
    report: Report,
}

/// Simulates each step, with the constants and the seed that are given.
pub(super) fn run(args: &CapacityArgs) -> Result<Vec<Rung>, CapacityError> {
    steps().into_iter().map(|(name, scenario)| Rung::new(name, scenario, args)).collect()
}

fn steps() -> Vec<(&'static str, Scenario)> {
    let one = Scenario { strategies: 2, peak: 5.0, ..Scenario::default() };
    let twenty = Scenario { rate: 20e6, peak: 2.0, instruments: 10_000, ..one.clone() };
    let independent = Budget::same(30_000);
    let three = Scenario { shards: 12, nodes: 3, instances: 3, ..twenty.clone() };
    let ten = Scenario {
        rate: 60e6,
        shards: 40,
        nodes: 10,
        instances: 5,
        budget: independent.clone(),
        ..twenty.clone()
    };
    let opra = Scenario {
        rate: OPRA_RATE,
        peak: OPRA_PEAK,
        instruments: OPRA_INSTRUMENTS,
        day: true,
        feeds: 8,
        shards: 16,
        nodes: 2,
        instances: 2,
        budget: independent.clone(),
        ..one.clone()
    };
    vec![
        ("A: 5k on one machine", Scenario { rate: 5e3, instruments: 64, ..one.clone() }),
        ("B: 1M on one machine", Scenario { rate: 1e6, ..one.clone() }),
        ("C: 10M, one node", Scenario { rate: 10e6, shards: 4, peak: 3.0, instruments: 10_000, ..one }),
        ("D: 20M, one node", Scenario { shards: 4, instances: 2, peak: 1.0, ..twenty }),
        ("E: 20M, cluster of 3 nodes", three.clone()),
        ("F: 20M, 3 independent nodes", Scenario { budget: independent, ..three }),
        ("G: 60M, 10 nodes, one feed", ten.clone()),
        ("H: 60M, 5 feeds of 2 nodes", Scenario { feeds: 5, shards: 8, nodes: 2, instances: 2, ..ten }),
        ("I: OPRA, 8 feeds of 2 nodes", opra.clone()),
        ("J: OPRA, 8 feeds of 1 node", Scenario { nodes: 1, shards: 8, ..opra.clone() }),
        ("K: OPRA, 10 strategies, 8 feeds of 6", Scenario { strategies: 10, nodes: 6, shards: 24, ..opra }),
    ]
}

impl Rung {
    fn new(name: &'static str, scenario: Scenario, args: &CapacityArgs) -> Result<Self, CapacityError> {
        let Scenario { feeds, nodes, strategies, instances, .. } = scenario;
        let hosts = u32::from(feeds) * u32::from(strategies) * u32::from(instances);
        // A feed's ingester with its reader, and its ledger, have a machine each.
        let spread = u32::from(feeds) * (u32::from(nodes) + 2) + hosts.div_ceil(2);
        let machines = if name.ends_with("on one machine") { 1 } else { spread };
        let states = f64::from(scenario.instruments) * f64::from(strategies) * INSTRUMENT_BYTES;
        let host_memory_bytes = f64::from(hosts) * (PROCESS_BYTES + UNACKNOWLEDGED_BYTES) + states;
        let stored_a_day_bytes = scenario.rate * TICK_BYTES * DAY;
        let scenario = Scenario {
            costs: args.costs.clone(),
            seed: args.seed,
            seconds: args.duration as f64 * 1e-9,
            ..scenario
        };
        Ok(Self { name, machines, host_memory_bytes, stored_a_day_bytes, report: capacity(&scenario)? })
    }

    fn load(&self) -> String {
        let Self { name, report, .. } = self;
        let Scenario { feeds, nodes, shards, strategies, .. } = report.scenario;
        format!(
            "| {name} | {} | {} | {strategies} | {feeds} × {nodes} | {feeds} × {shards} | {} | {} | {} | {} | {} | {} |\n",
            rate(report.scenario.rate),
            rate(report.peak_rate),
            rate(report.messages_per_s),
            rate(report.ticks_per_frame),
            bytes(report.frame_bytes),
            bytes(report.bytes_in_per_s),
            bytes(report.bytes_out_per_s),
            rate(report.commits_per_s),
        )
    }

    fn fit(&self) -> String {
        let Self { name, report, .. } = self;
        let needs: Vec<_> = report.uses.iter().map(|used| percent(used.needed_peak)).collect();
        let latency = report.to_strategy;
        let verdict = match (report.follows(), report.binding_use() <= 1.0) {
            (false, _) => "falls behind",
            (true, false) => "waits in bursts",
            (true, true) => "follows",
        };
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | **{}** | {verdict} |\n",
            needs.join(" | "),
            percent(report.uses[2].mean),
            time(latency.p50),
            time(latency.p99),
            time(latency.max),
            bytes(report.backlog_max as f64 * TICK_BYTES),
            report.binds(),
        )
    }

    fn machines(&self, price: f64) -> String {
        let Self { name, machines, report, .. } = self;
        let Scenario { feeds, nodes, strategies, instances, .. } = report.scenario;
        let hosts = u32::from(feeds) * u32::from(strategies) * u32::from(instances);
        let hour = f64::from(*machines) * price;
        format!(
            "| {name} | {:.2} of {feeds} | {:.1} of {} | {:.2} of {hosts} | {} | {} | {} | {machines} | {hour:.2} | {:.0} |\n",
            report.busy_ingesters,
            report.busy_nodes * 2.0,
            u32::from(feeds) * u32::from(nodes) * 2,
            report.busy_hosts,
            bytes(self.host_memory_bytes),
            bytes(self.node_network()),
            bytes(self.stored_a_day_bytes),
            hour * 24.0 * 21.0,
        )
    }

    /// Bytes/s out of the busiest node at the market's peak, if it could follow.
    fn node_network(&self) -> f64 {
        let network = self.report.uses.iter().find(|used| used.resource == super::Resource::Network);
        network.map_or(0.0, |used| used.needed_peak) * self.report.scenario.costs.node_network
    }
}

/// The document's tables.
pub(super) fn markdown(rungs: &[Rung], price: f64) -> String {
    let mut text = String::from(
        "| | ticks/s | peak | strategies | feeds × nodes | shards | messages/s | ticks a frame | frame | in, a \
         second | out, a second | commits/s |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    rungs.iter().for_each(|rung| text.push_str(&rung.load()));
    text.push_str(
        "\nPeak needs, of the busiest one of each kind, and what came of it:\n\n| | ingester | messages | broker \
         | network | host | ledger | broker busy | p50 | p99 | max | backlog | binding | |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n",
    );
    rungs.iter().for_each(|rung| text.push_str(&rung.fit()));
    text.push_str(
        "\nBusy threads and cores on average, of how many; and what is to be paid:\n\n| | ingester threads | broker \
         cores | host threads | host memory | a node's network out, a second | stored a day | machines | an hour | \
         a month of 21 days |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    rungs.iter().for_each(|rung| text.push_str(&rung.machines(price)));
    text
}
