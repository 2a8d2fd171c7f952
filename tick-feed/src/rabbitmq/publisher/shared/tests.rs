use super::*;
use crate::rabbitmq::topology::Durability;
use crate::{Frame, FrameFlags, FrameHeader};
use tick_sdk::names::RunId;
use tick_sdk::{Side, Tick};

fn shared() -> Shared {
    Shared::new(PublisherPlan {
        feed: "test".parse().expect("a name"),
        run: RunId([1; 16]),
        manifest: String::new(),
        groups: String::new(),
        brokers: vec!["amqp://localhost".parse().expect("a URL")],
        budget: crate::budget::Budget::OFF,
        durability: Durability::Memory,
        max_frame_bytes: 1 << 16,
        queue_bytes: 1 << 20,
        abandon_after: Duration::from_secs(1),
        shards: vec![ShardStart::default()],
        strategies: Vec::new(),
        ended: None,
        replace: false,
        unconfirmed_bytes: super::super::UNCONFIRMED_BYTES,
        observer: None,
    })
}

fn frame(first_seq: u64, ticks: u64) -> Arc<Frame> {
    let header = FrameHeader {
        run: RunId([1; 16]),
        shard: 0,
        shards: 1,
        attempt: 0,
        first_seq,
        published_at: 0,
        watermark: first_seq,
        flags: if ticks == 0 { FrameFlags::END_OF_RUN } else { FrameFlags::TICKS },
    };
    let ticks = (first_seq..first_seq + ticks).map(|seq| Tick::trade(seq, seq, 1, 1, Side::NONE));
    Arc::new(Frame::owned(header, ticks.collect()))
}

/// As the node's task sends all that is there.
fn send_all(shared: &Shared) -> Vec<super::super::window::Outgoing> {
    let window = &mut lock(&shared.shards[0].sending).window;
    let sent: Vec<_> = std::iter::from_fn(|| window.take_next(Duration::ZERO)).collect();
    let bytes = sent.iter().map(|outgoing| outgoing.bytes).sum();
    shared.nodes[0].unconfirmed_bytes.fetch_add(bytes, Ordering::Relaxed);
    sent
}

#[test]
fn what_is_abandoned_no_longer_counts_as_unconfirmed() {
    let shared = shared();
    let unconfirmed = || shared.nodes[0].unconfirmed_bytes.load(Ordering::Relaxed);
    let enter = |frame: Arc<Frame>| lock(&shared.shards[0].sending).enter(frame, 100);
    enter(frame(0, 10));
    enter(frame(10, 10));
    enter(frame(20, 0));
    let sent = send_all(&shared);
    for outgoing in sent {
        let mut sending = lock(&shared.shards[0].sending);
        shared.nodes[0].change_window(&mut sending, |window| window.confirm(outgoing.ticket));
    }
    assert_eq!(unconfirmed(), 0);
    // Everything is requested again, and the source breaks off behind the first frame.
    shared.resend(&"apple".parse().expect("a name"), 0, 0, 9);
    assert_eq!(shared.restart(), [0]);
    enter(frame(0, 10));
    send_all(&shared);
    assert_eq!(unconfirmed(), 100);
    assert!(shared.abandon("the file is gone"));
    assert_eq!(unconfirmed(), 0, "or the node would send nothing more");
}

/// Of the next state that hosts are told.
fn version(shared: &Shared) -> StateVersion {
    let progress = shared.strategies().progress();
    shared.strategies().keep(&progress);
    shared.feed_state().expect("they are told").version
}

#[test]
fn states_are_ordered_by_epoch_and_counter() {
    let (before, after) = (shared(), shared());
    before.follow_epoch(0);
    after.follow_epoch(version(&before).ingester_epoch);
    let (first, second) = (version(&before), version(&before));
    assert!(first < second && second < version(&after));
    after.follow_epoch(0);
    assert_eq!(after.ingester_epoch(), 2, "an epoch never shrinks");
}
