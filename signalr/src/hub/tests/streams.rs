//! Streams from the server.

use serde_json::json;

use super::client::{Server, ended, error, invocation, item};

#[tokio::test]
async fn streams_send_items_and_an_end_without_a_result() {
    let mut client = Server::plain().client().await;
    for target in ["Count", "CountLater"] {
        client.stream("1", target, json!([2])).await;
        assert_eq!(client.next().await, item("1", json!(0)));
        assert_eq!(client.next().await, item("1", json!(1)));
        assert_eq!(client.next().await, ended("1"));
    }
    client.stream("1", "Count", json!([0])).await;
    assert_eq!(client.next().await, ended("1"));
}

#[tokio::test]
async fn streams_that_fail_have_the_texts_of_asp_net() {
    let mut client = Server::plain().client().await;
    let streaming = "An error occurred on the server while streaming results.";
    let cases = [
        ("CountThenFail", streaming.to_owned()),
        ("CountThenTell", format!("{streaming} HubException: in the stream")),
        ("CountThenPanic", streaming.to_owned()),
    ];
    for (target, text) in cases {
        client.stream("1", target, json!([])).await;
        assert_eq!(client.next().await, item("1", json!(0)));
        assert_eq!(client.result("1").await, error(&text));
    }
    let cases = [
        (
            "FailBefore",
            json!([]),
            "An unexpected error occurred invoking 'FailBefore' on the server. HubException: before the stream",
        ),
        ("AdminStream", json!([]), "Failed to invoke 'AdminStream' because user is unauthorized"),
        ("Count", json!([]), "Failed to invoke 'Count' due to an error on the server."),
        (
            "Add",
            json!([1, 2]),
            "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.",
        ),
        (
            "X",
            json!([]),
            "Failed to invoke 'X' due to an error on the server. HubException: Method does not exist.",
        ),
    ];
    for (target, arguments, text) in cases {
        client.stream("1", target, arguments).await;
        assert_eq!(client.result("1").await, error(text));
    }
}

#[tokio::test]
async fn a_cancelled_stream_is_dropped_and_ends_with_one_completion() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.stream("1", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("1", json!(0)));
    assert_eq!(server.hub.alive(), 1);
    let cancel = json!({"type": 5, "invocationId": "1"});
    client.send_all(&[cancel.clone(), cancel.clone(), json!({"type": 5, "invocationId": "unknown"})]).await;
    assert_eq!(client.next().await, ended("1"));
    assert_eq!(server.hub.alive(), 0);
    assert_eq!(client.answer("Echo", json!(["after"])).await, "after");
    // The id is free again.
    client.stream("1", "Count", json!([0])).await;
    assert_eq!(client.next().await, ended("1"));
}

#[tokio::test]
async fn the_id_of_an_open_stream_is_refused_and_the_stream_goes_on() {
    let mut client = Server::plain().client().await;
    client.stream("1", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("1", json!(0)));
    client.stream("1", "Count", json!([1])).await;
    assert_eq!(client.result("1").await, error("Invocation ID '1' is already in use."));
    client.send(&invocation("1", "Echo", json!(["a call may have it"]))).await;
    assert_eq!(client.result("1").await, "a call may have it");
    client.send(&json!({"type": 5, "invocationId": "1"})).await;
    assert_eq!(client.next().await, ended("1"));
}

#[tokio::test]
async fn a_stream_waits_for_a_client_that_does_not_read() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.stream("1", "Flood", json!(["x".repeat(1000)])).await;
    server.hub.until(|hub| hub.alive() == 1).await;
    client.send(&json!({"type": 6})).await;
    for _ in 0..500 {
        assert_eq!(client.next().await["type"], 2);
    }
    client.send(&json!({"type": 5, "invocationId": "1"})).await;
    let mut last = client.next().await;
    while last["type"] == 2 {
        last = client.next().await;
    }
    assert_eq!(last, ended("1"));
    assert_eq!(server.hub.alive(), 0);
}
