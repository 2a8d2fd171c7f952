//! What a consumer without guarantees does: each frame is acknowledged as it comes, the strategy runs,
//! and nothing is stored. What exactly one effect costs is measured against this.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tick_feed::FrameFlags;
use tick_feed::rabbitmq::{Subscriber, Subscription};
use tick_feed::transport::{Arrival, FrameReceiver};
use tick_sdk::host::Registration;

/// What does not come within this time does not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs Apple over a feed of one shard from its first frame to the run's end; gives how long that took
/// since the first was published.
pub(crate) fn consume(broker: &str, feed: &str) -> Duration {
    let (mut subscriber, handle) = Subscriber::connect(Subscription {
        brokers: vec![broker.parse().expect("a broker's URL")],
        feed: feed.parse().expect("a feed's name"),
        strategy: "apple".parse().expect("a name"),
        member: "bench".to_owned(),
        prefetch_bytes: 64 << 20,
    })
    .expect("the subscriber begins");
    let state = handle.wait_for_state(PATIENCE, |_| true).expect("the ingester speaks");
    subscriber.follow(state.run, vec![0]);
    handle.assign(BTreeSet::from([0]));

    let apple = Registration::find("apple").expect("it is registered").configure(&[]);
    let mut lane = apple.expect("it needs no parameters").lane(&Arc::default());
    let mut began = None;
    loop {
        let arrival = subscriber.receive(PATIENCE).expect("the broker lives");
        let frame = match arrival.expect("more come") {
            Arrival::Frame(frame, _) => frame,
            _ => continue,
        };
        subscriber.acknowledge(0, u64::MAX);
        for new in &frame.new_instruments {
            lane.open(new.id, &new.symbol, &new.key).expect("it is new");
        }
        if !frame.ticks().is_empty() {
            began.get_or_insert(frame.header.published_at);
            lane.run(frame.header.first_seq, frame.ticks()).expect("Apple fails at nothing");
            lane.signals().clear();
        }
        if frame.header.flags.contains(FrameFlags::END_OF_RUN) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
            return now - Duration::from_nanos(began.expect("ticks came before"));
        }
    }
}
