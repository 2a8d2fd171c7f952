//! Streams from the client.

use serde_json::{Value, json};

use super::client::{Server, TestClient, ended, error, item};
use crate::Options;

async fn upload(client: &TestClient, id: &str, target: &str, arguments: Value, streams: &[&str]) {
    let message = json!({"type": 1, "invocationId": id, "target": target, "arguments": arguments, "streamIds": streams});
    client.send(&message).await;
}

#[tokio::test]
async fn items_reach_the_method_until_the_end() {
    let mut client = Server::plain().client().await;
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    client.send_all(&[item("s", json!(1)), item("s", json!(2)), ended("s")]).await;
    assert_eq!(client.result("1").await, 3);
    // What comes after the end is discarded.
    client.send_all(&[item("s", json!(4)), ended("s")]).await;
    assert_eq!(client.answer("Echo", json!(["after"])).await, "after");
}

#[tokio::test]
async fn uploads_stand_among_the_arguments() {
    let mut client = Server::plain().client().await;
    upload(&client, "1", "Zip", json!(["zip", 10]), &["a", "b"]).await;
    client
        .send_all(&[
            item("a", json!(1)),
            item("b", json!("one")),
            item("a", json!(2)),
            ended("a"),
            item("b", json!("two")),
            ended("b"),
        ])
        .await;
    assert_eq!(client.result("1").await, "zip 10 20 one two");
}

#[tokio::test]
async fn an_upload_may_feed_a_stream() {
    let mut client = Server::plain().client().await;
    client
        .send(
            &json!({"type": 4, "invocationId": "1", "target": "Double", "arguments": [], "streamIds": ["s"]}),
        )
        .await;
    client.send(&item("s", json!(5))).await;
    assert_eq!(client.next().await, item("1", json!(10)));
    client.send_all(&[item("s", json!(6)), ended("s")]).await;
    assert_eq!(client.next().await, item("1", json!(12)));
    assert_eq!(client.next().await, ended("1"));
}

#[tokio::test]
async fn what_the_client_says_of_its_upload_reaches_the_caller() {
    let mut client = Server::plain().client().await;
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    client.send(&json!({"type": 3, "invocationId": "s", "error": "the client's reason"})).await;
    let unexpected = "An unexpected error occurred invoking 'Sum' on the server. HubException:";
    assert_eq!(client.result("1").await, error(&format!("{unexpected} the client's reason")));
    for bad in [json!("x"), json!(null)] {
        upload(&client, "1", "Sum", json!([]), &["s"]).await;
        client.send_all(&[item("s", bad), item("s", json!(2)), ended("s")]).await;
        assert_eq!(client.result("1").await, error(&format!("{unexpected} Failed to bind Stream message.")));
    }
    upload(&client, "1", "Sum", json!([]), &["s", "t"]).await;
    assert_eq!(
        client.result("1").await,
        error(&format!("{unexpected} Client sent 2 stream(s), Hub method expects 1."))
    );
    upload(&client, "1", "Echo", json!(["x"]), &["s"]).await;
    assert_eq!(
        client.result("1").await,
        error(
            "An unexpected error occurred invoking 'Echo' on the server. HubException: Client sent 1 stream(s), Hub method \
             expects 0."
        )
    );
    // A result is an end like any other.
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    client.send(&json!({"type": 3, "invocationId": "s", "result": 5})).await;
    assert_eq!(client.result("1").await, 0);
}

#[tokio::test]
async fn the_id_of_an_open_upload_is_refused_and_the_first_one_is_answered() {
    let mut client = Server::plain().client().await;
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    upload(&client, "2", "Sum", json!([]), &["s"]).await;
    assert_eq!(client.result("2").await, error("Invocation ID 's' is already in use."));
    upload(&client, "3", "Zip", json!(["zip", 10]), &["t", "t"]).await;
    assert_eq!(client.result("3").await, error("Invocation ID 't' is already in use."));
    client.send_all(&[item("s", json!(7)), ended("s")]).await;
    assert_eq!(client.result("1").await, 7);
}

#[tokio::test]
async fn a_method_may_return_before_the_end_of_its_upload() {
    let mut client = Server::plain().client().await;
    upload(&client, "1", "TakeOne", json!([]), &["s"]).await;
    client.send(&item("s", json!(1))).await;
    assert_eq!(client.result("1").await, 1);
    // More than any buffer holds.
    for _ in 0..10_000 {
        client.send(&item("s", json!(2))).await;
    }
    client.send(&ended("s")).await;
    assert_eq!(client.answer("Echo", json!(["after"])).await, "after");
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    client.send(&ended("s")).await;
    assert_eq!(client.result("1").await, 0);
}

#[tokio::test]
async fn items_before_the_invocation_are_discarded() {
    let mut client = Server::plain().client().await;
    client.send(&item("s", json!(1))).await;
    upload(&client, "1", "Sum", json!([]), &["s"]).await;
    client.send_all(&[item("s", json!(2)), ended("s")]).await;
    assert_eq!(client.result("1").await, 2);
}

#[tokio::test]
async fn items_beyond_the_buffer_make_the_client_wait_and_none_is_lost() {
    let server = Server::new(Options { max_upload_items: 2, max_message_bytes: 1000, ..Options::default() });
    let mut client = server.client().await;
    upload(&client, "1", "WaitWith", json!([]), &["s"]).await;
    let mut sent = 0;
    while client.try_send(&item("s", json!(1))).await {
        sent += 1;
    }
    assert!(sent > 100, "what is on its way is bounded by the transport: {sent}");
    server.hub.open_gate(1);
    client.send(&ended("s")).await;
    assert_eq!(client.result("1").await, sent);
}

#[tokio::test]
async fn cancel_and_answers_pass_items_that_wait_for_their_reader() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.stream("2", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("2", json!(0)));
    upload(&client, "1", "WaitWith", json!([]), &["s"]).await;
    for _ in 0..30 {
        client.send(&item("s", json!(1))).await;
    }
    client.send(&json!({"type": 5, "invocationId": "2"})).await;
    assert_eq!(client.next().await, ended("2"));
    assert_eq!(client.answer("Echo", json!(["a call, too"])).await, "a call, too");
    server.hub.open_gate(1);
    client.send(&ended("s")).await;
    assert_eq!(client.result("1").await, 30);
}

#[tokio::test]
async fn an_upload_may_outlive_the_call_and_learns_that_the_client_has_gone() {
    let server = Server::plain();
    let mut client = server.client().await;
    upload(&client, "1", "Keep", json!([]), &["s"]).await;
    assert_eq!(client.result("1").await, json!(null));
    client.send(&item("s", json!(1))).await;
    server.hub.until(|hub| hub.seen().contains(&"Ok(1)".to_owned())).await;
    client.client.go();
    server.hub.until(|hub| hub.seen().contains(&"no more".to_owned())).await;
    assert!(server.hub.seen().contains(&"Err(Disconnected)".to_owned()));
    client.served().await;
}

#[tokio::test]
async fn uploads_that_outlive_their_calls_are_bounded() {
    let server = Server::new(Options { max_pending_invocations: 2, ..Options::default() });
    let mut client = server.client().await;
    for id in ["1", "2"] {
        upload(&client, id, "Keep", json!([]), &[id]).await;
        assert_eq!(client.result(id).await, json!(null));
    }
    upload(&client, "3", "Keep", json!([]), &["3"]).await;
    assert_eq!(
        client.result("3").await,
        error(
            "Failed to invoke 'Keep' due to an error on the server. HubException: 2 invocations are already open."
        )
    );
    client.send(&ended("1")).await;
    upload(&client, "3", "Keep", json!([]), &["3"]).await;
    assert_eq!(client.result("3").await, json!(null));
}
