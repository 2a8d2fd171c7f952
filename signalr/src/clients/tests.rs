use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;

use super::*;
use crate::backplane::InProcess;
use crate::outbox::{Attachment, Taken};

static PRICE: Event<(String,)> = Event::new("Price", &["price"]);

const MAX_WAITING: usize = 4096;

/// A connection and what it is sent.
pub(super) struct Connected {
    pub(super) id: ConnectionId,
    outbox: Arc<Outbox>,
    attachment: Attachment,
}

impl Connected {
    pub(super) fn new(clients: &Clients, user: Option<&str>, protocol: Protocol) -> Self {
        let outbox = Outbox::new(&Options { max_waiting_bytes: MAX_WAITING, ..Options::default() });
        let attachment = outbox.attach();
        let connected = Self { id: new_id(), outbox, attachment };
        clients.add(&connected.id, &connected.outbox, Codec { protocol, keys: Keys::default() }, user);
        connected
    }

    /// How often what it was sent since it was asked the last time has this text.
    pub(super) fn received(&self, text: &str) -> usize {
        let mut bytes = Vec::new();
        while self
            .outbox
            .take(self.attachment, MAX_WAITING, &mut bytes)
            .now_or_never()
            .is_some_and(is_message)
        {}
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }
}

fn new_id() -> ConnectionId {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    ConnectionId::of(&format!("connection {}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

fn is_message(taken: Taken) -> bool {
    matches!(taken, Taken::Messages(_))
}

fn clients() -> Clients {
    Clients::new(&Options::default())
}

fn json(clients: &Clients, user: Option<&str>) -> Connected {
    Connected::new(clients, user, Protocol::Json)
}

async fn send(target: Target<'_>) {
    target.send(&PRICE, ("67".to_owned(),)).await.unwrap();
}

fn counts(connected: &[&Connected]) -> Vec<usize> {
    connected.iter().map(|connected| connected.received("67")).collect()
}

#[tokio::test]
async fn each_target_reaches_its_clients_once() {
    let clients = clients();
    let (a, b, c) = (json(&clients, Some("ann")), json(&clients, Some("ann")), json(&clients, None));
    let all = [&a, &b, &c];
    clients.join(&a.id, "one").await.unwrap();
    clients.join(&b.id, "one").await.unwrap();
    clients.join(&b.id, "two").await.unwrap();
    let ids = [a.id.clone(), c.id.clone()];
    let targets = [
        (clients.all(), [1, 1, 1]),
        (clients.all_except(&ids), [0, 1, 0]),
        (clients.connection(&c.id), [0, 0, 1]),
        (clients.connections(&ids), [1, 0, 1]),
        (clients.user("ann"), [1, 1, 0]),
        (clients.users(&["ann", "bob"]), [1, 1, 0]),
        (clients.group("two"), [0, 1, 0]),
        (clients.groups(&["one", "two"]), [1, 1, 0]),
        (clients.group_except("one", &ids), [0, 1, 0]),
        (clients.group("nobody's"), [0, 0, 0]),
    ];
    for (target, expected) in targets {
        let to = target.to.clone();
        send(target).await;
        assert_eq!(counts(&all), expected, "{to:?}");
    }
}

#[tokio::test]
async fn who_has_left_or_ended_is_not_reached() {
    let clients = clients();
    let (a, b) = (json(&clients, Some("ann")), json(&clients, Some("ann")));
    for connected in [&a, &b] {
        clients.join(&connected.id, "group").await.unwrap();
    }
    clients.leave(&a.id, "group").await.unwrap();
    send(clients.group("group")).await;
    assert_eq!(counts(&[&a, &b]), [0, 1]);
    clients.remove(&b.id);
    clients.join(&b.id, "group").await.unwrap();
    for target in [clients.group("group"), clients.user("ann"), clients.all(), clients.connection(&b.id)] {
        send(target).await;
    }
    assert_eq!(counts(&[&a, &b]), [2, 0]);
}

#[tokio::test]
async fn each_client_is_sent_its_own_protocol() {
    let clients = clients();
    let text = json(&clients, None);
    let binary = Connected::new(&clients, None, Protocol::MessagePack);
    send(clients.all()).await;
    send(clients.all()).await;
    assert_eq!(text.received("{\"type\":1,\"target\":\"Price\",\"arguments\":[\"67\"]}\u{1e}"), 2);
    assert_eq!(binary.received("Price"), 2);
    send(clients.all()).await;
    assert_eq!(binary.received("{"), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_the_others_are_reached() {
    let clients = clients();
    let (slow, quick) = (json(&clients, None), json(&clients, None));
    let mut received = 0;
    for _ in 0..200 {
        send(clients.all()).await;
        received += quick.received("67");
    }
    assert_eq!(received, 200);
    assert_eq!(slow.received("67"), 0, "what waited is dropped");
    slow.outbox.closed().now_or_never().expect("it is closed");
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_sent_the_latest_of_each_key() {
    let clients = clients();
    let slow = json(&clients, None);
    for price in 0..10_000 {
        clients.all().send_latest("BTC", &PRICE, (format!("p{price}"),)).await.unwrap();
    }
    assert_eq!(slow.received("\"p"), 1);
    clients.all().send_latest("BTC", &PRICE, ("last".to_owned(),)).await.unwrap();
    assert_eq!(slow.received("last"), 1);
}

#[tokio::test]
async fn a_fan_out_is_counted_for_each_stateful_connection() {
    let clients = clients();
    let (plain, stateful) = (json(&clients, None), json(&clients, None));
    stateful.outbox.number_messages();
    stateful.outbox.release_countable();
    send(clients.connection(&stateful.id)).await;
    send(clients.all()).await;
    assert_eq!(counts(&[&plain, &stateful]), [1, 2]);
    stateful.outbox.acknowledge(1).unwrap();
    let again = Connected {
        id: stateful.id.clone(),
        outbox: stateful.outbox.clone(),
        attachment: stateful.outbox.attach(),
    };
    let mut bytes = Vec::new();
    again.outbox.take(again.attachment, MAX_WAITING, &mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("{\"type\":9,\"sequenceId\":2}\u{1e}{\"type\":1,"), "{text}");
}

#[tokio::test]
async fn a_payload_that_cannot_be_encoded_reaches_nobody() {
    let clients = clients();
    let connected = json(&clients, None);
    static BAD: Event<(BTreeMap<u8, BTreeMap<(u8, u8), u8>>,)> = Event::new("Bad", &["map"]);
    let map = [(1, [((1, 2), 3)].into())].into();
    let error = clients.all().send(&BAD, (map,)).await.unwrap_err();
    assert!(error.to_string().starts_with("argument of Bad: JSON: key must be a string"), "{error}");
    assert_eq!(connected.received("Bad"), 0);
}

#[tokio::test]
async fn clients_of_another_instance_are_reached_as_ones_own() {
    let between = InProcess::default();
    let instance = || Clients::new(&Options { backplane: Some(between.instance()), ..Options::default() });
    let (first, second) = (instance(), instance());
    let (a, b) = (json(&first, Some("ann")), json(&second, Some("ann")));
    first.join(&b.id, "group").await.unwrap();
    first.join(&a.id, "group").await.unwrap();
    for target in [first.all(), first.user("ann"), first.group("group"), second.group("group")] {
        send(target).await;
        assert_eq!(counts(&[&a, &b]), [1, 1]);
    }
    send(first.connection(&b.id)).await;
    send(second.group_except("group", std::slice::from_ref(&b.id))).await;
    assert_eq!(counts(&[&a, &b]), [1, 1]);
    second.leave(&a.id, "group").await.unwrap();
    send(second.group("group")).await;
    assert_eq!(counts(&[&a, &b]), [0, 1]);
}
