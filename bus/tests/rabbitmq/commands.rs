//! Commands of others, and commands for others.

use broker::{Outcome, Properties, QueueOptions};
use bus::rabbitmq::{ControlBudget, RabbitOptions};
use bus::{SendError, SendOptions};
use serde_json::json;
use tick_sdk::contracts::CommandId;
use tick_sdk::contracts::bus::CommandFailed;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope, read};
use crate::shop::{SHOP, Sell, Served, Vanish, options};
use crate::wait_until;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_command_comes_once_by_the_exchange_by_the_queue_and_published() {
    let vhost = Vhost::new("once");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let [by_exchange, by_queue, published] =
        [1, 2, 3].map(|number| envelope("Sell", json!({"number": number})));
    for _ in 0..3 {
        peer.send(SHOP, "", &by_exchange);
        peer.send("", SHOP, &by_queue);
        peer.send("Orchard.Contracts:Sell", "", &published);
    }
    // A redelivery of another service has a message id of its own.
    let mut again = by_exchange.clone();
    again["messageId"] = json!(uuid::Uuid::now_v7());
    peer.send(SHOP, "", &again);
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 4})));
    wait_until("four are sold", || shop.sold().len() >= 4);
    let mut sold = shop.sold();
    sold.sort_unstable();
    assert_eq!(sold, [1, 2, 3, 4]);
    wait_until("the queue is empty", || peer.waiting(SHOP) == 0);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn what_nobody_handles_is_skipped_and_what_cannot_be_read_is_moved_with_a_fault() {
    let vhost = Vhost::new("unread");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let unknown = envelope("Unknown", json!({"a": 1}));
    peer.send(SHOP, "", &unknown);
    let skipped = peer.next("shop_skipped");
    assert_eq!(read(&skipped), unknown);
    assert_eq!(skipped.properties.headers.text("MT-Reason").as_deref(), Some("dead-letter"));

    let faults = peer.listen("MassTransit:ReceiveFault");
    let deep = "[".repeat(1 << 20);
    let large = vec![b' '; (4 << 20) + 1];
    let bodies: [&[u8]; 6] = [b"", b"\xff\xfe", b"{", deep.as_bytes(), &large, br#"{"messageType": 5}"#];
    for (number, body) in bodies.into_iter().enumerate() {
        let message_id = Some(format!("garbage {number}"));
        let properties =
            Properties { message_id, expiration: Some("600000".to_owned()), ..Properties::default() };
        assert_eq!(peer.publish(SHOP, "", body, properties), Outcome::Confirmed);
        let moved = peer.next("shop_error");
        assert_eq!((moved.body.as_slice(), &moved.properties.expiration), (body, &None), "{number}");
        assert_eq!(moved.properties.message_id, Some(format!("garbage {number}")));
        assert_eq!(moved.properties.headers.text("MT-Reason").as_deref(), Some("fault"));
        let fault = read(&peer.next(&faults));
        assert_eq!(fault["messageType"][0], "urn:message:MassTransit:ReceiveFault");
    }
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 1})));
    wait_until("it goes on", || shop.sold() == [1]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_command_that_fails_is_moved_as_it_was_with_a_fault() {
    let vhost = Vhost::new("fails");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let faults = peer.listen("MassTransit:Fault--Orchard.Contracts:Break--");
    let of_commands = peer.listen("MassTransit:Fault--Orchard.Contracts:ICommand--");
    let failing = envelope("Break", json!({"number": 7, "note": "Zoë"}));
    peer.send(SHOP, "", &failing);
    let moved = peer.next("shop_error");
    assert_eq!(read(&moved), failing);
    let header = |name: &str| moved.properties.headers.text(name).unwrap_or_default();
    assert_eq!(header("MT-Fault-Message"), "number 7 is out of stock");
    assert_eq!(moved.properties.headers.integer("MT-Fault-RetryCount"), Some(1));
    for queue in [&faults, &of_commands] {
        let fault = read(&peer.next(queue));
        assert_eq!(fault["message"]["exceptions"][0]["message"], "number 7 is out of stock");
        assert_eq!(fault["message"]["message"]["number"], 7);
        assert_eq!(fault["correlationId"], failing["correlationId"]);
    }
    let id: CommandId = failing["correlationId"].as_str().unwrap().parse().unwrap();
    shop.wait_for(SHOP, CommandFailed::NAME, id);
    // Sent again it is known; put back from its error queue it is tried again.
    peer.send(SHOP, "", &failing);
    let failures = || shop.events(SHOP, CommandFailed::NAME).len();
    assert_eq!(peer.publish(SHOP, "", &moved.body, moved.properties), Outcome::Confirmed);
    wait_until("it failed again", || failures() == 2);
    assert_eq!(shop.events(SHOP, "CommandRequeued").len(), 1);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn an_id_that_is_used_for_another_command_is_refused() {
    let vhost = Vhost::new("conflict");
    let (shop, peer) = (Served::start(&vhost.url(), Some(SHOP)), Peer::new(&vhost.url()));
    let first = envelope("Sell", json!({"number": 1}));
    let mut other = envelope("Sell", json!({"number": 2}));
    other["correlationId"] = first["correlationId"].clone();
    peer.send(SHOP, "", &first);
    wait_until("the first is sold", || shop.sold() == [1]);
    peer.send(SHOP, "", &other);
    let moved = peer.next("shop_error");
    assert_eq!(read(&moved), other);
    let said = moved.properties.headers.text("MT-Fault-Message").unwrap();
    assert!(said.contains("has this id already"), "{said}");
    assert_eq!(shop.sold(), [1]);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_command_that_no_queue_takes_is_not_accepted() {
    let vhost = Vhost::new("nobody");
    let (gateway, peer) = (Served::start(&vhost.url(), None), Peer::new(&vhost.url()));
    let send = || run(gateway.bus.send(&Vanish { number: 1 }, SendOptions::default()));
    let refused = |error: SendError| match error {
        SendError::NoSuchEndpoint { endpoint, .. } => assert_eq!(endpoint, "nowhere"),
        other => panic!("{other}"),
    };
    refused(send().unwrap_err());
    let queue = peer.listen("nowhere");
    peer.delete_queue(&queue);
    refused(send().unwrap_err());
    let queue = peer.listen("nowhere");
    let accepted = send().unwrap();
    let sent = read(&peer.next(&queue));
    assert_eq!(sent["correlationId"], accepted.command_id.to_string());
    assert_eq!(sent["message"]["commandId"], accepted.command_id.to_string());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_budget_that_is_spent_is_said_and_comes_back() {
    let vhost = Vhost::new("budget");
    let _shop = Served::start(&vhost.url(), Some(SHOP));
    let budget = ControlBudget { messages_per_s: 2, processes: 1 };
    let gateway = Served::start_with(&vhost.url(), None, RabbitOptions { budget, ..options() });
    let sell = Sell { number: 1 };
    let send = || gateway.bus.send(&sell, SendOptions::default());
    // Both at once: while the first was confirmed there would be room again.
    match run(async { tokio::join!(send(), send()) }) {
        (Ok(_), Err(SendError::Unavailable { reason, retry_after_s }))
        | (Err(SendError::Unavailable { reason, retry_after_s }), Ok(_)) => {
            assert!(reason.contains("share") && retry_after_s == 1, "{reason} {retry_after_s}");
        }
        other => panic!("{other:?}"),
    }
    wait_until("there is room again", || run(send()).is_ok());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_queue_of_another_kind_is_used_as_it_is() {
    let vhost = Vhost::new("kind");
    let peer = Peer::new(&vhost.url());
    let arguments = broker::Table::default().with("x-queue-type", "quorum");
    peer.declare_queue(SHOP, &QueueOptions::durable().with_arguments(arguments));
    let shop = Served::start(&vhost.url(), Some(SHOP));
    peer.send(SHOP, "", &envelope("Sell", json!({"number": 1})));
    wait_until("it is sold", || shop.sold() == [1]);
}
