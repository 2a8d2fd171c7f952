//! Stateful reconnect by hand: one log for all sockets of an id.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::cases;
use crate::data::{list, payload, probes, text};
use crate::decisions;
use crate::link::{self, Link, Seen};
use crate::messages::{self, ack, countable, messages};
use crate::server::{Negotiated, Server, request};
use crate::websocket_probes::{data, frame};

/// How long an answer is waited for beyond its recorded moment.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is not there after so long does not come.
const QUIET: Duration = Duration::from_millis(150);
/// Shorter pauses of the recorded client are its own.
const PAUSE_MS: u64 = 30;
/// Acks go out once a second.
const ACKS: Duration = Duration::from_millis(1500);

#[test]
fn stateful_probes() {
    let cases = probes("probes-stateful").into_iter().map(|case| (text(&case["name"]).to_owned(), case));
    cases::run("SignalR probes of stateful reconnect", decisions::STATEFUL, cases.collect(), replay);
}

async fn replay(case: Json) -> Vec<String> {
    let server = Server::start(&case).await;
    let has_asked = !text(&case["name"]).contains("did not ask");
    let query = if has_asked { "negotiateVersion=1&useStatefulReconnect=true" } else { "negotiateVersion=1" };
    let negotiated = server.negotiate(text(&case["hub"]), query, &[]).await;
    let mark = (Instant::now(), 0);
    let mut probe = Probe { case: &case, server: &server, negotiated, sockets: BTreeMap::new(), mark };
    for (index, entry) in list(&case["log"]).iter().enumerate() {
        probe.follow(index, entry).await;
    }
    probe.wait_for_messages(list(&case["log"]).len()).await;
    probe.wait_for_acks().await;
    tokio::time::sleep(QUIET).await;
    probe.differences()
}

struct Probe<'a> {
    case: &'a Json,
    server: &'a Server,
    negotiated: Negotiated,
    sockets: BTreeMap<u64, Link>,
    /// When the client last did something, and the recorded moment of it.
    mark: (Instant, u64),
}

impl Probe<'_> {
    async fn follow(&mut self, index: usize, entry: &Json) {
        let socket = entry["socket"].as_u64().unwrap_or(1);
        match text(&entry["from"]) {
            "client" => {
                self.wait_for_messages(index).await;
                self.pace(index, entry).await;
                let link = self.sockets.get_mut(&socket).expect("an open socket");
                match entry["tcp"].as_str() {
                    None => link.send(&frame(entry)).await,
                    Some("fin") => link.finish().await,
                    Some(_) => link.reset().await,
                }
            }
            "recorder" => self.note(index, entry).await,
            _ if entry["status"].is_u64() => self.open(index, entry, socket).await,
            _ if entry["opcode"] == "close" && self.is_takeover(socket) => {
                self.take_over(index, entry, socket).await
            }
            _ => {}
        }
    }

    /// Whether a close frame on this socket was the answer to a newer socket.
    fn is_takeover(&self, socket: u64) -> bool {
        let later = list(&self.case["log"]).iter().any(|entry| entry["socket"] == socket + 1);
        text(&self.case["name"]).contains("takeover") && later && !self.sockets.contains_key(&(socket + 1))
    }

    async fn take_over(&mut self, index: usize, entry: &Json, socket: u64) {
        self.wait_for_messages(index).await;
        self.pace(index, entry).await;
        let next = self.connect().await;
        self.sockets.insert(socket + 1, next);
        let link = self.sockets.get_mut(&socket).expect("an open socket");
        let closes = link.comes_to(QUIET, |seen| seen.close().is_some()).await;
        if closes && text(&self.case["name"]).contains("answers the close frame") {
            link.send(&link::frame(0x80 | link::CLOSE, &link::close_payload(Some(1000), ""), true)).await;
        }
    }

    async fn connect(&self) -> Link {
        let target = format!("{}?id={}", text(&self.case["hub"]), self.negotiated.token);
        Link::request(self.server.port, &request("GET", &target, &[], true, b""), false).await
    }

    async fn open(&mut self, index: usize, entry: &Json, socket: u64) {
        if !self.sockets.contains_key(&socket) {
            self.wait_for_messages(index).await;
            self.pace(index, entry).await;
            let link = self.connect().await;
            self.sockets.insert(socket, link);
        }
        let has_answer = |seen: &Seen| seen.status() == Some(101) || seen.is_body_ended;
        self.sockets[&socket].comes_to(PATIENCE, has_answer).await;
    }

    async fn note(&mut self, index: usize, entry: &Json) {
        const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":2}\u{1e}";
        const CALL: &str =
            "{\"type\":1,\"invocationId\":\"1\",\"target\":\"EchoInt\",\"arguments\":[1]}\u{1e}";
        self.wait_for_messages(index).await;
        self.pace(index, entry).await;
        let sent = match text(&entry["note"]) {
            "the server called Item 3 times" => return self.call_items(3).await,
            "the server called Item 2 times" => return self.call_items(2).await,
            "sent: handshake (version 2) and call 1 in one frame" => format!("{HANDSHAKE}{CALL}"),
            "sent: hello\u{241e}" => "hello\u{1e}".to_owned(),
            other => panic!("{other}"),
        };
        let (_, link) = self.sockets.iter_mut().next_back().expect("an open socket");
        link.send(&frame(&json!({"opcode": "text", "text": sent}))).await;
    }

    async fn call_items(&self, times: usize) {
        let connection = Some(self.negotiated.id.as_str());
        self.server.call_items(text(&self.case["hub"]), connection, "s", times).await;
    }

    /// The recorded client's pauses.
    async fn pace(&mut self, index: usize, entry: &Json) {
        let at = entry["t"].as_u64().unwrap_or(0);
        let before = index
            .checked_sub(1)
            .and_then(|before| list(&self.case["log"])[before]["t"].as_u64())
            .unwrap_or(0);
        if at.saturating_sub(before) >= PAUSE_MS {
            let since = Duration::from_millis(at.saturating_sub(self.mark.1)) / self.server.is_faster;
            tokio::time::sleep_until((self.mark.0 + since).into()).await;
        }
        self.mark = (Instant::now(), at);
    }

    /// What was recorded on a socket before an entry of the log.
    fn recorded(&self, socket: u64, index: usize) -> Vec<Json> {
        let before = list(&self.case["log"])[..index].iter();
        let from_server = before.filter(|entry| entry["socket"] == socket && entry["from"] == "server");
        let frames = from_server.filter(|entry| matches!(entry["opcode"].as_str(), Some("text" | "binary")));
        let bytes: Vec<u8> = frames.flat_map(payload).collect();
        messages(self.protocol(), &bytes)
    }

    fn protocol(&self) -> &str {
        text(&self.case["protocol"])
    }

    async fn wait_for_messages(&self, index: usize) {
        for (socket, link) in &self.sockets {
            let wanted = countable(self.recorded(*socket, index)).len();
            let here = |seen: &Seen| countable(messages(self.protocol(), &data(&seen.frames))).len();
            let timeouts = cases::duration_ms(self.case) / u64::from(self.server.is_faster);
            let within = if timeouts > 3000 && self.server.is_faster > 1 {
                Duration::from_millis(timeouts)
            } else {
                PATIENCE
            };
            link.comes_to(within, |seen| here(seen) >= wanted).await;
        }
    }

    async fn wait_for_acks(&self) {
        let recorded = self.acks(|socket, _| self.recorded(socket, list(&self.case["log"]).len()));
        let Some((_, link)) = self.sockets.iter().next_back() else { return };
        if recorded.is_some() && self.ours_acks() < recorded {
            let all =
                |seen: &Seen| messages(self.protocol(), &data(&seen.frames)).iter().filter_map(ack).max();
            link.comes_to(ACKS, |seen| all(seen) >= recorded).await;
        }
    }

    fn ours_acks(&self) -> Option<u64> {
        self.acks(|_, link| messages(self.protocol(), &data(&link.seen().frames)))
    }

    /// The highest number that was acknowledged.
    fn acks(&self, messages: impl Fn(u64, &Link) -> Vec<Json>) -> Option<u64> {
        let all = self.sockets.iter().flat_map(|(socket, link)| messages(*socket, link));
        all.filter_map(|message| ack(&message)).max()
    }

    fn differences(&self) -> Vec<String> {
        let log = list(&self.case["log"]);
        let mut differences = Vec::new();
        for (socket, link) in &self.sockets {
            let seen = link.seen();
            let ours = countable(messages(self.protocol(), &data(&seen.frames)));
            let recorded = countable(self.recorded(*socket, log.len()));
            differences.extend(messages::differences(&format!("socket {socket}"), &ours, &recorded));
            let mut on_socket =
                log.iter().filter(|entry| entry["socket"] == *socket && entry["from"] == "server");
            let answer = on_socket.clone().find(|entry| entry["status"].is_u64()).expect("each is answered");
            if seen.status().map(u64::from) != answer["status"].as_u64() {
                differences.push(format!(
                    "socket {socket}: status {:?}, recorded {}",
                    seen.status(),
                    answer["status"]
                ));
            }
            let close = on_socket.find(|entry| entry["opcode"] == "close");
            let recorded = close.map(|entry| entry["code"].as_u64());
            let ours = seen.close().map(|(code, _)| code.map(u64::from));
            if ours != recorded {
                differences.push(format!("socket {socket}: close frame {ours:?}, recorded {recorded:?}"));
            }
        }
        let recorded = self.acks(|socket, _| self.recorded(socket, log.len()));
        let ours = self.ours_acks();
        if recorded.is_some() && ours != recorded {
            differences.push(format!("Ack {ours:?}, recorded {recorded:?}"));
        }
        differences
    }
}
