//! How long after it was due does a tick reach the strategy, and its effect the ledger? Open loop: a
//! tick is due when the pace says, whether those before it have left or not.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use strategies::host::{CommitObserver, FollowPlan, Instance, LaneProgress, RunningHost};
use strategies::ledger::{self, Commit};
use tick_ingest::ReadOptions;
use tick_ingest::feed::{self, FeedControl, FeedPlan, Gather, Pace, SourceSpec, Speed, TickSelection};
use tick_sdk::rabbitmq::publisher::{ShardStart, StrategyProgress, UNCONFIRMED_BYTES};
use tick_sdk::rabbitmq::{Publisher, PublisherPlan, Subscriber, Subscription};
use tick_sdk::{Context, Key, NoParams, Registration, RunId, Strategy, Tick, register};

use super::Stage;

/// How long each rate is measured.
const SECONDS: u64 = 15;
/// What comes first is left out.
const WARM_UP_SECONDS: u64 = 3;

/// What the strategy and the ledger's observer write down: nanoseconds after a tick was due.
struct Clock {
    feed: Arc<FeedControl>,
    rate: f64,
    to_strategy: Mutex<Histogram<u64>>,
    to_commit: Mutex<Histogram<u64>>,
}

static CLOCK: Mutex<Option<Arc<Clock>>> = Mutex::new(None);

impl Clock {
    /// The tick with this number was taken, or committed, now.
    fn note(&self, seq: u64, histogram: &Mutex<Histogram<u64>>, now: Instant) {
        let Some(began) = self.feed.began() else { return };
        let due = began + Duration::from_secs_f64(seq as f64 / self.rate);
        if due < began + Duration::from_secs(WARM_UP_SECONDS) {
            return;
        }
        let late = now.saturating_duration_since(due).as_nanos() as u64;
        histogram.lock().expect("nothing panics with it").saturating_record(late);
    }
}

/// Notes when each tick reaches it.
#[derive(Serialize, Deserialize)]
struct Probe {
    next: u64,
    #[serde(skip)]
    clock: OnceLock<Arc<Clock>>,
}

impl Strategy for Probe {
    const NAME: &'static str = "latency-probe";
    const SUMMARY: &'static str = "notes when each tick reaches it";
    type Params = NoParams;

    fn new(_: &NoParams, _: &Key<'_>) -> Result<Self, String> {
        Ok(Self { next: 0, clock: OnceLock::new() })
    }

    fn on_tick(&mut self, _: &Tick, _: &mut Context<'_>) {
        let current = || CLOCK.lock().expect("nothing panics with it").clone().expect("it is set");
        let clock = self.clock.get_or_init(current);
        clock.note(self.next, &clock.to_strategy, Instant::now());
        self.next += 1;
    }
}

register!(Probe);

struct Committed(Arc<Clock>);

impl CommitObserver for Committed {
    fn committed(&mut self, commits: &[Commit], _: &[LaneProgress]) {
        let now = Instant::now();
        for commit in commits {
            (commit.from_seq..commit.to_seq).for_each(|seq| self.0.note(seq, &self.0.to_commit, now));
        }
    }
}

/// One table for all rates.
pub(crate) fn measure(stage: &mut Stage) {
    println!("\nlatency from the intended time, one strategy, 1 shard, ms");
    println!(
        "{:>10} {:>12} {:>10} | {:>7} {:>7} {:>7} {:>7} | {:>7} {:>7} {:>7}",
        "ticks/s", "ticks/frame", "messages/s", "p50", "p99", "p99.9", "max", "commit", "p99", "max"
    );
    let (rates, seconds) = match stage.is_test {
        true => (&[5_000][..], WARM_UP_SECONDS + 1),
        false => (&[5_000, 30_000, 100_000, 1_000_000][..], SECONDS),
    };
    for &rate in rates {
        let file = stage.generate_ticks(&format!("paced-{rate}.ticks"), rate * seconds, 1);
        at_rate(stage, &file, rate, seconds);
    }
}

fn at_rate(stage: &mut Stage, file: &Path, rate: u64, seconds: u64) {
    let control = Arc::new(FeedControl::default());
    let histogram = || Mutex::new(Histogram::new_with_max(60_000_000_000, 3).expect("the bounds are valid"));
    let clock = Arc::new(Clock {
        feed: control.clone(),
        rate: rate as f64,
        to_strategy: histogram(),
        to_commit: histogram(),
    });
    *CLOCK.lock().expect("nothing panics with it") = Some(clock.clone());

    let run = RunId::random();
    let feed = stage.next_feed();
    let publisher = Publisher::start(publisher_plan(stage, &feed, run)).expect("the publisher begins");
    let (mut subscriber, handle) = Subscriber::connect(Subscription {
        brokers: vec![stage.broker.parse().expect("a broker's URL")],
        feed: feed.parse().expect("a feed's name"),
        strategy: "probe".to_owned(),
        member: "bench".to_owned(),
        prefetch_bytes: 64 << 20,
    })
    .expect("the subscriber begins");
    subscriber.follow(run, vec![0]);
    let configured = Registration::find("latency-probe").expect("it is registered").configure(&[]);
    let instance =
        Instance { name: "probe".to_owned(), configured: configured.expect("it has no parameters") };
    let mut ledger = ledger::open(&stage.postgres).expect("the ledger is there");
    ledger.record_run(run, &feed, &tick_sdk::run::Manifest::default()).expect("it is recorded");
    let observer: Box<dyn CommitObserver> = Box::new(Committed(clock.clone()));
    let plan = FollowPlan { instance, groups: Arc::default(), accept_gaps: false, observer: Some(observer) };
    let host = RunningHost::follow(ledger, run, plan, subscriber).expect("the host begins");
    handle.assign(BTreeSet::from([0]));

    let before = publisher.snapshot().expect("it goes well");
    feed::run(&feed_plan(file, run, rate), &publisher.frames(), &control).expect("the feed ends well");
    let sent = publisher.snapshot().expect("it goes well");
    let deadline = Instant::now() + Duration::from_secs(20);
    let all = rate * seconds;
    while clock.to_commit.lock().expect("nothing panics with it").len() + WARM_UP_SECONDS * rate < all {
        assert!(Instant::now() < deadline, "not everything is committed in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    handle.stop();
    host.finish().expect("the host ends well");
    publisher.stop(true).expect("the publisher ends well");
    let count = |of: fn(&tick_sdk::rabbitmq::publisher::NodeSnapshot) -> u64| {
        (of(&sent.nodes[0]) - of(&before.nodes[0])) as f64
    };
    let (frames, messages) = (count(|node| node.frames), count(|node| node.messages));
    let ms = |histogram: &Mutex<Histogram<u64>>, quantile: f64| {
        histogram.lock().expect("nothing panics with it").value_at_quantile(quantile) as f64 / 1e6
    };
    let strategy = |quantile| ms(&clock.to_strategy, quantile);
    let commit = |quantile| ms(&clock.to_commit, quantile);
    println!(
        "{rate:>10} {:>12.1} {:>10.0} | {:>7.2} {:>7.2} {:>7.2} {:>7.2} | {:>7.2} {:>7.2} {:>7.2}",
        all as f64 / frames,
        messages / seconds as f64,
        strategy(0.5),
        strategy(0.99),
        strategy(0.999),
        strategy(1.0),
        commit(0.5),
        commit(0.99),
        commit(1.0)
    );
}

fn publisher_plan(stage: &Stage, feed: &str, run: RunId) -> PublisherPlan {
    PublisherPlan {
        feed: feed.parse().expect("a feed's name"),
        run,
        manifest: String::new(),
        groups: String::new(),
        brokers: vec![stage.broker.parse().expect("a broker's URL")],
        budget: "30000,15000".parse().expect("a budget"),
        durability: Default::default(),
        max_frame_bytes: 256 << 10,
        queue_bytes: 256 << 20,
        abandon_after: Duration::from_secs(60),
        shards: vec![ShardStart::default()],
        strategies: vec![StrategyProgress::from_start("probe".to_owned(), true, 1)],
        replace: false,
        unconfirmed_bytes: UNCONFIRMED_BYTES,
        observer: None,
    }
}

fn feed_plan(file: &Path, run: RunId, rate: u64) -> FeedPlan {
    FeedPlan {
        run,
        sources: vec![SourceSpec::File { name: file.display().to_string(), prefix: String::new() }],
        read: ReadOptions::default(),
        selection: TickSelection::default(),
        pace: Pace { speed: Speed::Rate(rate as f64), max_gap_ns: None },
        shards: 1,
        frame_ticks: 6_000,
        gather: Gather { flush_ticks: usize::MAX, eager: true, linger: Duration::from_millis(5) },
        start: Vec::new(),
        groups: Arc::default(),
    }
}
