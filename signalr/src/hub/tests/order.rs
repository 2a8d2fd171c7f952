//! What waits its turn and what overtakes.

use serde_json::json;

use super::client::{Server, ended, error, invocation, item};
use crate::Options;

#[tokio::test]
async fn one_call_runs_at_a_time_in_the_order_of_arrival() {
    let server = Server::plain();
    let mut client = server.client().await;
    let waits = ["a", "b", "c"].map(|name| invocation(name, "Wait", json!([name])));
    client.send_all(&waits).await;
    client.call("last", "Echo", json!(["last"])).await;
    server.hub.until(|hub| hub.seen().contains(&"begun a".to_owned())).await;
    client.expect_silence().await;
    assert_eq!(server.hub.alive(), 1);
    server.hub.open_gate(3);
    for id in ["a", "b", "c", "last"] {
        assert_eq!(client.result(id).await, id);
    }
    let order = ["connected", "begun a", "ended a", "begun b", "ended b", "begun c", "ended c"];
    assert_eq!(server.hub.seen(), order);
}

#[tokio::test]
async fn more_calls_run_at_once_where_the_setting_says_so() {
    let server = Server::new(Options { max_parallel_invocations: 2, ..Options::default() });
    let mut client = server.client().await;
    client.send_all(&["a", "b", "c"].map(|name| invocation(name, "Wait", json!([name])))).await;
    server.hub.until(|hub| hub.alive() == 2).await;
    client.expect_silence().await;
    assert_eq!(server.hub.alive(), 2);
    server.hub.open_gate(3);
    for id in ["a", "b", "c"] {
        assert_eq!(client.result(id).await, id);
    }
}

#[tokio::test]
async fn streams_uploads_refusals_and_cancel_overtake_calls() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.stream("s", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("s", json!(0)));
    client.send_all(&["a", "b"].map(|name| invocation(name, "Wait", json!([name])))).await;
    client.stream("count", "Count", json!([1])).await;
    assert_eq!(client.next().await, item("count", json!(0)));
    assert_eq!(client.next().await, ended("count"));
    client
        .send(
            &json!({"type": 1, "invocationId": "sum", "target": "Sum", "arguments": [], "streamIds": ["u"]}),
        )
        .await;
    client.send_all(&[item("u", json!(1)), ended("u")]).await;
    assert_eq!(client.result("sum").await, 1);
    client.call("x", "X", json!([])).await;
    assert_eq!(
        client.result("x").await,
        error("Failed to invoke 'X' due to an error on the server. HubException: Method does not exist.")
    );
    client.call("add", "Add", json!([1])).await;
    assert_eq!(client.result("add").await, error("Failed to invoke 'Add' due to an error on the server."));
    // Behind a running and a waiting call.
    client.send(&json!({"type": 5, "invocationId": "s"})).await;
    assert_eq!(client.next().await, ended("s"));
    // Authorization waits its turn.
    client.call("admin", "Admin", json!([])).await;
    client.expect_silence().await;
    server.hub.open_gate(2);
    assert_eq!(client.result("a").await, "a");
    assert_eq!(client.result("b").await, "b");
    assert_eq!(client.result("admin").await, error("Failed to invoke 'Admin' because user is unauthorized"));
}

#[tokio::test]
async fn a_close_waits_for_no_call_and_drops_all() {
    let server = Server::plain();
    let mut client = server.client().await;
    let mut messages = vec![invocation("0", "Echo", json!(["answered"]))];
    messages.extend(["a", "b"].map(|name| invocation(name, "Wait", json!([name]))));
    messages.push(json!({"type": 7}));
    messages.push(invocation("c", "Echo", json!(["too late"])));
    client.send_all(&messages).await;
    assert_eq!(client.result("0").await, "answered");
    assert_eq!(client.all().await, [json!({"type": 7})]);
    client.served().await;
    assert_eq!(server.hub.alive(), 0);
    server.hub.until(|hub| hub.seen().contains(&"disconnected None".to_owned())).await;
}

#[tokio::test]
async fn calls_beyond_the_bound_make_the_client_wait_and_none_is_lost() {
    let server = Server::new(Options { max_pending_invocations: 5, ..Options::default() });
    let mut client = server.client().await;
    let mut sent = 0;
    while client.try_send(&json!({"type": 1, "target": "Wait", "arguments": ["x".repeat(1000)]})).await {
        sent += 1;
    }
    assert!(sent < 1000, "what waits is bounded: {sent}");
    assert_eq!(server.hub.alive(), 1);
    server.hub.open_gate(sent);
    client.call("last", "Echo", json!(["last"])).await;
    assert_eq!(client.result("last").await, "last");
    let ended = server.hub.seen().iter().filter(|seen| seen.starts_with("ended")).count();
    assert_eq!(ended, sent);
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused_as_reading_may_be_what_they_wait_for() {
    let server = Server::new(Options { max_pending_invocations: 3, ..Options::default() });
    let mut client = server.client().await;
    for id in ["1", "2", "3"] {
        client.stream(id, "Endless", json!([])).await;
        assert_eq!(client.next().await, item(id, json!(0)));
    }
    client.stream("4", "Endless", json!([])).await;
    let too_many = |method: &str| {
        error(&format!(
            "Failed to invoke '{method}' due to an error on the server. HubException: 3 invocations are already open."
        ))
    };
    assert_eq!(client.result("4").await, too_many("Endless"));
    client.call("5", "Echo", json!(["x"])).await;
    assert_eq!(client.result("5").await, too_many("Echo"));
    client.send(&json!({"type": 5, "invocationId": "2"})).await;
    assert_eq!(client.next().await, ended("2"));
    assert_eq!(client.answer("Echo", json!(["x"])).await, "x");
}

#[tokio::test]
async fn calls_wait_for_on_connected_and_close_does_not() {
    let server = Server::plain();
    let visitor = || super::client::Visitor { uri: "/hub?mode=wait", ..Default::default() };
    let mut client = server.client_of(visitor()).await;
    client.call("1", "Echo", json!(["first"])).await;
    client.stream("2", "Count", json!([1])).await;
    client.call("3", "X", json!([])).await;
    client.expect_silence().await;
    server.hub.open_gate(1);
    assert_eq!(client.result("1").await, "first");
    assert_eq!(client.next().await, item("2", json!(0)));
    assert_eq!(client.next().await, ended("2"));
    assert_eq!(client.next().await["invocationId"], "3");

    let mut client = server.client_of(super::client::Visitor { id: "two", ..visitor() }).await;
    server.hub.until(|hub| hub.alive() == 1).await;
    client.send(&json!({"type": 7})).await;
    assert_eq!(client.all().await, [json!({"type": 7})]);
    assert_eq!(server.hub.alive(), 0);
}
