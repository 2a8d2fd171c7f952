//! Deployments on a live feed: what is deployed runs from then on, a change is a lane of its own, what is stopped
//! leaves, and no host that dies loses or doubles a signal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bus::{Bus, EventSource, SendOptions};
use strategies as _;
use strategy_host::hosts::{FeedSignals, publish_feed};
use strategy_host::ledger::{self, Ledger};
use strategy_host::run::Cancellation;
use tempfile::TempDir;
use tick_feed::rabbitmq::FeedState;
use tick_ingest::feed::{Pace, SourceSpec, Speed};
use tick_ingest::generate::GenerateOptions;
use tick_ingest::publish::{self, IngestEnd, IngestEvent, IngestOutcome, IngestPlan};
use tick_sdk::contracts::Command;
use tick_sdk::contracts::strategies::{
    ChangeParameters, DeployStrategy, STRATEGIES, SignalsCommitted, StopStrategy,
};
use tick_sdk::host::Registration;
use tick_sdk::names::{RunId, StrategyName};

use crate::database;
use crate::hosting::start_hosts;
use crate::input::{SHARDS, is_long};
use crate::management::Management;
use crate::reference::{self, ByShard};
use crate::servers::{Servers, Turn};
use crate::waiting::{wait_for, wait_until};

/// What happens on the way does so within this time.
const SOON: Duration = Duration::from_secs(60);

/// A market that lasts for minutes at this pace, in ticks a second.
const RATE: u64 = 5_000;
const TICKS: u64 = 200 * RATE;

/// A paced feed whose ingester is in this process.
struct Live {
    feed: String,
    plan: IngestPlan,
    run: RunId,
    cancellation: publish::Cancellation,
    thread: JoinHandle<IngestOutcome>,
    seen: Arc<Seen>,
    _state: TempDir,
}

/// What the ingester has reported.
#[derive(Default)]
struct Seen {
    published: AtomicU64,
    /// How many shards were stalled at all reports together.
    stalled: AtomicU64,
}

impl Live {
    fn start(servers: &Servers, name: &str) -> Self {
        let feed = format!("{name}-{}", &RunId::random().to_string()[..8]);
        let market =
            GenerateOptions { ticks: TICKS, instruments: 40, skew: 0.3, ..GenerateOptions::default() };
        let state = tempfile::tempdir().expect("a folder");
        let broker = servers.url("AMQP").parse().expect("a URL");
        let plan = IngestPlan {
            pace: Pace { speed: Speed::Rate(RATE as f64), max_gap_ns: None },
            shards: SHARDS,
            state: state.path().join("ingest"),
            ..IngestPlan::new(
                feed.parse().expect("a name"),
                vec![broker],
                vec![SourceSpec::Generated(market)],
            )
        };
        let (begun, begins) = crossbeam_channel::bounded(1);
        let seen = Arc::new(Seen::default());
        let cancellation = publish::Cancellation::default();
        let thread = std::thread::spawn({
            let (plan, cancellation, seen) = (plan.clone(), cancellation.clone(), seen.clone());
            let on_event = move |event| match event {
                IngestEvent::RunBegins { run } => begun.send(run).expect("it is waited for"),
                IngestEvent::Progress(progress) => {
                    let stalled = progress.now.shards.iter().filter(|shard| shard.stalled.is_some()).count();
                    seen.stalled.fetch_add(stalled as u64, Ordering::Relaxed);
                    seen.published.store(progress.now.published(), Ordering::Relaxed);
                }
                _ => {}
            };
            move || publish::run(&plan, &cancellation, on_event).expect("it is published")
        });
        let run = begins.recv_timeout(SOON).expect("it begins");
        Self { feed, plan, run, cancellation, thread, seen, _state: state }
    }

    /// Publishes the rest as fast as it can; gives how many strategies it has waited for.
    fn finish(self) -> usize {
        self.cancellation.cancel();
        let outcome = self.thread.join().expect("it ends");
        assert_eq!(outcome.end, IngestEnd::Cancelled, "the market has lasted until now");
        let rest = IngestPlan { pace: Pace::default(), begin: publish::Begin::Resume(self.run), ..self.plan };
        let outcome = publish::run(&rest, &publish::Cancellation::default(), |_| {}).expect("it is resumed");
        assert_eq!(outcome.end, IngestEnd::RunEnded);
        outcome.snapshot.strategies.len()
    }

    /// The queues of frames.
    fn queues(servers: &Servers, feed: &str) -> Vec<String> {
        let prefix = format!("orchard.{feed}.");
        let list = servers.ctl("1", &["list_queues", "--no-table-headers", "name"]);
        let of_lanes = |name: &&str| name.starts_with(&prefix) && name.contains("trend");
        list.lines().filter(of_lanes).map(str::to_owned).collect()
    }

    /// What the broker keeps of a strategy: whether it takes part, and where it begins.
    fn begins(&self, servers: &Servers, strategy: &str) -> Option<Vec<u64>> {
        let strategies = self.state(servers)?.strategies;
        let found = strategies.into_iter().find(|one| one.name == strategy && one.active);
        found.map(|one| one.begins_at)
    }

    /// How many strategies the feed has, those that are about to leave among them.
    fn strategies(&self, servers: &Servers) -> Option<usize> {
        Some(self.state(servers)?.strategies.len())
    }

    /// The feed's state; `None` while that is in other hands.
    fn state(&self, servers: &Servers) -> Option<FeedState> {
        let body = Management::new(servers.url("MANAGEMENT")).peek(&format!("orchard.{}.run", self.feed))?;
        serde_json::from_slice(&body).ok()
    }
}

/// The context `strategies`, served by this process.
struct Context {
    bus: Arc<Bus>,
    runtime: tokio::runtime::Runtime,
}

impl Context {
    fn start(state: &TempDir) -> Self {
        let store =
            strategy_host::deployments::open(&state.path().join("strategies.sqlite")).expect("a store");
        let bus = Arc::new(Bus::builder().context(STRATEGIES, store).start().expect("a bus"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { bus, runtime }
    }

    fn send<C: Command>(&self, command: &C) {
        self.runtime.block_on(self.bus.send(command, SendOptions::default())).expect("it is accepted");
    }

    /// By lane and shard, how many signals were published, and their numbers in order.
    fn published(&self, run: RunId) -> BTreeMap<(String, u16), Vec<(u64, u32)>> {
        let mut lanes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut position = 0;
        loop {
            let events = self.bus.events_after(STRATEGIES, position, 1000).expect("the log is read");
            let Some(last) = events.last() else { return lanes };
            position = last.position;
            for event in events.iter().filter(|event| event.name == "SignalsCommitted") {
                let committed: SignalsCommitted = serde_json::from_str(&event.body).expect("JSON");
                assert_eq!(committed.run, run.to_string());
                let lane = lanes.entry((committed.strategy, committed.shard)).or_default();
                lane.extend(committed.signals.iter().map(|signal| (signal.seq, signal.n)));
            }
        }
    }
}

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Up to which tick each shard of a lane is committed; all of them, once each is claimed.
fn cursors(ledger: &dyn Ledger, run: RunId, lane: &StrategyName) -> Option<Vec<u64>> {
    let rows = ledger.lanes(run).expect("the ledger answers");
    let cursors: Vec<u64> =
        rows.iter().filter(|row| row.lane.strategy == *lane).map(|row| row.cursor).collect();
    (cursors.len() == usize::from(SHARDS)).then_some(cursors)
}

/// Waits until every shard of a lane has committed a thousand ticks more.
fn wait_for_more(ledger: &dyn Ledger, run: RunId, lane: &StrategyName) {
    let before = wait_for(&format!("{lane} has every shard"), SOON, || cursors(ledger, run, lane));
    wait_until(&format!("{lane} goes on"), SOON, || {
        let now = cursors(ledger, run, lane).unwrap_or_default();
        now.iter().zip(&before).all(|(now, before)| *now > before + 1000)
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_deployed_runs_changes_and_leaves_while_a_host_is_killed() {
    let turn = Turn::wait();
    let servers = turn.servers();
    let state = tempfile::tempdir().expect("a folder");
    let context = Context::start(&state);
    let live = Live::start(servers, "deployed");
    let url = database::create(servers.url("POSTGRES"), &live.feed.replace('-', "_"));
    let ledger = ledger::open(&url).expect("the ledger opens");
    let publishing = Cancellation::default();
    let signals = FeedSignals {
        bus: context.bus.clone(),
        feed: live.feed.parse().expect("a name"),
        state: url.clone(),
    };
    let published = std::thread::spawn({
        let publishing = publishing.clone();
        move || publish_feed(&signals, &publishing, |error| panic!("{error}")).expect("it is served")
    });

    let mut hosts: Vec<_> = (0..2)
        .map(|place| start_hosts(&format!("hosts {place}"), state.path(), servers, &url, &[&live.feed]))
        .collect();
    let [first, second] = ["trend@1", "trend@2"].map(|name| name.parse::<StrategyName>().expect("a name"));
    context.send(&DeployStrategy {
        name: "trend".to_owned(),
        strategy: "apple".to_owned(),
        parameters: parameters(&[("fast", "4"), ("slow", "9")]),
        feed: Some(live.feed.clone()),
        from: None,
    });
    wait_for_more(&*ledger, live.run, &first);
    let begins = [wait_for("trend@1 takes part", SOON, || live.begins(servers, "trend@1"))];
    assert!(begins[0].iter().any(|begin| *begin > 0), "it begins while the feed goes on: {begins:?}");
    hosts[0].kill();
    wait_for_more(&*ledger, live.run, &first);

    context.send(&ChangeParameters { name: "trend".to_owned(), parameters: parameters(&[("slow", "7")]) });
    wait_for_more(&*ledger, live.run, &second);
    let begins =
        [&begins[..], &[wait_for("trend@2 takes part", SOON, || live.begins(servers, "trend@2"))]].concat();
    wait_until("trend@1 leaves", SOON, || live.strategies(servers) == Some(1));
    hosts[0] = start_hosts("hosts 0, again", state.path(), servers, &url, &[&live.feed]);
    wait_for_more(&*ledger, live.run, &second);

    for place in (0..if is_long() { 20 } else { 0 }).map(|kill| kill % 2) {
        hosts[place].kill();
        wait_for_more(&*ledger, live.run, &second);
        hosts[place] = start_hosts("hosts, again", state.path(), servers, &url, &[&live.feed]);
    }
    context.send(&StopStrategy { name: "trend".to_owned() });
    wait_until("trend@2 leaves", SOON, || live.strategies(servers) == Some(0));
    let [published_by_then, stalled] =
        [&live.seen.published, &live.seen.stalled].map(|seen| seen.load(Ordering::Relaxed));
    wait_until("the feed goes on without it", SOON, || {
        live.seen.published.load(Ordering::Relaxed) > published_by_then + 2 * RATE
    });
    assert_eq!(live.seen.stalled.load(Ordering::Relaxed), stalled, "nobody is waited for");
    let left = Live::queues(servers, &live.feed);
    assert!(left.is_empty(), "{left:?}");

    let mut expected = BTreeMap::new();
    for (lane, (begin, slow)) in [&first, &second].into_iter().zip(begins.iter().zip(["9", "7"])) {
        let (found, ends) = reference::committed(&*ledger, live.run, lane, SHARDS);
        let given = [("fast", "4"), ("slow", slow)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let configured = Registration::find("apple").expect("it is linked").configure(&given).expect("valid");
        let made: ByShard = reference::made(live.plan.sources.clone(), SHARDS, &*configured, begin, &ends);
        assert!(made.iter().all(|shard| !shard.is_empty()), "{lane} has signals in every shard");
        assert_eq!(found, made, "{lane}");
        for (shard, signals) in (0..).zip(made) {
            let numbers = signals.iter().map(|signal| (signal.seq, signal.n)).collect::<Vec<_>>();
            expected.insert((lane.to_string(), shard), numbers);
        }
    }
    wait_until("every signal is in the log", SOON, || context.published(live.run) == expected);
    publishing.cancel();
    published.join().expect("it publishes");
    assert_eq!(live.finish(), 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_lane_that_is_stopped_between_two_runs_leaves_no_queue() {
    let turn = Turn::wait();
    let servers = turn.servers();
    let state = tempfile::tempdir().expect("a folder");
    let context = Context::start(&state);
    let live = Live::start(servers, "between");
    let (feed, plan) = (live.feed.clone(), live.plan.clone());
    let url = database::create(servers.url("POSTGRES"), &feed.replace('-', "_"));
    let ledger = ledger::open(&url).expect("the ledger opens");
    let mut hosts = start_hosts("hosts", state.path(), servers, &url, &[&feed]);
    context.send(&DeployStrategy {
        name: "trend".to_owned(),
        strategy: "apple".to_owned(),
        parameters: BTreeMap::new(),
        feed: Some(feed.clone()),
        from: None,
    });
    wait_for_more(&*ledger, live.run, &"trend@1".parse().expect("a name"));
    assert_eq!(live.finish(), 1, "its end is waited for");
    hosts.kill();
    assert_eq!(Live::queues(servers, &feed).len(), usize::from(SHARDS), "they wait for the next run");
    // Nobody is there when it is stopped, nor while the next run goes on, whose ingester never hears of it.
    context.send(&StopStrategy { name: "trend".to_owned() });
    let market = GenerateOptions { ticks: 10_000, ..GenerateOptions::default() };
    let next = IngestPlan {
        pace: Pace::default(),
        sources: vec![SourceSpec::Generated(market)],
        state: state.path().join("next"),
        ..plan
    };
    let outcome = publish::run(&next, &publish::Cancellation::default(), |_| {}).expect("it is published");
    assert_eq!(outcome.end, IngestEnd::RunEnded);
    assert_eq!(Live::queues(servers, &feed).len(), usize::from(SHARDS));
    let _hosts = start_hosts("hosts, again", state.path(), servers, &url, &[&feed]);
    wait_until("its queues are removed", SOON, || Live::queues(servers, &feed).is_empty());
}
