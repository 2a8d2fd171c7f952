//! Requests by hand, each with what it was answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use crate::answers;
use crate::cases::{self, pause_ms};
use crate::data::{list, payload, probes, text};
use crate::decisions;
use crate::link::Link;
use crate::messages::{self, countable, messages};
use crate::server::{Server, headers, request};
use crate::websocket_probes::{data, frame};

const PATIENCE: Duration = Duration::from_secs(6);
/// What is not there after so long does not come.
const QUIET: Duration = Duration::from_millis(150);
/// The recorded client took its time, in which the server did what it had been asked for.
const PACE: Duration = Duration::from_millis(40);

#[test]
fn http_probes() {
    let cases = probes("probes-http").into_iter().map(|case| (text(&case["name"]).to_owned(), case));
    cases::run("SignalR probes over HTTP", decisions::HTTP, cases.collect(), replay);
}

async fn replay(case: Json) -> Vec<String> {
    let server = Server::start(&case).await;
    let mut probe = Probe { case: &case, server: &server, ids: BTreeMap::new(), links: BTreeMap::new() };
    probe.negotiate_all().await;
    let mut differences = Vec::new();
    for (index, sent) in list(&case["sent"]).iter().enumerate() {
        probe.send(index + 1, sent).await;
        let received = list(&case["received"]).iter();
        for entry in received.filter(|entry| entry["after"] == index + 1) {
            differences.extend(probe.compare(index + 1, entry).await);
        }
    }
    differences
}

struct Probe<'a> {
    case: &'a Json,
    server: &'a Server,
    /// Ours for each recorded id.
    ids: BTreeMap<String, String>,
    /// By the number of the entry that opened it.
    links: BTreeMap<usize, Link>,
}

impl Probe<'_> {
    /// Ids were negotiated before the case; all at once, as some are looked at much later.
    async fn negotiate_all(&mut self) {
        let name = text(&self.case["name"]);
        let query = if name.contains("version 0") { "" } else { "negotiateVersion=1" };
        let is_alices = name.starts_with("another user's id");
        let alice = [("Authorization".to_owned(), "Bearer alice".to_owned())];
        for sent in list(&self.case["sent"]) {
            let Some(recorded) = sent["request"].as_str().and_then(id) else { continue };
            if self.ids.contains_key(recorded) {
                continue;
            }
            let headers: &[_] = if is_alices { &alice } else { &[] };
            let negotiated = self.server.negotiate(text(&self.case["hub"]), query, headers).await;
            let is_public = name.starts_with("the public connectionId");
            let ours = if is_public { negotiated.id } else { negotiated.token };
            self.ids.insert(recorded.to_owned(), ours);
        }
    }

    async fn send(&mut self, number: usize, sent: &Json) {
        if let Some(note) = sent["note"].as_str() {
            return self.follow(note, sent).await;
        }
        tokio::time::sleep(PACE).await;
        if sent["opcode"].is_string() {
            let bytes = frame(sent);
            return self.links.values_mut().last().expect("a socket").send(&bytes).await;
        }
        let (method, target) = text(&sent["request"]).split_once(' ').unwrap();
        let mut target = target.to_owned();
        for (recorded, ours) in &self.ids {
            target = target.replace(recorded, ours);
        }
        let is_upgrade = sent["upgrade"].is_string();
        let mut bytes = request(method, &target, &headers(sent), is_upgrade, &payload(&sent["body"]));
        if text(&self.case["name"]) == "upgrade: no key" {
            let line = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
            let at = crate::link::find(&bytes, line).unwrap();
            bytes.drain(at..at + line.len());
        }
        self.links.insert(number, Link::request(self.server.port, &bytes, method == "HEAD").await);
    }

    /// What the recorder did besides sending.
    async fn follow(&mut self, note: &str, sent: &Json) {
        if let Some(pause) = pause_ms(sent) {
            let pause = match note {
                // Counted from the start, which was a pause ago.
                "20 s later" if text(&self.case["name"]).starts_with("an abandoned") => 9000,
                // Before the timeout of 15 s; a machine that is busy needs more room when all is faster.
                "14 s later" if self.server.is_faster > 1 => 11_000,
                _ => pause,
            };
            tokio::time::sleep(Duration::from_millis(pause) / self.server.is_faster).await;
        } else if note.ends_with("TCP connection is closed") {
            let (_, mut link) = if note.starts_with("the stream's") {
                self.links.pop_first().unwrap()
            } else {
                self.links.pop_last().unwrap()
            };
            link.finish().await;
            tokio::time::sleep(PACE).await;
            link.reset().await;
        } else if note.starts_with("the rest of the first POST") {
            let rest = "nId\":\"1\",\"target\":\"EchoInt\",\"arguments\":[1]}\u{1e}";
            self.links.get_mut(&4).expect("the first POST").send(rest.as_bytes()).await;
        } else {
            assert_eq!(note, "looked at when it was answered");
        }
    }

    async fn compare(&mut self, number: usize, recorded: &Json) -> Vec<String> {
        if recorded["status"].is_null() && recorded["text"].is_string() {
            return self.compare_frames(recorded).await;
        }
        let waited =
            recorded["waitedMs"].as_u64().map(|waited| Duration::from_millis(waited) / self.server.is_faster);
        let mut to = recorded["to"].as_u64().map_or(number, |to| usize::try_from(to).unwrap());
        if waited.is_some() {
            to = number - 1;
        }
        let Some(link) = self.links.get(&to) else { return vec![format!("{number}: no such request")] };
        if recorded["pending"] == true {
            let is_answered = link.comes_to(QUIET, |seen| seen.head.is_some()).await;
            return is_answered
                .then(|| format!("{number}: answered at once, recorded: pending"))
                .into_iter()
                .collect();
        }
        let length = payload(&recorded["body"]).len();
        let is_open = recorded["bodyEnded"] == false;
        let enough = |seen: &crate::link::Seen| {
            seen.head.is_some()
                && seen.body.len() >= length
                && (is_open || seen.is_body_ended || seen.status() == Some(101))
        };
        link.comes_to(waited.unwrap_or_default() + PATIENCE, enough).await;
        let seen = link.seen();
        let found = answers::differences(&seen, recorded, text(&self.case["protocol"]));
        found.into_iter().map(|difference| format!("{number}: {difference}")).collect()
    }

    async fn compare_frames(&self, recorded: &Json) -> Vec<String> {
        let link = self.links.values().last().expect("a socket");
        let recorded = countable(messages("json", &payload(recorded)));
        let here = |seen: &crate::link::Seen| countable(messages("json", &data(&seen.frames)));
        link.comes_to(PATIENCE, |seen| here(seen).len() >= recorded.len()).await;
        messages::differences("received", &here(&link.seen()), &recorded)
    }
}

/// The id in a request's query, if it is one that was negotiated.
fn id(request: &str) -> Option<&str> {
    let (_, rest) = request.split_once("?id=").or_else(|| request.split_once("?ID="))?;
    let id = rest.split('&').next().unwrap();
    (!id.is_empty() && !id.starts_with("AAAA")).then_some(id)
}
