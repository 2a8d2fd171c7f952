//! Killed in the middle of requeueing: nothing is lost, and what is there twice has the same message id.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;

use broker::Table;
use serde_json::Value;

use crate::queue::{Endpoint, amqp, command_at, id, json, wait_for};

const MESSAGES: usize = 3_000;
/// The program may send the broker so many bytes: enough to requeue the 200 messages that it takes at once, and less
/// than a third of all, as each takes more than 300 bytes.
const LINK_BYTES: u64 = 200_000;

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_killed_requeue_of_a_classic_queue_loses_nothing() {
    killed_again_and_again(Table::default(), "classic");
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn a_killed_requeue_of_a_quorum_queue_loses_nothing() {
    killed_again_and_again(
        Table::default().with("x-queue-type", "quorum").with("x-delivery-limit", 5),
        "quorum",
    );
}

fn killed_again_and_again(arguments: Table, kind: &str) {
    let endpoint = Endpoint::new(arguments);
    endpoint.fail(MESSAGES, 0);
    let requeue = ["errors", "requeue", "--all", "--endpoint", &endpoint.name];
    let mut kills = 0;
    for _ in 0..3 {
        let before = endpoint.count(&endpoint.name);
        // It cannot come to its end, so that it is in the middle whenever this test looks.
        let mut requeuing = command_at(&link(LINK_BYTES), &requeue);
        let child = requeuing.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("the program starts");
        wait_for("some are requeued", || {
            endpoint.count(&endpoint.name) > before || child.try_wait().unwrap().is_some()
        });
        kills += usize::from(child.try_wait().unwrap().is_none());
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        // The broker has noticed when everything is back that was taken.
        wait_for("nothing is lost", || {
            endpoint.count(&endpoint.name) + endpoint.count(&endpoint.error()) >= MESSAGES
        });
    }
    assert!(kills > 0, "it was never killed in the middle");
    wait_for("the rest is requeued", || {
        json(&requeue);
        endpoint.count(&endpoint.error()) == 0
    });
    let taken = endpoint.take(&endpoint.name);
    let ids: BTreeSet<String> = taken.iter().map(|delivery| message_id(&delivery.body)).collect();
    let twice = taken.len() - MESSAGES;
    println!("{kind}: {kills} kills, {MESSAGES} messages, lost 0, {twice} twice with the same message id");
    assert!(ids.into_iter().eq((0..MESSAGES).map(id)));
}

/// The URL of a link to the broker for one connection, which brings it so many bytes. What is sent after them is lost,
/// so that whoever sends waits.
fn link(bytes: u64) -> String {
    let url = amqp();
    let (login, place) = url.rsplit_once('@').expect("a URL with a login");
    let (address, vhost) = place.split_once('/').expect("a URL with a vhost");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let address = address.to_owned();
    std::thread::spawn(move || carry(&listener, &address, bytes));
    format!("{login}@127.0.0.1:{port}/{vhost}")
}

fn carry(listener: &TcpListener, address: &str, bytes: u64) -> io::Result<()> {
    let (client, _) = listener.accept()?;
    let broker = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut answers, mut back) = (broker.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut answers, &mut back));
    let carried = io::copy(&mut (&client).take(bytes), &mut &broker);
    // Whoever sends is killed at last, which ends this, with an error or without.
    let lost = io::copy(&mut &client, &mut io::sink());
    broker.shutdown(Shutdown::Both)?;
    carried.and(lost).map(drop)
}

fn message_id(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["messageId"].as_str().unwrap().to_owned()
}
