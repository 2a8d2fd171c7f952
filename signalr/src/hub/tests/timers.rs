//! Pings, and clients that are silent. Time is not real: it goes on while nothing runs.

use std::time::Duration;

use serde_json::json;

use super::client::{Server, Visitor, invocation};
use crate::Options;
use crate::transports::Transport;

fn quick() -> Options {
    Options {
        keep_alive: Duration::from_millis(20),
        client_timeout: Duration::from_millis(100),
        ..Options::default()
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_pinged() {
    let mut client = Server::new(quick()).client().await;
    for _ in 0..3 {
        assert_eq!(client.next().await, json!({"type": 6}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_pinged_once() {
    let server = Server::new(quick());
    let mut client = server.client().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(client.client.receive().await.unwrap().1, b"{\"type\":6}\x1e");
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_is_not_pinged() {
    let server = Server::new(quick());
    let visitor = Visitor { transport: Transport::LongPolling, ..Visitor::default() };
    let mut client = server.client_of(visitor).await;
    client.send(&json!({"type": 6})).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    client.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pinged_and_is_silent_is_ended_and_may_come_back() {
    let server = Server::new(quick());
    let mut client = server.client().await;
    client.send_all(&[json!({"type": 6}), invocation("1", "Wait", json!(["x"]))]).await;
    let mut last = client.next().await;
    while last == json!({"type": 6}) {
        last = client.next().await;
    }
    let close = json!({"type": 7, "error": "Connection closed with an error.", "allowReconnect": true});
    assert_eq!(last, close);
    client.served().await;
    assert_eq!(server.hub.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_to_wait_is_not_silent() {
    let server = Server::new(Options { max_pending_invocations: 1, ..quick() });
    let mut client = server.client().await;
    let calls = ["a", "b", "c"].map(|name| invocation(name, "Wait", json!([name])));
    client.send_all(&[&[json!({"type": 6})][..], &calls].concat()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.hub.open_gate(3);
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let message = client.next().await;
        assert_ne!(message["type"], 7, "{message}");
        if message["type"] == 3 {
            answers.push(message["result"].clone());
        }
    }
    assert_eq!(answers, ["a", "b", "c"]);
}

/// A connection that spins would stop the time.
#[tokio::test(start_paused = true)]
async fn a_connection_that_waits_does_nothing() {
    let server = Server::plain();
    let polling = Visitor { transport: Transport::LongPolling, ..Visitor::default() };
    let _polling = server.client_of(polling).await;
    let slow = server.client_of(Visitor { id: "slow", ..Visitor::default() }).await;
    slow.stream("1", "Flood", json!(["x".repeat(1000)])).await;
    let _idle = server.client_of(Visitor { id: "idle", ..Visitor::default() }).await;
    let mut full = server.client_of(Visitor { id: "full", ..Visitor::default() }).await;
    while full.try_send(&json!({"type": 1, "target": "Wait", "arguments": ["x".repeat(1000)]})).await {}
    tokio::time::sleep(Duration::from_secs(600)).await;
    server.hub.open_gate(1_000_000);
    full.call("1", "Echo", json!(["alive"])).await;
    let mut last = full.next().await;
    while last == json!({"type": 6}) {
        last = full.next().await;
    }
    assert_eq!(last["result"], "alive");
}

#[tokio::test]
async fn an_idle_connection_is_small() {
    let server = Server::new(quick());
    let client = server.client().await;
    let size = server.size_of_served();
    assert!(size <= 1280, "the future of a connection has {size} bytes");
    drop(client);
}
