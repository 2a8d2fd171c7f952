//! The broker's thread, without a broker.

use std::time::Duration;

use crossbeam_channel::bounded;

use super::super::messages::{FromBroker, commands};
use super::super::shared::Shared;
use super::*;
use broker::amqp::Buffers;

/// Anything that is expected comes within this time.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn commands_are_taken_while_the_strategys_thread_takes_nothing() {
    let subscription = Subscription {
        // Nobody listens there.
        brokers: vec!["amqp://guest:guest@127.0.0.1:1".parse().unwrap()],
        feed: "btc".parse().unwrap(),
        strategy: "apple".parse().unwrap(),
        member: "test".to_owned(),
        prefetch_bytes: 1,
    };
    let shared = Arc::new(Shared::new(&subscription));
    // The one place for frames is taken, as it is while the strategy's thread waits to command.
    let (to_worker, _from_broker) = bounded(1);
    to_worker.send(FromBroker::Noticed).unwrap();
    let context = Arc::new(Context::new(subscription, shared.clone(), Buffers::new(), to_worker));
    let (to_hub, commanded) = commands(1);
    let broker_thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(context, vec![None], commanded));
        runtime.shutdown_background();
    });
    let (done, is_done) = bounded(1);
    std::thread::spawn(move || {
        to_hub.send(Command::Assign([0, 1].into()));
        // A reassignment, of which the strategy's thread is notified,
        to_hub.send(Command::Assign([1].into()));
        // and a gap, of which each frame is acknowledged by itself.
        for tag in 0..100 {
            to_hub.send(Command::Ack { shard: 1, link: 1, ack: Ack::One(tag) });
        }
        to_hub.send(Command::Abort);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(SOON).expect("the commands are taken");
    broker_thread.join().unwrap();
    assert_eq!(shared.notices.next(), Some(Notice::Revoked { shard: 0 }));
}
