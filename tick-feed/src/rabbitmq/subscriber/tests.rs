//! A subscriber against a real broker, and frames published by hand.

use std::time::{Duration, Instant};

use super::*;
use crate::rabbitmq::control::{ShardState, StateVersion, StrategyState};
use crate::rabbitmq::{BrokerUrl, Durability};
use tick_sdk::{Side, Tick};

mod feed;
mod poison;

use feed::HandFeed;

/// Anything that is expected comes within this time.
const SOON: Duration = Duration::from_secs(20);
/// What is expected not to come is waited for so long.
const NEVER: Duration = Duration::from_millis(300);

fn frame(run: RunId, shard: u16, first_seq: u64, ticks: u64, flags: FrameFlags) -> Frame {
    let header = FrameHeader {
        run,
        shard,
        shards: 2,
        attempt: 0,
        first_seq,
        published_at: 1,
        watermark: first_seq,
        flags,
    };
    let ticks = (first_seq..first_seq + ticks).map(|seq| Tick::trade(seq, seq, 1, 1, Side::NONE));
    Frame::owned(header, ticks.collect())
}

fn state(feed: &HandFeed, run: RunId, at: u64) -> FeedState {
    FeedState {
        feed: feed.name.clone(),
        run,
        manifest: String::new(),
        groups: String::new(),
        durability: Durability::Memory,
        max_frame_bytes: 4096,
        shards: vec![ShardState::default(), ShardState::default()],
        strategies: vec![StrategyState {
            name: "apple".parse().unwrap(),
            required: true,
            active: true,
            begins_at: vec![0, 0],
            ledger: None,
            ended: false,
        }],
        published: false,
        closed: false,
        version: StateVersion { ingester_epoch: 1, counter: at },
        at,
    }
}

fn subscribe(feed: &HandFeed, run: RunId) -> (Subscriber, SubscriberHandle) {
    subscribe_by(&feed.url, feed, run)
}

fn subscribe_by(url: &BrokerUrl, feed: &HandFeed, run: RunId) -> (Subscriber, SubscriberHandle) {
    subscribe_with(url, feed, run, PREFETCH_BYTES)
}

fn subscribe_with(
    url: &BrokerUrl,
    feed: &HandFeed,
    run: RunId,
    prefetch_bytes: usize,
) -> (Subscriber, SubscriberHandle) {
    let subscription = Subscription {
        brokers: vec![url.clone()],
        feed: feed.name.clone(),
        strategy: "apple".parse().unwrap(),
        member: "test".to_owned(),
        prefetch_bytes,
    };
    let (mut subscriber, handle) = Subscriber::connect(subscription).unwrap();
    subscriber.follow(run, vec![0, 0]);
    (subscriber, handle)
}

/// The next frame, whatever else comes before it.
fn next_frame(subscriber: &mut Subscriber) -> (Arc<Frame>, Receipt) {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        if let Some(Arrival::Frame(frame, receipt)) = subscriber.receive(NEVER).unwrap() {
            return (frame, receipt);
        }
    }
    panic!("no frame came");
}

/// The first sequence numbers of the next frames, each once: what is under way when the number of
/// frames under way changes comes again.
fn seqs(subscriber: &mut Subscriber, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        let seq = next_frame(subscriber).0.header.first_seq;
        if seqs.last().is_none_or(|last| seq > *last) {
            seqs.push(seq);
        }
    }
    seqs
}

/// Ends a subscriber that has nothing to do but to release its shards.
fn end(mut subscriber: Subscriber, handle: &SubscriberHandle) {
    handle.stop();
    let deadline = Instant::now() + SOON;
    loop {
        match subscriber.receive(NEVER) {
            Ok(Some(Arrival::Revoked { shard })) => subscriber.release(shard),
            Ok(_) => assert!(Instant::now() < deadline, "it does not end"),
            Err(error) => return assert_eq!(error, TransportError::Closed),
        }
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_is_stored_is_acknowledged_and_the_rest_comes_again() {
    let feed = HandFeed::new("acks");
    let run = RunId::random();
    feed.publish_all((0..100).map(|n| frame(run, 0, n * 10, 10, FrameFlags::TICKS)));
    feed.publish(&frame(run, 0, 1000, 0, FrameFlags::END_OF_RUN));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert!(seqs(&mut subscriber, 101).into_iter().eq((0..=1000).step_by(10)));
    // The frame of ticks 610 to 619 is needed until 620 are stored.
    subscriber.acknowledge(0, 615);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 101 - 61);

    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert_eq!(seqs(&mut subscriber, 40)[0], 610);
    assert!(handle.counts().redelivered >= 40);
    subscriber.acknowledge(0, 1000);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 1);

    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    assert!(next_frame(&mut subscriber).0.header.flags.contains(FrameFlags::END_OF_RUN));
    subscriber.acknowledge(0, u64::MAX);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_shard_that_is_released_comes_to_whoever_waits_for_it_in_order() {
    let feed = HandFeed::new("release");
    let run = RunId::random();
    let (mut first, first_handle) = subscribe(&feed, run);
    first_handle.assign([0, 1].into());
    feed.publish_all((0..10).map(|n| frame(run, 0, n, 1, FrameFlags::TICKS)));
    assert!(seqs(&mut first, 10).into_iter().eq(0..10));
    let (mut second, second_handle) = subscribe(&feed, run);
    second_handle.assign([0].into());
    assert!(second.receive(NEVER).unwrap().is_none(), "one consumer at a time");
    first_handle.assign([1].into());
    let Some(Arrival::Revoked { shard: 0 }) = first.receive(SOON).unwrap() else { panic!("not revoked") };
    first.acknowledge(0, 4);
    first.release(0);
    assert!(seqs(&mut second, 6).into_iter().eq(4..10));
    // One that was fenced off releases what is still its own, and has it again.
    second.release(0);
    assert!(seqs(&mut second, 6).into_iter().eq(4..10));
    end(first, &first_handle);
    end(second, &second_handle);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_queue_that_is_deleted_and_made_again_is_consumed_again() {
    let feed = HandFeed::new("deleted");
    let run = RunId::random();
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    assert_eq!(seqs(&mut subscriber, 1), [0]);
    feed.delete_queue(0);
    let deadline = Instant::now() + SOON;
    while handle.counts().lost == 0 {
        assert!(subscriber.receive(NEVER).unwrap().is_none());
        assert!(Instant::now() < deadline, "it was not seen");
    }
    feed.declare_queue(0);
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    assert_eq!(seqs(&mut subscriber, 1), [0]);
    subscriber.acknowledge(0, 1);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn connections_that_are_cut_are_made_again_and_what_was_not_acknowledged_comes_again() {
    let feed = HandFeed::new("cut");
    let proxy = feed::Proxy::new();
    let run = RunId::random();
    let (mut subscriber, handle) = subscribe_by(&proxy.url, &feed, run);
    handle.assign([0].into());
    for round in 0..3 {
        feed.publish_all((0..10).map(|n| frame(run, 0, round * 10 + n, 1, FrameFlags::TICKS)));
        // Those before come again or not: the broker may have got the acknowledgement.
        while next_frame(&mut subscriber).0.header.first_seq < round * 10 + 9 {}
        proxy.cut();
        subscriber.acknowledge(0, round * 10 + 10);
    }
    // What comes again and is stored is acknowledged by itself.
    let deadline = Instant::now() + SOON;
    while handle.counts().redelivered < 10 || subscriber.receive(NEVER).unwrap().is_some() {
        assert!(Instant::now() < deadline, "{:?}, {:?}", handle.counts(), handle.last_error());
    }
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
}

/// As while the process is stopped with Ctrl-Z: nothing is read or written, until the other end ends the
/// connections.
#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_subscriber_whose_connections_stall_reports_it_and_comes_back() {
    let feed = HandFeed::new("stall");
    let proxy = feed::Proxy::new();
    let run = RunId::random();
    let (mut subscriber, handle) = subscribe_by(&proxy.url, &feed, run);
    handle.assign([0].into());
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    assert_eq!(seqs(&mut subscriber, 1), [0]);
    let is_connected = || handle.connections()[0].state.is_connected();
    assert!(is_connected());
    proxy.stall(true);
    feed.publish(&frame(run, 0, 1, 1, FrameFlags::TICKS));
    let deadline = Instant::now() + SOON;
    while is_connected() {
        assert!(Instant::now() < deadline, "nobody sees that nothing comes");
        assert!(subscriber.receive(NEVER).unwrap().is_none());
    }
    proxy.stall(false);
    while next_frame(&mut subscriber).0.header.first_seq < 1 {}
    while !is_connected() {
        assert!(Instant::now() < deadline + SOON, "{:?}", handle.connections());
        assert!(subscriber.receive(NEVER).unwrap().is_none());
    }
    subscriber.acknowledge(0, 2);
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_prefetch_grows_by_one_request_at_a_time_and_not_beyond_its_limit() {
    /// More than 2, 4, 8 … 128, so that the prefetch grows seven times.
    const FRAMES: u64 = 200;
    let feed = HandFeed::new("grow");
    let run = RunId::random();
    feed.publish_all((0..FRAMES).map(|seq| frame(run, 0, seq, 1, FrameFlags::TICKS)));
    let (mut subscriber, handle) = subscribe_with(&feed.url, &feed, run, 1);
    handle.assign([0].into());
    let deadline = Instant::now() + SOON;
    let mut next_seq = 0;
    while next_seq < FRAMES {
        assert!(Instant::now() < deadline, "{next_seq} of {FRAMES} came: {:?}", handle.counts());
        if let Some(Arrival::Frame(frame, _)) = subscriber.receive(Duration::from_millis(1)).unwrap() {
            next_seq += u64::from(frame.header.first_seq == next_seq);
        }
        // At every turn, as a lane does that catches up with what it has committed.
        subscriber.grow_prefetch(0).unwrap();
    }
    // What was delivered before the prefetch grew comes again, and nothing comes again for another reason.
    assert_eq!(handle.counts().redelivered, (1..=7).map(|power| 1 << power).sum::<u64>());
    subscriber.acknowledge(0, FRAMES);
    end(subscriber, &handle);

    feed.publish_all((0..3).map(|seq| frame(run, 0, seq, 1, FrameFlags::TICKS)));
    let (mut subscriber, handle) = subscribe_with(&feed.url, &feed, run, 1);
    subscriber.max_grown_bytes = 1;
    handle.assign([0].into());
    assert_eq!(seqs(&mut subscriber, 2), [0, 1]);
    let refused = subscriber.grow_prefetch(0);
    assert!(
        matches!(refused, Err(TransportError::PrefetchExhausted { shard: 0, frames: 2, .. })),
        "{refused:?}"
    );
    end(subscriber, &handle);
    feed.wait_for_messages(0, 3);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn frames_of_old_runs_are_left_out_and_those_of_the_next_one_are_kept_for_it() {
    let feed = HandFeed::new("runs");
    let (old, run, next) = (RunId::random(), RunId::random(), RunId::random());
    feed.keep_state(&state(&feed, run, 10));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.wait_for_state(SOON, |state| state.run == run).expect("it was kept");
    handle.assign([0].into());
    feed.publish(&frame(old, 0, 0, 1, FrameFlags::TICKS));
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    assert_eq!(next_frame(&mut subscriber).0.header.run, run);
    subscriber.acknowledge(0, 1);
    feed.publish(&frame(next, 0, 0, 1, FrameFlags::TICKS));
    let deadline = Instant::now() + SOON;
    while handle.counts().of_other_runs < 2 {
        assert!(subscriber.receive(NEVER).unwrap().is_none() && Instant::now() < deadline);
    }
    feed.announce(&state(&feed, next, 30));
    handle.wait_for_state(SOON, |state| state.run == next).expect("it was announced");
    end(subscriber, &handle);
    feed.wait_for_messages(0, 1);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_ingester_whose_clock_is_five_minutes_behind_is_followed() {
    const FIVE_MINUTES: u64 = 300_000_000_000;
    let feed = HandFeed::new("skewed");
    let (run, next) = (RunId::random(), RunId::random());
    let before = FeedState { at: FIVE_MINUTES + 1, ..state(&feed, run, 10) };
    let version = StateVersion { ingester_epoch: 2, counter: 1 };
    let after = FeedState { version, at: 1, ..state(&feed, next, 0) };
    feed.keep_state(&before);
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.wait_for_state(SOON, |state| state.run == run).expect("it was kept");
    handle.assign([0].into());
    // By its own clock it publishes before what the ingester before it announced last.
    let early = frame(next, 0, 0, 1, FrameFlags::TICKS);
    assert!(early.header.published_at < before.at);
    feed.publish(&early);
    let deadline = Instant::now() + SOON;
    while handle.counts().of_other_runs < 1 {
        assert!(subscriber.receive(NEVER).unwrap().is_none() && Instant::now() < deadline);
    }
    // A state of the old run that comes late does not release the new one's frames.
    feed.announce(&FeedState { version: StateVersion { counter: 11, ..before.version }, ..before });
    handle.wait_for_state(SOON, |state| state.version.counter == 11).expect("it was announced");
    assert!(subscriber.receive(NEVER).unwrap().is_none());
    feed.announce(&after);
    handle.wait_for_state(SOON, |state| state.run == next).expect("the clock does not matter");
    end(subscriber, &handle);
    feed.wait_for_messages(0, 1);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn more_frames_of_an_old_run_than_the_prefetch_do_not_hold_a_shard_up() {
    let feed = HandFeed::new("leftover");
    let (old, run) = (RunId::random(), RunId::random());
    feed.keep_state(&state(&feed, run, 10));
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.wait_for_state(SOON, |state| state.run == run).expect("it was kept");
    feed.publish_all((0..10_000).map(|seq| frame(old, 0, seq, 1, FrameFlags::TICKS)));
    feed.publish(&frame(run, 0, 0, 1, FrameFlags::TICKS));
    handle.assign([0].into());
    let deadline = Instant::now() + SOON;
    let (mut counter, mut first) = (10, None);
    while first.is_none() {
        assert!(Instant::now() < deadline, "{:?}", handle.counts());
        counter += 1;
        feed.announce(&state(&feed, run, counter));
        first = subscriber.receive(NEVER).unwrap();
    }
    assert!(matches!(first, Some(Arrival::Frame(frame, _)) if frame.header.run == run));
    end(subscriber, &handle);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn requests_reach_the_ingester_and_its_announcements_the_subscriber() {
    let feed = HandFeed::new("control");
    let run = RunId::random();
    let listening = feed.listen();
    let (mut subscriber, handle) = subscribe(&feed, run);
    handle.assign([0].into());
    feed.publish(&frame(run, 0, 5, 1, FrameFlags::TICKS));
    let (_, receipt) = next_frame(&mut subscriber);
    subscriber.discard(receipt);
    subscriber.request_resend(0, 0, 3);
    subscriber.request_dictionary(0);
    let strategy = || "apple".parse().unwrap();
    let expected = Control::Resend { run, strategy: strategy(), shard: 0, from_seq: 0, attempt: 3 };
    assert_eq!(listening.next(), expected);
    assert_eq!(listening.next(), Control::Dictionary { run, strategy: strategy(), shard: 0 });
    let mut published = state(&feed, run, 50);
    published.published = true;
    published.shards[0] = ShardState { published: 6, attempt: 4, ..ShardState::default() };
    feed.announce(&published);
    let arrival = subscriber.receive(SOON).unwrap();
    assert!(matches!(arrival, Some(Arrival::Published { shard: 0, end_seq: 6, attempt: 4 })), "{arrival:?}");
    let reason = "the file is gone".to_owned();
    feed.send(&Control::Gone { run, shard: 0, from_seq: 0, reason });
    let arrival = subscriber.receive(SOON).unwrap();
    assert!(matches!(arrival, Some(Arrival::Gone { shard: 0, from_seq: 0, .. })), "{arrival:?}");
    end(subscriber, &handle);
    feed.wait_for_messages(0, 0);
}
