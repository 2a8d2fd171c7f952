//! A client in memory that speaks JSON.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::hub::{Shared, TestHub};
use crate::transports::Transport;
use crate::transports::in_memory::{Client, Opened};
use crate::{Handler as _, HubServer, Options, User};

/// A hub server, and how clients connect to it.
pub(super) struct Server {
    pub(super) server: HubServer<TestHub>,
    pub(super) hub: Arc<Shared>,
    pub(super) options: Options,
}

impl Server {
    pub(super) fn new(options: Options) -> Self {
        let hub = TestHub::default();
        let shared = hub.0.clone();
        Self { server: HubServer::new(hub, options.clone()), hub: shared, options }
    }

    pub(super) fn plain() -> Self {
        Self::new(Options::default())
    }

    /// A client whose handshake is done.
    pub(super) async fn client(&self) -> TestClient {
        self.client_of(Visitor::default()).await
    }

    pub(super) async fn client_of(&self, visitor: Visitor) -> TestClient {
        let version = if visitor.is_stateful { 2 } else { 1 };
        let mut client = self.connect(visitor);
        client.send(&json!({"protocol": "json", "version": version})).await;
        assert_eq!(client.next().await, json!({}));
        client
    }

    /// Of the future that is a connection's task.
    pub(super) fn size_of_served(&self) -> usize {
        let request = Request::get("/hub").body(()).unwrap().into_parts().0;
        let transport = Transport::WebSockets;
        let opened = Opened { id: "size", user: None, transport, request, is_stateful: false };
        let (_client, connection) = Client::connect(&self.options, opened);
        size_of_val(&self.server.serve(connection))
    }

    /// A client that has sent nothing.
    pub(super) fn connect(&self, visitor: Visitor) -> TestClient {
        let Visitor { id, uri, user, transport, is_stateful } = visitor;
        let request = Request::get(uri)
            .header("x-client", "test")
            .header("cookie", "first=1; second=2")
            .body(())
            .unwrap();
        let opened = Opened { id, user, transport, request: request.into_parts().0, is_stateful };
        let (client, connection) = Client::connect(&self.options, opened);
        let server = self.server.clone();
        let served = tokio::spawn(async move { server.serve(connection).await });
        TestClient { client, received: VecDeque::new(), rest: Vec::new(), served }
    }
}

/// Who connects.
pub(super) struct Visitor {
    pub(super) id: &'static str,
    pub(super) uri: &'static str,
    pub(super) user: Option<User>,
    pub(super) transport: Transport,
    pub(super) is_stateful: bool,
}

impl Default for Visitor {
    fn default() -> Self {
        Self { id: "one", uri: "/hub", user: None, transport: Transport::WebSockets, is_stateful: false }
    }
}

pub(super) fn user(id: &str, roles: &[&str]) -> User {
    User {
        id: id.to_owned(),
        name: id.to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        expires: None,
    }
}

pub(super) struct TestClient {
    pub(super) client: Client,
    received: VecDeque<Value>,
    rest: Vec<u8>,
    served: JoinHandle<()>,
}

impl TestClient {
    pub(super) async fn send(&self, message: &Value) {
        self.send_all(std::slice::from_ref(message)).await;
    }

    /// In one piece.
    pub(super) async fn send_all(&self, messages: &[Value]) {
        let text: String = messages.iter().map(|message| format!("{message}\u{1e}")).collect();
        self.client.send(text.as_bytes()).await;
    }

    /// Unless the server makes the client wait.
    pub(super) async fn try_send(&self, message: &Value) -> bool {
        let may_send = self.client.may_send(message.to_string().len() + 1).await;
        if may_send {
            self.send(message).await;
        }
        may_send
    }

    pub(super) async fn call(&self, id: &str, target: &str, arguments: Value) {
        self.send(&invocation(id, target, arguments)).await;
    }

    pub(super) async fn stream(&self, id: &str, target: &str, arguments: Value) {
        self.send(&json!({"type": 4, "invocationId": id, "target": target, "arguments": arguments})).await;
    }

    /// Calls, and waits for the completion without anything before it.
    pub(super) async fn answer(&mut self, target: &str, arguments: Value) -> Value {
        self.call("call", target, arguments).await;
        self.result("call").await
    }

    /// The result, or the error as `{"error": …}`.
    pub(super) async fn result(&mut self, id: &str) -> Value {
        let mut completion = self.next().await;
        assert_eq!(
            (&completion["type"], &completion["invocationId"]),
            (&json!(3), &json!(id)),
            "{completion}"
        );
        match completion.get("error") {
            Some(error) => json!({ "error": error }),
            None => completion["result"].take(),
        }
    }

    /// The next message; panics where the connection has ended.
    pub(super) async fn next(&mut self) -> Value {
        self.next_or_end().await.expect("a message, not the end")
    }

    pub(super) async fn next_or_end(&mut self) -> Option<Value> {
        while self.received.is_empty() {
            let (_, bytes) = self.client.receive().await?;
            self.rest.extend(bytes);
            while let Some(end) = self.rest.iter().position(|byte| *byte == 0x1e) {
                let message: Vec<u8> = self.rest.drain(..=end).collect();
                self.received.push_back(serde_json::from_slice(&message[..end]).expect("a message of JSON"));
            }
        }
        self.received.pop_front()
    }

    /// Everything up to the end.
    pub(super) async fn all(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(message) = self.next_or_end().await {
            all.push(message);
        }
        all
    }

    /// Nothing comes for some time.
    pub(super) async fn expect_silence(&mut self) {
        let next = tokio::time::timeout(Duration::from_millis(50), self.next_or_end()).await;
        assert!(next.is_err(), "{next:?}");
    }

    /// The server has no more to do with it.
    pub(super) async fn served(self) {
        let served = tokio::time::timeout(Duration::from_secs(10), self.served).await;
        served.expect("the connection ends").expect("without a panic");
    }

    /// The server's task is aborted, as at the end of the time for stopping.
    pub(super) fn cut(&self) {
        self.served.abort();
    }
}

pub(super) fn invocation(id: &str, target: &str, arguments: Value) -> Value {
    json!({"type": 1, "invocationId": id, "target": target, "arguments": arguments})
}

pub(super) fn item(id: &str, item: Value) -> Value {
    json!({"type": 2, "invocationId": id, "item": item})
}

pub(super) fn ended(id: &str) -> Value {
    json!({"type": 3, "invocationId": id})
}

pub(super) fn error(text: &str) -> Value {
    json!({ "error": text })
}
