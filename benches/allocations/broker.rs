//! The path over RabbitMQ, publisher and subscriber in this process.

use std::collections::BTreeSet;
use std::time::Duration;

use tick_feed::FrameFlags;
use tick_feed::rabbitmq::publisher::{ShardStart, StrategyProgress, UNCONFIRMED_BYTES};
use tick_feed::rabbitmq::{Publisher, PublisherPlan, Subscriber, Subscription};
use tick_feed::transport::{Arrival, FrameReceiver};
use tick_ingest::feed::{self, FeedControl, FeedPlan, SourceSpec};
use tick_sdk::names::RunId;

use crate::counting::allocations;
use crate::{Counted, Load, Path, feeds, generated, lanes};

/// What does not come within this time does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// `None` where there is no server. Nothing is committed: that is a matter of time, not of frames.
pub(crate) fn path() -> Option<Path> {
    let broker = std::env::var("ORCHARD_TEST_AMQP").ok()?;
    // Each end makes a frame, and the client library takes a delivery's method apart into pieces.
    Some(Path::new("mapped .ticks → RabbitMQ → Apple's lane", 32.0, move |load| run(&broker, load)))
}

fn run(broker: &str, load: Load) -> Counted {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("market.ticks");
    generated::write(&file, load);
    let source = SourceSpec::file(file.display().to_string());

    let run = RunId::random();
    let feed = format!("allocations-{run}");
    let publisher = Publisher::start(publisher_plan(broker, &feed, run)).expect("the publisher begins");
    publisher.keep(&publisher.snapshot().expect("it has begun"));
    let (mut subscriber, handle) = Subscriber::connect(Subscription {
        brokers: vec![broker.parse().expect("a broker's URL")],
        feed: feed.parse().expect("a feed's name"),
        strategy: "apple".parse().expect("a name"),
        member: "bench".to_owned(),
        prefetch_bytes: 64 << 20,
    })
    .expect("the subscriber begins");
    subscriber.follow(run, vec![0]);
    handle.assign(BTreeSet::from([0]));

    let plan = FeedPlan { run, ..feeds::plan(vec![source], load) };
    let (report, allocations) = allocations(|| {
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| take_all(&mut subscriber));
            let sent = feed::run(&plan, &publisher.frames(), &FeedControl::default());
            taking.join().expect("every frame comes");
            sent.expect("the feed ends well")
        })
    });
    handle.stop();
    publisher.stop(true).expect("the publisher ends well");
    Counted { allocations, frames: report.frames, ticks: report.ticks }
}

/// Runs Apple to the run's end.
fn take_all(subscriber: &mut Subscriber) {
    let mut apple = lanes::lane("apple");
    loop {
        let arrival = subscriber.receive(PATIENCE).expect("the broker lives");
        let Arrival::Frame(frame, _) = arrival.expect("more come") else { continue };
        for new in &frame.new_instruments {
            apple.open(new.id, &new.symbol, &new.key).expect("ids come in order");
        }
        apple.run(frame.header.first_seq, frame.ticks()).expect("every id is open");
        apple.signals().clear();
        subscriber.acknowledge(0, frame.end_seq());
        if frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            return subscriber.acknowledge(0, u64::MAX);
        }
    }
}

fn publisher_plan(broker: &str, feed: &str, run: RunId) -> PublisherPlan {
    PublisherPlan {
        feed: feed.parse().expect("a feed's name"),
        run,
        manifest: String::new(),
        groups: String::new(),
        brokers: vec![broker.parse().expect("a broker's URL")],
        budget: "30000,15000".parse().expect("a budget"),
        durability: Default::default(),
        max_frame_bytes: 1 << 20,
        queue_bytes: 256 << 20,
        abandon_after: Duration::from_secs(60),
        shards: vec![ShardStart::default()],
        strategies: vec![StrategyProgress::from_start("apple".parse().expect("a name"), true, 1)],
        ended: None,
        replace: false,
        unconfirmed_bytes: UNCONFIRMED_BYTES,
        observer: None,
    }
}
