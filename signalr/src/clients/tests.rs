use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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

    /// The numbers in `n000` to `n999`.
    fn numbers(&self) -> Vec<usize> {
        let taken = self.taken();
        let number = |at: &[u8]| std::str::from_utf8(at.strip_prefix(b"n")?).ok()?.parse().ok();
        taken.windows(4).filter_map(number).collect()
    }

    fn taken(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut take = || self.outbox.take(self.attachment, MAX_WAITING, &mut bytes).now_or_never();
        while take().is_some_and(|taken| matches!(taken, Taken::Messages(_))) {}
        bytes
    }

    /// How often what it was sent since it was asked the last time has this text.
    pub(super) fn received(&self, text: &str) -> usize {
        let bytes = self.taken();
        bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
    }
}

fn new_id() -> ConnectionId {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    ConnectionId::of(&format!("connection {}", COUNT.fetch_add(1, Ordering::Relaxed)))
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
    static BAD: Event<(BTreeMap<(u8, u8), u8>,)> = Event::new("Bad", &["map"]);
    let map = [((1, 2), 3)].into();
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

fn gathering(window: Duration) -> Clients {
    Clients::new(&Options { gather: window, ..Options::default() })
}

async fn send_text(target: Target<'_>, text: &str) {
    target.send(&PRICE, (text.to_owned(),)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_gathers_is_received_in_the_order_in_which_it_was_sent() {
    let clients = gathering(Duration::from_millis(20));
    let (a, b) = (json(&clients, Some("ann")), Connected::new(&clients, None, Protocol::MessagePack));
    clients.join(&a.id, "group").await.unwrap();
    let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
    for round in 0..200 {
        let text = format!("n{round:03}");
        match round % 7 {
            0 | 1 => send_text(clients.all(), &text).await,
            2 => send_text(clients.group("group"), &text).await,
            3 => send_text(clients.connection(&a.id), &text).await,
            4 => send_text(clients.user("ann"), &text).await,
            5 => send_text(clients.all_except(std::slice::from_ref(&b.id)), &text).await,
            _ => clients.all().send_latest(&text, &PRICE, (text.clone(),)).await.unwrap(),
        }
        if round % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            to_a.extend(a.numbers());
            to_b.extend(b.numbers());
        }
    }
    let expected: Vec<usize> = (0..200).collect();
    assert_eq!(to_a, expected);
    assert_eq!(
        to_b,
        expected.into_iter().filter(|round| [0, 1, 6].contains(&(round % 7))).collect::<Vec<_>>()
    );
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_group_is_not_sent_what_gathered_before_and_who_leaves_is() {
    let clients = gathering(Duration::from_millis(20));
    let (a, b) = (json(&clients, None), json(&clients, None));
    clients.join(&a.id, "group").await.unwrap();
    send_text(clients.group("group"), "67").await;
    clients.join(&b.id, "group").await.unwrap();
    clients.leave(&a.id, "group").await.unwrap();
    send_text(clients.group("group"), "68").await;
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!((a.received("67"), b.received("68")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_gathers_is_counted_one_by_one_for_a_stateful_connection() {
    let clients = gathering(Duration::from_millis(20));
    let stateful = json(&clients, None);
    stateful.outbox.number_messages();
    stateful.outbox.release_countable();
    for _ in 0..5 {
        send(clients.all()).await;
    }
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(stateful.received("67"), 5);
    stateful.outbox.acknowledge(3).unwrap();
    let again = Connected {
        id: stateful.id.clone(),
        outbox: stateful.outbox.clone(),
        attachment: stateful.outbox.attach(),
    };
    assert_eq!(again.received("67"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_what_gathers_is_closed_and_the_others_are_reached() {
    let options =
        Options { gather: Duration::from_millis(20), max_waiting_bytes: MAX_WAITING, ..Options::default() };
    let clients = Clients::new(&options);
    let (slow, quick) = (json(&clients, None), json(&clients, None));
    let mut received = 0;
    for _ in 0..100 {
        for _ in 0..10 {
            send(clients.all()).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        received += quick.received("67");
    }
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(received + quick.received("67"), 1000);
    slow.outbox.closed().now_or_never().expect("it is closed");
    assert_eq!(slow.received("67"), 0, "what waited is dropped");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_comes_after_what_gathered_before() {
    let clients = gathering(Duration::from_millis(20));
    let a = json(&clients, None);
    send_text(clients.all(), "n001").await;
    a.outbox.close(Some(Bytes::from_static(b"n002\x1e")));
    assert_eq!(a.numbers(), [1, 2]);
}
