//! A broker that is stopped, or lacks memory: one of these tests' own, which take turns.

use std::collections::HashSet;

use bus::rabbitmq::RabbitState;
use bus::{SendError, SendOptions};
use serde_json::json;

use crate::peer::{Peer, envelope};
use crate::shop::{SHOP, Sell, Served};
use crate::wait_until;
use node::Node;

mod node;

fn send(gateway: &Served, number: i64) -> Result<(), SendError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(gateway.bus.send(&Sell { number }, SendOptions::default())).map(drop)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_alarm_is_unavailable_and_what_is_stored_here_goes_on() {
    let node = Node::start();
    let vhost = node.vhost("alarm");
    let (shop, gateway) = (Served::start(&vhost.url(), Some(SHOP)), Served::start(&vhost.url(), None));
    send(&gateway, 1).unwrap();
    wait_until("it is sold", || shop.sold() == [1]);
    node.act("alarm", &["1", "on"]);
    // The first message after an alarm is not confirmed, and tells the broker to say so.
    for _ in 0..3 {
        match send(&gateway, 2).unwrap_err() {
            SendError::Unavailable { retry_after_s, .. } => assert!(retry_after_s > 0),
            other => panic!("{other}"),
        }
    }
    assert_eq!(gateway.bus.rabbitmq().unwrap().state, RabbitState::Blocked);
    // Commands of this process's own contexts do not wait for a broker.
    send(&shop, 3).unwrap();
    wait_until("it is sold meanwhile", || shop.sold().contains(&3));
    node.act("alarm", &["1", "off"]);
    wait_until("the broker takes messages again", || send(&gateway, 4).is_ok());
    wait_until("it is sold afterwards", || shop.sold().contains(&4));
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn nothing_is_lost_or_sold_twice_when_the_broker_is_started_again() {
    let node = Node::start();
    let vhost = node.vhost("restart");
    let (shop, gateway) = (Served::start(&vhost.url(), Some(SHOP)), Served::start(&vhost.url(), None));
    let mut accepted = Vec::new();
    for number in 0..50 {
        send(&gateway, number).unwrap();
        accepted.push(number);
    }
    node.act("down", &["1"]);
    match send(&gateway, 1_000).unwrap_err() {
        SendError::Unavailable { .. } => {}
        other => panic!("{other}"),
    }
    // What is accepted here is published when the broker is back.
    for number in 50..60 {
        send(&shop, number).unwrap();
        accepted.push(number);
    }
    node.act("up", &["1"]);
    wait_until("both are connected again", || shop.is_ready() && gateway.is_ready());
    let peer = Peer::new(&vhost.url());
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 60})));
    accepted.push(60);
    wait_until("all are sold", || shop.sold().len() >= accepted.len());
    let sold = shop.sold();
    assert_eq!(sold.iter().collect::<HashSet<_>>(), accepted.iter().collect::<HashSet<_>>());
    assert_eq!(sold.len(), accepted.len());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_store_that_is_away_longer_than_the_broker_waits_loses_nothing() {
    let node = Node::start();
    // A delivery that is not acknowledged for a second closes its channel.
    let set = "[application:set_env(rabbit, K, 1000) || K <- [consumer_timeout, channel_tick_interval]].";
    node.act("ctl", &["1", "eval", set]);
    let vhost = node.vhost("away");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let store = shop.store.as_ref().unwrap();
    let transaction = bus::Store::begin(&**store).unwrap();
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 1})));
    wait_until("it is delivered", || peer.waiting(SHOP) == 0);
    // The broker has closed the channel, and puts it back.
    wait_until("it waits again", || peer.waiting(SHOP) == 1);
    drop(transaction);
    wait_until("it is sold", || shop.sold() == [1]);
    wait_until("it is consumed again", || shop.is_ready());
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 2})));
    wait_until("the next is sold, too", || shop.sold() == [1, 2]);
}
