//! Failures that need a broker.

use std::collections::HashSet;

use broker::QueueOptions;
use bus::store::CommandState;
use bus::{EventSource, SendOptions, Store};
use serde_json::json;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandAccepted, CommandCompleted};

use crate::broker_of_test::Vhost;
use crate::contracts::{DESK, Order, VAN};
use crate::node::Node;
use crate::peer::{Peer, envelope, read};
use crate::process::{Served, begin_killed_at, wait_until_killed};
use crate::wait_until;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_waits_in_the_outbox_goes_once_the_broker_is_back() {
    const COUNT: i64 = 30;
    let (node, folder) = (Node::start(), tempfile::tempdir().unwrap());
    let vhost = node.vhost("outbox");
    let start = |context: &str| Served::start(&vhost.url(), context, &folder.path().join(context));
    let (desk, van) = (start(DESK), start(VAN));
    node.act("down", &["1"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for number in 0..COUNT {
        runtime.block_on(desk.bus.send(&Order { number }, SendOptions::default())).unwrap();
    }
    wait_until("what handlers sent waits", || {
        desk.store.outgoing_messages(100).unwrap().len() == COUNT as usize
    });
    wait_until("it is known that the broker is away", || !desk.is_ready() && !van.is_ready());
    node.act("up", &["1"]);
    wait_until("all are delivered", || van.count(VAN, "Delivered") >= COUNT as usize);
    wait_until("nothing waits", || desk.store.outgoing_messages(100).unwrap().is_empty());
    let events = van.bus.events_after(VAN, 0, 100_000).unwrap();
    let delivered: Vec<_> = events.iter().filter(|event| event.name == "Delivered").collect();
    let numbers: HashSet<_> = delivered.iter().map(|event| &event.body).collect();
    assert_eq!((delivered.len(), numbers.len()), (COUNT as usize, COUNT as usize), "each once");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_kill_between_commit_and_acknowledgement_has_one_effect() {
    let (vhost, folder) = (Vhost::new("committed"), tempfile::tempdir().unwrap());
    let (peer, file) = (Peer::new(&vhost.url()), folder.path().join("desk"));
    let child = begin_killed_at("after-commit", &vhost.text(), &file);
    wait_until("it consumes", || peer.is_consumed(DESK));
    peer.send(DESK, "", &envelope("Jot", json!({"number": 1})));
    wait_until_killed(child);
    wait_until("it comes again", || peer.waiting(DESK) == 1);
    let desk = Served::start(&vhost.url(), DESK, &file);
    assert_eq!(desk.effects(), [1], "it was committed");
    peer.send(DESK, "", &envelope("Jot", json!({"number": 2})));
    wait_until("the next is done", || desk.effects().contains(&2));
    assert!(desk.bus.stop(crate::PATIENCE));
    assert_eq!(peer.waiting(DESK), 0, "it was acknowledged");
    assert_eq!(desk.effects(), [1, 2]);
    assert_eq!(desk.count(DESK, CommandCompleted::NAME), 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_handler_that_outlives_the_brokers_patience_has_one_effect() {
    let (node, folder) = (Node::start(), tempfile::tempdir().unwrap());
    // A delivery that is not acknowledged for a second closes its channel.
    let set = "[application:set_env(rabbit, K, 1000) || K <- [consumer_timeout, channel_tick_interval]].";
    node.act("ctl", &["1", "eval", set]);
    let vhost = node.vhost("patience");
    let peer = Peer::new(&vhost.url());
    let desk = Served::start(&vhost.url(), DESK, &folder.path().join("desk"));
    let lingering = envelope("Linger", json!({"number": 1}));
    let id: CommandId = lingering["correlationId"].as_str().unwrap().parse().unwrap();
    peer.send(DESK, "", &lingering);
    // It waits at the door, and another delivery of it is in the inbox.
    wait_until("it stands in the inbox", || {
        matches!(desk.store.state(id).unwrap(), Some(CommandState::Waiting { .. }))
    });
    desk.door.0.send_replace(true);
    wait_until("it is done", || desk.store.state(id).unwrap() == Some(CommandState::Completed));
    wait_until("it is consumed again", || desk.is_ready());
    peer.send(DESK, "", &envelope("Jot", json!({"number": 2})));
    wait_until("the next is done", || desk.effects().contains(&2));
    assert!(desk.bus.stop(crate::PATIENCE));
    assert_eq!((desk.effects(), peer.waiting(DESK)), (vec![1, 2], 0));
    assert_eq!(desk.count(DESK, CommandAccepted::NAME), 2);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_delivery_limit_loses_nothing_while_processes_end_again_and_again() {
    let (vhost, folder) = (Vhost::new("limit"), tempfile::tempdir().unwrap());
    let (peer, file) = (Peer::new(&vhost.url()), folder.path().join("desk"));
    let limited = broker::Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", 2_i64);
    peer.declare_queue(DESK, &QueueOptions::durable().with_arguments(limited));
    peer.bind_queue(DESK, DESK);
    peer.send(DESK, "", &envelope("Jot", json!({"number": 1})));
    // The first is at it when it ends; to the others it comes again, which is put into the inbox before anything else.
    for point in ["before-commit", "before-receive", "before-commit"] {
        wait_until_killed(begin_killed_at(point, &vhost.text(), &file));
    }
    let desk = Served::start(&vhost.url(), DESK, &file);
    wait_until("it is done", || desk.effects() == [1]);
    assert!(desk.bus.stop(crate::PATIENCE));
    assert_eq!((desk.effects(), peer.waiting(DESK)), (vec![1], 0));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_retired_type_that_is_bound_still_stops_nobody() {
    const COUNT: i64 = 50;
    let (vhost, folder) = (Vhost::new("retired"), tempfile::tempdir().unwrap());
    let peer = Peer::new(&vhost.url());
    let desk = Served::start(&vhost.url(), DESK, &folder.path().join("desk"));
    peer.bind_queue(DESK, "Orchard.Contracts:Retired");
    for number in 0..COUNT {
        peer.send("Orchard.Contracts:Retired", "", &envelope("Retired", json!({ "number": number })));
        peer.send(DESK, "", &envelope("Jot", json!({ "number": number })));
    }
    wait_until("commands go on", || desk.effects().len() == COUNT as usize);
    let kept: HashSet<_> =
        (0..COUNT).map(|_| read(&peer.next("desk_skipped"))["message"]["number"].as_i64().unwrap()).collect();
    assert_eq!(kept, (0..COUNT).collect::<HashSet<_>>(), "what nobody handles is kept aside, and said");
    wait_until("the queue is empty", || peer.waiting(DESK) == 0);
    assert!(desk.is_ready());
}
