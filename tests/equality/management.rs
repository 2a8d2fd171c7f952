//! The broker's management API: what a stranger with a browser could do to a feed's queues.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// A node's management API.
pub(crate) struct Management {
    address: String,
}

/// A message that was taken from a queue.
pub(crate) struct Taken {
    pub(crate) routing_key: String,
    pub(crate) body: Vec<u8>,
}

impl Management {
    /// At `http://host:port`.
    pub(crate) fn new(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").trim_end_matches('/').to_owned() }
    }

    /// Publishes to an exchange; the default one is `amq.default`.
    pub(crate) fn publish(&self, exchange: &str, routing_key: &str, body: &[u8]) {
        let message = json!({
            "properties": {}, "routing_key": routing_key, "payload": encode_base64(body),
            "payload_encoding": "base64",
        });
        let answer = self.ask("POST", &format!("/api/exchanges/%2f/{exchange}/publish"), &message);
        assert_eq!(answer["routed"], true, "{exchange} routes {routing_key}: {answer}");
    }

    pub(crate) fn declare_exchange(&self, name: &str) {
        let fanout = json!({"type": "fanout", "auto_delete": false, "durable": false});
        self.ask("PUT", &format!("/api/exchanges/%2f/{name}"), &fanout);
    }

    pub(crate) fn declare_queue(&self, name: &str) {
        self.ask("PUT", &format!("/api/queues/%2f/{name}"), &json!({"durable": true}));
    }

    pub(crate) fn bind(&self, exchange: &str, queue: &str, routing_key: &str) {
        let path = format!("/api/bindings/%2f/e/{exchange}/q/{queue}");
        self.ask("POST", &path, &json!({"routing_key": routing_key}));
    }

    /// Takes up to `count` messages from a queue.
    pub(crate) fn take(&self, queue: &str, count: usize) -> Vec<Taken> {
        self.get(queue, count, "ack_requeue_false")
    }

    /// The first message of a queue, which stays there; `None` while there is none, or no queue.
    pub(crate) fn peek(&self, queue: &str) -> Option<Vec<u8>> {
        self.get(queue, 1, "ack_requeue_true").pop().map(|taken| taken.body)
    }

    fn get(&self, queue: &str, count: usize, mode: &str) -> Vec<Taken> {
        let request = json!({"count": count, "ackmode": mode, "encoding": "base64"});
        let answer = self.ask("POST", &format!("/api/queues/%2f/{queue}/get"), &request);
        let text = |message: &Value, field: &str| message[field].as_str().expect("a text").to_owned();
        let taken = |message: &Value| Taken {
            routing_key: text(message, "routing_key"),
            body: decode_base64(&text(message, "payload")),
        };
        answer.as_array().into_iter().flatten().map(taken).collect()
    }

    /// Throws away what waits in a queue and was not delivered.
    pub(crate) fn purge(&self, queue: &str) {
        self.ask("DELETE", &format!("/api/queues/%2f/{queue}/contents"), &json!({}));
    }

    pub(crate) fn delete_queue(&self, queue: &str) {
        self.ask("DELETE", &format!("/api/queues/%2f/{queue}"), &json!({}));
    }

    pub(crate) fn delete_exchange(&self, exchange: &str) {
        self.ask("DELETE", &format!("/api/exchanges/%2f/{exchange}"), &json!({}));
    }

    /// The names of all `queues` or `exchanges`.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let all = self.ask("GET", &format!("/api/{kind}/%2f?columns=name"), &Value::Null);
        let names = all.as_array().expect("a list").iter();
        names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    }

    /// How much memory the node uses, in bytes, as it saw it some seconds ago.
    pub(crate) fn memory(&self) -> u64 {
        let nodes = self.ask("GET", "/api/nodes?columns=mem_used", &Value::Null);
        nodes[0]["mem_used"].as_u64().unwrap_or(0)
    }

    /// Asks for something, and gives the answer; that something is not there is no failure.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.request(method, path, body).expect("the management API answers");
        let is_fine = (200..300).contains(&status) || status == 404;
        assert!(is_fine, "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, String)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // 1.0, so that the answer comes in one piece. The login is guest:guest.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Ok((status, content.to_owned()))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = ALPHABET[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { digit.into() } else { '=' });
        }
    }
    text
}

pub(crate) fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut number, mut bits) = (0u32, 0);
    for digit in text.bytes().take_while(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == digit).expect("base64");
        number = number << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((number >> bits) as u8);
        }
    }
    bytes
}

#[test]
fn base64_is_text_and_back() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("guest:guest", "Z3Vlc3Q6Z3Vlc3Q=")]
    {
        assert_eq!(encode_base64(bytes.as_bytes()), text);
        assert_eq!(decode_base64(text), bytes.as_bytes());
    }
}
