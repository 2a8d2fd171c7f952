//! Commands that are handled in the transaction that accepts them, and what becomes of those that cannot be.

use broker::{Outcome, Properties, QueueOptions};
use bus::Store;
use serde_json::json;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::{CommandAccepted, CommandCompleted, CommandFailed};

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope, read};
use crate::proxy::Proxy;
use crate::shop::{SHOP, Served, TO_DELIVER, hold, is_held};
use crate::wait_until;

fn sales(shop: &Served) -> Vec<i64> {
    let rows = shop.store.as_ref().unwrap().query("SELECT number FROM sale ORDER BY number", &[]).unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn of_a_batch_only_what_fails_is_moved() {
    let vhost = Vhost::new("poison");
    let (peer, shop) = (Peer::new(&vhost.url()), Served::start(&vhost.url(), Some(SHOP)));
    drop(shop);
    // They come together to whoever starts next.
    (0..40).for_each(|number| peer.send(SHOP, "", &envelope("Sell", json!({"number": number}))));
    let refused = envelope("Sell", json!({"number": -7}));
    peer.send(SHOP, "", &refused);
    (40..80).for_each(|number| peer.send(SHOP, "", &envelope("Sell", json!({"number": number}))));
    let shop = Served::start(&vhost.url(), Some(SHOP));
    let moved = peer.next("shop_error");
    assert_eq!(read(&moved), refused);
    wait_until("all others are sold", || shop.sold().len() == 80);
    assert_eq!(sales(&shop), (0..80).collect::<Vec<_>>());
    wait_until("the queue is empty", || peer.waiting(SHOP) == 0);
    let count = |name: &str| shop.events(SHOP, name).len();
    assert_eq!(
        (count(CommandAccepted::NAME), count(CommandCompleted::NAME), count(CommandFailed::NAME)),
        (81, 80, 1)
    );
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_waits_for_a_slow_handler_is_accepted_meanwhile_and_others_go_on() {
    let vhost = Vhost::new("slow");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let release = hold(500);
    let held: Vec<_> = (500..540).map(|number| envelope("Hold", json!({"number": number}))).collect();
    peer.send(SHOP, "", &held[0]);
    wait_until("the first is being handled", || is_held(500));
    held[1..].iter().for_each(|one| peer.send(SHOP, "", one));
    let id = |envelope: &serde_json::Value| envelope["correlationId"].as_str().unwrap().parse().unwrap();
    wait_until("all others are accepted", || shop.events(SHOP, CommandAccepted::NAME).len() == 39);
    let last: CommandId = id(&held[39]);
    shop.wait_for(SHOP, CommandAccepted::NAME, last);
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 1})));
    wait_until("another handler goes on", || shop.sold() == [1]);
    drop(release);
    wait_until("all are sold", || shop.sold().len() == 41);
    assert_eq!(sales(&shop)[1..], (500..540).collect::<Vec<_>>());
    assert_eq!(shop.events(SHOP, CommandAccepted::NAME).len(), 41);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_was_stored_and_not_acknowledged_is_known_when_it_comes_again() {
    let vhost = Vhost::new("unacked");
    let (proxy, peer) = (Proxy::to(vhost.port()), Peer::new(&vhost.url()));
    let shop = Served::start(&vhost.url_by(proxy.port), Some(SHOP));
    for number in 600..605 {
        let release = hold(number);
        peer.send(SHOP, "", &envelope("Hold", json!({"number": number})));
        wait_until("it is being handled", || is_held(number));
        // It is stored, and its acknowledgement goes nowhere.
        assert!(proxy.cut() > 0);
        drop(release);
        wait_until("it is sold", || shop.sold().last() == Some(&number));
        wait_until("it is consumed again", || shop.is_ready());
        wait_until("it came again, and is acknowledged", || peer.waiting(SHOP) == 0);
    }
    peer.send(SHOP, "", &envelope("Hold", json!({"number": 605})));
    wait_until("the last is sold", || shop.sold().last() == Some(&605));
    assert_eq!(sales(&shop), (600..=605).collect::<Vec<_>>());
    assert_eq!(shop.events(SHOP, CommandAccepted::NAME).len(), 6);
}

/// From now on the queue takes nothing, or takes again what it is given.
fn fill(vhost: &Vhost, queue: &str, is_full: bool) {
    let path = format!("/api/policies/{}/full", vhost.encoded());
    let definition = json!({ "max-length": 0, "overflow": "reject-publish" });
    let policy = json!({ "pattern": format!("^{queue}$"), "apply-to": "queues", "definition": definition });
    let (method, body) = if is_full { ("PUT", policy.to_string()) } else { ("DELETE", String::new()) };
    vhost.ask(method, &path, &body);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_cannot_be_moved_is_kept_and_named_and_moved_later() {
    let vhost = Vhost::new("unmovable");
    let peer = Peer::new(&vhost.url());
    peer.declare_queue("shop_error", &QueueOptions::durable());
    fill(&vhost, "shop_error", true);
    wait_until("it takes nothing", || {
        let outcome = peer.publish("", "shop_error", b"", Properties::default());
        outcome == Outcome::Refused || !peer.next("shop_error").body.is_empty()
    });
    let quorum = broker::Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", 2i64);
    peer.declare_queue(SHOP, &QueueOptions::durable().with_arguments(quorum));
    let shop = Served::start(&vhost.url(), Some(SHOP));
    let garbage = Properties { message_id: Some("garbage 1".to_owned()), ..Properties::default() };
    assert_eq!(peer.publish(SHOP, "", b"{", garbage), Outcome::Confirmed);
    let obstacle = || shop.bus.rabbitmq().unwrap().endpoints[0].reason.clone().unwrap_or_default();
    wait_until("it is said which message cannot be moved", || {
        obstacle().contains("cannot be moved to shop_error, the first of them garbage 1")
    });
    // Commands go on, those that fail and those that do not.
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 1})));
    wait_until("it is sold", || shop.sold() == [1]);
    assert!(shop.is_ready());
    // What has failed for good cannot be moved either, and keeps nothing else from being sent.
    let sent = peer.listen("van");
    let failing = envelope("Break", json!({"number": 7}));
    peer.send(SHOP, "", &failing);
    shop.wait_for(SHOP, CommandFailed::NAME, failing["correlationId"].as_str().unwrap().parse().unwrap());
    peer.send(SHOP, "", &envelope("Hold", json!({"number": TO_DELIVER})));
    assert_eq!(read(&peer.next(&sent))["message"]["number"], TO_DELIVER);
    // It is in hand, and not on its way round and round.
    assert_eq!(peer.waiting(SHOP), 0);
    fill(&vhost, "shop_error", false);
    let mut moved = [peer.next("shop_error"), peer.next("shop_error")];
    moved.sort_by_key(|moved| moved.body.len());
    let [garbage, failed] = moved;
    assert_eq!(garbage.body, b"{");
    assert_eq!(garbage.properties.message_id.as_deref(), Some("garbage 1"));
    assert_eq!(garbage.properties.headers.integer("x-delivery-count"), None);
    assert_eq!(read(&failed), failing);
    wait_until("nothing is in its way any more", || obstacle().is_empty());
}
