//! Against a real broker: each failure that a client can provoke.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::rabbitmq::control::{Control, FeedState, JoinFrom};
use crate::transport::{FrameSender, TransportError};
use crate::{Frame, FrameFlags, FrameHeader, NewInstrument};
use tick_sdk::{Side, Tick};

mod broker;
mod slow;

use broker::{Broker, SOON, wait_for};

const SHARDS: u16 = 2;
const TICKS: u64 = 5_000;
const FRAME: u64 = 50;

fn plan(broker: &Broker, strategies: &[&str]) -> PublisherPlan {
    let strategy = |name: &&str| match name.strip_suffix('?') {
        Some(name) => StrategyProgress::from_start(name.parse().unwrap(), false, SHARDS),
        None => StrategyProgress::from_start(name.parse().unwrap(), true, SHARDS),
    };
    PublisherPlan {
        feed: broker.feed.clone(),
        run: RunId::random(),
        manifest: "manifest".to_owned(),
        groups: String::new(),
        brokers: vec![broker.url.clone()],
        budget: Budget::OFF,
        durability: Durability::Memory,
        max_frame_bytes: 1 << 16,
        queue_bytes: 64 << 20,
        abandon_after: Duration::from_secs(2),
        shards: vec![ShardStart::default(); usize::from(SHARDS)],
        strategies: strategies.iter().map(strategy).collect(),
        ended: None,
        replace: false,
        unconfirmed_bytes: UNCONFIRMED_BYTES,
        observer: None,
    }
}

fn frame(run: RunId, shard: u16, first_seq: u64, names: bool) -> Arc<Frame> {
    let is_end = first_seq >= TICKS;
    let header = FrameHeader {
        run,
        shard,
        shards: SHARDS,
        attempt: 0,
        first_seq,
        published_at: 0,
        watermark: first_seq,
        flags: if is_end { FrameFlags::END_OF_RUN } else { FrameFlags::TICKS },
    };
    let end = (first_seq + FRAME - first_seq % FRAME).min(TICKS);
    let ticks = (first_seq..end).map(|seq| Tick::trade(seq, seq, 1, 1, Side::NONE)).collect();
    let name = NewInstrument { id: 0, symbol: "X".to_owned(), key: "X".to_owned() };
    let names = if names { vec![name] } else { Vec::new() };
    Arc::new(Frame::owned(header, ticks).naming(names, 1))
}

/// Sends everything from `start` on, as a feed does.
fn pass(run: RunId, start: &[u64], frames: &impl FrameSender) -> Result<(), TransportError> {
    let first = start.iter().copied().min().unwrap_or(0);
    for seq in (first..).take_while(|seq| *seq <= TICKS) {
        for shard in 0..SHARDS {
            let from = start[usize::from(shard)];
            if seq == from || (seq > from && seq % FRAME == 0) || (seq == TICKS && from <= TICKS) {
                frames.send(frame(run, shard, seq, seq == from))?;
            }
        }
    }
    Ok(())
}

/// Feeds until the publisher takes no more.
fn feed_always(run: RunId, publisher: &Publisher, passes: &AtomicU64) {
    loop {
        match pass(run, &publisher.restart(), &publisher.frames()) {
            Ok(()) => {}
            Err(TransportError::Rewound) => continue,
            Err(_) => return,
        }
        passes.fetch_add(1, Ordering::SeqCst);
        while !publisher.is_rewound() {
            if publisher.shared.has_stopped_accepting() {
                return;
            }
            publisher.wait(Duration::from_millis(20));
        }
    }
}

/// A publisher whose run is written down, and announced.
fn start(plan: PublisherPlan) -> Result<Publisher, PublishError> {
    let publisher = Publisher::start(plan)?;
    publisher.keep(&publisher.snapshot()?);
    Ok(publisher)
}

/// Runs `test` beside a feed, and stops.
fn fed(plan: PublisherPlan, test: impl FnOnce(&Publisher)) {
    let run = plan.run;
    let publisher = start(plan).expect("the broker takes the feed");
    let passes = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| feed_always(run, &publisher, &passes));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&publisher)));
        publisher.stop_accepting();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    publisher.stop(true).expect("it could go on");
}

fn is_published(publisher: &Publisher) -> bool {
    publisher.snapshot().expect("it goes on").is_published
}

fn strategy(publisher: &Publisher, name: &str) -> Option<StrategyProgress> {
    let snapshot = publisher.snapshot().expect("it goes on");
    snapshot.strategies.into_iter().find(|strategy| strategy.state.name == name)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn every_queue_gets_every_tick_and_then_heartbeats() {
    let broker = Broker::new();
    fed(plan(&broker, &["apple", "pear"]), |publisher| {
        for name in ["apple", "pear"] {
            for shard in 0..SHARDS {
                let taken = broker.take_run(name, shard);
                assert_eq!((taken.next_seq, taken.gaps), (TICKS, 0));
            }
        }
        assert!(wait_for(SOON, || is_published(publisher)));
        let again = broker.take_frame("apple", 0);
        assert_eq!((again.header.first_seq, again.header.flags), (TICKS, FrameFlags::END_OF_RUN));
    });
    let state = broker.kept_state().expect("the last state is kept");
    assert!(state.closed && state.published);
    assert_eq!(state.shards[1].confirmed, TICKS);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_deleted_queue_is_made_again_and_filled_again() {
    let broker = Broker::new();
    fed(plan(&broker, &["apple"]), |publisher| {
        assert!(wait_for(SOON, || is_published(publisher)));
        broker.delete_queue("apple", 1);
        // The heartbeat comes back, and the queue is made again; its host misses everything.
        let heartbeat = broker.take_frame("apple", 1);
        let seen = heartbeat.header.attempt;
        let run = heartbeat.header.run;
        let asking =
            Control::Resend { run, strategy: "apple".parse().unwrap(), shard: 1, from_seq: 0, attempt: seen };
        broker.send(&asking);
        broker.send(&asking);
        let taken = broker.take_run("apple", 1);
        assert_eq!(taken.next_seq, TICKS);
        assert_eq!(taken.last_attempt, seen + 1, "two requests cost one retransmission");
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_full_queue_is_waited_for_and_named() {
    let broker = Broker::new();
    let plan = PublisherPlan { queue_bytes: 20_000, ..plan(&broker, &["apple"]) };
    fed(plan, |publisher| {
        let stalled = || {
            let shards = publisher.snapshot().expect("it goes on").shards;
            shards[0].stalled.as_ref().is_some_and(|reason| reason.contains("nobody runs strategy apple"))
        };
        assert!(wait_for(SOON, stalled));
        for shard in 0..SHARDS {
            assert_eq!(broker.take_run("apple", shard).next_seq, TICKS, "nothing was dropped");
        }
        assert!(wait_for(SOON, || is_published(publisher)));
        assert!(!stalled());
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_optional_strategy_is_abandoned_and_comes_back() {
    let broker = Broker::new();
    let plan = PublisherPlan { queue_bytes: 20_000, ..plan(&broker, &["apple", "pear?"]) };
    let run = plan.run;
    fed(plan, |publisher| {
        std::thread::scope(|scope| {
            for shard in 0..SHARDS {
                scope.spawn({
                    let broker = &broker;
                    move || assert_eq!(broker.take_run("apple", shard).next_seq, TICKS)
                });
            }
        });
        let pear = || strategy(publisher, "pear").expect("it is known");
        assert!(!pear().state.active, "it held the feed up");
        let cursor = |shard| ShardCursor { shard, cursor: 0, stored: 0, ended: false };
        broker.send(&Control::Cursors {
            run,
            strategy: "pear".parse().unwrap(),
            member: "m".to_owned(),
            ledger: "l".to_owned(),
            cursors: (0..SHARDS).map(cursor).collect(),
            delay: None,
        });
        std::thread::scope(|scope| {
            let mut frames = None;
            assert!(wait_for(SOON, || {
                frames = frames.take().or_else(|| publisher.next_catch_up());
                frames.is_some()
            }));
            let frames = frames.expect("it comes back");
            scope.spawn(move || while !frames.is_over() && pass(run, &frames.restart(), &frames).is_ok() {});
            for shard in 0..SHARDS {
                assert_eq!(broker.take_run("pear", shard).next_seq, TICKS);
            }
        });
        assert!(wait_for(SOON, || pear().bound && pear().state.active));
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn who_joins_now_gets_names_first_and_who_leaves_gives_its_queues_up() {
    let broker = Broker::new();
    let plan = plan(&broker, &["apple"]);
    let run = plan.run;
    fed(plan, |publisher| {
        assert!(wait_for(SOON, || is_published(publisher)));
        broker.send(&Control::Join { run, strategy: "plum".to_owned(), from: JoinFrom::Now });
        let plum = || strategy(publisher, "plum");
        assert!(wait_for(SOON, || plum().is_some_and(|plum| plum.state.active)));
        assert_eq!(plum().expect("it is there").state.begins_at, [TICKS, TICKS]);
        // Hosts are told when a successor would know it.
        let is_told = || {
            let told = broker.kept_state().map_or(Vec::new(), |state| state.strategies);
            told.iter().any(|strategy| strategy.name == "plum" && strategy.active)
        };
        assert!(!is_told());
        publisher.keep(&publisher.snapshot().expect("it goes on"));
        assert!(wait_for(SOON, is_told));
        let names = broker.take_frame("plum", 0);
        assert_eq!(names.header.flags, FrameFlags::DICTIONARY);
        assert_eq!(names.new_instruments[0].symbol, "X");
        assert_eq!(broker.take_frame("plum", 0).header.flags, FrameFlags::END_OF_RUN);
        broker.send(&Control::Dictionary { run, strategy: "plum".parse().unwrap(), shard: 1 });
        assert!(wait_for(SOON, || broker.take_frame("plum", 1).header.flags == FrameFlags::DICTIONARY));
        broker.send(&Control::Leave { run, strategy: "plum".parse().unwrap() });
        assert!(wait_for(SOON, || plum().is_none() && !broker.has_queue("plum", 0)));
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_slow_declaration_holds_no_frames_up() {
    let broker = Broker::new();
    let proxy = slow::Declarations::new();
    let plan = PublisherPlan { brokers: vec![proxy.url.clone()], ..plan(&broker, &["apple"]) };
    let run = plan.run;
    let publisher = start(plan).expect("the broker takes the feed");
    proxy.hold(true);
    broker.send(&Control::Join { run, strategy: "plum".to_owned(), from: JoinFrom::Now });
    assert!(wait_for(SOON, || strategy(&publisher, "plum").is_some()));
    pass(run, &publisher.restart(), &publisher.frames()).expect("it is taken");
    assert!(wait_for(SOON, || is_published(&publisher)), "frames wait for plum's queues");
    let plum = || strategy(&publisher, "plum").expect("it joins");
    assert!(!plum().state.active, "its queues are not there yet");
    proxy.hold(false);
    assert!(wait_for(SOON, || plum().state.active));
    assert_eq!(plum().state.begins_at, [TICKS, TICKS]);
    publisher.stop(true).expect("it could go on");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_refused_request_to_join_is_answered() {
    let broker = Broker::new();
    let plan = plan(&broker, &["apple"]);
    let run = plan.run;
    fed(plan, |_| {
        let announcements = broker.listen();
        broker.send(&Control::Join { run, strategy: "v1.2".to_owned(), from: JoinFrom::Now });
        let answer = announcements.wait_for(|control| matches!(control, Control::JoinRefused { .. }));
        let Control::JoinRefused { run: of, strategy, reason } = answer else { unreachable!() };
        assert_eq!((of, strategy.as_str()), (run, "v1.2"));
        assert!(reason.contains("not a valid strategy name"), "{reason}");
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_deleted_exchange_and_a_closed_channel_lose_nothing() {
    let broker = Broker::new();
    fed(plan(&broker, &["apple"]), |publisher| {
        broker.delete_exchange();
        for shard in 0..SHARDS {
            assert_eq!(broker.take_run("apple", shard).next_seq, TICKS);
        }
        assert!(wait_for(SOON, || is_published(publisher)));
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn another_run_and_other_arguments_are_refused() {
    let broker = Broker::new();
    let first = plan(&broker, &["apple"]);
    let run = first.run;
    let publisher = start(first).expect("the feed is free");
    publisher.stop(false).expect("it could go on");
    let error = start(plan(&broker, &["apple"])).expect_err("a run has not ended").to_string();
    assert!(error.contains(&run.to_string()) && error.contains("--new"), "{error}");
    // The ingester that ended it could not say so any more.
    let next = PublisherPlan { ended: Some(run), ..plan(&broker, &["apple"]) };
    start(next).expect("that run has ended").stop(true).expect("it could go on");
    let other = PublisherPlan { queue_bytes: 1 << 20, replace: true, ..plan(&broker, &["apple"]) };
    let error = start(other).expect_err("the queues are others").to_string();
    assert!(error.contains("max-length-bytes") && error.contains("other arguments"), "{error}");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_feed_has_one_ingester() {
    let broker = Broker::new();
    let first = plan(&broker, &["apple"]);
    let publisher = start(first.clone()).expect("the feed is free");
    let error = start(first.clone()).expect_err("it has one").to_string();
    assert!(error.contains("has an ingester already"), "{error}");
    drop(publisher);
    start(first).expect("the first has gone").stop(true).expect("it could go on");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_broker_that_is_not_there_is_an_error_in_time() {
    let broker = Broker::new();
    let nowhere = "amqp://guest:guest@127.0.0.1:1".parse().expect("a URL");
    let plan = PublisherPlan { brokers: vec![nowhere], ..plan(&broker, &["apple"]) };
    let begun = Instant::now();
    let error = start(plan).expect_err("nobody is there").to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    assert!(begun.elapsed() < 3 * FIRST_CONNECTION);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_state_says_who_takes_part_and_from_where() {
    let broker = Broker::new();
    fed(plan(&broker, &["apple", "pear?"]), |_| {
        let state: FeedState = broker.kept_state().expect("it is kept from the start");
        let named: Vec<_> = state.strategies.iter().map(|one| (one.name.as_str(), one.required)).collect();
        assert_eq!(named, [("apple", true), ("pear", false)]);
        assert!(!state.closed && state.strategies[0].active);
    });
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn each_ingester_of_a_feed_comes_after_the_one_before_it() {
    let broker = Broker::new();
    let first = plan(&broker, &["apple"]);
    let second = PublisherPlan { replace: true, ..plan(&broker, &["apple"]) };
    let version = |plan: PublisherPlan| {
        start(plan).expect("the feed is free").stop(false).expect("it could go on");
        broker.kept_state().expect("it is kept").version
    };
    let (first, second) = (version(first), version(second));
    assert_eq!((first.ingester_epoch, second.ingester_epoch), (1, 2));
    assert!(first < second);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_cannot_be_had_again_is_said_and_the_end_follows() {
    let broker = Broker::new();
    let plan = plan(&broker, &["apple"]);
    let run = plan.run;
    let publisher = start(plan).expect("the broker takes the feed");
    assert!(!publisher.abandon("nothing was sent"), "nothing is missing");
    pass(run, &publisher.restart(), &publisher.frames()).expect("it is taken");
    assert!(wait_for(SOON, || is_published(&publisher)));
    for shard in 0..SHARDS {
        assert_eq!(broker.take_run("apple", shard).next_seq, TICKS);
    }
    let announcements = broker.listen();
    broker.send(&Control::Resend {
        run,
        strategy: "apple".parse().unwrap(),
        shard: 1,
        from_seq: 70,
        attempt: 9,
    });
    assert!(wait_for(SOON, || publisher.is_rewound()));
    assert!(publisher.abandon("the file is gone"));
    let announced = announcements.wait_for(|control| matches!(control, Control::Gone { .. }));
    assert_eq!(
        announced,
        Control::Gone { run, shard: 1, from_seq: 70, reason: "the file is gone".to_owned() }
    );
    let is_end =
        |frame: Frame| (frame.header.first_seq, frame.header.flags) == (TICKS, FrameFlags::END_OF_RUN);
    assert!(is_end(broker.take_frame("apple", 1)));
    assert!(wait_for(SOON, || is_published(&publisher)));
    publisher.stop(true).expect("it could go on");
}
