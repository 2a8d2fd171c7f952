//! What goes on after a loss.

use bus::Bus;
use serde_json::json;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope};
use crate::proxy::Proxy;
use crate::shop::{SHOP, Served, VAN, options};
use crate::{wait_for, wait_until};

#[test]
#[ignore = "needs servers: run scripts/test"]
fn every_consumer_resumes_after_the_socket_was_cut() {
    let vhost = Vhost::new("cut");
    let proxy = Proxy::to(vhost.port());
    let peer = Peer::new(&vhost.url());
    let url = vhost.url_by(proxy.port);
    let (shop, van) = (Served::start(&url, Some(SHOP)), Served::start(&url, Some(VAN)));
    let events = peer.listen("Orchard.Contracts:Sold");
    for round in 0..3 {
        for number in 0..20 {
            peer.send(SHOP, "", &envelope("Sell", json!({"number": round * 20 + number})));
            peer.send(VAN, "", &envelope("Deliver", json!({"number": round * 20 + number})));
        }
        assert!(proxy.cut() >= 2, "round {round}");
        let count = (round as usize + 1) * 20;
        wait_until("all are sold", || shop.sold().len() == count);
        wait_until("all are delivered", || van.events(VAN, "Delivered").len() == count);
        wait_until("both consume again", || shop.is_ready() && van.is_ready());
    }
    let mut published = std::collections::HashSet::new();
    while published.len() < 60 {
        published.insert(peer.next(&events).properties.message_id);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_queue_that_was_deleted_is_made_again() {
    let vhost = Vhost::new("deleted");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    for number in 0..3 {
        peer.delete_queue(SHOP);
        wait_until("there is another", || peer.is_consumed(SHOP));
        peer.send(SHOP, "", &envelope("Sell", json!({"number": number})));
        wait_until("it is sold", || shop.sold().len() == number + 1);
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_bus_starts_without_its_broker_and_connects_when_it_is_there() {
    let vhost = Vhost::new("late");
    // Nobody listens at a port that is free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bus = Bus::builder().rabbitmq(vhost.url_by(free), options()).start().unwrap();
    let reason = wait_for("it says why", || {
        bus.rabbitmq().unwrap().reason.filter(|reason| reason.contains("refused"))
    });
    assert!(!reason.contains("guest"), "{reason}");
}
