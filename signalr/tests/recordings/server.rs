//! The example server, one for each case, so that cases do not see each other.

#[path = "../../examples/server/application/mod.rs"]
mod application;

use std::time::Duration;

use serde_json::Value as Json;

use crate::cases::duration_ms;
use crate::link::Link;
use application::{Application, Asked};

/// Unless all times shall be as recorded, those of a case that took longer are divided, so that it takes seconds. They are not
/// divided by more than that takes, as a busy machine adds to each of them.
const LONG_MS: u64 = 14_000;
const LONGEST_MS: u64 = 9000;

pub(crate) struct Server {
    pub(crate) port: u16,
    /// By what the server's times are divided.
    pub(crate) is_faster: u32,
    application: Application,
}

/// What a client learns when it negotiates.
pub(crate) struct Negotiated {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Server {
    pub(crate) async fn start(case: &Json) -> Self {
        let takes = duration_ms(case);
        let is_long = takes >= LONG_MS && std::env::var_os("ORCHARD_TEST_LONG").is_none();
        let is_faster = if is_long { u32::try_from(takes.div_ceil(LONGEST_MS)).unwrap() } else { 1 };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let application = Application::start(listener, is_faster);
        Self { port, is_faster, application }
    }

    /// Negotiates a connection of its own; without a token at version 0 the id is both.
    pub(crate) async fn negotiate(&self, hub: &str, query: &str, headers: &[(String, String)]) -> Negotiated {
        let mut all = headers.to_vec();
        all.push(("Content-Length".to_owned(), "0".to_owned()));
        let bytes = request("POST", &format!("{hub}/negotiate?{query}"), &all, false, b"");
        let link = Link::request(self.port, &bytes, false).await;
        link.comes_to(Duration::from_secs(3), |seen| seen.is_body_ended).await;
        let answer: Json = serde_json::from_slice(&link.seen().body).expect("negotiate answers JSON");
        let id = answer["connectionId"].as_str().expect("an id").to_owned();
        let token = answer["connectionToken"].as_str().map_or_else(|| id.clone(), str::to_owned);
        Negotiated { id, token }
    }

    /// The server calls Item with text and number on one connection, or on all of the hub.
    pub(crate) async fn call_items(&self, hub: &str, connection: Option<&str>, text: &str, times: usize) {
        self.application.call_items(hub, connection, text, times).await;
    }

    /// The public id of the only connection of a hub.
    pub(crate) fn only_connection(&self, hub: &str) -> String {
        let connections = self.application.connections(hub);
        assert_eq!(connections.len(), 1, "{hub}: {connections:?}");
        connections.into_iter().next().unwrap_or_default()
    }

    /// The server asks a client, and waits for the answer.
    pub(crate) fn ask(&self, hub: &str, connection: &str, question: Option<&str>) -> Asked {
        self.application.ask(hub, connection, question)
    }

    /// Ends the server as its operator would.
    pub(crate) async fn stop(&self) {
        self.application.stop(Duration::from_secs(5)).await;
    }
}

/// A request's bytes.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(String, String)],
    is_upgrade: bool,
    body: &[u8],
) -> Vec<u8> {
    const UPGRADE: [(&str, &str); 4] = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    let has = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !has("host") {
        text.push_str("Host: 127.0.0.1\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in UPGRADE.iter().filter(|(name, _)| is_upgrade && !has(name)) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// Recorded headers.
pub(crate) fn headers(entry: &Json) -> Vec<(String, String)> {
    let pairs = crate::data::list(&entry["headers"]).iter();
    pairs
        .map(|pair| (crate::data::text(&pair[0]).to_owned(), crate::data::text(&pair[1]).to_owned()))
        .collect()
}
