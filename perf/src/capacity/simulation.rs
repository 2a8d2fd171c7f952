//! The simulation: feed by feed, as they share nothing, then put together. Pure: no clock, no I/O,
//! and the same scenario gives the same report.

use super::costs::TICK_BYTES;
use super::hosts::Hosts;
use super::ingester::Ingester;
use super::latency::Latencies;
use super::market::{FeedSpread, Profile, spread};
use super::need::{Resource, needed};
use super::report::{Report, Use};
use super::scenario::Scenario;
use super::server::Server;

/// Simulates the whole scenario.
pub(super) fn simulate(scenario: &Scenario) -> Report {
    let market = Profile::new(scenario);
    let spread = spread(scenario);
    let feeds: Vec<_> = spread.iter().map(|feed| one_feed(scenario, &market, feed)).collect();
    let sum = |part: &dyn Fn(&Feed) -> f64| feeds.iter().map(part).sum::<f64>();
    let whole = |part: &dyn Fn(&Feed) -> u64| feeds.iter().map(part).sum::<u64>();
    let (mut to_strategy, mut to_commit) = (Latencies::default(), Latencies::default());
    for feed in &feeds {
        to_strategy.add(&feed.to_strategy);
        to_commit.add(&feed.to_commit);
    }
    let frames = whole(&|feed| feed.frames);
    let sent = whole(&|feed| feed.sent);
    let uses: Vec<_> = Resource::ALL.iter().map(|r| used(scenario, *r, &market, &spread, &feeds)).collect();
    let binding = uses.iter().max_by(|a, b| a.needed_peak.total_cmp(&b.needed_peak));
    let end = market.end as f64 * 1e-9;
    Report {
        scenario: scenario.clone(),
        peak_rate: market.peak(),
        ticks_in: whole(&|feed| feed.due),
        ticks_out: whole(&|feed| feed.processed),
        backlog_end: whole(&|feed| feed.due - feed.processed),
        backlog_max: whole(&|feed| feed.backlog_max),
        ticks_out_per_s: whole(&|feed| feed.processed) as f64 / end,
        messages_per_s: sum(&|feed| feed.messages) / end,
        ticks_per_frame: sent as f64 / frames.max(1) as f64,
        frame_bytes: Scenario::bytes(0) + sent as f64 * TICK_BYTES / frames.max(1) as f64,
        bytes_in_per_s: sum(&|feed| feed.bytes_in) / end,
        bytes_out_per_s: sum(&|feed| feed.bytes_out) / end,
        commits_per_s: sum(&|feed| feed.commits),
        to_strategy: to_strategy.quantiles(),
        to_commit: to_commit.quantiles(),
        busy_ingesters: sum(&|feed| feed.ingester.mean()),
        busy_nodes: sum(&|feed| feed.nodes.iter().map(|node| node.time.mean()).sum()),
        busy_hosts: sum(&|feed| feed.hosts.iter().map(Server::mean).sum()),
        first_share: spread.iter().map(|feed| feed.first).fold(0.0, f64::max),
        binding: binding.map_or(Resource::Broker, |most| most.resource),
        uses,
    }
}

/// What came of one feed.
struct Feed {
    due: u64,
    sent: u64,
    /// By the strategy that is furthest behind.
    processed: u64,
    backlog_max: u64,
    frames: u64,
    messages: f64,
    bytes_in: f64,
    bytes_out: f64,
    commits: f64,
    ingester: Server,
    nodes: Vec<super::node::Node>,
    hosts: Vec<Server>,
    ledger: Server,
    to_strategy: Latencies,
    to_commit: Latencies,
}

fn one_feed(scenario: &Scenario, market: &Profile, spread: &FeedSpread) -> Feed {
    let mut hosts = Hosts::new(scenario, market.end);
    let mut ingester = Ingester::new(scenario, market, spread);
    let mut backlog_max = 0;
    let least = |hosts: &Hosts| hosts.processed.iter().copied().min().unwrap_or(0);
    loop {
        let goes_on = ingester.look(&mut hosts);
        hosts.advance(ingester.now().min(market.end));
        backlog_max = backlog_max.max(ingester.due() - least(&hosts));
        if !goes_on {
            break;
        }
    }
    #[cfg(test)]
    super::tests::check_conservation(&ingester, &hosts);
    Feed {
        due: ingester.due(),
        sent: ingester.sent(),
        processed: least(&hosts),
        backlog_max,
        frames: ingester.frames().sum(),
        messages: ingester.nodes.iter().map(|node| node.messages as f64).sum(),
        bytes_in: ingester.nodes.iter().map(|node| node.bytes_in).sum(),
        bytes_out: ingester.nodes.iter().map(|node| node.bytes_out).sum(),
        commits: hosts.commits_per_s(),
        hosts: hosts.servers().cloned().collect(),
        ledger: hosts.ledger().clone(),
        ingester: ingester.time,
        nodes: ingester.nodes,
        to_strategy: hosts.to_strategy,
        to_commit: hosts.to_commit,
    }
}

/// The most that is used of a resource, of all of its kind.
fn used(
    scenario: &Scenario,
    resource: Resource,
    market: &Profile,
    spread: &[FeedSpread],
    feeds: &[Feed],
) -> Use {
    let place = Resource::ALL.iter().position(|one| *one == resource).unwrap_or(0);
    let need = |rate: f64| spread.iter().map(|feed| needed(scenario, feed, rate)[place]).fold(0.0, f64::max);
    let nodes = || feeds.iter().flat_map(|feed| &feed.nodes);
    let servers: Vec<&Server> = match resource {
        Resource::Ingester => feeds.iter().map(|feed| &feed.ingester).collect(),
        Resource::Messages => Vec::new(),
        Resource::Broker => nodes().map(|node| &node.time).collect(),
        Resource::Network => nodes().flat_map(|node| [&node.network_in, &node.network_out]).collect(),
        Resource::Host => feeds.iter().flat_map(|feed| &feed.hosts).collect(),
        Resource::Ledger => feeds.iter().map(|feed| &feed.ledger).collect(),
    };
    let most = |of: &dyn Fn(&Server) -> f64| servers.iter().map(|server| of(server)).fold(0.0, f64::max);
    let of_budget = |node: &super::node::Node| {
        let budget = node.rate.map_or(f64::INFINITY, f64::from);
        node.messages as f64 / (market.end as f64 * 1e-9) / budget
    };
    let (count, mean, peak) = match resource {
        Resource::Messages => (nodes().count(), nodes().map(of_budget).fold(0.0, f64::max), None),
        Resource::Network => (nodes().count(), most(&Server::mean), Some(most(&Server::peak))),
        _ => (servers.len(), most(&Server::mean), Some(most(&Server::peak))),
    };
    Use { resource, count, mean, peak, needed_mean: need(scenario.rate), needed_peak: need(market.peak()) }
}
