//! Stateful connections: numbers, the moment from which the client counts, and other sockets. Time is not real: it
//! goes on while nothing runs.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Server, Visitor, invocation, item};
use crate::Options;

fn visitor() -> Visitor {
    Visitor { uri: "/hub?mode=greet", is_stateful: true, ..Visitor::default() }
}

fn greeting() -> Value {
    json!({"type": 1, "target": "Said", "arguments": ["hello"]})
}

#[tokio::test(start_paused = true)]
async fn nothing_countable_is_sent_before_the_client_counts() {
    let server = Server::new(Options { stateful_reconnect: true, ..Options::default() });
    let mut client = server.client_of(visitor()).await;
    client.expect_silence().await;
    client.send(&json!({"type": 6})).await;
    assert_eq!(client.next().await, greeting());
    // A client that sends nothing gets it a little later.
    let mut client = server.client_of(Visitor { id: "two", ..visitor() }).await;
    client.expect_silence().await;
    assert_eq!(client.next().await, greeting());
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_sent_again_on_another_socket() {
    let server = Server::new(Options { stateful_reconnect: true, ..Options::default() });
    let mut client = server.client_of(visitor()).await;
    client.send(&json!({"type": 6})).await;
    assert_eq!(client.next().await, greeting());
    client.stream("1", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("1", json!(0)));
    client.send(&json!({"type": 8, "sequenceId": 1})).await;
    // Half a message is on its way when the socket breaks.
    client.client.send(b"{\"type\":1,\"invoc").await;
    client.expect_silence().await;
    client.client.reattach();
    assert_eq!(client.next().await, json!({"type": 9, "sequenceId": 2}));
    assert_eq!(client.next().await, item("1", json!(0)));
    // The client's stream invocation was its first countable message; it sends it again, and it is not acted on twice.
    client
        .send_all(&[
            json!({"type": 9, "sequenceId": 1}),
            json!({"type": 4, "invocationId": "1", "target": "Endless", "arguments": []}),
            invocation("2", "Echo", json!(["second"])),
        ])
        .await;
    assert_eq!(client.result("2").await, "second");
    assert_eq!(client.next().await, json!({"type": 8, "sequenceId": 2}));
    assert_eq!(server.hub.alive(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_of_version_1_is_not_numbered_though_it_was_granted() {
    let server = Server::new(Options { stateful_reconnect: true, ..Options::default() });
    let mut client = server.connect(visitor());
    client.send(&json!({"protocol": "json", "version": 1})).await;
    assert_eq!(client.next().await, json!({}));
    assert_eq!(client.next().await, greeting());
    client.call("1", "Echo", json!(["x"])).await;
    assert_eq!(client.result("1").await, "x");
    let ack = tokio::time::timeout(Duration::from_millis(1200), client.next()).await;
    assert!(ack.is_err(), "{ack:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sequence_that_leaves_a_gap_ends_the_connection() {
    let server = Server::new(Options { stateful_reconnect: true, ..Options::default() });
    let mut client = server.client_of(Visitor { uri: "/hub", ..visitor() }).await;
    client.send(&json!({"type": 9, "sequenceId": 7})).await;
    let close = json!({"type": 7, "error": "Connection closed with an error.", "allowReconnect": true});
    assert_eq!(client.all().await, [close]);
}
