//! Two processes that serve one context, whose store is in PostgreSQL.

use std::collections::HashSet;
use std::sync::Arc;

use bus::{Bus, EventSource, PostgresStore, Store};
use database::testing::Database;
use serde_json::json;
use uuid::Uuid;

use crate::broker_of_test::Vhost;
use crate::peer::{Peer, envelope, read};
use crate::shop::{SHOP, TABLES, options};
use crate::wait_until;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn commands_are_handled_once_and_events_published_in_order_whichever_process_ends() {
    const EACH: i64 = 60;
    let (vhost, database) = (Vhost::new("sharing"), Database::create());
    let peer = Peer::new(&vhost.url());
    let published = peer.listen("Orchard.Contracts:Sold");
    let start = || {
        let store = Arc::new(PostgresStore::open(&database.url(), SHOP, TABLES).unwrap());
        Bus::builder().rabbitmq(vhost.url(), options()).shared_context(SHOP, store).start().unwrap()
    };
    // Another process had the relay, and has died.
    let store = PostgresStore::open(&database.url(), SHOP, TABLES).unwrap();
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    store.lease("relay", Uuid::new_v4(), 2_000, now_ms).unwrap().unwrap();
    let (first, second) = (start(), start());
    wait_until("both consume", || {
        [&first, &second].iter().all(|bus| bus.rabbitmq().unwrap().endpoints[0].is_consuming)
    });
    let sell = |numbers: std::ops::Range<i64>| {
        numbers.for_each(|number| peer.send(SHOP, "", &envelope("Sell", json!({"number": number}))));
    };
    sell(0..EACH);
    drop(first);
    sell(EACH..2 * EACH);
    let sold = || {
        let events = second.events_after(SHOP, 0, 10_000).unwrap();
        events.iter().filter(|event| event.name == "Sold").count()
    };
    wait_until("all are sold", || sold() >= 2 * EACH as usize);
    assert_eq!(sold(), 2 * EACH as usize);
    // What the first published when it ended may come again, with the same id.
    let (mut last, mut ids, mut numbers) = (0, HashSet::new(), HashSet::new());
    while ids.len() < 2 * EACH as usize {
        let delivery = peer.next(&published);
        let position = delivery.properties.headers.integer("MT-Orchard-Position").unwrap();
        let event = read(&delivery);
        if ids.insert(event["messageId"].as_str().unwrap().to_owned()) {
            assert!(position > last, "{position} after {last}");
            last = position;
            numbers.insert(event["message"]["number"].as_i64().unwrap());
        }
    }
    assert_eq!(numbers, (0..2 * EACH).collect::<HashSet<_>>());
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn several_transactions_at_once_leave_no_holes_and_are_published_in_order() {
    const COUNT: i64 = 200;
    let (vhost, database) = (Vhost::new("beside"), Database::create());
    let peer = Peer::new(&vhost.url());
    let published = peer.listen("Orchard.Contracts:Sold");
    let start = || {
        let store = Arc::new(PostgresStore::open(&database.url(), SHOP, TABLES).unwrap());
        let bus = Bus::builder()
            .rabbitmq(vhost.url(), options())
            .shared_context(SHOP, store.clone())
            .start()
            .unwrap();
        (bus, store)
    };
    let (first, (second, store)) = (start(), start());
    wait_until("both consume", || {
        [&first.0, &second].iter().all(|bus| bus.rabbitmq().unwrap().endpoints[0].is_consuming)
    });
    (0..COUNT / 2).for_each(|number| peer.send(SHOP, "", &envelope("Race", json!({"number": number}))));
    drop(first);
    (COUNT / 2..COUNT).for_each(|number| peer.send(SHOP, "", &envelope("Race", json!({"number": number}))));
    let ends = || {
        let log = second.events_after(SHOP, 0, 10_000).unwrap();
        log.iter().filter(|event| event.name == "CommandCompleted").count()
    };
    wait_until("all are done", || ends() >= COUNT as usize);
    let log = second.events_after(SHOP, 0, 10_000).unwrap();
    assert_eq!(
        log.iter().map(|event| event.position).collect::<Vec<_>>(),
        (1..=log.len() as u64).collect::<Vec<_>>()
    );
    let retries = (0..COUNT).filter(|number| number % 7 == 3).count();
    assert_eq!(log.len(), 3 * COUNT as usize + retries);
    let rows = store.query("SELECT number FROM sale ORDER BY number", &[]).unwrap();
    assert_eq!(
        rows.iter().map(|row| row.get::<i64>(0).unwrap()).collect::<Vec<_>>(),
        (0..COUNT).collect::<Vec<_>>()
    );
    let (mut last, mut ids) = (0, HashSet::new());
    while ids.len() < COUNT as usize {
        let delivery = peer.next(&published);
        let position = delivery.properties.headers.integer("MT-Orchard-Position").unwrap();
        if ids.insert(read(&delivery)["messageId"].as_str().unwrap().to_owned()) {
            assert!(position > last, "{position} after {last}");
            last = position;
        }
    }
}
