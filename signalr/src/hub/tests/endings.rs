//! How connections begin and end, and what the client is told.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::client::{Server, TestClient, Visitor, error, invocation, item, user};
use super::hub::SAID;
use crate::outbox::Format;
use crate::transports::Transport;
use crate::{HubServer, Options, User};

const ERROR: &str = "Connection closed with an error.";

async fn end_of(client: &mut TestClient) -> Value {
    let all = client.all().await;
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

fn visitor(uri: &'static str) -> Visitor {
    Visitor { uri, ..Visitor::default() }
}

#[tokio::test]
async fn a_refused_handshake_says_why_and_ends() {
    let server = Server::plain();
    let cases = [
        (r#"{"protocol":"xml","version":1}"#, "The protocol 'xml' is not supported."),
        (
            r#"{"protocol":"json","version":9}"#,
            "The server does not support version 9 of the 'json' protocol.",
        ),
        ("hello", "An unexpected error occurred during connection handshake."),
    ];
    for (handshake, text) in cases {
        let mut client = server.connect(Visitor::default());
        client.client.send(format!("{handshake}\u{1e}").as_bytes()).await;
        assert_eq!(end_of(&mut client).await, error(text));
        client.served().await;
    }
    let mut client = server.connect(Visitor { transport: Transport::ServerSentEvents, ..Visitor::default() });
    client.client.send(b"{\"protocol\":\"messagepack\",\"version\":1}\x1e").await;
    let refused = end_of(&mut client).await;
    assert!(
        refused["error"].as_str().unwrap().starts_with("Cannot use the 'messagepack' protocol"),
        "{refused}"
    );
    assert_eq!(server.hub.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_canceled() {
    let server = Server::new(Options { handshake_timeout: Duration::from_millis(20), ..Options::default() });
    let mut client = server.connect(Visitor::default());
    client.client.send(b"{\"protocol\":").await;
    assert_eq!(end_of(&mut client).await, error("Handshake was canceled."));
    client.served().await;
    let mut gone = server.connect(Visitor::default());
    gone.client.go();
    assert_eq!(gone.all().await, [] as [Value; 0]);
    gone.served().await;
}

#[tokio::test]
async fn messagepack_is_answered_in_binary() {
    let server = Server::plain();
    let mut client = server.connect(Visitor::default());
    client.client.send(b"{\"protocol\":\"messagepack\",\"version\":1}\x1e").await;
    assert_eq!(client.client.receive().await.unwrap(), (Format::Binary, b"{}\x1e".to_vec()));
    // [1, {}, "1", "Add", [2, 3], []]
    client.client.send(b"\x0d\x96\x01\x80\xa11\xa3Add\x92\x02\x03\x90").await;
    let (format, answer) = client.client.receive().await.unwrap();
    // [3, {}, "1", 3, 5]
    assert_eq!((format, answer.as_slice()), (Format::Binary, &b"\x07\x95\x03\x80\xa11\x03\x05"[..]));
    client.client.send(b"\x03\x92\x07\xc0").await;
    assert_eq!(client.client.receive().await.unwrap().1, b"\x04\x93\x07\xc0\xc2");
    assert_eq!(client.client.receive().await, None);
    client.served().await;
}

#[tokio::test]
async fn what_on_connected_says_follows_the_answer() {
    let server = Server::plain();
    let mut client = server.client_of(visitor("/hub?mode=greet")).await;
    assert_eq!(client.next().await, json!({"type": 1, "target": "Said", "arguments": ["hello"]}));
    let cases = [
        ("/hub?mode=throw", json!({"type": 7, "error": ERROR})),
        ("/hub?mode=panic", json!({"type": 7, "error": ERROR})),
        (
            "/hub?mode=tell",
            json!({"type": 7, "error": format!("{ERROR} HubException: refused deliberately")}),
        ),
    ];
    for (uri, close) in cases {
        let mut client = server.client_of(visitor(uri)).await;
        assert_eq!(end_of(&mut client).await, close);
        client.served().await;
    }
    assert!(server.hub.seen().iter().all(|seen| seen == "connected"), "who is refused does not disconnect");
    let mut client = server.client_of(visitor("/hub?mode=abort")).await;
    assert_eq!(end_of(&mut client).await, json!({"type": 7}));
    server.hub.until(|hub| hub.seen().contains(&"disconnected Some(\"aborted\")".to_owned())).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_ends_the_connection_and_lets_the_client_come_back() {
    let server = Server::plain();
    for message in ["hello", "{\"type\":1}", "[]"] {
        let mut client = server.client().await;
        client.call("1", "Echo", json!(["answered"])).await;
        client.client.send(format!("{message}\u{1e}").as_bytes()).await;
        assert_eq!(client.result("1").await, "answered");
        assert_eq!(end_of(&mut client).await, json!({"type": 7, "error": ERROR, "allowReconnect": true}));
        client.served().await;
    }
    let mut client = server.client().await;
    client.client.send("x".repeat(40_000).as_bytes()).await;
    assert_eq!(end_of(&mut client).await, json!({"type": 7, "error": ERROR, "allowReconnect": true}));
}

#[tokio::test]
async fn an_aborting_method_is_not_answered() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.send_all(&[invocation("1", "Abort", json!([])), invocation("2", "Echo", json!(["x"]))]).await;
    assert_eq!(end_of(&mut client).await, json!({"type": 7}));
    client.served().await;
}

#[tokio::test]
async fn a_client_that_closes_is_answered_and_forgotten() {
    let server = Server::plain();
    let mut client = server.client().await;
    assert_eq!(server.server.connections().len(), 1);
    client.send(&json!({"type": 7, "error": "my reason"})).await;
    assert_eq!(end_of(&mut client).await, json!({"type": 7}));
    client.served().await;
    assert_eq!(server.server.connections().len(), 0);
    server.hub.until(|hub| hub.seen().len() == 2).await;
    assert_eq!(server.hub.seen(), ["connected", "disconnected Some(\"my reason\")"]);
    server.server.clients().all().send(&SAID, ("nobody".to_owned(),)).await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_in_the_middle_of_everything_leaves_nothing() {
    let server = Server::plain();
    for cut in [false, true] {
        let mut client = server.client().await;
        client.stream("1", "Endless", json!([])).await;
        assert_eq!(client.next().await, item("1", json!(0)));
        client
            .send(&json!({"type": 1, "invocationId": "2", "target": "Sum", "arguments": [], "streamIds": ["u"]}))
            .await;
        client.send(&item("u", json!(1))).await;
        client.call("3", "Ask", json!(["never"])).await;
        assert_eq!(client.next().await["target"], "Ask");
        client.call("4", "Wait", json!(["never"])).await;
        client.call("5", "Wait", json!(["not even begun"])).await;
        client.stream("6", "Flood", json!(["x".repeat(1000)])).await;
        server.hub.until(|hub| hub.alive() == 5).await;
        if cut {
            client.cut();
        } else {
            client.client.go();
            client.served().await;
        }
        server.hub.until(|hub| hub.alive() == 0).await;
        server.hub.until(|hub| hub.seen().last().is_some_and(|seen| seen.starts_with("disconnected"))).await;
        assert_eq!(server.server.connections().len(), 0);
    }
}

/// Time is not real: it goes on while nothing runs.
#[tokio::test(start_paused = true)]
async fn an_expired_token_ends_the_connection_and_lets_the_client_come_back() {
    let server = Server::new(Options { close_on_expiry: true, ..Options::default() });
    let expiring = |expires| User { expires: Some(expires), ..user("u", &[]) };
    let soon = SystemTime::now() + Duration::from_secs(5);
    let visitor = Visitor { user: Some(expiring(soon)), ..Visitor::default() };
    let mut client = server.client_of(visitor).await;
    assert_eq!(end_of(&mut client).await, json!({"type": 7, "allowReconnect": true}));
    let never = SystemTime::now() + Duration::from_secs(u64::from(u32::MAX));
    let visitor = Visitor { user: Some(expiring(never)), ..Visitor::default() };
    let mut client = server.client_of(visitor).await;
    assert_eq!(client.answer("Echo", json!(["x"])).await, "x");
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_at_once_where_nothing_runs() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.stream("1", "Endless", json!([])).await;
    assert_eq!(client.next().await, item("1", json!(0)));
    client.client.stop_server();
    assert_eq!(end_of(&mut client).await, json!({"type": 7, "allowReconnect": true}));
    client.served().await;
    assert_eq!(server.hub.alive(), 0);
}

#[tokio::test]
async fn a_stopping_server_lets_calls_end_and_takes_no_new_ones() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.send_all(&["a", "b"].map(|name| invocation(name, "Wait", json!([name])))).await;
    server.hub.until(|hub| hub.alive() == 1).await;
    let stopping = {
        let server: HubServer<_> = server.server.clone();
        tokio::spawn(async move { server.shutdown(Duration::from_secs(60)).await })
    };
    tokio::task::yield_now().await;
    client.client.stop_server();
    client.call("late", "Echo", json!(["x"])).await;
    assert_eq!(
        client.result("late").await,
        error("Failed to invoke 'Echo' due to an error on the server. HubException: The server is stopping.")
    );
    server.hub.open_gate(2);
    assert_eq!(client.result("a").await, "a");
    assert_eq!(client.result("b").await, "b");
    assert_eq!(end_of(&mut client).await, json!({"type": 7, "allowReconnect": true}));
    client.served().await;
    let shutdown = stopping.await.unwrap();
    assert_eq!((shutdown.connections, shutdown.leaving), (1, 0));
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_longer_than_half_of_its_time() {
    let server = Server::plain();
    let mut client = server.client().await;
    client.call("a", "Wait", json!(["a"])).await;
    server.hub.until(|hub| hub.alive() == 1).await;
    let stopping = {
        let server: HubServer<_> = server.server.clone();
        tokio::spawn(async move { server.shutdown(Duration::from_millis(40)).await })
    };
    tokio::task::yield_now().await;
    client.client.stop_server();
    assert_eq!(end_of(&mut client).await, json!({"type": 7, "allowReconnect": true}));
    client.served().await;
    assert_eq!(server.hub.alive(), 0);
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_the_connection_and_may_come_back() {
    let server = Server::new(Options { max_waiting_bytes: 10_000, ..Options::default() });
    let mut client = server.client().await;
    for _ in 0..100 {
        server.server.clients().all().send(&SAID, ("x".repeat(1000),)).await.unwrap();
    }
    let all = client.all().await;
    assert_eq!(all.last(), Some(&json!({"type": 7, "allowReconnect": true})));
}
