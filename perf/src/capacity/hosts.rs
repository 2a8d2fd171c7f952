//! From the broker's nodes on: hosts, one thread each, and the ledger that they share.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::assignment::instance_by_shard;
use super::latency::Latencies;
use super::scenario::Scenario;
use super::server::Server;
use super::ticks::Ticks;

/// A host rests so many times as long as its commit took, and no longer than [`LONGEST_REST`] ns: as
/// the product has it (`strategy-host/src/host/committer.rs`).
const REST: u64 = 39;
const LONGEST_REST: u64 = 250_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Arrived { host: usize, ticks: Ticks },
    Processed { host: usize, ticks: Ticks },
    Committed { host: usize, began: u64 },
    Rested { host: usize },
}

/// In the order of time, then of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timed {
    at: u64,
    number: u64,
    event: Event,
}

impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Debug)]
struct Host {
    server: Server,
    /// Processed and in no commit yet.
    open: Vec<Ticks>,
    /// In the commit that has begun.
    committing: Vec<Ticks>,
    /// Neither in a commit nor at rest after one.
    is_ready: bool,
}

/// All hosts of one feed.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    instances: usize,
    /// The instance that has each shard, of every strategy.
    instance_by_shard: Vec<usize>,
    ledger: Server,
    events: BinaryHeap<Reverse<Timed>>,
    made: u64,
    costs: super::costs::Costs,
    end: u64,
    /// By strategy.
    pub(super) processed: Vec<u64>,
    pub(super) commits: u64,
    pub(super) to_strategy: Latencies,
    pub(super) to_commit: Latencies,
}

impl Hosts {
    pub(super) fn new(scenario: &Scenario, end: u64) -> Self {
        let host =
            Host { server: Server::new(end), open: Vec::new(), committing: Vec::new(), is_ready: true };
        let instances = usize::from(scenario.instances);
        Self {
            hosts: vec![host; instances * usize::from(scenario.strategies)],
            instances,
            instance_by_shard: instance_by_shard(scenario),
            ledger: Server::new(end),
            events: BinaryHeap::new(),
            made: 0,
            costs: scenario.costs.clone(),
            end,
            processed: vec![0; scenario.strategies.into()],
            commits: 0,
            to_strategy: Latencies::default(),
            to_commit: Latencies::default(),
        }
    }

    /// A frame's copy for a strategy gets to its host.
    pub(super) fn deliver(&mut self, strategy: u16, ticks: Ticks, at: u64) {
        let instance = self.instance_by_shard[usize::from(ticks.shard)];
        let host = usize::from(strategy) * self.instances + instance;
        self.push(at, Event::Arrived { host, ticks });
    }

    /// Everything that happens up to `now`.
    pub(super) fn advance(&mut self, now: u64) {
        while self.events.peek().is_some_and(|Reverse(next)| next.at <= now) {
            if let Some(Reverse(next)) = self.events.pop() {
                self.happen(next.at, next.event);
            }
        }
    }

    fn happen(&mut self, at: u64, event: Event) {
        match event {
            Event::Arrived { host, ticks } => {
                let done = self.hosts[host].server.serve(at, self.costs.host(ticks.count));
                self.push(done, Event::Processed { host, ticks });
            }
            Event::Processed { host, ticks } => {
                self.processed[host / self.instances] += ticks.count;
                self.to_strategy.record(&ticks, at);
                self.hosts[host].open.push(ticks);
                self.commit(host, at);
            }
            Event::Committed { host, began } => {
                self.commits += 1;
                for ticks in self.hosts[host].committing.drain(..) {
                    self.to_commit.record(&ticks, at);
                }
                let rest = ((at - began) * REST).min(LONGEST_REST);
                self.push(at + rest, Event::Rested { host });
            }
            Event::Rested { host } => {
                self.hosts[host].is_ready = true;
                self.commit(host, at);
            }
        }
    }

    /// One transaction of all that came meanwhile.
    fn commit(&mut self, host: usize, at: u64) {
        let one = &mut self.hosts[host];
        if one.is_ready && !one.open.is_empty() {
            one.is_ready = false;
            std::mem::swap(&mut one.open, &mut one.committing);
            let done = self.ledger.serve(at, self.costs.commit);
            self.push(done, Event::Committed { host, began: at });
        }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.made += 1;
        self.events.push(Reverse(Timed { at, number: self.made, event }));
    }

    /// Ticks that were delivered or are in flight to hosts, and are not processed; counted one by
    /// one, by strategy.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<u64> {
        let mut waiting = vec![0; self.processed.len()];
        for Reverse(timed) in &self.events {
            if let Event::Arrived { host, ticks } | Event::Processed { host, ticks } = timed.event {
                waiting[host / self.instances] += ticks.count;
            }
        }
        waiting
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.hosts.iter().map(|host| &host.server)
    }

    pub(super) fn ledger(&self) -> &Server {
        &self.ledger
    }

    pub(super) fn commits_per_s(&self) -> f64 {
        self.commits as f64 / (self.end as f64 * 1e-9)
    }
}
